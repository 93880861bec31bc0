//! Leases that are lost, and the grants with which another worker may reclaim what they held.
//!
//! Half of the leases are revoked, the others run out; which, the seed draws. A lease runs out as it does
//! when its worker dies: it was renewed once more and then no longer, and a scanner marks it. FlowFabric 0.15
//! has no scanner that issues reclaim grants, so this one plays it, and reads what it would have to read.

use std::collections::BTreeMap;
use std::time::Duration;

use ff_core::state::{AttemptState, LifecyclePhase};
use tokio_util::sync::CancellationToken;

use super::batch::{CommandBatch, Exchange, Oversight, Replies, exchange};
use super::error::WorkloadError;
use super::executions::Workload;
use super::interruption::Advance;
use super::ledger::Phase;
use super::population::ExecIndex;
use super::scanner::{Grant, GrantOf, Sought, Ungranted};
use super::ticket::ClaimTicket;
use crate::flowfabric::{
    MarkLeaseExpired, MarkOutcome, ReadForScan, RefusalCode, RenewLease, Request as _, RevokeLease,
};

/// What is left of a lease that is to run out: the shortest that is a lease on every server.
const LEFT: Duration = Duration::from_millis(2);

/// Reclaim grants, and which were refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReclaimGrants {
    /// Tickets to claim with, in order of execution number.
    pub tickets: Vec<(ExecIndex, ClaimTicket)>,
    /// Grants refused, by code.
    pub refused: BTreeMap<RefusalCode, u64>,
}

impl Workload {
    /// Takes the leases of active executions away. Waits for those that run out.
    pub async fn lose_leases(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
    ) -> Result<(), WorkloadError> {
        self.expect_phase(execs, Phase::Active)?;
        let (revoked, run_out): (Vec<_>, Vec<_>) =
            execs.iter().partition(|&&exec| self.loses_by_revocation(exec));
        let total = execs.len() as u64;
        let progress = |done, _| (control.progress)(done, total);
        let part = Oversight { cancel: control.cancel, progress: &progress };
        exchange(&self.nodes, self.routed(&revoked), &Revoke(self), &part).await?;
        let before = revoked.len() as u64;
        let progress = |done: u64, _| (control.progress)(before + done / 2, total);
        let part = Oversight { cancel: control.cancel, progress: &progress };
        let renewed = exchange(&self.nodes, self.routed(&run_out), &RenewOnce(self), &part).await;
        // Also where a run ends here: a lease that is left to run out and that nobody marks is neither held
        // nor lost.
        let mut waiting = run_out;
        waiting.retain(|&exec| self.ledger.read(exec, |e| e.due_ms != 0));
        let to_the_end = CancellationToken::new();
        while !waiting.is_empty() {
            tokio::time::sleep(LEFT).await;
            self.nodes.read_clocks().await?;
            let quiet = Oversight::quiet(&to_the_end);
            let steps = exchange(&self.nodes, self.routed(&waiting), &Mark(self), &quiet).await?;
            waiting.clear();
            for step in steps {
                if let Advance::NotYetDue(exec) = step {
                    self.bear_with(exec)?;
                    waiting.push(exec);
                }
            }
        }
        renewed?;
        (control.progress)(total, total);
        Ok(())
    }

    /// Issues a reclaim grant for each of these whose lease was lost and that has none out.
    pub async fn issue_reclaim_grants(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
    ) -> Result<ReclaimGrants, WorkloadError> {
        let lost = |exec: &ExecIndex| self.phase(*exec) == Phase::Lapsed && !self.is_held(*exec);
        let wanted: Vec<_> = execs.iter().copied().filter(lost).collect();
        let quiet = Oversight::quiet(control.cancel);
        let seen = exchange(&self.nodes, self.routed(&wanted), &Look(self), &quiet).await?;
        let found = seen.into_iter().flatten().map(|sought| (self.plan.partition(sought.exec), sought));
        let mut grants = ReclaimGrants::default();
        for granted in exchange(&self.nodes, found.collect(), &Grant(self, GrantOf::Reclaim), control).await?
        {
            match granted {
                Ok(ticket) => grants.tickets.push(ticket),
                Err(Ungranted::Refused(code)) => *grants.refused.entry(code).or_default() += 1,
                Err(Ungranted::Unanswered(error)) => return Err(error),
            }
        }
        grants.tickets.sort_unstable_by_key(|(exec, _)| *exec);
        Ok(grants)
    }

    /// Whether the lease of an execution's current attempt is revoked when it is lost; else it runs out.
    pub(super) fn loses_by_revocation(&self, exec: ExecIndex) -> bool {
        self.plan.revoked(exec, self.ledger.read(exec, |e| e.attempts))
    }

    fn lapsed(&self, exec: ExecIndex) {
        self.ledger.change(exec, |e| {
            e.phase = Phase::Lapsed;
            e.lease = None;
            e.due_ms = 0;
        });
    }
}

/// Active → Lapsed, at once.
struct Revoke<'a>(&'a Workload);

impl Exchange for Revoke<'_> {
    type Item = ExecIndex;
    type Output = ();

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        let workload = self.0;
        batch.ask(&RevokeLease {
            keys: &workload.keys(exec),
            lease_id: &workload.fence(exec).lease_id,
            instance_id: &workload.worker.instance_id,
        });
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<(), WorkloadError> {
        let revoked = replies.read::<RevokeLease<'_>>();
        revoked.map_err(|error| self.0.failed(exec, RevokeLease::WHAT, error))?;
        self.0.lapsed(exec);
        Ok(())
    }
}

/// Leaves a lease a moment to run.
struct RenewOnce<'a>(&'a Workload);

impl Exchange for RenewOnce<'_> {
    type Item = ExecIndex;
    type Output = ();

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        let workload = self.0;
        batch.ask(&RenewLease {
            keys: &workload.keys(exec),
            attempt_index: workload.attempt_index(exec),
            fence: &workload.fence(exec),
            lease_ttl: LEFT,
        });
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<(), WorkloadError> {
        let ends = replies.read::<RenewLease<'_>>();
        let ends = ends.map_err(|error| self.0.failed(exec, RenewLease::WHAT, error))?;
        self.0.ledger.change(exec, |e| e.due_ms = ends.0.unsigned_abs());
        Ok(())
    }
}

/// Active → Lapsed, once the lease is over.
struct Mark<'a>(&'a Workload);

impl Exchange for Mark<'_> {
    type Item = ExecIndex;
    type Output = Advance;

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        batch.ask(&MarkLeaseExpired(&self.0.keys(exec)));
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<Advance, WorkloadError> {
        let what = MarkLeaseExpired::WHAT;
        let outcome = replies.read::<MarkLeaseExpired<'_>>();
        match outcome.map_err(|error| self.0.failed(exec, what, error))? {
            MarkOutcome::Expired => {
                self.0.lapsed(exec);
                Ok(Advance::Made)
            }
            MarkOutcome::NotYetDue => Ok(Advance::NotYetDue(exec)),
            outcome @ MarkOutcome::NoLease => Err(self.0.unmoved(what, exec, outcome)),
        }
    }
}

/// Reads what goes into a grant, and whether the execution may have one.
struct Look<'a>(&'a Workload);

impl Exchange for Look<'_> {
    type Item = ExecIndex;
    type Output = Option<Sought>;

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        batch.ask(&ReadForScan(&self.0.keys(exec)));
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<Option<Sought>, WorkloadError> {
        let view = replies.read::<ReadForScan<'_>>();
        let id = self.0.plan.execution_id(exec);
        let view = view.map_err(WorkloadError::call::<ReadForScan<'_>>(&id))?;
        let lost = view.filter(|view| {
            view.lifecycle_phase == LifecyclePhase::Active
                && view.attempt_state == AttemptState::AttemptInterrupted
        });
        Ok(lost.and_then(|view| {
            Some(Sought { exec, lane_id: view.lane_id, attempt_index: view.attempt_index? })
        }))
    }
}
