//! Reads back every execution that a run used and compares it with the ledger; of a sample, all that a claim
//! promises.

use std::collections::BTreeSet;

use ff_core::types::AttemptIndex;

use super::batch::{CommandBatch, Exchange, Oversight, Replies, exchange};
use super::contract::{self, Contract};
use super::error::WorkloadError;
use super::executions::Workload;
use super::population::ExecIndex;
use crate::flowfabric::{CallError, ReadForAudit, ReadGrantExpiry, ReadServerTime};
use rand::seq::SliceRandom as _;
use reclaim_analysis::record::{Audit, stream};

mod expected;
mod inspector;

use expected::{Expected, Seen};
use inspector::Inspector;

impl Workload {
    /// Reads back all executions that this run created and reports every difference from what it did.
    pub async fn audit(&self, control: &Oversight<'_>) -> Result<Audit, WorkloadError> {
        let used = self.ledger.used();
        let sample = self.sample(&used);
        let read_back = ReadBack { workload: self, sample };
        let mut seen = exchange(&self.nodes.giving_up(), self.routed(&used), &read_back, control).await?;
        let mut inspector = Inspector::new(self.ledger.grants());
        seen.sort_unstable_by_key(|(exec, _)| *exec);
        for (exec, seen) in seen {
            let id = self.plan.execution_id(exec);
            let attempt_id = &|index| self.plan.attempt_id(exec, index);
            self.ledger.read(exec, |entry| {
                let kind = self.plan.kind(exec, entry.interruptions.saturating_sub(1));
                let worker = &self.worker;
                let may_be_lost = self.may_be_lost(exec);
                let revoked = self.plan.revoked(exec, entry.attempts);
                let id = id.as_str();
                let expected = Expected { id, attempt_id, entry, kind, revoked, worker, may_be_lost };
                inspector.inspect(&expected, &seen);
            });
        }
        Ok(inspector.audit)
    }

    /// Which of the executions have their contract read back: drawn by the run's seed, those that were
    /// claimed first.
    fn sample(&self, used: &[ExecIndex]) -> BTreeSet<ExecIndex> {
        let mut drawn = used.to_vec();
        drawn.shuffle(&mut stream(self.plan.seed(), "audit"));
        drawn.sort_by_key(|&exec| self.ledger.read(exec, |entry| entry.claims < 2));
        drawn.truncate(contract::SAMPLE);
        drawn.into_iter().collect()
    }
}

struct ReadBack<'a> {
    workload: &'a Workload,
    sample: BTreeSet<ExecIndex>,
}

impl Exchange for ReadBack<'_> {
    type Item = ExecIndex;
    type Output = (ExecIndex, Seen);

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        let keys = &self.workload.keys(exec);
        batch.ask(&ReadForAudit(keys));
        batch.ask(&ReadGrantExpiry(keys));
        if self.sample.contains(&exec) {
            let attempts = self.workload.ledger.read(exec, |entry| {
                // A claim that nobody heard of may have made one more.
                entry.attempts + u32::from(entry.uncertain && entry.phase.claim_makes_an_attempt())
            });
            let index = AttemptIndex(attempts.saturating_sub(1));
            contract::ask(keys, self.workload.lane(exec), index, &self.workload.worker, batch);
        }
        // Behind the others, so that a grant which ended between two commands counts as expired, not as lost.
        batch.ask(&ReadServerTime);
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let sampled = self.sample.contains(&exec);
        let mut read = || -> Result<Seen, CallError> {
            Ok(Seen {
                view: replies.read::<ReadForAudit<'_>>()?,
                grant: replies.read::<ReadGrantExpiry<'_>>()?.is_some(),
                contract: sampled.then(|| Contract::read(&mut replies)).transpose()?,
                now_ms: replies.read::<ReadServerTime>()?.unsigned_abs() / 1_000,
            })
        };
        let id = self.workload.plan.execution_id(exec);
        Ok((exec, read().map_err(WorkloadError::command("the audit's reads", &id))?))
    }
}

#[cfg(test)]
mod tests;
