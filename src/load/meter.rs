//! The servers' counters around a stretch of claims, next to what the tool itself sent.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::others::Others;
use crate::cluster::{Cluster, ClusterError};
use crate::machine::{Arranged, Arrangement, MachineCpu, Throttling, process_cpu, swapped_pages, thread_cpu};
use crate::valkey::NodeCounters;
use reclaim_analysis::record::{CounterDelta, Fault, RedirectKind, Warning};

/// What one primary did over all stretches so far.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeTotals {
    pub counters: CounterDelta,
    pub redirects: BTreeMap<RedirectKind, u64>,
}

/// Readings before a stretch, and the machine as it is arranged until this is dropped.
pub(super) struct Reading {
    _arranged: Arranged,
    kept_awake: Option<Duration>,
    throttling: Option<Throttling>,
    counters: Vec<NodeCounters>,
    machine: Option<MachineCpu>,
    thread_cpu: Duration,
    process_cpu: Duration,
    swapped: Option<u64>,
}

/// CPU used, in seconds: by the generator's thread, by the servers, by everything on the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub generator: f64,
    /// All threads of the generator's process.
    pub process: f64,
    pub servers: f64,
    pub machine: Option<MachineCpu>,
    /// Threads that kept cores awake; in `machine`, and in nothing else.
    pub kept_awake: Option<f64>,
    pub throttling: Option<Throttling>,
    /// Not used: what the servers' main threads waited for a core.
    pub servers_waited: Option<f64>,
}

/// Adds up stretches.
pub(super) struct Meter {
    cluster: Rc<Cluster>,
    arrangement: Rc<Arrangement>,
    /// By address.
    pub totals: BTreeMap<String, NodeTotals>,
    faults: Vec<Fault>,
    /// What may be called in a window.
    functions: Vec<&'static str>,
    others: Others,
    pub usage: Usage,
}

impl Meter {
    /// `functions`: what may be called in a window, claims and, where they go on beside them, interruptions.
    pub fn new(cluster: Rc<Cluster>, arrangement: Rc<Arrangement>, functions: Vec<&'static str>) -> Self {
        let others = Others::new(cluster.shared());
        Self {
            cluster,
            arrangement,
            totals: BTreeMap::new(),
            faults: Vec::new(),
            functions,
            others,
            usage: Usage::default(),
        }
    }

    /// What went wrong in the windows so far.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.iter().cloned().chain(self.others.faults()).collect()
    }

    /// What a reader should know of them.
    pub fn warnings(&self) -> Vec<Warning> {
        self.others.warnings()
    }

    /// Arranges the machine, reads the counters and starts the tallies anew. Nothing may be in flight.
    pub async fn begin(&mut self) -> Result<Reading, ClusterError> {
        if self.others.wants_start() {
            // By now every arm's library is loaded.
            let bounds = self.cluster.call_bounds(&self.functions);
            let one = self.functions.iter().all(|function| *function == self.functions[0]);
            let uniform = one && !self.cluster.runs_several_libraries();
            self.others.start(self.cluster.conditions().await?, bounds, uniform);
        }
        let arranged = self.arrangement.window(&self.cluster.server_pids());
        self.cluster.hold_mark_for_window().await;
        let counters = self.cluster.counters().await?;
        self.take_tallies();
        self.cluster.window_begins();
        Ok(Reading {
            _arranged: arranged,
            counters,
            kept_awake: self.arrangement.kept_awake(),
            throttling: Throttling::now(),
            machine: MachineCpu::now(),
            thread_cpu: thread_cpu(),
            process_cpu: process_cpu(),
            swapped: swapped_pages(),
        })
    }

    /// Reads them again: the sum over all primaries. A primary that changed meanwhile is a fault, not an error.
    /// With `keep`, the stretch counts for the primaries' totals as well.
    pub async fn end(&mut self, before: Reading, keep: bool) -> Result<CounterDelta, ClusterError> {
        let generator = thread_cpu().saturating_sub(before.thread_cpu);
        let process = process_cpu().saturating_sub(before.process_cpu);
        let (machine, kept_awake) = (MachineCpu::now(), self.arrangement.kept_awake());
        self.cluster.hold_mark();
        let after = self.cluster.counters().await;
        let mut tallies = self.take_tallies();
        self.cluster.window_ends();
        let after = after?;
        let mut sum = CounterDelta::default();
        let mut waited = Some(0.0);
        for later in &after {
            let addr = later.addr.to_string();
            let Some(earlier) = before.counters.iter().find(|c| c.addr == later.addr) else {
                let detail = "it became a primary while claims were made".to_owned();
                self.faults.push(Fault::ServerChanged { primary: addr, detail });
                continue;
            };
            match later.since(earlier) {
                Ok(mut delta) => {
                    let more =
                        later.run_delay_s.zip(earlier.run_delay_s).map(|(later, earlier)| later - earlier);
                    waited = waited.zip(more).map(|(sum, more)| sum + more);
                    let (sent, redirects) = tallies.remove(&addr).unwrap_or_default();
                    delta.sent = sent;
                    self.others.window(&addr, &mut delta, &later.incidents_since(earlier));
                    add(&mut sum, &delta);
                    if keep {
                        let totals = self.totals.entry(addr).or_default();
                        add(&mut totals.counters, &delta);
                        for (kind, n) in redirects {
                            *totals.redirects.entry(kind).or_default() += n;
                        }
                    }
                }
                Err(changed) => {
                    self.faults.push(Fault::ServerChanged { primary: addr, detail: changed.to_string() });
                }
            }
        }
        if keep {
            self.usage.generator += generator.as_secs_f64();
            self.usage.process += process.as_secs_f64();
            self.usage.servers += sum.process_cpu_us / 1e6;
            self.usage.machine = before.machine.zip(machine).map(|(before, after)| {
                let (used, sum) = (after.since(before), self.usage.machine.unwrap_or_default());
                MachineCpu { busy_s: sum.busy_s + used.busy_s, stolen_s: sum.stolen_s + used.stolen_s }
            });
            self.usage.kept_awake = before.kept_awake.zip(kept_awake).map(|(before, after)| {
                self.usage.kept_awake.unwrap_or(0.0) + after.saturating_sub(before).as_secs_f64()
            });
            self.usage.throttling = before.throttling.zip(Throttling::now()).map(|(before, after)| {
                let (more, sum) = (after.since(before), self.usage.throttling.unwrap_or_default());
                Throttling {
                    periods: sum.periods + more.periods,
                    held_back_s: sum.held_back_s + more.held_back_s,
                }
            });
            let swapped =
                before.swapped.zip(swapped_pages()).map(|(before, after)| after.saturating_sub(before));
            self.others.swapped(swapped.unwrap_or(0));
            self.others.conditions(&self.cluster.conditions().await?);
            self.usage.servers_waited = waited.map(|more| more + self.usage.servers_waited.unwrap_or(0.0));
        }
        Ok(sum)
    }

    /// What was sent to each primary since the last call, on its claim and its administrative connections: the
    /// workload uses the latter while executions are interrupted beside the claims.
    fn take_tallies(&self) -> BTreeMap<String, Tally> {
        let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
        for node in self.cluster.topology().nodes() {
            for wire in [self.cluster.wire(node), self.cluster.admin(node)] {
                let (sent, redirects) = tallies.entry(wire.addr().to_string()).or_default();
                for (name, n) in wire.take_tally() {
                    *sent.entry(name.to_owned()).or_default() += n;
                }
                for (kind, n) in wire.take_redirects() {
                    *redirects.entry(kind).or_default() += n;
                }
            }
        }
        tallies
    }
}

type Tally = (BTreeMap<String, u64>, BTreeMap<RedirectKind, u64>);

fn add(sum: &mut CounterDelta, delta: &CounterDelta) {
    for (counts, more) in [(&mut sum.calls, &delta.calls), (&mut sum.sent, &delta.sent)] {
        for (name, n) in more {
            *counts.entry(name.clone()).or_default() += n;
        }
    }
    sum.main_thread_cpu_us += delta.main_thread_cpu_us;
    sum.process_cpu_us += delta.process_cpu_us;
    sum.net_in_bytes += delta.net_in_bytes;
    sum.net_out_bytes += delta.net_out_bytes;
}
