//! What becomes of an execution after a claim: whether there is a grant yet that another claim could use.

use crate::claim::ClaimReceipt;
use reclaim_analysis::record::Outcome;

/// What a claim leaves behind for its execution; of several contenders' claims, the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// No lease, and the server said why: it would say the same again.
    Refused,
    /// The grant was past its time, or there was none. A scanner may issue another.
    NoGrant,
    /// Sent elsewhere until the driver gave up. The grant was not used.
    Redirected,
    /// No reply, and no effect seen or nobody can tell. The grant may be there still.
    Unanswered,
    /// The lease is held.
    Held,
}

impl Fate {
    /// What became of a claim, by what it got and what the server said.
    pub(super) fn after(receipt: &ClaimReceipt) -> Self {
        match &receipt.outcome {
            _ if receipt.lease.is_some() => Self::Held,
            Outcome::Ambiguous | Outcome::TimedOut | Outcome::Failed => Self::Unanswered,
            Outcome::Redirected(_) => Self::Redirected,
            Outcome::Expired => Self::NoGrant,
            Outcome::Claimed | Outcome::LostRace | Outcome::Refused(_) => Self::Refused,
        }
    }
}
