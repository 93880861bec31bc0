//! The keys of one execution, as ff-core spells them; every command of this module takes its keys from here.

use ff_core::keys::{ExecKeyContext, IndexKeys};
use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::ExecutionId;

/// Key builders of one execution and of the indexes on its partition.
pub struct ExecutionKeys {
    partition: Partition,
    exec: ExecKeyContext,
    index: IndexKeys,
}

impl ExecutionKeys {
    /// Keys of an execution whose partition is known, e.g. from a grant.
    pub fn new(partition: Partition, execution_id: &ExecutionId) -> Self {
        Self {
            partition,
            exec: ExecKeyContext::new(&partition, execution_id),
            index: IndexKeys::new(&partition),
        }
    }

    /// Keys of an execution on the partition that its id names.
    pub fn from_id(execution_id: &ExecutionId) -> Self {
        let partition = Partition { family: PartitionFamily::Flow, index: execution_id.partition() };
        Self::new(partition, execution_id)
    }

    /// The partition that all of these keys live on.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// Keys that belong to the execution alone.
    pub fn exec(&self) -> &ExecKeyContext {
        &self.exec
    }

    /// Keys that the partition's executions share.
    pub fn index(&self) -> &IndexKeys {
        &self.index
    }

    /// The execution id, as keys and arguments carry it.
    pub fn execution_id(&self) -> &str {
        self.exec.execution_id_str()
    }
}
