//! The waitpoint secret that suspending needs on every partition: added where there is none, never replaced.

use std::collections::BTreeSet;

use ff_core::keys::IndexKeys;
use ff_core::partition::{Partition, PartitionFamily};

use super::batch::{CommandBatch, Exchange, Oversight, Replies, exchange};
use super::error::WorkloadError;
use super::executions::Workload;
use super::population::ExecIndex;
use crate::flowfabric::{ReadCurrentKid, WriteSecret};

/// Name of the secrets that this tool adds; they are recognised by it after a crash.
pub(super) const KID: &str = "reclaim-bench";

/// The secret itself. It is the same for every run, for several of them may share a partition, and it guards
/// nothing but a benchmark's own waitpoints.
const SECRET_HEX: &str = "7265636c61696d2d62656e6368";

/// Whose secret a partition has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecretOwner {
    /// The partition had none; its secret's name is ours now.
    Added,
    /// A run of this tool that is under way or was cut off added it.
    OfAnotherRun,
    /// The deployment's.
    Foreign,
}

impl Workload {
    /// Sees to it that the partitions of `execs` have a secret.
    pub(super) async fn ensure_secrets(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
    ) -> Result<(), WorkloadError> {
        let mut missing: Vec<u16> = execs.iter().map(|&exec| self.plan.partition(exec).index).collect();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|partition| !self.partitions_used.borrow().contains(partition));
        self.add_secrets(&missing, control).await?;
        // Whoever removes them at the end removes those that other generators of the run added as well.
        let below = missing.iter().max().map_or(0, |&last| last.saturating_add(1));
        self.nodes.note_secrets_below(if self.slice.is_whole() { below } else { self.plan.partitions() });
        self.partitions_used.borrow_mut().extend(missing);
        Ok(())
    }

    /// Gives partitions whose server came back empty their secrets again, those that this run uses.
    pub async fn renew_secrets(
        &self,
        partitions: &BTreeSet<u16>,
        control: &Oversight<'_>,
    ) -> Result<(), WorkloadError> {
        let used: Vec<u16> = self.partitions_used.borrow().intersection(partitions).copied().collect();
        self.add_secrets(&used, control).await
    }

    /// Gives each of these partitions a secret that has none.
    async fn add_secrets(&self, partitions: &[u16], control: &Oversight<'_>) -> Result<(), WorkloadError> {
        let quiet = Oversight::quiet(control.cancel);
        let partitions =
            partitions.iter().map(|&index| Partition { family: PartitionFamily::Execution, index });
        let names = partitions.map(|partition| (partition, partition)).collect();
        let found = exchange(&self.nodes, names, &NameSecret(self), &quiet).await?;
        let ours = found.into_iter().filter(|(_, found)| *found != SecretOwner::Foreign);
        let unfilled = ours.map(|(partition, _)| (partition, partition)).collect();
        exchange(&self.nodes, unfilled, &FillSecret, &quiet).await.map(drop)
    }
}

/// Names the current secret unless somebody else has, in one step: two runs may begin at once.
struct NameSecret<'a>(&'a Workload);

impl Exchange for NameSecret<'_> {
    type Item = Partition;
    type Output = (Partition, SecretOwner);

    fn encode(&self, partition: &Partition, batch: &mut CommandBatch) {
        let mut name = redis::cmd("HSETNX");
        name.arg(IndexKeys::new(partition).waitpoint_hmac_secrets()).arg("current_kid").arg(KID);
        batch.add("hsetnx", name);
        batch.ask(&ReadCurrentKid(*partition));
    }

    fn decode(&self, partition: Partition, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let tag = partition.hash_tag();
        let named = replies.value().map_err(WorkloadError::command("HSETNX waitpoint_hmac", &tag))?;
        if named == redis::Value::Int(1) {
            self.0.own_secrets.borrow_mut().insert(partition.index);
            return Ok((partition, SecretOwner::Added));
        }
        let kid = replies.read::<ReadCurrentKid>().map_err(WorkloadError::call::<ReadCurrentKid>(&tag))?;
        let of_another_run = kid.as_deref() == Some(KID);
        Ok((partition, if of_another_run { SecretOwner::OfAnotherRun } else { SecretOwner::Foreign }))
    }
}

/// Stores the secret under the name.
struct FillSecret;

impl Exchange for FillSecret {
    type Item = Partition;
    type Output = ();

    fn encode(&self, partition: &Partition, batch: &mut CommandBatch) {
        batch.ask(&WriteSecret { partition: *partition, kid: KID, secret_hex: SECRET_HEX });
    }

    fn decode(&self, partition: Partition, mut replies: Replies) -> Result<(), WorkloadError> {
        let written = replies.read::<WriteSecret<'_>>();
        written.map_err(WorkloadError::call::<WriteSecret<'_>>(&partition.hash_tag()))
    }
}
