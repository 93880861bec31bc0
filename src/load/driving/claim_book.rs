//! What a claim is made with, and where its effects are kept.

use std::rc::Rc;

use ff_core::types::{AttemptId, LeaseId};
use tokio::time::Instant;

use super::super::planning::PlannedClaim;
use crate::claim::{ClaimReceipt, ClaimTicket};
use crate::workload::{ExecIndex, Workload};
use reclaim_analysis::record::Outcome;

/// A ticket that a worker has taken.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What the scanner handed out.
    pub ticket: Rc<ClaimTicket>,
    /// When the execution was made runnable, where that happens during the window.
    pub runnable_since: Option<Instant>,
    /// Tickets that are still in stock.
    pub left: u64,
}

/// Where the tickets of planned claims come from.
pub trait GrantSource {
    /// The ticket for a planned claim; `None` where no grant is in stock for it.
    fn draw(&self, claim: &PlannedClaim) -> Option<Drawn>;
}

/// Knows what claims did to their executions, and so what the next claim of one asks for.
pub trait ClaimBook {
    /// A lease id, and an attempt id for variants that create one, for the n-th contender of a claim.
    fn ids(&self, execution: u32, contender: u16) -> (LeaseId, AttemptId);

    /// Whether an earlier claim of the execution ended without a reply, and nobody found out that it took
    /// effect.
    fn unsettled(&self, execution: u32) -> bool;

    /// Takes note of an ended claim.
    fn settle(&self, execution: u32, ticket: &ClaimTicket, receipt: &ClaimReceipt);
}

impl ClaimBook for Workload {
    fn ids(&self, execution: u32, contender: u16) -> (LeaseId, AttemptId) {
        let exec = ExecIndex(execution);
        (self.next_lease(exec, contender), self.attempt_id(exec))
    }

    fn unsettled(&self, execution: u32) -> bool {
        self.is_unsettled(ExecIndex(execution))
    }

    fn settle(&self, execution: u32, ticket: &ClaimTicket, receipt: &ClaimReceipt) {
        let exec = ExecIndex(execution);
        match (&receipt.lease, &receipt.outcome) {
            (Some(lease), _) => self.record_claim(exec, lease),
            (None, Outcome::Expired) => self.record_expired(exec, ticket),
            (None, Outcome::Ambiguous | Outcome::TimedOut | Outcome::Failed) => self.record_unanswered(exec),
            (None, _) => {}
        }
    }
}
