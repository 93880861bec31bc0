//! Whether another try may end otherwise than the one before it, what is to come before it, and what tries
//! without a reply leave in doubt.

use crate::claim::{ClaimError, ClaimReceipt};
use crate::flowfabric::CallError;
use crate::valkey::{NOT_RUN, Redirect, WireError};
use reclaim_analysis::record::{Doubts, FailedTry, Outcome};

/// What a server answers that runs commands, and cannot take a claim for the moment.
const NO_CLAIM_NOW: [&str; 2] = ["READONLY", "NOREPLICAS"];

/// Why a try is followed by another, and what is to come before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The slot is elsewhere, or the connection is gone.
    News(FailedTry<'static>),
    /// The slot is on its way; to be asked for once at this node.
    Asking(Redirect),
    /// Its keys are on both sides of a migration.
    HalfMoved,
    /// The server cannot serve now.
    Later(String),
    /// It had its time.
    AtOnce(FailedTry<'static>),
}

impl Again {
    /// Of a receipt; `None` where another try would say the same.
    pub fn after(receipt: &ClaimReceipt) -> Option<Self> {
        if receipt.lease.is_some() {
            return None;
        }
        match &receipt.outcome {
            Outcome::Claimed | Outcome::Expired | Outcome::LostRace | Outcome::Refused(_) => None,
            // The execution could not be read either.
            Outcome::Ambiguous => Some(Self::News(match &receipt.error {
                Some(ClaimError::Call(CallError::Wire(WireError::Disconnected(_)))) => {
                    FailedTry::Disconnected
                }
                Some(ClaimError::Call(CallError::Wire(WireError::TimedOut(_)))) => FailedTry::TimedOut,
                Some(ClaimError::Call(CallError::Wire(WireError::Server { code, .. }))) => {
                    temporary(code).map_or(FailedTry::Unreadable, FailedTry::Code)
                }
                _ => FailedTry::Unreadable,
            })),
            Outcome::TimedOut => Some(Self::AtOnce(FailedTry::TimedOut)),
            Outcome::Redirected(_) => match receipt.redirect() {
                Some(Redirect::TryAgain) => Some(Self::HalfMoved),
                Some(redirect @ Redirect::Ask { .. }) => Some(Self::Asking(redirect.clone())),
                Some(Redirect::Moved { .. }) | None => Some(Self::News(FailedTry::Moved)),
            },
            Outcome::Failed => match &receipt.error {
                Some(ClaimError::Call(CallError::Wire(WireError::Disconnected(_)))) => {
                    Some(Self::News(FailedTry::Disconnected))
                }
                Some(ClaimError::Call(CallError::Wire(WireError::Server { code, .. })))
                    if temporary(code).is_some() =>
                {
                    Some(Self::Later(code.clone()))
                }
                _ => None,
            },
        }
    }

    /// What is counted: why the try before it came to nothing.
    pub fn cause(&self) -> FailedTry<'_> {
        match self {
            Self::News(cause) | Self::AtOnce(cause) => *cause,
            Self::Asking(_) => FailedTry::Ask,
            Self::HalfMoved => FailedTry::TryAgain,
            Self::Later(code) => FailedTry::Code(code),
        }
    }
}

/// The code, if it is what servers answer that cannot serve for the moment.
fn temporary(code: &str) -> Option<&'static str> {
    NOT_RUN.into_iter().chain(NO_CLAIM_NOW).find(|known| *known == code)
}

/// Whether a try may have taken effect although nobody heard of it.
pub(super) fn has_no_reply(receipt: &ClaimReceipt) -> bool {
    let lost = matches!(
        receipt.error,
        Some(ClaimError::Call(CallError::Wire(WireError::TimedOut(_) | WireError::Disconnected(_))))
    );
    lost && receipt.lease.is_none() && matches!(receipt.outcome, Outcome::TimedOut | Outcome::Failed)
}

/// Where a claim counts that had a try without a reply. All of its tries ask for one lease: if a later one
/// was given it, no earlier one had been.
pub(super) fn resolved<'a>(receipt: &ClaimReceipt, doubts: &'a mut Doubts) -> &'a mut u64 {
    match (&receipt.outcome, receipt.lease.is_some()) {
        (Outcome::Ambiguous, true) => &mut doubts.claimed,
        (_, true) | (Outcome::Expired | Outcome::LostRace | Outcome::Refused(_), false) => {
            &mut doubts.not_claimed
        }
        // It was given up: what still lies in a socket may take effect.
        (_, false) => &mut doubts.open,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ended::{lease, receipt};
    use super::*;
    use crate::valkey::NodeAddr;
    use reclaim_analysis::record::RedirectKind;

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn only_what_another_time_or_place_may_answer_is_tried_again() {
        let to = NodeAddr { host: "127.0.0.1".into(), port: 1 };
        let server = |code: &str| WireError::Server { code: code.into(), detail: String::new() };
        let cause = |outcome: Outcome, error: Option<WireError>| {
            Again::after(&receipt(outcome, error)).map(|again| again.cause().key().to_owned())
        };
        let redirected = |redirect: Redirect| {
            cause(Outcome::Redirected(redirect.kind()), Some(WireError::Redirect(redirect)))
        };
        let again = [
            (cause(Outcome::TimedOut, Some(WireError::TimedOut(SHORT))), "timed_out"),
            (cause(Outcome::Failed, Some(WireError::Disconnected("reset".into()))), "disconnected"),
            (cause(Outcome::Failed, Some(server("CLUSTERDOWN"))), "CLUSTERDOWN"),
            (cause(Outcome::Ambiguous, Some(WireError::Disconnected("reset".into()))), "disconnected"),
            (cause(Outcome::Ambiguous, None), "unreadable"),
            (cause(Outcome::Ambiguous, Some(server("CLUSTERDOWN"))), "CLUSTERDOWN"),
            (cause(Outcome::Ambiguous, Some(server("ERR"))), "unreadable"),
            (redirected(Redirect::Moved { slot: 1, to: to.clone() }), "moved"),
            (redirected(Redirect::Ask { slot: 1, to }), "ask"),
            (redirected(Redirect::TryAgain), "try_again"),
        ];
        for (found, wanted) in again {
            assert_eq!(found.as_deref(), Some(wanted));
        }
        let once = [
            cause(Outcome::Claimed, None),
            cause(Outcome::Expired, None),
            cause(Outcome::Refused("execution_not_leaseable".into()), None),
            cause(Outcome::Failed, Some(server("ERR"))),
            cause(Outcome::Failed, None),
        ];
        assert_eq!(once, [None, None, None, None, None]);
        assert_eq!(cause(Outcome::Redirected(RedirectKind::Moved), None).as_deref(), Some("moved"));
    }

    #[test]
    fn a_try_without_a_reply_is_a_doubt_and_the_claims_end_resolves_it() {
        let server = WireError::Server { code: "CLUSTERDOWN".into(), detail: String::new() };
        for (outcome, error, doubt) in [
            (Outcome::TimedOut, WireError::TimedOut(SHORT), true),
            (Outcome::Failed, WireError::Disconnected("reset".into()), true),
            (Outcome::Failed, server, false),
        ] {
            assert_eq!(has_no_reply(&receipt(outcome, Some(error.clone()))), doubt, "{error}");
        }
        let ends = |outcome: Outcome, held: bool| {
            let lease = held.then(lease);
            let mut doubts = Doubts::default();
            *resolved(&ClaimReceipt { lease, ..receipt(outcome, None) }, &mut doubts) += 1;
            (doubts.claimed, doubts.not_claimed, doubts.open)
        };
        assert_eq!(ends(Outcome::Ambiguous, true), (1, 0, 0));
        assert_eq!(ends(Outcome::Claimed, true), (0, 1, 0));
        assert_eq!(ends(Outcome::Refused("execution_not_found".into()), false), (0, 1, 0));
        for given_up in [Outcome::Ambiguous, Outcome::TimedOut, Outcome::Failed] {
            assert_eq!(ends(given_up, false), (0, 0, 1));
        }
    }
}
