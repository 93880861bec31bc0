//! The ways of doing a claim, as values behind one trait.
//!
//! ```text
//! ClaimOrder ─► ClaimPath (one per variant) ─► Line ─► the partition's primary
//!                    │                                        │
//!                    ▼                                        ▼
//!               ClaimReceipt ◄── outcome of the error, or the lease
//!                    └─► claim_with_recovery (redirects), settle_unanswered (no reply)
//! ```

mod error;
mod first;
mod fused;
mod line;
mod recovery;
mod resumed;
mod routes;
mod variant;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::Partition;
use ff_core::types::{AttemptId, LeaseId};

use crate::flowfabric::{LibraryAlias, WorkerIdentity};
use crate::valkey::Wire;
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::VariantPath;

pub use crate::workload::{ClaimTicket, HeldLease};
pub use error::{ClaimError, ServerClock};
pub use line::Line;
pub use recovery::{Reroutes, claim_with_recovery, settle_unanswered};
pub use variant::claim_path;

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
    /// Whether an earlier claim with the same lease id ended without a reply. A refusal may then mean that it took
    /// effect, late.
    pub again: bool,
}

/// How a claim ended and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimReceipt {
    /// The outcome as the worker sees it. A claim without a reply is [`Outcome::TimedOut`] or [`Outcome::Failed`]
    /// here; the driver reads the execution to find out whether it is [`Outcome::Ambiguous`].
    pub outcome: Outcome,
    /// The lease, if there is one.
    pub lease: Option<HeldLease>,
    /// What stood in the way, where something did: the redirect to follow, or the words for a message.
    pub error: Option<ClaimError>,
    /// Exact cost.
    pub cost: WireCost,
}

/// Which connection serves a partition: the cluster's topology as the claims see it.
pub trait Routes {
    /// The wire to the primary that owns `partition` as far as is known.
    fn wire_for(&self, partition: Partition) -> Wire;
}

/// What all claims of an arm have in common.
#[derive(Clone)]
pub struct ClaimSetup {
    /// Where partitions live.
    pub routes: Rc<dyn Routes>,
    /// The servers' clock, which decides whether a grant that is gone had expired.
    pub clock: ServerClock,
    /// Which of the libraries on the servers the claim calls.
    pub library: LibraryAlias,
    /// Whether several workers may hold the same grant. Then an execution that is taken is a lost race; else it is a
    /// refusal that a healthy run does not show.
    pub contended: bool,
    /// Whether each claim goes on to read the task's context, as FlowFabric's worker does.
    pub task_context: bool,
}

/// A future on the load's single thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One way of turning a grant into a lease.
pub trait ClaimPath {
    /// Which one.
    fn path(&self) -> VariantPath;

    /// Does one claim. Never retries: every redirect and timeout is the caller's to see.
    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt>;

    /// As [`Self::claim`], over a line of the caller's choice: behind `ASKING`, to a node that does not own the slot
    /// yet.
    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt>;
}
