//! Why a part of the workload could not be carried out.

use ff_core::types::ExecutionId;

use super::ledger::Phase;
use crate::flowfabric::{CallError, ReadServerTime, Request};
use crate::valkey::WireError;

/// An operation of the workload failed; what it had done until then is in the ledger and will be removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// A call was refused, or has no usable reply.
    #[error("{what} for {subject}: {source}{}", remedy(source))]
    Call {
        /// The function or the command.
        what: &'static str,
        /// The execution, partition or primary that it was for.
        subject: String,
        /// What came back.
        source: CallError,
    },
    /// An execution with this id is on the cluster already.
    #[error(
        "{0} exists already: another run with this seed is under way, or was cut off; \
         use another --seed, or remove what is left with `reclaim-bench clean`"
    )]
    AlreadyThere(ExecutionId),
    /// An execution did not go where the call should have led it.
    #[error(
        "{what} for {execution} answered {outcome}: something else moves this run's executions; \
         does FlowFabric's own engine run on this cluster?"
    )]
    Unmoved {
        /// The function.
        what: &'static str,
        /// The execution.
        execution: ExecutionId,
        /// What it answered.
        outcome: String,
    },
    /// The caller asked for a step that the execution is not ready for.
    #[error("{execution} is {phase:?}, not {wanted:?}")]
    WrongPhase {
        /// The execution.
        execution: ExecutionId,
        /// Where it stands.
        phase: Phase,
        /// Where it should stand.
        wanted: Phase,
    },
    /// A timeout or delay stays undue long past its time.
    #[error(
        "{execution} was due {late_ms} ms ago and is not due yet for its server; does its clock go back?"
    )]
    NeverDue {
        /// The execution.
        execution: ExecutionId,
        /// How long ago, by the server's own clock.
        late_ms: u64,
    },
    /// The cluster's map cannot be read, or no node of it reached.
    #[error("cannot find out where the primaries are: {0}")]
    Nodes(String),
    /// Stopped on request between two batches.
    #[error("stopped on request")]
    Cancelled,
}

impl WorkloadError {
    /// Wraps a failed request of type `R` that was for `subject`.
    pub(super) fn call<R: Request>(subject: &impl ToString) -> impl FnOnce(CallError) -> Self {
        Self::command(R::WHAT, subject)
    }

    /// Wraps a failed plain command.
    pub(super) fn command(what: &'static str, subject: &impl ToString) -> impl FnOnce(CallError) -> Self {
        let subject = subject.to_string();
        move |source| Self::Call { what, subject, source }
    }
}

/// What an operation that failed has left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// Nothing: the server did not do it, and may at another time or place.
    Yet,
    /// Nobody knows: there was no reply.
    Unknown,
    /// The server says that the execution is not where the caller has it.
    Elsewhere,
    /// The operation failed for another reason.
    Otherwise,
}

impl Unmade {
    /// Whether making the step again would be wrong or useless.
    pub fn leaves_out(self) -> bool {
        matches!(self, Self::Unknown | Self::Elsewhere)
    }
}

impl WorkloadError {
    /// What a failed call has left behind.
    pub fn unmade(&self) -> Unmade {
        match self {
            Self::Call { source: CallError::Wire(error), what, .. } => match error {
                // A clock that was not read has moved nothing.
                WireError::TimedOut(_) | WireError::Disconnected(_) if *what != ReadServerTime::WHAT => {
                    Unmade::Unknown
                }
                WireError::TimedOut(_) => Unmade::Yet,
                error if worth_asking_again(error) => Unmade::Yet,
                _ => Unmade::Otherwise,
            },
            Self::Call { source: CallError::Reply(reply), .. } if reply.refusal().is_some() => {
                Unmade::Elsewhere
            }
            Self::Unmoved { .. } => Unmade::Elsewhere,
            _ => Unmade::Otherwise,
        }
    }
}

/// Whether a call may have taken effect although it gave no usable reply.
pub(super) fn may_have_run(error: &CallError) -> bool {
    match error {
        CallError::Wire(WireError::TimedOut(_) | WireError::Disconnected(_)) => true,
        CallError::Wire(WireError::Redirect(_) | WireError::Server { .. }) => false,
        CallError::Reply(error) => error.refusal().is_none(),
    }
}

/// Whether the same question may be answered at another time or place.
pub(super) fn worth_asking_again(error: &WireError) -> bool {
    match error {
        WireError::Disconnected(_) | WireError::Redirect(_) => true,
        WireError::TimedOut(_) => false,
        WireError::Server { code, .. } => {
            matches!(code.as_str(), "BUSY" | "CLUSTERDOWN" | "LOADING" | "READONLY" | "MASTERDOWN")
        }
    }
}

/// Whether a key is of another type than FlowFabric gives it: somebody else's.
pub(super) fn is_wrong_type(error: &CallError) -> bool {
    matches!(error, CallError::Wire(WireError::Server { code, .. }) if code == "WRONGTYPE")
}

fn remedy(error: &CallError) -> &'static str {
    use crate::flowfabric::RefusalCode as Code;
    match error {
        CallError::Reply(reply) => match reply.refusal() {
            Some(Code::LeaseExpired) => {
                "; raise grant.lease_ttl: leases ran out before the next interruption"
            }
            Some(Code::SignalLimitExceeded) => {
                "; raise population.executions, so that each gets fewer signals"
            }
            _ => "",
        },
        CallError::Wire(WireError::Redirect(_)) => "; slots move: wait until the cluster is stable",
        CallError::Wire(_) => "",
    }
}
