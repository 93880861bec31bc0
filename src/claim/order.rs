//! What a claim is asked to do, and how it ended.

use std::time::{Duration, Instant};

use ff_core::types::{AttemptId, LeaseId};

use super::error::ClaimError;
use crate::flowfabric::WorkerIdentity;
use crate::valkey::Redirect;
use crate::workload::{ClaimTicket, HeldLease};
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::{StepTimes, WireCost};

/// One claim to make.
#[derive(Clone, Debug)]
pub struct ClaimOrder<'a> {
    /// The grant.
    pub ticket: &'a ClaimTicket,
    /// Who claims.
    pub worker: &'a WorkerIdentity,
    /// Lease to take.
    pub lease_id: LeaseId,
    /// Attempt to create, where the variant creates one (`first-claim`, `lease-reclaim`).
    pub attempt_id: AttemptId,
    /// Lease to ask for.
    pub lease_ttl: Duration,
    /// Whether an earlier claim with the same lease id ended without a reply. A refusal may then mean that it
    /// took effect, late.
    pub again: bool,
}

/// How a claim ended and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimReceipt {
    /// The outcome as the worker sees it. A claim without a reply is [`Outcome::TimedOut`] or
    /// [`Outcome::Failed`] here; the driver reads the execution to find out whether it is
    /// [`Outcome::Ambiguous`].
    pub outcome: Outcome,
    /// The lease, if there is one.
    pub lease: Option<HeldLease>,
    /// What stood in the way, where something did: the redirect to follow, or the words for a message.
    pub error: Option<ClaimError>,
    /// Exact cost.
    pub cost: WireCost,
    /// How long each of its round trips took.
    pub steps: StepTimes,
    /// Whether it waited for replicas, and too few had it in time.
    pub unreplicated: bool,
    /// When the claim began by the clock of whoever made it, where that is not who asked for it.
    pub begun: Option<Instant>,
    /// When the lease was held, where something had to be done after that which is no part of the claim.
    pub ended: Option<Instant>,
}

impl ClaimReceipt {
    /// One without a lease, an error or timed round trips.
    pub fn bare(outcome: Outcome, cost: WireCost) -> Self {
        Self {
            outcome,
            lease: None,
            error: None,
            cost,
            steps: StepTimes::default(),
            unreplicated: false,
            begun: None,
            ended: None,
        }
    }

    /// Where the cluster wants the claim sent, if it does.
    pub fn redirect(&self) -> Option<&Redirect> {
        self.error.as_ref()?.redirect()
    }

    /// Whether its connection broke.
    pub fn is_disconnected(&self) -> bool {
        self.error.as_ref().is_some_and(ClaimError::is_disconnected)
    }
}
