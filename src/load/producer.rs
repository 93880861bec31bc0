//! The producer's side of a window: interruptions, and the scanners that issue the grants.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::circulation::{Producer, Scanned};
use crate::claim::ClaimTicket;
use crate::valkey::Topology;
use crate::workload::{Control, ExecIndex, LaneSet, ScanRequest, Seek, Workload, WorkloadError};

/// Sets that one scan looks through before it hands out what it found. With all sets at once, the first grants of a
/// storm would wait for the last ones before a worker could take them.
const SETS_PER_SCAN: usize = 128;

/// Interrupts, makes runnable and scans on a live cluster.
pub(super) struct LiveProducer<'a> {
    workload: &'a Workload,
    cancel: &'a CancellationToken,
    runnable_since: RefCell<HashMap<u32, Instant>>,
    /// Lane sets by primary.
    sets: Vec<Vec<LaneSet>>,
    /// By primary: where its next scan goes on.
    cursors: RefCell<Vec<usize>>,
    scan_interval: Duration,
}

impl<'a> LiveProducer<'a> {
    /// One scanner for each primary, over the lane sets that it owns now.
    pub fn new(
        workload: &'a Workload,
        topology: &Topology,
        scan_interval: Duration,
        cancel: &'a CancellationToken,
    ) -> Self {
        let mut sets = vec![Vec::new(); topology.primaries().len()];
        for set in workload.lane_sets() {
            sets[usize::from(topology.owner_of(set.0).0)].push(set);
        }
        let cursors = RefCell::new(vec![0; sets.len()]);
        Self { workload, cancel, runnable_since: RefCell::default(), sets, cursors, scan_interval }
    }

    /// Notes that all of these are made runnable from now on: a storm has one beginning, which this returns.
    pub fn storm_begins(&self, executions: &[ExecIndex]) -> Instant {
        let now = Instant::now();
        self.runnable_since.borrow_mut().extend(executions.iter().map(|exec| (exec.0, now)));
        now
    }
}

impl Producer for LiveProducer<'_> {
    type Error = WorkloadError;

    async fn interrupt(&self, execution: u32) -> Result<(), WorkloadError> {
        let exec = ExecIndex(execution);
        self.workload.interrupt_one(exec).await?;
        let sending = || {
            self.runnable_since.borrow_mut().insert(execution, Instant::now());
        };
        self.workload.make_runnable_one(exec, &sending).await
    }

    fn runnable_since(&self, execution: u32) -> Option<Instant> {
        self.runnable_since.borrow().get(&execution).copied()
    }

    fn superseded(&self, execution: u32, ticket: &ClaimTicket) -> bool {
        !self.workload.is_out(ExecIndex(execution), ticket)
    }

    fn hand_back(&self, execution: u32, ticket: &ClaimTicket) -> bool {
        let exec = ExecIndex(execution);
        self.workload.is_out(exec, ticket) && self.workload.is_held(exec)
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
        let found = tickets.into_iter().map(|(exec, ticket)| (exec.0, Rc::new(ticket))).collect();
        let through = to == sets.len();
        self.cursors.borrow_mut()[primary] = if through { 0 } else { to };
        Ok(Scanned { found, through })
    }

    fn scan_interval(&self) -> Duration {
        self.scan_interval
    }
}
