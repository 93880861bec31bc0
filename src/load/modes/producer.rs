//! The producer's side of a window: interruptions, and the scanners that issue the grants.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::faults::Faults;
use super::circulation::{Producer, Scanned};
use crate::claim::ClaimTicket;
use crate::valkey::Topology;
use crate::workload::{
    ExecIndex, LaneSet, Oversight, Phase, ScanReport, ScanRequest, Seek, Unmade, Workload, WorkloadError,
};

/// Sets that one scan looks through before it hands out what it found. With all sets at once, the first
/// grants of a storm would wait for the last ones before a worker could take them.
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
    /// What explains that a step cannot be made.
    faults: Option<&'a Faults>,
}

/// Wait before a step is made again, unless there is news of the cluster before.
const AGAIN: Duration = Duration::from_millis(100);

impl<'a> LiveProducer<'a> {
    /// One scanner for each primary, over the lane sets that it owns now.
    pub fn new(
        workload: &'a Workload,
        topology: &Topology,
        scan_interval: Duration,
        (cancel, faults): (&'a CancellationToken, Option<&'a Faults>),
    ) -> Self {
        let mut sets = vec![Vec::new(); topology.primaries().len()];
        for set in workload.lane_sets() {
            sets[usize::from(topology.owner_of(set.0).0)].push(set);
        }
        let cursors = RefCell::new(vec![0; sets.len()]);
        let runnable_since = RefCell::default();
        Self { workload, cancel, runnable_since, sets, cursors, scan_interval, faults }
    }

    /// One step of an interruption after the other, from where the execution stands.
    async fn step(&self, exec: ExecIndex) -> Result<(), WorkloadError> {
        if self.workload.phase(exec) == Phase::Active {
            self.workload.interrupt_one(exec).await?;
        }
        let sending = || {
            self.runnable_since.borrow_mut().insert(exec.0, Instant::now());
        };
        self.workload.make_runnable_one(exec, &sending).await
    }

    /// What a fault explains is no failure: waits a little, for news of the cluster. Anything else is.
    async fn forgive(&self, error: WorkloadError) -> Result<(), WorkloadError> {
        let Some(faults) = self.faults.filter(|faults| faults.log.explains(Instant::now())) else {
            return Err(error);
        };
        if error.unmade() == Unmade::Otherwise {
            return Err(error);
        }
        faults.follower.news_since(faults.follower.generation(), AGAIN).await;
        Ok(())
    }

    /// Makes all of these runnable. Where a fault keeps a server from it, that is tried again until it has
    /// been done. What was acknowledged and a failover took away is not noticed here: the audit finds it.
    pub async fn release(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
        sending: &dyn Fn(),
    ) -> Result<(), WorkloadError> {
        let Some(faults) = self.faults else {
            return self.workload.make_runnable_noting(execs, control, sending).await;
        };
        loop {
            let explained = faults.log.explains(Instant::now());
            let left = self.workload.make_runnable_as_far_as_possible(execs, control, sending).await?;
            if !left {
                return Ok(());
            }
            if !explained && !faults.log.explains(Instant::now()) {
                // Says what is wrong, or waits for what is not due.
                let waiting =
                    execs.iter().copied().filter(|exec| self.workload.phase(*exec) == Phase::Interrupted);
                let waiting: Vec<ExecIndex> = waiting.collect();
                return self.workload.make_runnable_noting(&waiting, control, sending).await;
            }
            faults.follower.news_since(faults.follower.generation(), AGAIN).await;
            if self.cancel.is_cancelled() {
                return Err(WorkloadError::Cancelled);
            }
            self.workload.find_out(execs, control).await?;
        }
    }

    /// Forgets since when executions are runnable: until the window begins, nobody could claim those that are
    /// left of the warm-up.
    pub fn end_warmup(&self) {
        self.runnable_since.borrow_mut().clear();
    }

    /// Notes that all of these are made runnable from that moment on: a storm has one beginning.
    pub fn storm_begins(&self, executions: &[ExecIndex], at: Instant) {
        self.runnable_since.borrow_mut().extend(executions.iter().map(|exec| (exec.0, at)));
    }
}

impl Producer for LiveProducer<'_> {
    type Error = WorkloadError;

    async fn interrupt(&self, execution: u32) -> Result<(), WorkloadError> {
        let exec = ExecIndex(execution);
        loop {
            let Err(error) = self.step(exec).await else { return Ok(()) };
            let unmade = error.unmade();
            match self.faults {
                // Nobody knows what became of the execution, or a failover has put it back: the audit looks at it.
                Some(faults) if faults.log.explains(Instant::now()) && unmade.leaves_out() => {
                    faults.log.left_out();
                    return Ok(());
                }
                _ => self.forgive(error).await?,
            }
            if self.cancel.is_cancelled() {
                return Ok(());
            }
        }
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
        let forgiving = self.faults.is_some();
        let request = ScanRequest { sets: &sets[from..to], seek: Seek::Interrupted, issue: true, forgiving };
        let control = Oversight::quiet(self.cancel);
        let report = match self.workload.scan(&request, &control).await {
            Ok(report) => report,
            Err(error) => ScanReport { failure: Some(error), ..ScanReport::default() },
        };
        if let Some(error) = report.failure {
            self.forgive(error).await?;
        }
        let mut tickets = report.tickets;
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
