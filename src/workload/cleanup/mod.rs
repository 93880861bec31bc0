//! Removes what a run wrote, on clusters that belong to somebody else.
//!
//! Two ways in, one way through: [`Workload::remove`] begins with the executions of its ledger, [`clean`]
//! with those that it finds on the cluster after a crash. Which keys an execution has is read from the
//! cluster itself. Index entries go first and an execution's own keys in one command, the core among them, so
//! that whatever an interrupted clean-up leaves is found by the next one.

mod execution_keys;
mod shared;
mod sweep;
mod tally;

use std::collections::BTreeSet;
use std::rc::Rc;

use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, WorkerInstanceId};

use super::batch::Oversight;
use super::error::WorkloadError;
use super::executions::Workload;
use super::ledger::Entry;
use super::nodes::Nodes;
use super::population::{ExecIndex, INSTANCE, is_ours};
use super::slice::Slice;
use crate::cluster::Cluster;

pub use tally::Removal;
use tally::partition;

/// Executions whose keys are listed at a time; bounds the memory for 100,000 of them.
const GROUP: usize = 4_096;

impl Workload {
    /// Removes every key and entry that this run wrote, as far as the cluster lets it. Calling it again is
    /// harmless and takes up what failed. The workload is empty afterwards, and may create executions again.
    pub async fn remove(&self, control: &Oversight<'_>) -> Result<Removal, WorkloadError> {
        let used = self.ledger.used();
        let ids = used.iter().map(|&exec| self.plan.execution_id(exec)).collect();
        let ours = |id: &str| self.plan.find(id).is_some_and(|exec| used.binary_search(&exec).is_ok());
        let partitions = self.partitions_used.borrow().clone();
        let nodes = &self.nodes.giving_up();
        // A primary that has gone since is known by its successor. Where the map cannot be read, the old one
        // is tried.
        let _ = nodes.refresh().await;
        let found = ToRemove { ids, instances: vec![self.worker.instance_id.clone()], partitions };
        let mut removal = remove_executions(nodes, found, &ours, control).await?;
        // Other runs suspend with the same secrets: of those that know of each other the last one removes
        // them. And so do the generators of one run: whichever added them, the first one removes them.
        if !self.nodes.is_announced() && self.slice.leads() {
            let own = if self.slice.is_whole() {
                self.own_secrets.borrow().clone()
            } else {
                (0..self.plan.partitions()).collect()
            };
            removal.count(&shared::remove_secrets(nodes, &own, control).await?);
        }
        if removal.failures == 0 {
            for exec in used {
                self.ledger.change(exec, |entry| *entry = Entry::default());
            }
            self.own_secrets.borrow_mut().clear();
            self.partitions_used.borrow_mut().clear();
        }
        Ok(removal)
    }

    /// Removes what generators of this run have left that are gone: each of the plan's first `executions`
    /// executions that was theirs, whether it was created or not.
    pub async fn remove_of(
        &self,
        gone: &[Slice],
        executions: u32,
        control: &Oversight<'_>,
    ) -> Result<Removal, WorkloadError> {
        let theirs = |exec: ExecIndex| gone.iter().any(|slice| slice.owns(exec));
        let execs: Vec<ExecIndex> = (0..executions).map(ExecIndex).filter(|&exec| theirs(exec)).collect();
        let ids = execs.iter().map(|&exec| self.plan.execution_id(exec)).collect();
        let partitions = execs.iter().map(|&exec| self.plan.partition(exec).index).collect();
        let instances = gone.iter().map(|slice| slice.worker().instance_id).collect();
        let ours = |id: &str| self.plan.find(id).is_some_and(theirs);
        let nodes = &self.nodes.giving_up();
        // As above.
        let _ = nodes.refresh().await;
        remove_executions(nodes, ToRemove { ids, instances, partitions }, &ours, control).await
    }
}

/// Removes the waitpoint secrets of this tool from the partitions that runs use, whichever run added them.
/// For the last one that leaves.
pub async fn remove_secrets(cluster: Rc<Cluster>, control: &Oversight<'_>) -> Result<Removal, WorkloadError> {
    let most = cluster.published_partitions().await.ok().flatten();
    let most = most.unwrap_or(PartitionConfig::default().num_flow_partitions).max(cluster.secrets_below());
    shared::remove_secrets(&Nodes::new(cluster).giving_up(), &(0..most).collect(), control).await
}

/// Removes what runs of this tool left on a cluster, whoever started them: executions of its namespace, then
/// keys and entries that bear its mark but belong to no execution any more. Must not be used while a run is
/// under way.
pub async fn clean(cluster: Rc<Cluster>, control: &Oversight<'_>) -> Result<Removal, WorkloadError> {
    let nodes = &Nodes::new(cluster).giving_up();
    let quiet = Oversight::quiet(control.cancel);
    let found = sweep::find(nodes, &quiet).await?;
    let listed: BTreeSet<String> = found.executions.iter().map(ToString::to_string).collect();
    let ours = |id: &str| is_ours(id) || listed.contains(id);
    let sweep::Leftovers { executions, streams, secrets, unlisted } = found;
    let instances = vec![WorkerInstanceId::new(INSTANCE)];
    let found = ToRemove { ids: executions, instances, partitions: streams };
    let mut removal = remove_executions(nodes, found, &ours, control).await?;
    removal.count(&unlisted);
    removal.count(&sweep::remove_orphans(nodes, &quiet).await?);
    removal.count(&shared::remove_secrets(nodes, &secrets, &quiet).await?);
    Ok(removal)
}

/// What is to be removed.
struct ToRemove {
    ids: Vec<ExecutionId>,
    /// Workers that may have had them, beside those that they name.
    instances: Vec<WorkerInstanceId>,
    /// Where streams of signals may have entries of theirs.
    partitions: BTreeSet<u16>,
}

/// The way through: signal streams, then index entries and keys group by group.
async fn remove_executions(
    nodes: &Nodes,
    ToRemove { ids, instances, partitions }: ToRemove,
    ours: &dyn Fn(&str) -> bool,
    control: &Oversight<'_>,
) -> Result<Removal, WorkloadError> {
    let mut removal = Removal::default();
    for index in partitions {
        if control.cancel.is_cancelled() {
            return Err(WorkloadError::Cancelled);
        }
        shared::thin_signal_stream(nodes, partition(index), ours, &mut removal).await;
    }
    let total = ids.len() as u64;
    for (number, group) in ids.chunks(GROUP).enumerate() {
        let before = (number * GROUP) as u64;
        let progress = |done, _| (control.progress)(before + done, total);
        let part = Oversight { cancel: control.cancel, progress: &progress };
        execution_keys::remove_group(nodes, (group, &instances), &part, &mut removal).await?;
    }
    Ok(removal)
}
