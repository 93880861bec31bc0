//! From what stood in a claim's way to the [`Outcome`] that is counted.

use std::time::{SystemTime, UNIX_EPOCH};

use ff_core::partition::PartitionKeyParseError;

use crate::flowfabric::{CallError, ReadServerTime, RefusalCode, call};
use crate::valkey::{Redirect, Wire, WireError};
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::WireCost;

/// Why a claim holds no lease, or not all that it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// A command of the claim has no result.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The execution's lane or attempt index is not there to read.
    #[error("the execution does not exist or never had an attempt")]
    NoAttempt,
    /// The producer issued a grant that nobody can route.
    #[error("the grant's partition key is unusable: {0}")]
    PartitionKey(PartitionKeyParseError),
}

impl ClaimError {
    /// Where the cluster wants the claim sent.
    pub fn redirect(&self) -> Option<&Redirect> {
        match self {
            Self::Call(CallError::Wire(WireError::Redirect(redirect))) => Some(redirect),
            _ => None,
        }
    }

    fn refusal(&self) -> Option<&RefusalCode> {
        match self {
            Self::Call(CallError::Reply(reply)) => reply.refusal(),
            Self::NoAttempt => Some(&RefusalCode::ExecutionNotFound),
            _ => None,
        }
    }

    /// How the claim is counted. `taken` is the code with which this variant's function says that somebody holds the
    /// execution; `contended` and `expired` are the circumstances that only the caller knows.
    pub(super) fn outcome(
        &self,
        taken: &RefusalCode,
        contended: bool,
        expired: impl FnOnce() -> bool,
    ) -> Outcome {
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
            _ => Outcome::Failed,
        }
    }
}

/// The servers' clock, read through this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    /// Server time minus local time, in microseconds.
    offset_us: i64,
}

impl ServerClock {
    /// A server that is ahead of this machine by so many microseconds.
    pub fn ahead_by_us(offset_us: i64) -> Self {
        Self { offset_us }
    }

    /// Compares clocks over a wire by a few `TIME` commands and keeps the quickest.
    ///
    /// The answer is taken as if the server had read its clock the moment the command was sent. So the estimate is
    /// never behind the server, and ahead by one round trip at most: a grant that had expired is never taken for one
    /// that was refused.
    pub async fn measure(wire: &Wire) -> Result<Self, CallError> {
        const SAMPLES: u32 = 5;
        let mut offset_us = i64::MAX;
        for _ in 0..SAMPLES {
            let sent = local_us();
            let server = call(wire, &ReadServerTime, &mut WireCost::default()).await?;
            offset_us = offset_us.min(server - sent);
        }
        Ok(Self { offset_us })
    }

    /// The servers' time now, in milliseconds since the epoch.
    pub fn now_ms(self) -> u64 {
        u64::try_from((local_us() + self.offset_us) / 1_000).unwrap_or(0)
    }
}

/// This machine's time in microseconds since the epoch; zero for a clock before it.
fn local_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
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
        }
    }
}
