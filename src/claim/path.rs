//! A way of claiming as a value, and what all claims of an arm have in common.

use std::rc::Rc;

use super::clock::ServerClocks;
use super::line::Line;
use super::order::{ClaimOrder, ClaimReceipt};
use super::routes::{LocalFuture, Routes};
use crate::flowfabric::LibraryAlias;
use reclaim_analysis::scenario::{ReplicaWait, VariantPath};

/// What all claims of an arm have in common.
#[derive(Clone)]
pub struct ClaimSetup {
    /// Where partitions live.
    pub routes: Rc<dyn Routes>,
    /// The servers' clocks: that of a grant's own server decides whether it had expired.
    pub clocks: ServerClocks,
    /// Which of the libraries on the servers the claim calls.
    pub library: LibraryAlias,
    /// Whether several workers may hold the same grant. Then an execution that is taken is a lost race; else
    /// it is a refusal that a healthy run does not show.
    pub contended: bool,
    /// Whether each claim goes on to read the task's context, as FlowFabric's worker does.
    pub task_context: bool,
    /// Whether each claim waits until replicas have it.
    pub wait: Option<ReplicaWait>,
}

impl ClaimSetup {
    /// Claims of FlowFabric's own library by one worker, and nothing beside taking the lease.
    pub fn plain(routes: Rc<dyn Routes>, clocks: ServerClocks) -> Self {
        Self { routes, clocks, library: LibraryAlias::OWN, contended: false, task_context: false, wait: None }
    }
}

/// One way of turning a grant into a lease.
pub trait ClaimPath {
    /// Which one.
    fn path(&self) -> VariantPath;

    /// Whether a claim takes the lease that its order names. The SDK resumes with an id of its own, which nobody
    /// knows where its reply is lost.
    fn takes_the_lease_asked_for(&self) -> bool {
        !matches!(self.path(), VariantPath::SdkResume | VariantPath::SdkGrant)
    }

    /// Does one claim. Never retries: every redirect and timeout is the caller's to see.
    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt>;

    /// As [`Self::claim`], over a line of the caller's choice: behind `ASKING`, to a node that does not own
    /// the slot yet.
    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt>;
}
