//! What happened on the servers in a window that was not this run's doing: other clients' commands, evictions, refusals,
//! forks, conditions that changed.

use std::collections::BTreeMap;

use crate::cluster::{Change, Conditions};
use crate::flowfabric::CallBounds;
use crate::valkey::{Incidents, TOOL_COMMANDS};
use reclaim_analysis::record::{CounterDelta, Fault, Warning};

/// Commands of a replica's link, which every primary counts.
const REPLICATION: [&str; 3] = ["psync", "replconf", "sync"];

/// Commands for which sent and counted are compared one by one where the record is judged.
const COMPARED: [&str; 3] = ["fcall", "hget", "hmget"];

/// Collects it over all windows.
pub(super) struct Others {
    bounds: CallBounds,
    /// Whether all claims call one function of one library, so that each that succeeds runs the same commands.
    uniform: bool,
    /// Whether others may use the cluster.
    shared: bool,
    /// By address, then command.
    foreign: BTreeMap<String, BTreeMap<String, u64>>,
    incidents: BTreeMap<String, Incidents>,
    start: Option<Conditions>,
    changes: Vec<Change>,
    swapped_pages: u64,
}

impl Others {
    /// `shared`: whether others may use the cluster.
    pub fn new(shared: bool) -> Self {
        Self {
            bounds: CallBounds::new(),
            uniform: false,
            shared,
            foreign: BTreeMap::new(),
            incidents: BTreeMap::new(),
            start: None,
            changes: Vec::new(),
            swapped_pages: 0,
        }
    }

    /// Whether the conditions at the start are still to be read.
    pub fn wants_start(&self) -> bool {
        self.start.is_none()
    }

    /// The conditions that everything is to be measured under, and what one call of the functions that claims make can
    /// run; `uniform` if it is one function of one library.
    pub fn start(&mut self, conditions: Conditions, bounds: CallBounds, uniform: bool) {
        self.bounds = bounds;
        self.uniform = uniform;
        self.start = Some(conditions);
    }

    /// The conditions at the end of a window.
    pub fn conditions(&mut self, now: &Conditions) {
        let changes = self.start.as_ref().map(|start| start.changes(now)).unwrap_or_default();
        for change in changes {
            let known = |known: &Change| (&known.addr, &known.condition) == (&change.addr, &change.condition);
            if !self.changes.iter().any(known) {
                self.changes.push(change);
            }
        }
    }

    /// What one primary counted in a window. What the tool sent for itself, to read counters and conditions, goes out of
    /// both sides: no claim made it. Calls beyond what was sent and what the functions can have run are somebody else's.
    pub fn window(&mut self, addr: &str, delta: &mut CounterDelta, incidents: &Incidents) {
        for command in TOOL_COMMANDS {
            let own = delta.sent.remove(command).unwrap_or(0);
            if let Some(counted) = delta.calls.get_mut(command) {
                *counted = counted.saturating_sub(own);
            }
        }
        delta.calls.retain(|_, calls| *calls > 0);
        let claims = delta.sent.get("fcall").copied().unwrap_or(0);
        let complete = self.complete(delta, claims);
        for (command, &calls) in &delta.calls {
            let by_functions = match self.bounds.get(command) {
                None => 0,
                Some(None) => continue,
                Some(Some(each)) => each * claims,
            };
            let sent = delta.sent.get(command).copied().unwrap_or(0);
            let explained = match (self.bounds.get(command), complete) {
                // Each complete claim ran it equally often, the others anything up to the bound.
                (Some(Some(each)), Some(complete)) if complete > 0 => {
                    let times = (calls.saturating_sub(sent) / complete).min(*each);
                    sent + times * complete + each * (claims - complete)
                }
                _ => sent + by_functions,
            };
            let judged_elsewhere = !self.shared && COMPARED.contains(&command.as_str());
            if calls > explained && !judged_elsewhere && !REPLICATION.contains(&command.as_str()) {
                let of_node = self.foreign.entry(addr.to_owned()).or_default();
                *of_node.entry(command.clone()).or_default() += calls - explained;
            }
        }
        self.incidents.entry(addr.to_owned()).or_default().add(incidents);
    }

    /// Claims that ran the function to its end: as many as the least frequent of the commands that it runs once. `None`
    /// where claims differ in what they run.
    fn complete(&self, delta: &CounterDelta, claims: u64) -> Option<u64> {
        let once = self.bounds.iter().filter(|(_, bound)| **bound == Some(1));
        let counted = once.map(|(command, _)| delta.calls.get(command).copied().unwrap_or(0));
        counted.filter(|calls| *calls > 0).min().filter(|_| self.uniform).map(|calls| calls.min(claims))
    }

    /// Pages that the machine moved to or from disk in a window.
    pub fn swapped(&mut self, pages: u64) {
        self.swapped_pages += pages;
    }

    /// What makes the figures invalid.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.shared {
            faults.extend(self.foreign.iter().map(|(primary, commands)| Fault::ForeignCommands {
                primary: primary.clone(),
                commands: commands.clone(),
            }));
        }
        for change in &self.changes {
            faults.push(Fault::ConditionChanged {
                primary: change.addr.to_string(),
                condition: change.condition.clone(),
                before: change.before.clone(),
                after: change.after.clone(),
            });
        }
        for (primary, incidents) in &self.incidents {
            let primary = || primary.clone();
            if incidents.evicted_keys > 0 {
                faults.push(Fault::Evicted { primary: primary(), keys: incidents.evicted_keys });
            }
            if incidents.out_of_memory > 0 {
                faults.push(Fault::OutOfMemory { primary: primary(), commands: incidents.out_of_memory });
            }
        }
        faults
    }

    /// What a reader should know.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.shared {
            warnings.extend(self.foreign.iter().map(|(primary, commands)| Warning::ForeignCommands {
                primary: primary.clone(),
                commands: commands.clone(),
            }));
        }
        for (primary, incidents) in self.incidents.iter().filter(|(_, incidents)| incidents.forks > 0) {
            warnings.push(Warning::Forked { primary: primary.clone(), times: incidents.forks });
        }
        if self.swapped_pages > 0 {
            warnings.push(Warning::Swapping { pages: self.swapped_pages });
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
    }

    fn window(shared: bool, calls: &[(&str, u64)]) -> (Others, CounterDelta) {
        let bounds = CallBounds::from([("hset".into(), Some(3)), ("smembers".into(), None)]);
        let mut others = Others { bounds, ..Others::new(shared) };
        let mut delta = CounterDelta {
            calls: counts(calls),
            sent: counts(&[("fcall", 10), ("hget", 10), ("info", 2), ("config|get", 1)]),
            ..CounterDelta::default()
        };
        others.window("a:1", &mut delta, &Incidents::default());
        (others, delta)
    }

    #[test]
    fn claims_and_the_tools_own_questions_are_nobody_elses() {
        let calls = [
            ("fcall", 10),
            ("hget", 10),
            ("hset", 30),
            ("smembers", 99),
            ("info", 2),
            ("config|get", 1),
            ("replconf", 3),
        ];
        let (others, delta) = window(false, &calls);
        assert_eq!((others.faults(), others.warnings()), (vec![], vec![]));
        assert!(!delta.calls.contains_key("info") && !delta.sent.contains_key("info"), "{delta:?}");
    }

    #[test]
    fn foreign_commands_are_a_fault_or_a_warning() {
        let calls = [("fcall", 10), ("hget", 10), ("hset", 31), ("info", 5), ("client|list", 4), ("set", 7)];
        let commands = counts(&[("hset", 1), ("info", 3), ("client|list", 4), ("set", 7)]);
        let primary = || "a:1".to_owned();
        let (alone, _) = window(false, &calls);
        let fault = Fault::ForeignCommands { primary: primary(), commands: commands.clone() };
        assert_eq!((alone.faults(), alone.warnings()), (vec![fault], vec![]));
        let (shared, _) = window(true, &calls);
        assert_eq!(shared.faults(), []);
        assert_eq!(shared.warnings(), [Warning::ForeignCommands { primary: primary(), commands }]);
        let (shared, _) = window(true, &[("fcall", 12)]);
        let commands = counts(&[("fcall", 2)]);
        assert_eq!(shared.warnings(), [Warning::ForeignCommands { primary: primary(), commands }]);
    }

    #[test]
    fn where_claims_are_alike_a_few_foreign_calls_do_not_hide_below_the_bound() {
        let bounds = CallBounds::from([
            ("sadd".into(), Some(1)),
            ("zadd".into(), Some(3)),
            ("hgetall".into(), Some(2)),
        ]);
        let of = |calls: &[(&str, u64)]| {
            let mut others = Others { bounds: bounds.clone(), uniform: true, ..Others::new(false) };
            let mut delta = CounterDelta {
                calls: counts(calls),
                sent: counts(&[("fcall", 100)]),
                ..CounterDelta::default()
            };
            others.window("a:1", &mut delta, &Incidents::default());
            others.foreign.get("a:1").cloned().unwrap_or_default()
        };
        assert_eq!(of(&[("sadd", 100), ("zadd", 200), ("hgetall", 200)]), counts(&[]));
        assert_eq!(of(&[("sadd", 100), ("zadd", 203), ("hgetall", 200)]), counts(&[("zadd", 3)]));
        assert_eq!(of(&[("sadd", 103), ("zadd", 200), ("hgetall", 200)]), counts(&[("sadd", 3)]));
        // Ten were refused after their first look.
        assert_eq!(of(&[("sadd", 90), ("zadd", 180), ("hgetall", 190)]), counts(&[]));
    }

    #[test]
    fn incidents_are_named_one_by_one() {
        let (mut others, mut delta) = window(false, &[]);
        let incidents = Incidents { evicted_keys: 3, out_of_memory: 2, forks: 1 };
        others.window("b:2", &mut delta, &incidents);
        others.swapped(9);
        let primary = || "b:2".to_owned();
        assert_eq!(
            others.faults(),
            [
                Fault::Evicted { primary: primary(), keys: 3 },
                Fault::OutOfMemory { primary: primary(), commands: 2 }
            ]
        );
        assert_eq!(
            others.warnings(),
            [Warning::Forked { primary: primary(), times: 1 }, Warning::Swapping { pages: 9 }]
        );
    }
}
