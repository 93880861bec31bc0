//! The ways of doing a claim, as values behind one trait.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ff_core::types::{AttemptId, AttemptIndex, LeaseEpoch, LeaseId, TimestampMs};

use crate::cluster::WireCost;
use crate::flowfabric::{ReclaimGrant, WorkerIdentity};
use crate::measure::Outcome;
use crate::scenario::VariantPath;

/// What a worker is handed: the grant, and what else a producer could have carried in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimTicket {
    /// The grant as the scanner issued it. For `fused` no grant key exists; the rest of it is what a scanner knows.
    pub grant: ReclaimGrant,
    /// The attempt index that the scanner read beside the lane; only `full-grant` may look at it.
    pub attempt_index: AttemptIndex,
}

/// One claim to make.
#[derive(Clone, Debug)]
pub struct ClaimOrder<'a> {
    /// The grant.
    pub ticket: &'a ClaimTicket,
    /// Who claims.
    pub worker: &'a WorkerIdentity,
    /// Lease to take.
    pub lease_id: LeaseId,
    /// Attempt to create, where the variant creates one (`first-claim`).
    pub attempt_id: AttemptId,
    /// Lease to ask for.
    pub lease_ttl: Duration,
}

/// The lease that a successful claim holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// As asked for.
    pub lease_id: LeaseId,
    /// As the server counts.
    pub epoch: LeaseEpoch,
    /// The attempt that goes on; `None` where the function does not say (`ff_issue_grant_and_claim`).
    pub attempt_id: Option<AttemptId>,
    /// Its index.
    pub attempt_index: AttemptIndex,
    /// End of the lease; `None` where the function does not say.
    pub expires_at: Option<TimestampMs>,
}

/// How a claim ended and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimReceipt {
    /// The outcome as the worker sees it. A claim without a reply is [`Outcome::TimedOut`] or [`Outcome::Failed`]
    /// here; the driver reads the execution to find out whether it is [`Outcome::Ambiguous`].
    pub outcome: Outcome,
    /// The lease, if there is one.
    pub lease: Option<HeldLease>,
    /// Exact cost.
    pub cost: WireCost,
}

/// A future on the load's single thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One way of turning a grant into a lease.
pub trait ClaimPath {
    /// Which one.
    fn path(&self) -> VariantPath;

    /// Does one claim. Never retries: every redirect and timeout is the caller's to see.
    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt>;
}
