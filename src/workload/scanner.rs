//! The reclaim scanner: finds resumable executions in the lanes' eligible sets and issues grants for them.
//!
//! FlowFabric names this producer but ships none. It reads what a scheduler's scanner would have to read -
//! the eligible set, then `attempt_state` and lane of each execution - and that is where the lane in the
//! grant comes from. The ledger only tells it which of the executions have a grant out already.

use std::collections::BTreeMap;

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase};
use ff_core::types::ExecutionId;

use super::batch::{CommandBatch, Each, Exchange, Oversight, Replies, exchange};
use super::error::WorkloadError;
use super::executions::Workload;
use super::issuing::NO_GRANT;
pub(super) use super::issuing::{Grant, GrantOf, Sought, Ungranted};
use super::ledger::Handout;
use super::population::{ExecIndex, FIRST_ATTEMPT, LaneIndex};
use super::ticket::ClaimTicket;
use crate::flowfabric::{CountEligible, ListEligible, ReadForScan, RefusalCode, ScanView};

/// Executions read from one eligible set at a time: enough to keep a batch full, few enough to stay a short
/// command.
const PAGE: u32 = 256;

/// With this many executions of a set handed out or more, it is counted before it is read. Reading fewer again
/// costs less than the round trip of the count.
const COUNT_FIRST: u32 = 4;

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
    /// Whether reads and grants without a reply leave the others' tickets in the report, instead of ending
    /// the scan: while servers fail, a ticket that is thrown away would be missed until its grant expires.
    pub forgiving: bool,
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
    /// Of those: executions that are not this run's.
    pub foreign: u64,
    /// Entries of sets that were left unread: as many as are out from there.
    pub unread: u64,
    /// Grants refused, by code. Some are normal while claims run: an execution may be claimed between two
    /// commands.
    pub refused: BTreeMap<RefusalCode, u64>,
    /// The first read, or grant, without a usable reply, where that did not end the scan
    /// ([`ScanRequest::forgiving`]). Tickets of others are here all the same.
    pub failure: Option<WorkloadError>,
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
    /// While claims run beside it, entries leave the sets between two pages and others move up; what one scan
    /// misses that way is found by the next.
    pub async fn scan(
        &self,
        request: &ScanRequest<'_>,
        control: &Oversight<'_>,
    ) -> Result<ScanReport, WorkloadError> {
        self.nodes.read_clocks_of(request.sets.iter().map(|set| set.0)).await?;
        let quiet = Oversight::quiet(control.cancel);
        let mut report = ScanReport::default();
        let unread = self.with_something_new(request, &mut report, &quiet).await?;
        let mut sets: Vec<_> = unread.into_iter().map(|(partition, lane)| (partition, (lane, 0))).collect();
        while !sets.is_empty() {
            let sets_read = sets.iter().map(|&(partition, at)| (partition, (partition, at))).collect();
            sets.clear();
            let mut found = Vec::new();
            let listed = self.look(sets_read, &List(self), (request, &mut report), &quiet).await?;
            for (partition, (lane, offset), ids) in listed {
                if ids.len() as u32 == PAGE {
                    sets.push((partition, (lane, offset + PAGE)));
                }
                found.extend(self.candidates(&ids, &mut report));
            }
            let inspect = Inspect { workload: self, seek: request.seek };
            let inspected = self.look(self.routed(&found), &inspect, (request, &mut report), &quiet).await?;
            let mut sought: Vec<Sought> = inspected.into_iter().flatten().collect();
            sought.sort_unstable_by_key(|sought| sought.exec);
            self.hand_out(sought, request, &mut report, &quiet).await?;
            (control.progress)(report.tickets.len() as u64, report.listed);
        }
        report.tickets.sort_unstable_by_key(|(exec, _)| *exec);
        Ok(report)
    }

    /// Leaves out sets that hold just as many executions as are handed out from there. With tens of thousands
    /// of grants waiting for workers, reading all of them again in every scan would take the generator's time
    /// from those very workers.
    ///
    /// A claim that is under way may hide an execution that has just come; the next scan counts again.
    async fn with_something_new(
        &self,
        request: &ScanRequest<'_>,
        report: &mut ScanReport,
        control: &Oversight<'_>,
    ) -> Result<Vec<LaneSet>, WorkloadError> {
        let (counted, mut wanted): (Vec<LaneSet>, Vec<LaneSet>) =
            request.sets.iter().partition(|&&(partition, lane)| {
                let held = self.ledger.held((partition.index, lane));
                held.count >= COUNT_FIRST && held.first_expiry_ms > self.nodes.server_ms(partition)
            });
        let counted = counted.into_iter().map(|set| (set.0, set)).collect();
        let counts = self.look(counted, &Count(self), (request, &mut *report), control).await?;
        for ((partition, lane), count) in counts {
            if count == u64::from(self.ledger.held((partition.index, lane)).count) {
                report.unread += count;
            } else {
                wanted.push((partition, lane));
            }
        }
        Ok(wanted)
    }

    /// Asks for each of these. Where the scan is forgiving, what one of them fails for is left to the next
    /// scan: a slot that is on its way must not keep others' grants back.
    async fn look<X: Exchange>(
        &self,
        items: Vec<(Partition, X::Item)>,
        kind: &X,
        (request, report): (&ScanRequest<'_>, &mut ScanReport),
        control: &Oversight<'_>,
    ) -> Result<Vec<X::Output>, WorkloadError> {
        if !request.forgiving {
            return exchange(&self.nodes, items, kind, control).await;
        }
        let mut outputs = Vec::with_capacity(items.len());
        for answer in exchange(&self.nodes, items, &Each(kind), control).await? {
            match answer {
                Ok(output) => outputs.push(output),
                Err(error) => _ = report.failure.get_or_insert(error),
            }
        }
        Ok(outputs)
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

    /// Names a set in errors.
    fn set_name(&self, (partition, lane): LaneSet) -> String {
        format!("{} on {}", self.lanes[usize::from(lane.0)], partition.hash_tag())
    }

    async fn hand_out(
        &self,
        sought: Vec<Sought>,
        request: &ScanRequest<'_>,
        report: &mut ScanReport,
        control: &Oversight<'_>,
    ) -> Result<(), WorkloadError> {
        if !request.issue {
            for sought in sought {
                self.ledger.ticketed(sought.exec);
                report.tickets.push((sought.exec, self.ticket(sought, NO_GRANT)));
            }
            return Ok(());
        }
        let routed = sought.into_iter().map(|s| (self.plan.partition(s.exec), s)).collect();
        for granted in exchange(&self.nodes, routed, &Grant(self, GrantOf::Claim), control).await? {
            match granted {
                Ok(ticket) => report.tickets.push(ticket),
                Err(Ungranted::Refused(code)) => *report.refused.entry(code).or_default() += 1,
                Err(Ungranted::Unanswered(error)) => {
                    report.failure.get_or_insert(error);
                }
            }
        }
        match report.failure.take() {
            Some(error) if !request.forgiving => Err(error),
            failure => {
                report.failure = failure;
                Ok(())
            }
        }
    }
}

struct Count<'a>(&'a Workload);

impl Exchange for Count<'_> {
    type Item = LaneSet;
    type Output = (LaneSet, u64);

    fn encode(&self, &(partition, lane): &LaneSet, batch: &mut CommandBatch) {
        batch.ask(&CountEligible { partition, lane_id: &self.0.lanes[usize::from(lane.0)] });
    }

    fn decode(&self, set: LaneSet, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let count = replies.read::<CountEligible<'_>>();
        Ok((set, count.map_err(WorkloadError::call::<CountEligible<'_>>(&self.0.set_name(set)))?))
    }
}

struct List<'a>(&'a Workload);

impl Exchange for List<'_> {
    type Item = (Partition, (LaneIndex, u32));
    type Output = (Partition, (LaneIndex, u32), Vec<ExecutionId>);

    fn encode(&self, &(partition, (lane, offset)): &Self::Item, batch: &mut CommandBatch) {
        let lane_id = &self.0.lanes[usize::from(lane.0)];
        batch.ask(&ListEligible { partition, lane_id, offset, limit: PAGE });
    }

    fn decode(
        &self,
        (partition, at): Self::Item,
        mut replies: Replies,
    ) -> Result<Self::Output, WorkloadError> {
        let ids = replies.read::<ListEligible<'_>>();
        let name = self.0.set_name((partition, at.0));
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

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
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
