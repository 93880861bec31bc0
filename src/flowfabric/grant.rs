//! The reclaim grant: what a producer hands to a worker.

use ff_core::contracts::ResumeGrant;
use ff_core::partition::{Partition, PartitionKey, PartitionKeyParseError};
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use serde::{Deserialize, Serialize};

/// A grant for a resumed (`attempt_interrupted`) execution, consumed by `ff_claim_resumed_execution`.
///
/// FlowFabric calls this type `ResumeGrant` since 0.12 and gave the old name to another path; here the name that
/// the claim path was designed under stands. The two convert into each other without loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReclaimGrant {
    /// The execution that may be resumed.
    pub execution_id: ExecutionId,
    /// Opaque handle of the execution's partition.
    pub partition_key: PartitionKey,
    /// Key of the grant hash.
    pub grant_key: String,
    /// Server time in milliseconds at which the grant vanishes.
    pub expires_at_ms: u64,
    /// The execution's lane, read by the producer so that the worker need not.
    pub lane_id: LaneId,
}

impl ReclaimGrant {
    /// The partition behind [`Self::partition_key`]. `Execution` comes back as `Flow`: they share a tag.
    pub fn partition(&self) -> Result<Partition, PartitionKeyParseError> {
        self.partition_key.parse()
    }
}

impl From<ReclaimGrant> for ResumeGrant {
    fn from(grant: ReclaimGrant) -> Self {
        Self::new(
            grant.execution_id,
            grant.partition_key,
            grant.grant_key,
            grant.expires_at_ms,
            grant.lane_id,
        )
    }
}

impl From<ResumeGrant> for ReclaimGrant {
    fn from(grant: ResumeGrant) -> Self {
        Self {
            execution_id: grant.execution_id,
            partition_key: grant.partition_key,
            grant_key: grant.grant_key,
            expires_at_ms: grant.expires_at_ms,
            lane_id: grant.lane_id,
        }
    }
}

/// Who claims. A grant is bound to the worker, a lease to the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// The logical worker that grants are issued to.
    pub worker_id: WorkerId,
    /// This process of it.
    pub instance_id: WorkerInstanceId,
}
