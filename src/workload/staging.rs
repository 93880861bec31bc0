//! From nothing to active executions: create, grant, first claim.

use super::batch::{CommandBatch, Exchange, Oversight, Replies, exchange};
use super::error::WorkloadError;
use super::error::may_have_run;
use super::executions::Workload;
use super::ledger::Phase;
use super::population::{ExecIndex, FIRST_ATTEMPT};
use crate::cluster::NAMESPACE;
use crate::flowfabric::{
    CallError, ClaimExecution, CreateExecution, CreateOutcome, IssueClaimGrant, Request as _,
};

impl Workload {
    /// Creates those of the next `count` executions that are this workload's, each eligible at once, and
    /// returns their numbers.
    ///
    /// Adds the waitpoint secret where their partitions have none.
    pub async fn create(&self, count: u32, control: &Oversight<'_>) -> Result<Vec<ExecIndex>, WorkloadError> {
        let mut execs =
            self.ledger.extend(count, |exec| (self.plan.partition(exec).index, self.plan.lane(exec)));
        execs.retain(|&exec| self.slice.owns(exec));
        self.ensure_secrets(&execs, control).await?;
        exchange(&self.nodes, self.routed(&execs), &Create(self), control).await?;
        Ok(execs)
    }

    /// Claims fresh executions for the first time, so that they can be interrupted. The grants for it are not
    /// the scanner's and are not counted.
    pub async fn first_claims(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
    ) -> Result<(), WorkloadError> {
        self.expect_phase(execs, Phase::Fresh)?;
        exchange(&self.nodes, self.routed(execs), &FirstClaim(self), control).await.map(drop)
    }

    /// Notes for the audit that a call may or may not have moved an execution on, and names the failure.
    pub(super) fn failed(&self, exec: ExecIndex, what: &'static str, error: CallError) -> WorkloadError {
        if may_have_run(&error) {
            self.ledger.change(exec, |e| e.uncertain = true);
        }
        WorkloadError::command(what, &self.plan.execution_id(exec))(error)
    }
}

struct Create<'a>(&'a Workload);

impl Exchange for Create<'_> {
    type Item = ExecIndex;
    type Output = ();

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        batch.ask(&CreateExecution {
            keys: &self.0.keys(exec),
            namespace: NAMESPACE,
            lane_id: self.0.lane(exec),
            execution_kind: "benchmark",
            priority: 0,
            creator_identity: NAMESPACE,
            payload: &self.0.payload,
            tags_json: "",
        });
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<(), WorkloadError> {
        match replies.read::<CreateExecution<'_>>() {
            Ok(CreateOutcome::Created(_)) => {
                self.0.ledger.change(exec, |e| e.phase = Phase::Fresh);
                Ok(())
            }
            Ok(CreateOutcome::Duplicate) => Err(WorkloadError::AlreadyThere(self.0.plan.execution_id(exec))),
            Err(error) => Err(self.0.failed(exec, CreateExecution::WHAT, error)),
        }
    }
}

struct FirstClaim<'a>(&'a Workload);

impl Exchange for FirstClaim<'_> {
    type Item = ExecIndex;
    type Output = ();

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        let workload = self.0;
        let (keys, lane_id) = (&workload.keys(exec), workload.lane(exec));
        batch.ask(&IssueClaimGrant { keys, lane_id, worker: &workload.worker, ttl: workload.grant.ttl });
        batch.ask(&ClaimExecution {
            keys,
            lane_id,
            worker: &workload.worker,
            attempt_id: &workload.attempt_id(exec),
            attempt_index: FIRST_ATTEMPT,
            lease_id: &workload.next_lease(exec, 0),
            lease_ttl: workload.grant.lease_ttl,
        });
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<(), WorkloadError> {
        replies
            .read::<IssueClaimGrant<'_>>()
            .map_err(|error| self.0.failed(exec, IssueClaimGrant::WHAT, error))?;
        let lease = replies
            .read::<ClaimExecution<'_>>()
            .map_err(|error| self.0.failed(exec, ClaimExecution::WHAT, error))?;
        self.0.ledger.ticketed(exec);
        self.0.record_claim(exec, &lease.into());
        Ok(())
    }
}
