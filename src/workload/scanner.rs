//! The reclaim scanner: finds resumable executions in the lanes' eligible sets and issues grants for them.
//!
//! FlowFabric names this producer but ships none. It reads what a scheduler's scanner would have to read - the
//! eligible set, then `attempt_state` and lane of each execution - and that is where the lane in the grant comes
//! from. The ledger only tells it which of the executions have a grant out already.

use std::collections::BTreeMap;

use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase};
use ff_core::types::{AttemptIndex, ExecutionId, LaneId};

use super::batch::{Batch, Control, Exchange, Replies, exchange};
use super::error::WorkloadError;
use super::executions::Workload;
use super::ledger::Handout;
use super::population::{ExecIndex, FIRST_ATTEMPT, LaneIndex, PopulationPlan};
use super::ticket::ClaimTicket;
use crate::flowfabric::{
    CallError, CountEligible, IssueClaimGrant, ListEligible, ReadForScan, ReadGrantExpiry, ReclaimGrant,
    RefusalCode, ReplyError, Request as _, ScanView,
};

/// Executions read from one eligible set at a time: enough to keep a batch full, few enough to stay a short command.
const PAGE: u32 = 256;

/// From so many executions handed out on, a set is counted before it is read. Reading fewer again costs less than the
/// round trip of the count.
const COUNT_FIRST: u32 = 4;

/// When a ticket without a grant expires: never.
const NO_GRANT: u64 = u64::MAX;

/// One lane's eligible set on one partition.
pub type LaneSet = (Partition, LaneIndex);

/// What a scan looks for, and what it does about it.
#[derive(Clone, Copy, Debug)]
pub struct ScanRequest<'a> {
    /// The sets to look through, e.g. [`Workload::lane_sets`].
    pub sets: &'a [LaneSet],
    /// Which executions count.
    pub seek: Seek,
    /// Whether to issue grants, or only tickets without one (`fused`).
    pub issue: bool,
    /// At most this many tickets.
    pub limit: usize,
}

/// Which eligible executions a scan is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// Those with an interrupted attempt.
    Interrupted,
    /// Those that were never claimed (`first-claim`).
    Fresh,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Tickets to claim with, in order of execution number.
    pub tickets: Vec<(ExecIndex, ClaimTicket)>,
    /// Entries of eligible sets that were read.
    pub listed: u64,
    /// Of those: executions that have a ticket out.
    pub held: u64,
    /// Entries of sets that were left unread: as many as are out from there.
    pub unread: u64,
    /// Of those: executions in another state than the one sought.
    pub other_state: u64,
    /// Of those: executions that are not this run's.
    pub foreign: u64,
    /// Grants refused, by code. Some are normal while claims run: an execution may be claimed between two commands.
    pub refused: BTreeMap<RefusalCode, u64>,
}

impl Workload {
    /// Every lane of every partition that this run has executions on.
    pub fn lane_sets(&self) -> Vec<LaneSet> {
        let partitions = self.partitions_used.borrow();
        let of = |&index: &u16| {
            (0..self.plan.lanes())
                .map(move |lane| (Partition { family: PartitionFamily::Execution, index }, LaneIndex(lane)))
        };
        partitions.iter().flat_map(of).collect()
    }

    /// Looks through eligible sets once and hands out tickets for what it finds there.
    ///
    /// While claims run beside it, entries leave the sets between two pages and others move up; what one scan misses
    /// that way is found by the next.
    pub async fn scan(
        &self,
        request: &ScanRequest<'_>,
        control: &Control<'_>,
    ) -> Result<ScanReport, WorkloadError> {
        self.nodes.read_clocks().await?;
        let quiet = Control { cancel: control.cancel, progress: &|_, _| () };
        let mut report = ScanReport::default();
        let unread = self.with_something_new(request.sets, &mut report, &quiet).await?;
        let mut sets: Vec<_> = unread.into_iter().map(|(partition, lane)| (partition, (lane, 0))).collect();
        while !sets.is_empty() && report.tickets.len() < request.limit {
            let sets_read = sets.iter().map(|&(partition, at)| (partition, (partition, at))).collect();
            sets.clear();
            let mut found = Vec::new();
            for (partition, (lane, offset), ids) in
                exchange(&self.nodes, sets_read, &List(self), &quiet).await?
            {
                if ids.len() as u32 == PAGE {
                    sets.push((partition, (lane, offset + PAGE)));
                }
                found.extend(self.candidates(&ids, &mut report));
            }
            let inspect = Inspect { workload: self, seek: request.seek };
            let inspected = exchange(&self.nodes, self.routed(&found), &inspect, &quiet).await?;
            let mut sought: Vec<Sought> = inspected.into_iter().flatten().collect();
            report.other_state += (found.len() - sought.len()) as u64;
            sought.sort_unstable_by_key(|sought| sought.exec);
            sought.truncate(request.limit - report.tickets.len());
            self.hand_out(sought, request.issue, &mut report, &quiet).await?;
            (control.progress)(report.tickets.len() as u64, request.limit as u64);
        }
        report.tickets.sort_unstable_by_key(|(exec, _)| *exec);
        Ok(report)
    }

    /// Leaves out sets that hold just as many executions as are handed out from there. With tens of thousands
    /// of grants waiting for workers, reading all of them again in every scan would take the generator's time from
    /// those very workers.
    ///
    /// A claim that is under way may hide an execution that has just come; the next scan counts again.
    async fn with_something_new(
        &self,
        sets: &[LaneSet],
        report: &mut ScanReport,
        control: &Control<'_>,
    ) -> Result<Vec<LaneSet>, WorkloadError> {
        let (counted, mut wanted): (Vec<LaneSet>, Vec<LaneSet>) =
            sets.iter().partition(|&&(partition, lane)| {
                let held = self.ledger.held((partition.index, lane));
                held.count >= COUNT_FIRST && held.first_expiry_ms > self.nodes.server_ms(partition)
            });
        let counted = counted.into_iter().map(|set| (set.0, set)).collect();
        for ((partition, lane), count) in exchange(&self.nodes, counted, &Count(self), control).await? {
            if count == u64::from(self.ledger.held((partition.index, lane)).count) {
                report.unread += count;
            } else {
                wanted.push((partition, lane));
            }
        }
        Ok(wanted)
    }

    /// Executions of this run among `ids` that have no ticket out.
    fn candidates(&self, ids: &[ExecutionId], report: &mut ScanReport) -> Vec<ExecIndex> {
        report.listed += ids.len() as u64;
        let ours: Vec<_> = ids
            .iter()
            .filter_map(|id| self.plan.find(id.as_str()))
            .filter(|exec| exec.0 < self.ledger.len())
            .collect();
        report.foreign += (ids.len() - ours.len()) as u64;
        let free: Vec<_> = ours.iter().copied().filter(|&exec| !self.is_held(exec)).collect();
        report.held += (ours.len() - free.len()) as u64;
        free
    }

    /// Whether a ticket is out that can still be used.
    pub fn is_held(&self, exec: ExecIndex) -> bool {
        match self.ledger.read(exec, |e| e.handout) {
            Handout::None => false,
            Handout::Ticket => true,
            Handout::Grant { expires_at_ms } => expires_at_ms > self.server_ms(exec),
        }
    }

    /// Whether this ticket is the one that is out for the execution: not used up, and no other in its place.
    pub fn is_out(&self, exec: ExecIndex, ticket: &ClaimTicket) -> bool {
        match self.ledger.read(exec, |e| e.handout) {
            Handout::None => false,
            Handout::Ticket => ticket.grant.expires_at_ms == NO_GRANT,
            Handout::Grant { expires_at_ms } => expires_at_ms == ticket.grant.expires_at_ms,
        }
    }

    async fn hand_out(
        &self,
        sought: Vec<Sought>,
        issue: bool,
        report: &mut ScanReport,
        control: &Control<'_>,
    ) -> Result<(), WorkloadError> {
        if !issue {
            for sought in sought {
                self.ledger.ticketed(sought.exec);
                report.tickets.push((sought.exec, self.ticket(sought, NO_GRANT)));
            }
            return Ok(());
        }
        let routed = sought.into_iter().map(|s| (self.plan.partition(s.exec), s)).collect();
        for granted in exchange(&self.nodes, routed, &Grant(self), control).await? {
            match granted {
                Ok(ticket) => report.tickets.push(ticket),
                Err(code) => *report.refused.entry(code).or_default() += 1,
            }
        }
        Ok(())
    }

    fn ticket(&self, sought: Sought, expires_at_ms: u64) -> ClaimTicket {
        let keys = self.keys(sought.exec);
        ClaimTicket {
            grant: ReclaimGrant {
                execution_id: self.plan.execution_id(sought.exec),
                partition_key: PartitionKey::from(keys.partition()),
                grant_key: keys.exec().claim_grant(),
                expires_at_ms,
                lane_id: sought.lane_id,
            },
            attempt_index: sought.attempt_index,
        }
    }
}

/// An execution that gets a ticket, with what goes into it.
struct Sought {
    exec: ExecIndex,
    lane_id: LaneId,
    attempt_index: AttemptIndex,
}

struct Count<'a>(&'a Workload);

impl Exchange for Count<'_> {
    type Item = LaneSet;
    type Output = (LaneSet, u64);

    fn encode(&self, &(partition, lane): &LaneSet, batch: &mut Batch) {
        batch.ask(&CountEligible { partition, lane_id: &self.0.lanes[usize::from(lane.0)] });
    }

    fn decode(&self, set: LaneSet, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let count = replies.read::<CountEligible<'_>>();
        Ok((set, count.map_err(WorkloadError::call::<CountEligible<'_>>(&set_name(set)))?))
    }
}

/// Names a set in errors.
fn set_name((partition, lane): LaneSet) -> String {
    format!("{} on {}", PopulationPlan::lane_id(lane), partition.hash_tag())
}

struct List<'a>(&'a Workload);

impl Exchange for List<'_> {
    type Item = (Partition, (LaneIndex, u32));
    type Output = (Partition, (LaneIndex, u32), Vec<ExecutionId>);

    fn encode(&self, &(partition, (lane, offset)): &Self::Item, batch: &mut Batch) {
        let lane_id = &self.0.lanes[usize::from(lane.0)];
        batch.ask(&ListEligible { partition, lane_id, offset, limit: PAGE });
    }

    fn decode(
        &self,
        (partition, at): Self::Item,
        mut replies: Replies,
    ) -> Result<Self::Output, WorkloadError> {
        let ids = replies.read::<ListEligible<'_>>();
        let name = set_name((partition, at.0));
        Ok((partition, at, ids.map_err(WorkloadError::call::<ListEligible<'_>>(&name))?))
    }
}

struct Inspect<'a> {
    workload: &'a Workload,
    seek: Seek,
}

impl Inspect<'_> {
    fn wants(&self, view: &ScanView) -> bool {
        let state = match self.seek {
            Seek::Interrupted => AttemptState::AttemptInterrupted,
            Seek::Fresh => AttemptState::PendingFirstAttempt,
        };
        view.lifecycle_phase == LifecyclePhase::Runnable
            && view.eligibility_state == EligibilityState::EligibleNow
            && view.attempt_state == state
    }
}

impl Exchange for Inspect<'_> {
    type Item = ExecIndex;
    type Output = Option<Sought>;

    fn encode(&self, &exec: &ExecIndex, batch: &mut Batch) {
        batch.ask(&ReadForScan(&self.workload.keys(exec)));
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<Option<Sought>, WorkloadError> {
        let view = replies.read::<ReadForScan<'_>>();
        let id = self.workload.plan.execution_id(exec);
        let view = view.map_err(WorkloadError::call::<ReadForScan<'_>>(&id))?;
        Ok(view.filter(|view| self.wants(view)).map(|view| Sought {
            exec,
            lane_id: view.lane_id,
            attempt_index: view.attempt_index.unwrap_or(FIRST_ATTEMPT),
        }))
    }
}

/// Issues a grant and reads back when it ends, which only the server knows.
struct Grant<'a>(&'a Workload);

impl Exchange for Grant<'_> {
    type Item = Sought;
    type Output = Result<(ExecIndex, ClaimTicket), RefusalCode>;

    fn encode(&self, sought: &Sought, batch: &mut Batch) {
        let keys = &self.0.keys(sought.exec);
        batch.ask(&IssueClaimGrant {
            keys,
            lane_id: &sought.lane_id,
            worker: &self.0.worker,
            ttl: self.0.grant.ttl,
        });
        batch.ask(&ReadGrantExpiry(keys));
    }

    fn decode(&self, sought: Sought, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let (workload, exec) = (self.0, sought.exec);
        match replies.read::<IssueClaimGrant<'_>>() {
            Ok(()) => {}
            Err(CallError::Reply(ReplyError::Refused { code, .. })) => return Ok(Err(code)),
            Err(error) => return Err(workload.failed(exec, IssueClaimGrant::WHAT, error)),
        }
        let expiry = replies
            .read::<ReadGrantExpiry<'_>>()
            .map_err(|error| workload.failed(exec, ReadGrantExpiry::WHAT, error))?;
        // A time to live of a few milliseconds may be over before the second command: expired, but issued.
        let expires_at_ms = expiry.map_or(0, |at| at.0.unsigned_abs());
        workload.ledger.granted(exec, expires_at_ms);
        Ok(Ok((exec, workload.ticket(sought, expires_at_ms))))
    }
}
