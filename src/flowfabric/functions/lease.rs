//! How a worker loses its lease: it is taken away, or it runs out because nobody renews it.

use std::time::Duration;

use ff_core::types::{AttemptIndex, LeaseFence, LeaseId, TimestampMs, WorkerInstanceId};
use redis::{Cmd, Value};

use crate::flowfabric::encode::{Arg, fcall};
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::reply::{ReplyError, Status, open, open_ok};
use crate::flowfabric::request::Request;

/// How long a lease's record outlives the lease: what FlowFabric's own worker asks for.
const RECORD_GRACE: Duration = Duration::from_mins(1);

/// Takes a lease away, as an operator does. The execution stays active, without an owner, until it is
/// reclaimed.
#[derive(Clone, Copy)]
pub struct RevokeLease<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// The lease that is meant; another one is left alone.
    pub lease_id: &'a LeaseId,
    /// The instance that holds it.
    pub instance_id: &'a WorkerInstanceId,
}

impl Request for RevokeLease<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_revoke_lease";
    /// Nothing, where a lease was revoked; one that was gone already is malformed here.
    type Reply = ();

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [
                exec.core(),
                exec.lease_current(),
                exec.lease_history(),
                index.lease_expiry(),
                index.worker_leases(self.instance_id),
            ],
            [
                self.keys.execution_id().into(),
                self.lease_id.into(),
                "reclaim-bench".into(), // revoke_reason
            ],
        )
    }

    fn parse(reply: &Value) -> Result<(), ReplyError> {
        let fields = open_ok(Self::WHAT, reply)?;
        match fields.text(0)? {
            "revoked" => Ok(()),
            other => Err(fields.malformed(format!("{other:?} where a lease was to be revoked"))),
        }
    }
}

/// Sets the end of a lease that is held, as its worker does from time to time.
#[derive(Clone, Copy)]
pub struct RenewLease<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// The running attempt.
    pub attempt_index: AttemptIndex,
    /// The lease that is held.
    pub fence: &'a LeaseFence,
    /// From now on.
    pub lease_ttl: Duration,
}

impl Request for RenewLease<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_renew_lease";
    /// End of the lease, server time.
    type Reply = TimestampMs;

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [exec.core(), exec.lease_current(), exec.lease_history(), index.lease_expiry()],
            [
                self.keys.execution_id().into(),
                self.attempt_index.into(),
                (&self.fence.attempt_id).into(),
                (&self.fence.lease_id).into(),
                self.fence.lease_epoch.into(),
                self.lease_ttl.into(),
                Arg::from(RECORD_GRACE),
            ],
        )
    }

    fn parse(reply: &Value) -> Result<TimestampMs, ReplyError> {
        open_ok(Self::WHAT, reply)?.timestamp(0)
    }
}

/// Marks a lease as run out once it is, as FlowFabric's scanner does.
#[derive(Clone, Copy)]
pub struct MarkLeaseExpired<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

/// What became of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkOutcome {
    /// It has run out: the execution waits to be reclaimed.
    Expired,
    /// The server's time is not there yet.
    NotYetDue,
    /// There is no lease of an active execution that could run out.
    NoLease,
}

impl Request for MarkLeaseExpired<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_mark_lease_expired_if_due";
    type Reply = MarkOutcome;

    fn command(&self) -> Cmd {
        let (exec, index) = (self.0.exec(), self.0.index());
        fcall(
            Self::WHAT,
            [exec.core(), exec.lease_current(), index.lease_expiry(), exec.lease_history()],
            [self.0.execution_id().into()],
        )
    }

    fn parse(reply: &Value) -> Result<MarkOutcome, ReplyError> {
        let (status, fields) = open(Self::WHAT, reply)?;
        match (status, fields.text(0)?) {
            (Status::Ok, "marked_expired") | (Status::AlreadySatisfied, "already_expired") => {
                Ok(MarkOutcome::Expired)
            }
            (Status::AlreadySatisfied, "not_yet_expired") => Ok(MarkOutcome::NotYetDue),
            (
                Status::AlreadySatisfied,
                "execution_not_found" | "not_active" | "already_revoked" | "unowned",
            ) => Ok(MarkOutcome::NoLease),
            (status, other) => Err(fields.malformed(format!("unknown outcome {status:?} {other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(words: &[&str]) -> Value {
        let mut values = vec![Value::Int(1)];
        values.extend(words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())));
        Value::Array(values)
    }

    #[test]
    fn a_lease_that_was_not_there_to_lose_is_told_from_one_that_was_lost() {
        let marked = |words: &[&str]| MarkLeaseExpired::parse(&reply(words)).unwrap();
        assert_eq!(marked(&["OK", "marked_expired"]), MarkOutcome::Expired);
        assert_eq!(marked(&["ALREADY_SATISFIED", "not_yet_expired"]), MarkOutcome::NotYetDue);
        assert_eq!(marked(&["ALREADY_SATISFIED", "already_revoked"]), MarkOutcome::NoLease);
        assert!(MarkLeaseExpired::parse(&reply(&["OK", "renewed"])).is_err());
        assert!(RevokeLease::parse(&reply(&["OK", "revoked", "id", "2"])).is_ok());
        assert!(RevokeLease::parse(&reply(&["ALREADY_SATISFIED", "already_revoked"])).is_err());
    }
}
