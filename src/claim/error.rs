//! From what stood in a claim's way to the [`Outcome`] that is counted.

use ff_core::partition::PartitionKeyParseError;

use crate::flowfabric::{CallError, RefusalCode};
use crate::valkey::{Redirect, WireError};
use reclaim_analysis::record::Outcome;

/// Why a claim holds no lease, or not all that it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// A command of the claim has no result.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The execution's lane or attempt index is not there to read.
    #[error("the execution does not exist or never had an attempt")]
    NoAttempt,
    /// FlowFabric's SDK says no.
    #[error(transparent)]
    Sdk(SdkRefusal),
    /// The producer issued a grant that nobody can route.
    #[error("the grant's partition key is unusable: {0}")]
    PartitionKey(PartitionKeyParseError),
}

/// What FlowFabric's SDK said instead of a lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("FlowFabric's SDK: {words}")]
pub struct SdkRefusal {
    /// The function's code, where it was one that refused.
    pub code: Option<RefusalCode>,
    /// The SDK's own words.
    pub words: String,
    /// Whether no answer came in time.
    pub late: bool,
}

impl ClaimError {
    /// Where the cluster wants the claim sent.
    pub fn redirect(&self) -> Option<&Redirect> {
        match self {
            Self::Call(CallError::Wire(WireError::Redirect(redirect))) => Some(redirect),
            _ => None,
        }
    }

    /// Whether the connection broke.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Call(CallError::Wire(WireError::Disconnected(_))))
    }

    fn refusal(&self) -> Option<&RefusalCode> {
        match self {
            Self::Call(CallError::Reply(reply)) => reply.refusal(),
            Self::Sdk(refusal) => refusal.code.as_ref(),
            Self::NoAttempt => Some(&RefusalCode::ExecutionNotFound),
            _ => None,
        }
    }

    /// How the claim is counted. `taken` is the code with which this variant's function says that somebody
    /// holds the execution; `contended` and `expired` are the circumstances that only the caller knows.
    pub fn outcome(&self, taken: &RefusalCode, contended: bool, expired: impl FnOnce() -> bool) -> Outcome {
        if let Some(code) = self.refusal() {
            return match code {
                RefusalCode::ClaimGrantExpired => Outcome::Expired,
                // The grant's key vanishes when it expires, so a late claim finds none.
                RefusalCode::InvalidClaimGrant if expired() => Outcome::Expired,
                code if code == taken && contended => Outcome::LostRace,
                code => Outcome::Refused(code.to_string()),
            };
        }
        match self {
            Self::Call(CallError::Wire(WireError::Redirect(redirect))) => {
                Outcome::Redirected(redirect.kind())
            }
            Self::Call(CallError::Wire(WireError::TimedOut(_))) => Outcome::TimedOut,
            Self::Sdk(refusal) if refusal.late => Outcome::TimedOut,
            _ => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowfabric::ReplyError;
    use crate::valkey::NodeAddr;
    use reclaim_analysis::record::RedirectKind;
    use std::time::Duration;

    fn refused(code: RefusalCode) -> ClaimError {
        CallError::Reply(ReplyError::Refused { what: "ff_test", code, detail: String::new() }).into()
    }

    fn wire(error: WireError) -> ClaimError {
        CallError::Wire(error).into()
    }

    #[test]
    fn every_refusal_is_counted_by_what_it_means_here() {
        use RefusalCode::{
            ClaimGrantExpired, ExecutionNotLeaseable, InvalidClaimGrant, NotAResumedExecution,
        };
        let named = |code: RefusalCode| Outcome::Refused(code.to_string());
        // (code, contended, grant past its time, outcome)
        let cases = [
            (ClaimGrantExpired, false, false, Outcome::Expired),
            (InvalidClaimGrant, false, true, Outcome::Expired),
            (InvalidClaimGrant, false, false, named(InvalidClaimGrant)),
            (ExecutionNotLeaseable, true, false, Outcome::LostRace),
            (ExecutionNotLeaseable, false, false, named(ExecutionNotLeaseable)),
            (NotAResumedExecution, true, true, named(NotAResumedExecution)),
        ];
        for (code, contended, expired, outcome) in cases {
            let error = refused(code);
            assert_eq!(error.outcome(&ExecutionNotLeaseable, contended, || expired), outcome, "{error}");
        }
    }

    #[test]
    fn what_has_no_reply_is_never_a_refusal() {
        let to = NodeAddr { host: "127.0.0.1".into(), port: 1 };
        let cases = [
            (
                wire(WireError::Redirect(Redirect::Moved { slot: 1, to: to.clone() })),
                Outcome::Redirected(RedirectKind::Moved),
            ),
            (
                wire(WireError::Redirect(Redirect::Ask { slot: 1, to })),
                Outcome::Redirected(RedirectKind::Ask),
            ),
            (wire(WireError::Redirect(Redirect::TryAgain)), Outcome::Redirected(RedirectKind::TryAgain)),
            (wire(WireError::TimedOut(Duration::from_secs(1))), Outcome::TimedOut),
            (wire(WireError::Disconnected("reset".into())), Outcome::Failed),
            (wire(WireError::Server { code: "BUSY".into(), detail: String::new() }), Outcome::Failed),
            (
                CallError::Reply(ReplyError::Malformed { what: "ff_test", problem: "nil".into() }).into(),
                Outcome::Failed,
            ),
            (ClaimError::PartitionKey(PartitionKeyParseError::MissingBraces), Outcome::Failed),
        ];
        for (error, outcome) in cases {
            assert_eq!(error.outcome(&RefusalCode::ExecutionNotLeaseable, true, || true), outcome, "{error}");
            assert_eq!(error.is_disconnected(), error.to_string().contains("reset"), "{error}");
        }
    }
}
