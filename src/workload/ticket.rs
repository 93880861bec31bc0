//! What goes back and forth between the workload and a claim: a ticket to claim with, and the lease that came
//! of it.

use ff_core::types::{AttemptId, AttemptIndex, LeaseEpoch, LeaseId, TimestampMs};

use crate::flowfabric::{ClaimedLease, FusedLease, ReclaimGrant};

/// What a worker is handed: the grant, and what else a producer could have carried in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimTicket {
    /// The grant as the scanner issued it. For `fused` no grant key exists; the rest of it is what a scanner
    /// knows.
    pub grant: ReclaimGrant,
    /// The attempt index that the scanner read beside the lane; only `full-grant` and `lease-reclaim` may
    /// look at it.
    pub attempt_index: AttemptIndex,
}

/// The lease that a successful claim holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// As asked for.
    pub lease_id: LeaseId,
    /// As the server counts.
    pub epoch: LeaseEpoch,
    /// The attempt that goes on or begins; `None` where the function does not say
    /// (`ff_issue_grant_and_claim`).
    pub attempt_id: Option<AttemptId>,
    /// Its index.
    pub attempt_index: AttemptIndex,
    /// End of the lease; `None` where the function does not say.
    pub expires_at: Option<TimestampMs>,
}

impl From<ClaimedLease> for HeldLease {
    fn from(lease: ClaimedLease) -> Self {
        Self {
            lease_id: lease.lease_id,
            epoch: lease.epoch,
            attempt_id: Some(lease.attempt_id),
            attempt_index: lease.attempt_index,
            expires_at: Some(lease.expires_at),
        }
    }
}

impl From<FusedLease> for HeldLease {
    fn from(lease: FusedLease) -> Self {
        Self {
            lease_id: lease.lease_id,
            epoch: lease.epoch,
            attempt_id: None,
            attempt_index: lease.attempt_index,
            expires_at: None,
        }
    }
}
