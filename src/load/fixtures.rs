//! A scenario and a fake claim path for tests of the load.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::{AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseId};
use tokio::time::Instant;

use super::driving::{ClaimBook, Drawn, GrantSource, Ruler};
use super::planning::PlannedClaim;
use super::timing::{Pacer, Schedule};
use crate::claim::{ClaimOrder, ClaimPath, ClaimReceipt, ClaimTicket, HeldLease, Line, LocalFuture};
use crate::flowfabric::ReclaimGrant;
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::{Amount, Scenario, VariantPath};

/// A small staged closed-loop scenario with one variant per path, named after it.
pub fn scenario(paths: &[VariantPath]) -> Scenario {
    let name = |path: VariantPath| {
        serde_json::to_value(path).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let variants = paths.iter().map(|path| format!("[[variant]]\nname = {0:?}\npath = {0:?}\n", name(*path)));
    let text: Vec<String> = std::iter::once(FIXTURE.to_owned()).chain(variants).collect();
    let mut scenario = reclaim_analysis::scenario::parse("fixture", &text.concat()).unwrap();
    // Too few for a comparison, which the tests that need one set themselves.
    (scenario.load.amount, scenario.compare) = (Amount::Claims(100), None);
    scenario
}

const FIXTURE: &str = r#"
schema = 1
name = "fixture"
summary = ""
[cluster]
primaries = 1
[population]
executions = 1000
lanes = 2
partitions = 16
payload_bytes = 16
[grant]
ttl = "1m"
lease_ttl = "1m"
scan_interval = "5ms"
[load]
claims = 10000
"#;

/// A claim path that takes a set time and notes how many of its claims were in flight at once.
pub struct FakePath {
    pub service: Duration,
    pub outcome: RefCell<Outcome>,
    /// How the next claims end, last first; when there are none left, `outcome` holds.
    pub endings: RefCell<Vec<Outcome>>,
    pub in_flight: Cell<u32>,
    pub most_in_flight: Cell<u32>,
    pub claims: Cell<u32>,
}

impl FakePath {
    pub fn new(service: Duration) -> Rc<Self> {
        Rc::new(Self {
            service,
            outcome: RefCell::new(Outcome::Claimed),
            endings: RefCell::default(),
            in_flight: Cell::new(0),
            most_in_flight: Cell::new(0),
            claims: Cell::new(0),
        })
    }
}

impl ClaimPath for FakePath {
    fn path(&self) -> VariantPath {
        VariantPath::GrantLane
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            self.claims.set(self.claims.get() + 1);
            self.in_flight.set(self.in_flight.get() + 1);
            self.most_in_flight.set(self.most_in_flight.get().max(self.in_flight.get()));
            tokio::time::sleep(self.service).await;
            self.in_flight.set(self.in_flight.get() - 1);
            let cost = WireCost { round_trips: 2, commands: 2, bytes_out: 100, bytes_in: 50 };
            let outcome = self.endings.borrow_mut().pop().unwrap_or_else(|| self.outcome.borrow().clone());
            let lease = (outcome == Outcome::Claimed).then(|| HeldLease {
                lease_id: order.lease_id.clone(),
                epoch: LeaseEpoch(1),
                attempt_id: None,
                attempt_index: AttemptIndex(0),
                expires_at: None,
            });
            ClaimReceipt { lease, ..ClaimReceipt::bare(outcome, cost) }
        })
    }

    fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.claim(order)
    }
}

/// The same ticket for everybody.
pub fn ticket() -> Rc<ClaimTicket> {
    let partition = Partition { family: PartitionFamily::Flow, index: 0 };
    let grant = ReclaimGrant {
        execution_id: ExecutionId::parse("{fp:0}:00000000-0000-4000-8000-000000000000").unwrap(),
        partition_key: PartitionKey::from(partition),
        grant_key: String::new(),
        expires_at_ms: 0,
        lane_id: LaneId::new("lane"),
    };
    Rc::new(ClaimTicket { grant, attempt_index: AttemptIndex(0) })
}

/// A stock with this many grants, and a book that notes who was settled.
pub struct FakeStock {
    pub stock: Cell<u64>,
    pub settled: RefCell<Vec<u32>>,
    ticket: Rc<ClaimTicket>,
}

impl FakeStock {
    pub fn new(stock: u64) -> Self {
        Self { stock: Cell::new(stock), settled: RefCell::default(), ticket: ticket() }
    }
}

impl GrantSource for FakeStock {
    fn draw(&self, _: &PlannedClaim) -> Option<Drawn> {
        let left = self.stock.get().checked_sub(1)?;
        self.stock.set(left);
        Some(Drawn { ticket: Rc::clone(&self.ticket), runnable_since: None, left })
    }
}

impl ClaimBook for FakeStock {
    fn ids(&self, execution: u32, contender: u16) -> (LeaseId, AttemptId) {
        let id = uuid::Uuid::from_u64_pair(u64::from(execution), u64::from(contender));
        (LeaseId(id), AttemptId(id))
    }

    fn unsettled(&self, _: u32) -> bool {
        false
    }

    fn settle(&self, execution: u32, _: &ClaimTicket, _: &ClaimReceipt) {
        self.settled.borrow_mut().push(execution);
    }
}

/// A ruler whose round trips take this long; those of execution [`UNANSWERED`] have no answer.
pub struct FakeRuler(pub Duration);

/// See [`FakeRuler`].
pub const UNANSWERED: u32 = u32::MAX;

impl Ruler for FakeRuler {
    fn round_trip(&self, execution: u32) -> LocalFuture<'_, Option<Duration>> {
        Box::pin(async move {
            tokio::time::sleep(self.0).await;
            (execution != UNANSWERED).then_some(self.0)
        })
    }
}

/// A pacer on tokio's clock, which tests can pause.
pub struct PausedPacer {
    start: Instant,
    offsets: Vec<Duration>,
    next: usize,
}

impl PausedPacer {
    pub fn new(schedule: &Schedule) -> Self {
        Self { start: Instant::now(), offsets: schedule.offsets().to_vec(), next: 0 }
    }
}

impl Pacer for PausedPacer {
    fn start(&self) -> Instant {
        self.start
    }

    async fn next(&mut self) -> Option<usize> {
        let due = self.start + *self.offsets.get(self.next)?;
        tokio::time::sleep_until(due).await;
        self.next += 1;
        Some(self.next - 1)
    }
}
