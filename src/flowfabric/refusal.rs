//! The codes with which FlowFabric's functions refuse, as values: nothing outside this file compares their
//! text.

use std::fmt;

macro_rules! refusal_codes {
    ($($(#[$doc:meta])* $variant:ident = $wire:literal,)*) => {
        /// Why a function refused: the second element of a `[0, code, …]` reply.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RefusalCode {
            $($(#[$doc])* $variant,)*
            /// A code that this tool does not act on, as the function spelled it.
            Other(String),
        }

        impl RefusalCode {
            /// Every code known by name.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as the functions spell it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)*
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for RefusalCode {
            fn from(code: &str) -> Self {
                match code {
                    $($wire => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

refusal_codes! {
    /// No such execution.
    ExecutionNotFound = "execution_not_found",
    /// Not runnable, or not eligible now: no grant for it.
    ExecutionNotEligible = "execution_not_eligible",
    /// A grant is out for it already.
    GrantAlreadyExists = "grant_already_exists",
    /// Not in the lane's eligible set that the caller named.
    ExecutionNotInEligibleSet = "execution_not_in_eligible_set",
    /// The worker lacks a capability that the execution asks for.
    CapabilityMismatch = "capability_mismatch",
    /// Not runnable: somebody holds it, or it waits, or it has ended.
    ExecutionNotLeaseable = "execution_not_leaseable",
    /// Runnable but owned: the state vector contradicts itself.
    LeaseConflict = "lease_conflict",
    /// Runnable with a running attempt: the state vector contradicts itself.
    ActiveAttemptExists = "active_attempt_exists",
    /// A first claim met an interrupted attempt.
    UseClaimResumedExecution = "use_claim_resumed_execution",
    /// A resumed claim met an execution whose attempt is not interrupted.
    NotAResumedExecution = "not_a_resumed_execution",
    /// No grant, or one for another worker.
    InvalidClaimGrant = "invalid_claim_grant",
    /// The grant is there and past its time: the key vanishes in the same millisecond.
    ClaimGrantExpired = "claim_grant_expired",
    /// Somebody holds the lease, or it was neither revoked nor has it run out: no reclaim.
    ExecutionNotReclaimable = "execution_not_reclaimable",
    /// Reclaimed as often as it may be: the execution has failed for good.
    MaxRetriesExhausted = "max_retries_exhausted",
    /// A lease holder's call on an execution that nobody holds.
    ExecutionNotActive = "execution_not_active",
    /// The caller's lease ran out.
    LeaseExpired = "lease_expired",
    /// The caller's lease was taken away.
    LeaseRevoked = "lease_revoked",
    /// Lease id, epoch or attempt id are not the current ones.
    StaleLease = "stale_lease",
    /// No lease named where one is required.
    FenceRequired = "fence_required",
    /// Lease id, epoch and attempt id must come together.
    PartialFenceTriple = "partial_fence_triple",
    /// The attempt index is not the current one.
    InvalidLeaseForSuspend = "invalid_lease_for_suspend",
    /// A suspension is open already.
    AlreadySuspended = "already_suspended",
    /// Not suspended, or the suspension is closed.
    ExecutionNotSuspended = "execution_not_suspended",
    /// The partition has no waitpoint secret.
    HmacSecretNotInitialized = "hmac_secret_not_initialized",
    /// The waitpoint secret is not hexadecimal.
    InvalidSecret = "invalid_secret",
    /// A signal came without its waitpoint token.
    MissingToken = "missing_token",
    /// The waitpoint token does not match, or there is no such waitpoint.
    InvalidToken = "invalid_token",
    /// The token's secret was rotated out.
    TokenExpired = "token_expired",
    /// The execution takes no signal now.
    TargetNotSignalable = "target_not_signalable",
    /// The waitpoint was satisfied or given up before.
    WaitpointClosed = "waitpoint_closed",
    /// The waitpoint has no condition.
    WaitpointNotFound = "waitpoint_not_found",
    /// The execution has had as many signals as it may over its life.
    SignalLimitExceeded = "signal_limit_exceeded",
    /// An argument is not of its type.
    InvalidInput = "invalid_input",
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<RefusalCode> for String {
    fn from(code: RefusalCode) -> Self {
        match code {
            RefusalCode::Other(code) => code,
            named => named.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_round_trip() {
        for code in RefusalCode::NAMED {
            assert_eq!(RefusalCode::from(code.to_string().as_str()), *code);
        }
        let unknown = RefusalCode::from("quota_exceeded");
        assert_eq!(unknown, RefusalCode::Other("quota_exceeded".into()));
        assert_eq!(String::from(unknown), "quota_exceeded");
    }

    #[test]
    fn every_named_code_is_one_that_the_published_library_knows() {
        for code in RefusalCode::NAMED {
            let quoted = format!("\"{code}\"");
            assert!(ff_script::LIBRARY_SOURCE.contains(&quoted), "{code} is not in the library");
        }
    }
}
