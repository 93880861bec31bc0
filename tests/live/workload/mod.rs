//! The workload against real servers: staging, scanner, audit, and a clean-up that leaves a foreign cluster
//! as it was.

pub mod audit;
mod cleanup;
mod lapse;
mod scanner;
mod staging;

use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::Partition;
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::{self, InterruptionMix, Scenario, VariantPath};
use reclaim_bench::claim::{
    ClaimOrder, ClaimPath, ClaimSetup, ClaimTicket, Routes, ServerClocks, claim_path,
};
use reclaim_bench::cluster::Cluster;
use reclaim_bench::valkey::Wire;
use reclaim_bench::workload::{
    ExecIndex, LaneSet, Oversight, Phase, ScanReport, ScanRequest, Seek, Workload, WorkloadError,
};
use redis::{Cmd, Value};
use tokio_util::sync::CancellationToken;

use crate::common::support;

/// Partitions of the tests' populations: each primary of three serves some.
const PARTITIONS: u16 = 16;

const ALL_KINDS: InterruptionMix = InterruptionMix { signal: 1.0, timeout: 1.0, operator: 1.0, delay: 1.0 };

/// A cluster of the test's own and a workload on it.
struct Bench {
    cluster: Rc<Cluster>,
    workload: Workload,
    lease_ttl: Duration,
    cancel: CancellationToken,
}

impl Bench {
    async fn start(change: impl FnOnce(&mut Scenario)) -> Self {
        Self::on(Rc::new(support::own(3, 0).await), 1, change)
    }

    fn on(cluster: Rc<Cluster>, seed: u64, change: impl FnOnce(&mut Scenario)) -> Self {
        let mut scenario = scenario();
        change(&mut scenario);
        let workload = Workload::new(Rc::clone(&cluster), &scenario, seed, PARTITIONS);
        Self { cluster, workload, lease_ttl: scenario.grant.lease_ttl, cancel: CancellationToken::new() }
    }

    fn control(&self) -> Oversight<'_> {
        Oversight::quiet(&self.cancel)
    }

    /// Executions that are active after their first claim.
    async fn active(&self, count: u32) -> Vec<ExecIndex> {
        let execs = self.workload.create(count, &self.control()).await.unwrap();
        self.workload.first_claims(&execs, &self.control()).await.unwrap();
        execs
    }

    /// Executions that can be resumed.
    async fn runnable(&self, count: u32) -> Vec<ExecIndex> {
        let execs = self.active(count).await;
        self.resume(&execs).await.unwrap();
        execs
    }

    async fn resume(&self, execs: &[ExecIndex]) -> Result<(), WorkloadError> {
        self.workload.interrupt(execs, &self.control()).await?;
        self.workload.make_runnable(execs, &self.control()).await
    }

    /// Looks for everything that can be resumed.
    async fn scan(&self) -> ScanReport {
        self.scan_for(Seek::Interrupted, true).await
    }

    async fn scan_for(&self, seek: Seek, issue: bool) -> ScanReport {
        self.scan_in(&self.workload.lane_sets(), seek, issue).await
    }

    async fn scan_in(&self, sets: &[LaneSet], seek: Seek, issue: bool) -> ScanReport {
        let request = ScanRequest { sets, seek, issue, forgiving: false };
        self.workload.scan(&request, &self.control()).await.unwrap()
    }

    async fn path(&self, path: VariantPath) -> Box<dyn ClaimPath> {
        let clocks = ServerClocks::measure(&self.cluster).await.unwrap();
        let routes = Rc::new(ByTopology(Rc::clone(&self.cluster)));
        claim_path(path, ClaimSetup::plain(routes, clocks))
    }

    /// Claims with every ticket and records what came of it.
    async fn claim(&self, path: VariantPath, tickets: &[(ExecIndex, ClaimTicket)]) -> Vec<Outcome> {
        let path = self.path(path).await;
        let mut outcomes = Vec::new();
        for (exec, ticket) in tickets {
            let order = ClaimOrder {
                ticket,
                worker: self.workload.worker(),
                lease_id: self.workload.next_lease(*exec, 0),
                attempt_id: self.workload.attempt_id(*exec),
                lease_ttl: self.lease_ttl,
                again: false,
            };
            let receipt = path.claim(&order).await;
            match (&receipt.outcome, &receipt.lease) {
                (Outcome::Claimed, Some(lease)) => self.workload.record_claim(*exec, lease),
                (Outcome::Expired, _) => self.workload.record_expired(*exec, ticket),
                _ => {}
            }
            outcomes.push(receipt.outcome);
        }
        outcomes
    }

    /// Sends a command to the primary that serves a key with this tag.
    async fn send(&self, partition: Partition, parts: &[&str]) -> Value {
        let wire = self.cluster.admin(self.cluster.topology().owner_of(partition));
        send(&wire, parts).await
    }
}

async fn send(wire: &Wire, parts: &[&str]) -> Value {
    let mut command = Cmd::new();
    for part in parts {
        command.arg(part);
    }
    wire.call("test", &command, &mut WireCost::default()).await.unwrap()
}

struct ByTopology(Rc<Cluster>);

impl Routes for ByTopology {
    fn wire_for(&self, partition: Partition) -> Wire {
        self.0.wire(self.0.topology().owner_of(partition))
    }
}

fn phases(bench: &Bench, execs: &[ExecIndex]) -> Vec<Phase> {
    let mut phases: Vec<_> = execs.iter().map(|&exec| bench.workload.phase(exec)).collect();
    phases.dedup();
    phases
}

fn scenario() -> Scenario {
    let mut scenario = scenario::parse("test", SCENARIO).unwrap();
    // Each test says itself how many it creates.
    scenario.population.executions = 0;
    scenario
}

const SCENARIO: &str = r#"
schema = 1
name = "test"
summary = ""
[population]
executions = 1
lanes = 3
partitions = 16
payload_bytes = 64
[interruption]
signal = 1.0
timeout = 1.0
operator = 1.0
delay = 1.0
[grant]
ttl = "10m"
lease_ttl = "1h"
[load]
claims = 1
[[variant]]
name = "v"
path = "grant-lane"
"#;
