//! The claim that claims nothing: one FCALL of `ff_version` to one primary, driven as claims are.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseId, WorkerId, WorkerInstanceId};
use tokio_util::sync::CancellationToken;

use super::error::CalibrateError;
use crate::claim::{ClaimOrder, ClaimPath, ClaimReceipt, ClaimTicket, Line, LocalFuture};
use crate::cluster::Cluster;
use crate::flowfabric::{LibraryVersion, ReclaimGrant, Request as _, WorkerIdentity, call};
use crate::load::{ClaimBook, Drawn, Driver, GrantSource, PlannedClaim, Ruler, Schedule, Seat, ThreadPacer};
use crate::machine::thread_cpu;
use crate::valkey::{NodeIndex, Wire};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::record::{Outcome, Purpose, Recorder};
use reclaim_analysis::scenario::VariantPath;

/// Requests of one turn at most: what planning them takes in memory stays small.
const MOST_REQUESTS: usize = 1 << 18;

/// Connections by number, and everything that the driver wants.
pub(super) struct Bench<'a> {
    wires: BTreeMap<u16, (Wire, Vec<Rc<dyn ClaimPath>>)>,
    worker: WorkerIdentity,
    grants: NoStock,
    claims: Vec<PlannedClaim>,
    cancel: &'a CancellationToken,
    bare: Cell<u64>,
    failed: Cell<u64>,
}

/// One stretch of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub seconds: f64,
    pub client_cpu_s: f64,
}

impl<'a> Bench<'a> {
    pub async fn open(
        cluster: &Cluster,
        node: NodeIndex,
        connections: &[u16],
        cancel: &'a CancellationToken,
    ) -> Result<Self, CalibrateError> {
        let mut wires = BTreeMap::new();
        for &number in connections {
            let wire = cluster.further_wire(node, number).await?;
            let path: Rc<dyn ClaimPath> = Rc::new(NoOp { wire: wire.clone() });
            wires.insert(number, (wire, vec![path]));
        }
        let claim = PlannedClaim { execution: 0, arm: 0, purpose: Purpose::Plain, site: 0 };
        let name = "calibrate";
        Ok(Self {
            wires,
            worker: WorkerIdentity {
                worker_id: WorkerId::new(name),
                instance_id: WorkerInstanceId::new(name),
            },
            grants: NoStock::new(),
            claims: vec![claim; MOST_REQUESTS],
            cancel,
            bare: Cell::new(0),
            failed: Cell::new(0),
        })
    }

    /// The connections of this number.
    pub fn wire(&self, connections: u16) -> Wire {
        self.wires[&connections].0.clone()
    }

    /// As many requests as the rate makes in this time, but enough for every worker to have some.
    pub fn requests_for(&self, rate_per_sec: f64, time: Duration, in_flight: u32) -> usize {
        let few = 4 * in_flight as usize;
        ((rate_per_sec * time.as_secs_f64()) as usize).clamp(few, self.claims.len().max(few))
    }

    /// A closed loop.
    pub async fn closed(
        &self,
        connections: u16,
        in_flight: u32,
        requests: usize,
        recorder: &RefCell<Recorder>,
    ) -> Result<Stretch, CalibrateError> {
        let before = Before::read(recorder);
        let driver = self.driver(connections, recorder);
        let took = driver
            .closed(&self.claims[..requests], (tokio::time::Instant::now(), in_flight), &self.grants)
            .await;
        self.end(&before, took, recorder)
    }

    /// An open loop.
    pub async fn open_loop(
        &self,
        connections: u16,
        schedule: &Schedule,
        recorder: &RefCell<Recorder>,
    ) -> Result<Stretch, CalibrateError> {
        let mut pacer = ThreadPacer::start(schedule).map_err(CalibrateError::Pacer)?;
        let before = Before::read(recorder);
        let driver = self.driver(connections, recorder);
        let claims = &self.claims[..schedule.offsets().len()];
        let took = driver.open(claims, schedule, &mut pacer, &self.grants).await;
        self.end(&before, took, recorder)
    }

    /// Counts requests that were sent past the wires.
    pub fn sent_bare(&self, requests: u64) {
        self.bare.set(self.bare.get() + requests);
    }

    /// Requests sent on all connections, and those that failed.
    pub fn totals(&self) -> (u64, u64) {
        let tallied = |wire: &Wire| wire.take_tally().get(LibraryVersion::COMMAND).copied().unwrap_or(0);
        let sent: u64 = self.wires.values().map(|(wire, _)| tallied(wire)).sum();
        (sent + self.bare.get(), self.failed.get())
    }

    /// An end that Ctrl-C has brought.
    pub fn check(&self) -> Result<(), CalibrateError> {
        if self.cancel.is_cancelled() { Err(CalibrateError::Cancelled) } else { Ok(()) }
    }

    fn driver<'b>(&'b self, connections: u16, recorder: &'b RefCell<Recorder>) -> Driver<'b> {
        Driver {
            twin: None,
            seats: vec![Seat {
                paths: &self.wires[&connections].1,
                worker: &self.worker,
                book: &self.grants,
                ruler: &self.grants,
            }],
            lease_ttl: Duration::from_secs(1),
            contenders: 1,
            recorder,
            level: None,
            faults: None,
            cancel: self.cancel,
        }
    }

    fn end(
        &self,
        before: &Before,
        took: Duration,
        recorder: &RefCell<Recorder>,
    ) -> Result<Stretch, CalibrateError> {
        let client_cpu_s = thread_cpu().saturating_sub(before.cpu).as_secs_f64();
        let mut recorder = recorder.borrow_mut();
        recorder.end_batch(took, [0]);
        self.failed.set(self.failed.get() + recorder.arms()[0].outcomes.failed - before.failed);
        self.check()?;
        Ok(Stretch { seconds: took.as_secs_f64(), client_cpu_s })
    }
}

/// Readings before a stretch.
struct Before {
    cpu: Duration,
    failed: u64,
}

impl Before {
    fn read(recorder: &RefCell<Recorder>) -> Self {
        Self { failed: recorder.borrow().arms()[0].outcomes.failed, cpu: thread_cpu() }
    }
}

/// Calls the function that does nothing but tell its version.
struct NoOp {
    wire: Wire,
}

impl ClaimPath for NoOp {
    /// The shortest way of claiming, which is one FCALL too.
    fn path(&self) -> VariantPath {
        VariantPath::FullGrant
    }

    fn claim<'a>(&'a self, _: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            let mut cost = WireCost::default();
            let answer = call(&self.wire, &LibraryVersion, &mut cost).await;
            let outcome = if answer.is_ok() { Outcome::Claimed } else { Outcome::Failed };
            ClaimReceipt::bare(outcome, cost)
        })
    }

    fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.claim(order)
    }
}

/// Hands out the same ticket for ever and remembers nothing.
struct NoStock {
    ticket: Rc<ClaimTicket>,
}

impl NoStock {
    fn new() -> Self {
        let partition = Partition { family: PartitionFamily::Flow, index: 0 };
        let text = format!("{}:{}", partition.hash_tag(), uuid::Uuid::nil());
        let grant = ReclaimGrant {
            execution_id: ExecutionId::parse(&text).expect("a hash tag and a UUID make an execution id"),
            partition_key: PartitionKey::from(partition),
            grant_key: String::new(),
            expires_at_ms: 0,
            lane_id: LaneId::new("calibrate"),
        };
        Self { ticket: Rc::new(ClaimTicket { grant, attempt_index: AttemptIndex(0) }) }
    }
}

impl GrantSource for NoStock {
    fn draw(&self, _: &PlannedClaim) -> Option<Drawn> {
        Some(Drawn { ticket: Rc::clone(&self.ticket), runnable_since: None, left: 0 })
    }
}

impl ClaimBook for NoStock {
    fn ids(&self, _: u32, _: u16) -> (LeaseId, AttemptId) {
        (LeaseId(uuid::Uuid::nil()), AttemptId(uuid::Uuid::nil()))
    }

    fn unsettled(&self, _: u32) -> bool {
        false
    }

    fn settle(&self, _: u32, _: &ClaimTicket, _: &ClaimReceipt) {}
}

impl Ruler for NoStock {
    /// Every request here is a bare round trip: there are no others among them.
    fn round_trip(&self, _: u32) -> LocalFuture<'_, Option<Duration>> {
        Box::pin(std::future::ready(None))
    }
}
