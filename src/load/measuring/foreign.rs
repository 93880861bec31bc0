//! What happened on the servers in a window that was not this run's doing: other clients' commands,
//! evictions, refusals, forks, conditions that changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Change, ClusterConditions, Heirs, Strangers, Visit};
use crate::flowfabric::CallBounds;
use crate::valkey::{Client, Incidents, TOOL_COMMANDS};
use reclaim_analysis::record::{COMPARED_COMMANDS, CounterDelta, ForeignClient, InvalidReason, Warning};
use reclaim_analysis::scenario::{Mode, Scenario};

/// Commands of links between servers, which every primary counts: a replica's, and those that slots move
/// over. A SETSLOT is counted once more when its replicas have it; that somebody else moved slots shows in
/// who owns them.
const BETWEEN_SERVERS: [&str; 5] = ["cluster|setslot", "cluster|syncslots", "psync", "replconf", "sync"];

/// How keys of slots arrive: one by one, or as a stream of the commands that make them.
const ARRIVING: [&str; 18] = [
    "del",
    "exec",
    "hmset",
    "hset",
    "multi",
    "pexpireat",
    "restore",
    "restore-asking",
    "rpush",
    "sadd",
    "select",
    "set",
    "unlink",
    "xadd",
    "xgroup|create",
    "xgroup|createconsumer",
    "xsetid",
    "zadd",
];

/// What the client of FlowFabric's SDK asks from time to time to know the cluster and whether its connections
/// are alive.
const BY_THE_SDK: [&str; 12] = [
    "auth",
    "client|setinfo",
    "client|setname",
    "cluster|nodes",
    "cluster|shards",
    "cluster|slots",
    "hello",
    "info",
    "ping",
    "readonly",
    "role",
    "select",
];

/// Who opens connections to the primaries in a window, beside whoever should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// This run alone, which counts them.
    ByTheTool,
    /// Workers of an SDK duet too: what they send is what is asked, and by their names the servers know them.
    Workers,
    /// FlowFabric's SDK too, as it sees fit: it makes some of the claims.
    BySdk,
    /// The servers among themselves: faults are on the timeline.
    ByServers,
}

impl Opened {
    /// As the scenario has it.
    pub fn expected_in(scenario: &Scenario) -> Self {
        if scenario.variants.iter().any(|variant| variant.sdk.is_some()) {
            Self::Workers
        } else if scenario.variants.iter().any(|variant| variant.path.is_sdk()) {
            Self::BySdk
        } else if scenario.faults.is_empty() {
            Self::ByTheTool
        } else {
            Self::ByServers
        }
    }
}

/// Collects it over all windows.
pub(super) struct Others {
    bounds: CallBounds,
    /// Whether all claims call one function of one library, so that each that succeeds runs the same
    /// commands.
    uniform: bool,
    /// Whether others may use the cluster.
    shared: bool,
    opened: Opened,
    /// Commands of which others' are found where the record is judged.
    judged: &'static [&'static str],
    /// By address, then command.
    foreign: BTreeMap<String, BTreeMap<String, u64>>,
    /// Connections in windows that are not this run's, by address.
    came: BTreeMap<String, u64>,
    /// What runs asked that were refused, as they say themselves.
    visits: Vec<Visit>,
    incidents: BTreeMap<String, Incidents>,
    start: Option<ClusterConditions>,
    changes: Vec<Change>,
    /// As of the last window's end: what each asked is counted from the start.
    strangers: Vec<Strangers>,
    swapped_pages: u64,
}

impl Others {
    /// `shared`: whether others may use the cluster.
    pub fn new(shared: bool, opened: Opened) -> Self {
        Self {
            bounds: CallBounds::new(),
            uniform: false,
            shared,
            opened,
            judged: &COMPARED_COMMANDS,
            foreign: BTreeMap::new(),
            came: BTreeMap::new(),
            visits: Vec::new(),
            incidents: BTreeMap::new(),
            start: None,
            changes: Vec::new(),
            strangers: Vec::new(),
            swapped_pages: 0,
        }
    }

    /// In churn and storms the functions read hashes themselves, so that what was sent and what was counted need not
    /// be the same: only what is beyond both is somebody else's. Of what FlowFabric's SDK sends there is no more than
    /// its own account.
    pub fn in_mode(self, mode: Mode) -> Self {
        let all = mode == Mode::Staged || self.opened == Opened::BySdk;
        Self { judged: if all { &COMPARED_COMMANDS } else { &COMPARED_COMMANDS[..1] }, ..self }
    }

    /// Whether the conditions at the start are still to be read.
    pub fn wants_start(&self) -> bool {
        self.start.is_none()
    }

    /// The conditions that everything is to be measured under, and what one call of the functions that claims
    /// make can run; `uniform` if it is one function of one library.
    pub fn start(&mut self, conditions: ClusterConditions, bounds: CallBounds, uniform: bool) {
        self.bounds = bounds;
        self.uniform = uniform;
        self.start = Some(conditions);
    }

    /// The conditions at the end of a window; who took over from whom in it was asked for.
    pub fn conditions(&mut self, now: &ClusterConditions, heirs: &Heirs) {
        let changes = self.start.as_ref().map(|start| start.changes(now, heirs)).unwrap_or_default();
        for change in changes {
            let known = |known: &Change| (&known.addr, &known.condition) == (&change.addr, &change.condition);
            if !self.changes.iter().any(known) {
                self.changes.push(change);
            }
        }
        self.strangers = self.start.as_ref().map(|start| start.strangers(now)).unwrap_or_default();
    }

    /// What one primary counted in a window. What the tool sent for itself, to read counters and conditions,
    /// goes out of both sides: no claim made it. Calls beyond what was sent and what the functions can have
    /// run are somebody else's. A server that has `received` slots counts what the keys arrived by, and what
    /// functions had run where these came from.
    pub fn window(
        &mut self,
        addr: &str,
        delta: &mut CounterDelta,
        (incidents, received): (&Incidents, bool),
    ) {
        for command in TOOL_COMMANDS {
            let own = delta.sent.remove(command).unwrap_or(0);
            if let Some(counted) = delta.calls.get_mut(command) {
                *counted = counted.saturating_sub(own);
            }
        }
        delta.calls.retain(|_, calls| *calls > 0);
        let claims = delta.sent.get("fcall").copied().unwrap_or(0);
        for command in COMPARED_COMMANDS {
            if let (Some(bound), Some(&calls)) = (self.bounds.get(command), delta.calls.get(command)) {
                // In a loop it may be any number.
                let most = bound.map_or(calls, |each| each * claims);
                delta.by_functions.insert(command.to_owned(), most);
            }
        }
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
            let arrived =
                received && (ARRIVING.contains(&command.as_str()) || self.bounds.contains_key(command));
            let by_the_sdk = match self.opened {
                Opened::BySdk => BY_THE_SDK.contains(&command.as_str()),
                // Who else connects to the servers is seen by their connections.
                Opened::Workers => true,
                Opened::ByTheTool | Opened::ByServers => false,
            };
            if arrived || by_the_sdk {
                continue;
            }
            let judged_elsewhere = !self.shared && self.judged.contains(&command.as_str());
            if calls > explained && !judged_elsewhere && !BETWEEN_SERVERS.contains(&command.as_str()) {
                let of_node = self.foreign.entry(addr.to_owned()).or_default();
                *of_node.entry(command.clone()).or_default() += calls - explained;
            }
        }
        self.incidents.entry(addr.to_owned()).or_default().add(incidents);
    }

    /// Connections to one primary in a window beyond this run's own.
    pub fn came(&mut self, addr: &str, connections: u64) {
        *self.came.entry(addr.to_owned()).or_default() += connections;
    }

    /// Runs that looked at the servers since the start and were refused.
    pub fn visited(&mut self, visits: Vec<Visit>) {
        self.visits.extend(visits);
    }

    /// What all visits had of one primary: by the card's own account of commands, and connections.
    fn of_visits(&self, addr: &str) -> (BTreeMap<&str, u64>, u64) {
        let (mut commands, mut connections) = (BTreeMap::new(), 0);
        let asked = self.visits.iter().flat_map(|visit| &visit.asked);
        for asked in asked.filter(|asked| asked.addr.to_string() == addr) {
            connections += asked.connections;
            for (command, calls) in &asked.sent {
                *commands.entry(command.as_str()).or_default() += calls;
            }
        }
        (commands, connections)
    }

    /// Calls that neither this run nor one that was refused has made, by primary.
    fn strange(&self) -> impl Iterator<Item = (String, BTreeMap<String, u64>)> {
        self.foreign.iter().filter_map(|(addr, commands)| {
            let (visits, _) = self.of_visits(addr);
            let beyond = commands.iter().map(|(command, calls)| {
                (command.clone(), calls.saturating_sub(visits.get(command.as_str()).copied().unwrap_or(0)))
            });
            let beyond: BTreeMap<_, _> = beyond.filter(|(_, calls)| *calls > 0).collect();
            (!beyond.is_empty()).then(|| (addr.clone(), beyond))
        })
    }

    /// The visits, where some of what they asked is in a window.
    fn visit_warning(&self) -> Option<Warning> {
        let total = |commands: &BTreeMap<String, u64>| commands.values().sum::<u64>();
        let in_windows: u64 = self.foreign.values().map(total).sum();
        let strange: u64 = self.strange().map(|(_, commands)| total(&commands)).sum();
        let processes: BTreeSet<&String> = self.visits.iter().map(|visit| &visit.process).collect();
        (in_windows > strange).then(|| Warning::Visited {
            processes: processes.into_iter().cloned().collect(),
            commands: in_windows - strange,
        })
    }

    /// Connections of others who left before they could be found in the list of clients, by primary. Where
    /// claims are alike, counts say to the last command what else was asked; elsewhere a stranger's calls may
    /// hide among what functions run.
    fn passed(&self) -> impl Iterator<Item = (String, u64)> {
        let known = self.opened == Opened::ByTheTool && !self.uniform;
        let came = self.came.iter().filter(move |_| known);
        came.filter_map(|(addr, came)| {
            let on = self.strangers.iter().find(|on| on.addr.to_string() == *addr);
            let (_, visits) = self.of_visits(addr);
            let gone = came.saturating_sub(on.map_or(0, |on| on.arrived) + visits);
            (gone > 0).then(|| (addr.clone(), gone))
        })
    }

    /// Claims that ran the function to its end: as many as the least frequent of the commands that it runs
    /// once. `None` where claims differ in what they run.
    fn complete(&self, delta: &CounterDelta, claims: u64) -> Option<u64> {
        let once = self.bounds.iter().filter(|(_, bound)| **bound == Some(1));
        let counted = once.map(|(command, _)| delta.calls.get(command).copied().unwrap_or(0));
        counted.filter(|calls| *calls > 0).min().filter(|_| self.uniform).map(|calls| calls.min(claims))
    }

    /// Pages that the machine moved to or from disk in a window.
    pub fn swapped(&mut self, pages: u64) {
        self.swapped_pages += pages;
    }

    /// Strangers that asked something, by primary.
    fn clients(&self) -> impl Iterator<Item = (String, Vec<ForeignClient>)> {
        let asked = self.strangers.iter().filter(|on| !on.asked.is_empty());
        asked.map(|on| {
            let clients = on.asked.iter().map(|(client, commands)| foreign_client(client, *commands));
            (on.addr.to_string(), clients.collect())
        })
    }

    /// What makes the figures invalid.
    pub fn invalid_reasons(&self) -> Vec<InvalidReason> {
        let mut reasons = Vec::new();
        if !self.shared {
            reasons.extend(
                self.strange()
                    .map(|(primary, commands)| InvalidReason::ForeignCommands { primary, commands }),
            );
            reasons.extend(
                self.clients().map(|(primary, clients)| InvalidReason::ForeignClients { primary, clients }),
            );
            reasons.extend(
                self.passed()
                    .map(|(primary, connections)| InvalidReason::PassingClients { primary, connections }),
            );
        }
        for change in &self.changes {
            reasons.push(InvalidReason::ConditionChanged {
                primary: change.addr.to_string(),
                condition: change.condition.clone(),
                before: change.before.clone(),
                after: change.after.clone(),
            });
        }
        for (primary, incidents) in &self.incidents {
            let primary = || primary.clone();
            if incidents.evicted_keys > 0 {
                reasons.push(InvalidReason::Evicted { primary: primary(), keys: incidents.evicted_keys });
            }
            if incidents.out_of_memory > 0 {
                reasons.push(InvalidReason::OutOfMemory {
                    primary: primary(),
                    commands: incidents.out_of_memory,
                });
            }
        }
        reasons
    }

    /// What a reader should know.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::from_iter(self.visit_warning());
        if self.shared {
            warnings.extend(
                self.strange().map(|(primary, commands)| Warning::ForeignCommands { primary, commands }),
            );
            warnings.extend(
                self.clients().map(|(primary, clients)| Warning::ForeignClients { primary, clients }),
            );
            warnings.extend(
                self.passed().map(|(primary, connections)| Warning::PassingClients { primary, connections }),
            );
        }
        for Strangers { addr, monitors, .. } in self.strangers.iter().filter(|on| !on.monitors.is_empty()) {
            let clients = monitors.iter().map(|client| foreign_client(client, 0)).collect();
            warnings.push(Warning::Monitored { primary: addr.to_string(), clients });
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

fn foreign_client(client: &Client, commands: u64) -> ForeignClient {
    ForeignClient { addr: client.addr.clone(), name: client.name.clone(), commands }
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
