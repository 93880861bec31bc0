//! The stock of grants as the driver sees it, on top of the workload's ledger.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{AttemptId, LeaseId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::churn::{Circulation, Scanned};
use super::driver::Deck;
use super::plan::PlannedClaim;
use crate::claim::{ClaimReceipt, ClaimTicket};
use crate::valkey::Topology;
use crate::workload::{Control, ExecIndex, LaneSet, ScanRequest, Seek, Workload, WorkloadError};
use reclaim_analysis::record::Outcome;

/// Sets that one scan looks through before it hands out what it found. With all sets at once, the first grants of a
/// storm would wait for the last ones before a worker could take them.
const SETS_PER_SCAN: usize = 128;

/// Tickets that no worker has drawn, and those that workers hold.
pub(super) struct Stock<'a> {
    workload: &'a Workload,
    cancel: &'a CancellationToken,
    waiting: RefCell<HashMap<u32, Rc<ClaimTicket>>>,
    drawn: RefCell<HashMap<u32, Rc<ClaimTicket>>>,
    /// Draws by partition.
    draws: RefCell<HashMap<u16, u64>>,
    runnable_since: RefCell<HashMap<u32, Instant>>,
    /// Lane sets by primary, for the scanners of a churn run.
    sets: Vec<Vec<LaneSet>>,
    /// By primary: where its next scan goes on.
    cursors: RefCell<Vec<usize>>,
    scan_interval: Duration,
}

impl<'a> Stock<'a> {
    pub fn new(workload: &'a Workload, scan_interval: Duration, cancel: &'a CancellationToken) -> Self {
        Self {
            workload,
            cancel,
            waiting: RefCell::default(),
            drawn: RefCell::default(),
            draws: RefCell::default(),
            runnable_since: RefCell::default(),
            sets: Vec::new(),
            cursors: RefCell::default(),
            scan_interval,
        }
    }

    /// Shares the lane sets out to the primaries that own them.
    pub fn scan_by_primary(&mut self, topology: &Topology) {
        self.sets = vec![Vec::new(); topology.primaries().len()];
        self.cursors = RefCell::new(vec![0; self.sets.len()]);
        for set in self.workload.lane_sets() {
            self.sets[usize::from(topology.owner_of(set.0).0)].push(set);
        }
    }

    /// Puts tickets in stock. Returns whose they are, less those that had one there: a grant that expires while it waits
    /// is replaced, and its execution waits already.
    pub fn add(&self, tickets: Vec<(ExecIndex, ClaimTicket)>) -> Vec<u32> {
        let mut waiting = self.waiting.borrow_mut();
        let mut added = Vec::with_capacity(tickets.len());
        for (exec, ticket) in tickets {
            if waiting.insert(exec.0, Rc::new(ticket)).is_none() {
                added.push(exec.0);
            }
        }
        added
    }

    /// Executions with a ticket in stock.
    pub fn ready(&self) -> Vec<u32> {
        let mut ready: Vec<u32> = self.waiting.borrow().keys().copied().collect();
        ready.sort_unstable();
        ready
    }

    /// Notes that all of these are made runnable from now on: a storm has one beginning, which this returns.
    pub fn storm_begins(&self, executions: &[u32]) -> Instant {
        let now = Instant::now();
        self.runnable_since.borrow_mut().extend(executions.iter().map(|&execution| (execution, now)));
        now
    }

    /// Starts the count of draws by primary anew.
    pub fn forget_drawn(&self) {
        self.draws.borrow_mut().clear();
    }

    /// Draws since then, by the primary that serves them.
    pub fn drawn_by_primary(&self, topology: &Topology) -> Vec<u64> {
        let mut counts = vec![0; topology.primaries().len()];
        for (&partition, &draws) in self.draws.borrow().iter() {
            let partition = Partition { family: PartitionFamily::Execution, index: partition };
            counts[usize::from(topology.owner_of(partition).0)] += draws;
        }
        counts
    }

    /// Whether an execution's ticket is in stock.
    pub fn has(&self, execution: u32) -> bool {
        self.waiting.borrow().contains_key(&execution)
    }

    /// Latest expiry of the tickets of these executions, in server milliseconds.
    pub fn last_expiry_ms(&self, claims: &[PlannedClaim]) -> Option<u64> {
        let waiting = self.waiting.borrow();
        claims.iter().filter_map(|c| waiting.get(&c.execution)).map(|t| t.grant.expires_at_ms).max()
    }
}

impl Deck for Stock<'_> {
    fn draw(&self, claim: &PlannedClaim) -> Option<Rc<ClaimTicket>> {
        let ticket = self.waiting.borrow_mut().remove(&claim.execution)?;
        *self.draws.borrow_mut().entry(ticket.grant.execution_id.partition()).or_default() += 1;
        self.drawn.borrow_mut().insert(claim.execution, Rc::clone(&ticket));
        Some(ticket)
    }

    fn ids(&self, claim: &PlannedClaim, contender: u16) -> (LeaseId, AttemptId) {
        let exec = ExecIndex(claim.execution);
        (self.workload.next_lease(exec, contender), self.workload.attempt_id(exec))
    }

    fn settle(&self, claim: &PlannedClaim, receipt: &ClaimReceipt) {
        let exec = ExecIndex(claim.execution);
        match (&receipt.lease, &receipt.outcome) {
            (Some(lease), _) => self.workload.record_claim(exec, lease),
            (None, Outcome::Expired) => {
                if let Some(ticket) = self.drawn.borrow().get(&claim.execution) {
                    self.workload.record_expired(exec, ticket);
                }
            }
            (None, Outcome::Ambiguous | Outcome::TimedOut | Outcome::Failed) => {
                self.workload.record_unanswered(exec);
            }
            (None, _) => {}
        }
    }

    fn stock(&self) -> u64 {
        self.waiting.borrow().len() as u64
    }

    fn runnable_since(&self, claim: &PlannedClaim) -> Option<Instant> {
        self.runnable_since.borrow().get(&claim.execution).copied()
    }

    fn unsettled(&self, claim: &PlannedClaim) -> bool {
        self.workload.is_unsettled(ExecIndex(claim.execution))
    }
}

impl Circulation for Stock<'_> {
    type Error = WorkloadError;

    async fn interrupt(&self, execution: u32) -> Result<(), WorkloadError> {
        let exec = ExecIndex(execution);
        self.workload.interrupt_one(exec).await?;
        let sending = || {
            self.runnable_since.borrow_mut().insert(execution, Instant::now());
        };
        self.workload.make_runnable_one(exec, &sending).await
    }

    fn hand_back(&self, execution: u32) -> bool {
        let Some(ticket) = self.drawn.borrow().get(&execution).map(Rc::clone) else { return false };
        let mut waiting = self.waiting.borrow_mut();
        let usable = !waiting.contains_key(&execution) && self.workload.is_held(ExecIndex(execution));
        if usable {
            waiting.insert(execution, ticket);
        }
        usable
    }

    async fn scan(&self, primary: usize) -> Result<Scanned, WorkloadError> {
        let Some(sets) = self.sets.get(primary) else {
            return Ok(Scanned { found: Vec::new(), through: true });
        };
        let from = self.cursors.borrow()[primary];
        let to = (from + SETS_PER_SCAN).min(sets.len());
        let request =
            ScanRequest { sets: &sets[from..to], seek: Seek::Interrupted, issue: true, limit: usize::MAX };
        let control = Control { cancel: self.cancel, progress: &|_, _| () };
        let mut tickets = self.workload.scan(&request, &control).await?.tickets;
        // A claim that was under way may have used a grant before the scan was through.
        tickets.retain(|(exec, _)| self.workload.is_held(*exec));
        let found = self.add(tickets);
        let through = to == sets.len();
        self.cursors.borrow_mut()[primary] = if through { 0 } else { to };
        Ok(Scanned { found, through })
    }

    fn scan_interval(&self) -> Duration {
        self.scan_interval
    }
}
