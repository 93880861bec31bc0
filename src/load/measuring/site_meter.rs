//! The counters of one cluster's servers around a stretch of claims, next to what the tool itself sent.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::foreign::{Opened, Others};
use crate::cluster::{Cluster, ClusterError, Heirs};
use crate::valkey::{NodeCounters, SentTo, sent_by, sent_together};
use reclaim_analysis::record::{
    CounterDelta, InvalidReason, MainThreadClock, NotCounted, RedirectKind, Warning,
};
use reclaim_analysis::scenario::Mode;

/// How long a server that is no primary any more may take to tell what it counted.
const FORMER_LIMIT: Duration = Duration::from_secs(1);

/// What one primary did over all stretches so far.
#[derive(Clone, Debug, Default)]
pub(in crate::load) struct NodeTotals {
    pub counters: CounterDelta,
    pub redirects: BTreeMap<RedirectKind, u64>,
    /// Commands without a reply.
    pub unanswered: u64,
    /// Connections that broke.
    pub lost: u64,
}

/// Readings before a stretch.
pub(super) struct SiteReading(Vec<NodeCounters>);

/// What the servers of one cluster did in a stretch.
#[derive(Debug, Default)]
pub(super) struct SiteDelta {
    /// The sum over all primaries.
    pub counters: CounterDelta,
    /// For how long their main threads waited for a core; `None` where that cannot be said.
    pub waited_s: Option<f64>,
}

/// Adds up stretches.
pub(super) struct SiteMeter {
    cluster: Rc<Cluster>,
    /// By address.
    pub totals: BTreeMap<String, NodeTotals>,
    /// Redirects by address, those of servers that are no primaries any more included.
    pub redirects: BTreeMap<String, BTreeMap<RedirectKind, u64>>,
    /// Redirects as the servers themselves count them: of those whose counters were read before and after.
    pub redirects_counted: BTreeMap<String, BTreeMap<RedirectKind, u64>>,
    /// Why the redirects of other servers were not counted.
    pub redirects_not_counted: BTreeMap<String, NotCounted>,
    /// Commands without a reply by address, those to servers that are no primaries any more included.
    pub unanswered: BTreeMap<String, u64>,
    invalid_reasons: Vec<InvalidReason>,
    /// Who took over from whom, as a fault that was asked for has it.
    heirs: Heirs,
    /// What may be called in a window.
    functions: Vec<&'static str>,
    /// Whether faults may explain that connections break: which they do not, the faults' log has.
    has_faults: bool,
    others: Others,
}

impl SiteMeter {
    /// `functions`: what may be called in a window, claims and, where they go on beside them, interruptions.
    pub fn new(cluster: Rc<Cluster>, functions: Vec<&'static str>, (opened, mode): (Opened, Mode)) -> Self {
        let others = Others::new(cluster.shared(), opened).in_mode(mode);
        Self {
            cluster,
            totals: BTreeMap::new(),
            redirects: BTreeMap::new(),
            redirects_counted: BTreeMap::new(),
            redirects_not_counted: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            invalid_reasons: Vec::new(),
            heirs: Heirs::default(),
            functions,
            has_faults: opened == Opened::ByServers,
            others,
        }
    }

    /// What makes the windows so far invalid.
    pub fn invalid_reasons(&self) -> Vec<InvalidReason> {
        self.invalid_reasons.iter().cloned().chain(self.others.invalid_reasons()).collect()
    }

    /// What a reader should know of them.
    pub fn warnings(&self) -> Vec<Warning> {
        let broke = self.totals.iter().filter(|(_, totals)| totals.lost > 0 && !self.has_faults);
        let lost = broke.map(|(primary, totals)| Warning::ConnectionsLost {
            primary: primary.clone(),
            connections: totals.lost,
        });
        self.others.warnings().into_iter().chain(lost).collect()
    }

    /// What has changed hands on purpose makes no run invalid.
    pub fn excuse(&mut self, heirs: Heirs) {
        self.heirs = heirs;
    }

    /// Before the first stretch: reads the conditions that all of them are measured under.
    pub async fn start(&mut self) -> Result<(), ClusterError> {
        if self.others.wants_start() {
            // By now every arm's library is loaded.
            let bounds = self.cluster.call_bounds(&self.functions);
            let one = self.functions.iter().all(|function| *function == self.functions[0]);
            let uniform = one && !self.cluster.runs_several_libraries();
            self.others.start(self.cluster.conditions().await?, bounds, uniform);
            // Who was refused by a run before this one asked nothing in its windows.
            self.cluster.take_cards().await?;
        }
        Ok(())
    }

    /// Reads the counters and starts the tallies anew. Nothing may be in flight.
    pub async fn begin(&mut self) -> Result<SiteReading, ClusterError> {
        self.cluster.hold_mark_for_window().await;
        let counters = self.cluster.counters().await?;
        self.cluster.take_counts();
        self.cluster.window_begins();
        Ok(SiteReading(counters))
    }

    /// Reads them again: the sum over all primaries. A primary that changed meanwhile makes the run
    /// invalid and is no error. With `keep`, the stretch counts for the primaries' totals as well. `others`
    /// have sent this in it.
    pub async fn end(
        &mut self,
        SiteReading(before): SiteReading,
        keep: bool,
        others: &[SentTo],
    ) -> Result<SiteDelta, ClusterError> {
        self.cluster.hold_mark();
        let after = self.cluster.counters().await;
        let counts = sent_together(sent_by(self.cluster.take_counts()).iter().chain(others));
        self.cluster.window_ends();
        let after = after?;
        let mut sum = CounterDelta::default();
        let mut waited = Some(0.0);
        for later in &after {
            let earlier = before.iter().find(|earlier| earlier.addr == later.addr);
            let nothing = SentTo::nothing(later.addr.clone());
            let sent = counts.get(&later.addr).unwrap_or(&nothing);
            if let Some((delta, more)) = self.primary((earlier, later), sent, keep) {
                waited = waited.zip(more).map(|(sum, more)| sum + more);
                add(&mut sum, &delta);
            }
        }
        if keep {
            for earlier in &before {
                if !after.iter().any(|later| later.addr == earlier.addr) {
                    let later = self.cluster.counters_of(&earlier.addr, FORMER_LIMIT).await;
                    self.former(earlier, later.as_ref());
                }
            }
            for (addr, counts) in counts {
                let addr = addr.to_string();
                for (kind, n) in counts.redirects {
                    *self.redirects.entry(addr.clone()).or_default().entry(kind).or_default() += n;
                }
                *self.unanswered.entry(addr).or_default() += counts.unanswered;
            }
        }
        if keep {
            self.others.conditions(&self.cluster.conditions().await?, &self.heirs);
            self.others.visited(self.cluster.take_cards().await?);
        }
        Ok(SiteDelta { counters: sum, waited_s: waited })
    }

    /// Pages that the machine moved to or from disk in a stretch that counts.
    pub fn swapped(&mut self, pages: u64) {
        self.others.swapped(pages);
    }
}

impl SiteMeter {
    /// Redirects of a server that was a primary when the stretch began: as a replica it counts on.
    fn former(&mut self, earlier: &NodeCounters, later: Option<&NodeCounters>) {
        let addr = earlier.addr.to_string();
        match later {
            Some(later) if later.run_id == earlier.run_id => self.count_redirects((earlier, later)),
            Some(_) => drop(self.redirects_not_counted.insert(addr, NotCounted::Restarted)),
            None => drop(self.redirects_not_counted.insert(addr, NotCounted::Silent)),
        }
    }

    fn count_redirects(&mut self, (earlier, later): (&NodeCounters, &NodeCounters)) {
        let counted = self.redirects_counted.entry(later.addr.to_string()).or_default();
        for (kind, n) in later.redirects_since(earlier) {
            *counted.entry(kind).or_default() += n;
        }
    }

    /// What one primary did in a stretch, and for how long its main thread waited for a core meanwhile;
    /// `None` where that cannot be said.
    fn primary(
        &mut self,
        (earlier, later): (Option<&NodeCounters>, &NodeCounters),
        sent: &SentTo,
        keep: bool,
    ) -> Option<(CounterDelta, Option<f64>)> {
        let addr = later.addr.to_string();
        let Some(earlier) = earlier else {
            // Of one that took over on purpose nobody read the counters when the window began.
            if !self.heirs.is_one(&later.addr) {
                let detail = "it became a primary while claims were made".to_owned();
                self.invalid_reasons.push(InvalidReason::ServerChanged { primary: addr.clone(), detail });
            }
            self.redirects_not_counted.insert(addr, NotCounted::NoPrimaryBefore);
            return None;
        };
        let mut delta = match later.since(earlier) {
            Ok(delta) => delta,
            // What it counted before it ended nobody knows.
            Err(_) if self.heirs.has_restarted(&later.addr) => {
                self.redirects_not_counted.insert(addr, NotCounted::Restarted);
                return None;
            }
            Err(changed) => {
                let detail = changed.to_string();
                self.invalid_reasons.push(InvalidReason::ServerChanged { primary: addr, detail });
                return None;
            }
        };
        delta.sent.clone_from(&sent.sent);
        let received = self.heirs.has_received(&later.addr);
        let mut incidents = later.incidents_since(earlier);
        incidents.forks = incidents.forks.saturating_sub(self.heirs.forks_of(&later.addr));
        self.others.window(&addr, &mut delta, (&incidents, received));
        self.others.came(&addr, later.connections_since(earlier).saturating_sub(sent.connections));
        if keep {
            self.count_redirects((earlier, later));
            let totals = self.totals.entry(addr).or_default();
            add(&mut totals.counters, &delta);
            totals.unanswered += sent.unanswered;
            totals.lost += sent.lost;
            for (kind, n) in &sent.redirects {
                *totals.redirects.entry(*kind).or_default() += n;
            }
        }
        let waited = later.run_delay_s.zip(earlier.run_delay_s).map(|(later, earlier)| later - earlier);
        Some((delta, waited))
    }
}

fn add(sum: &mut CounterDelta, delta: &CounterDelta) {
    let by_functions = (&mut sum.by_functions, &delta.by_functions);
    for (counts, more) in [(&mut sum.calls, &delta.calls), (&mut sum.sent, &delta.sent), by_functions] {
        for (name, n) in more {
            *counts.entry(name.clone()).or_default() += n;
        }
    }
    sum.main_thread_cpu_us += delta.main_thread_cpu_us;
    sum.main_thread_clock = MainThreadClock::of_both(sum.main_thread_clock, delta.main_thread_clock);
    sum.process_cpu_us += delta.process_cpu_us;
    sum.net_in_bytes += delta.net_in_bytes;
    sum.net_out_bytes += delta.net_out_bytes;
    sum.fcall_us += delta.fcall_us;
}
