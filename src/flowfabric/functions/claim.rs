//! The claiming functions: the first claim, the resumed claim that everything here is about, and the one that
//! grants and claims at once.

use std::time::Duration;

use ff_core::state::AttemptType;
use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseEpoch, LeaseId, TimestampMs};
use redis::{Cmd, Value};

use crate::flowfabric::encode::{Arg, fcall_of};
use crate::flowfabric::grant::WorkerIdentity;
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::library_alias::LibraryAlias;
use crate::flowfabric::reply::{Fields, ReplyError, open_ok};
use crate::flowfabric::request::Request;

/// A lease as `ff_claim_execution`, `ff_claim_resumed_execution` and `ff_reclaim_execution` report it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedLease {
    /// As asked for.
    pub lease_id: LeaseId,
    /// One more than before.
    pub epoch: LeaseEpoch,
    /// End of the lease, server time.
    pub expires_at: TimestampMs,
    /// The attempt: the interrupted one after a resumed claim, else a new one.
    pub attempt_id: AttemptId,
    /// Its index.
    pub attempt_index: AttemptIndex,
}

impl ClaimedLease {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, ReplyError> {
        Ok(Self {
            lease_id: LeaseId(fields.uuid(0)?),
            epoch: fields.epoch(1)?,
            expires_at: fields.timestamp(2)?,
            attempt_id: AttemptId(fields.uuid(3)?),
            attempt_index: fields.attempt_index(4)?,
        })
    }
}

/// Consumes a grant for an interrupted attempt and goes on with that attempt.
#[derive(Clone, Copy)]
pub struct ClaimResumedExecution<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The worker that the grant names.
    pub worker: &'a WorkerIdentity,
    /// The interrupted attempt: its hash is one of the keys.
    pub attempt_index: AttemptIndex,
    /// Lease to take.
    pub lease_id: &'a LeaseId,
    /// How long.
    pub lease_ttl: Duration,
}

impl Request for ClaimResumedExecution<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_claim_resumed_execution";
    type Reply = ClaimedLease;

    fn command(&self) -> Cmd {
        self.command_of(LibraryAlias::OWN)
    }

    fn command_of(&self, library: LibraryAlias) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall_of(
            library,
            Self::WHAT,
            [
                exec.core(),
                exec.claim_grant(),
                index.lane_eligible(self.lane_id),
                index.lease_expiry(),
                index.worker_leases(&self.worker.instance_id),
                exec.attempt_hash(self.attempt_index),
                exec.lease_current(),
                exec.lease_history(),
                index.lane_active(self.lane_id),
                index.attempt_timeout(),
                index.execution_deadline(),
            ],
            [
                self.keys.execution_id().into(),
                (&self.worker.worker_id).into(),
                (&self.worker.instance_id).into(),
                self.lane_id.into(),
                Arg::NONE, // capability_snapshot_hash
                self.lease_id.into(),
                self.lease_ttl.into(),
                Arg::NONE, // remaining_attempt_timeout_ms
            ],
        )
    }

    fn parse(reply: &Value) -> Result<ClaimedLease, ReplyError> {
        let fields = open_ok(Self::WHAT, reply)?;
        let kind = fields.text(5)?;
        if kind != "resumed" {
            return Err(fields.malformed(format!("{kind:?} where a resumed claim says \"resumed\"")));
        }
        ClaimedLease::read(&fields)
    }
}

/// Consumes a grant for an execution without an interrupted attempt and starts a new attempt.
#[derive(Clone, Copy)]
pub struct ClaimExecution<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The worker that the grant names.
    pub worker: &'a WorkerIdentity,
    /// Id of the attempt to create.
    pub attempt_id: &'a AttemptId,
    /// Index that the new attempt is expected to get; the function counts for itself.
    pub attempt_index: AttemptIndex,
    /// Lease to take.
    pub lease_id: &'a LeaseId,
    /// How long.
    pub lease_ttl: Duration,
}

impl Request for ClaimExecution<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_claim_execution";
    type Reply = ClaimedLease;

    fn command(&self) -> Cmd {
        self.command_of(LibraryAlias::OWN)
    }

    fn command_of(&self, library: LibraryAlias) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall_of(
            library,
            Self::WHAT,
            [
                exec.core(),
                exec.claim_grant(),
                index.lane_eligible(self.lane_id),
                index.lease_expiry(),
                index.worker_leases(&self.worker.instance_id),
                exec.attempt_hash(self.attempt_index),
                exec.attempt_usage(self.attempt_index),
                exec.attempt_policy(self.attempt_index),
                exec.attempts(),
                exec.lease_current(),
                exec.lease_history(),
                index.lane_active(self.lane_id),
                index.attempt_timeout(),
                index.execution_deadline(),
            ],
            [
                self.keys.execution_id().into(),
                (&self.worker.worker_id).into(),
                (&self.worker.instance_id).into(),
                self.lane_id.into(),
                Arg::NONE, // capability_snapshot_hash
                self.lease_id.into(),
                self.lease_ttl.into(),
                (self.lease_ttl * 2 / 3).into(), // renew_before_ms, as FlowFabric's own worker asks
                self.attempt_id.into(),
                Arg::NONE, // attempt_policy_json
                Arg::NONE, // attempt_timeout_ms
                Arg::NONE, // execution_deadline_at
            ],
        )
    }

    fn parse(reply: &Value) -> Result<ClaimedLease, ReplyError> {
        let fields = open_ok(Self::WHAT, reply)?;
        fields.state::<AttemptType>(5)?;
        ClaimedLease::read(&fields)
    }
}

/// A lease as `ff_issue_grant_and_claim` reports it: without attempt id and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FusedLease {
    /// As asked for.
    pub lease_id: LeaseId,
    /// One more than before.
    pub epoch: LeaseEpoch,
    /// The attempt's index.
    pub attempt_index: AttemptIndex,
}

/// Grants and claims in one call; goes on with an interrupted attempt, else starts a new one.
#[derive(Clone, Copy)]
pub struct IssueGrantAndClaim<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// Who claims.
    pub worker: &'a WorkerIdentity,
    /// Id of the attempt, where one is created.
    pub attempt_id: &'a AttemptId,
    /// Lease to take.
    pub lease_id: &'a LeaseId,
    /// How long.
    pub lease_ttl: Duration,
}

impl Request for IssueGrantAndClaim<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_issue_grant_and_claim";
    type Reply = FusedLease;

    fn command(&self) -> Cmd {
        self.command_of(LibraryAlias::OWN)
    }

    fn command_of(&self, library: LibraryAlias) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall_of(
            library,
            Self::WHAT,
            [
                exec.core(),
                exec.claim_grant(),
                index.lane_eligible(self.lane_id),
                index.lease_expiry(),
                index.worker_leases(&self.worker.instance_id),
                exec.attempts(),
                exec.lease_current(),
                exec.lease_history(),
                index.lane_active(self.lane_id),
                index.attempt_timeout(),
                index.execution_deadline(),
            ],
            [
                self.keys.execution_id().into(),
                (&self.worker.worker_id).into(),
                (&self.worker.instance_id).into(),
                self.lane_id.into(),
                Arg::NONE, // capability_snapshot_hash
                self.lease_id.into(),
                self.lease_ttl.into(),
                self.attempt_id.into(),
                Arg::NONE, // attempt_policy_json
                Arg::NONE, // attempt_timeout_ms
                Arg::NONE, // execution_deadline_at
            ],
        )
    }

    fn parse(reply: &Value) -> Result<FusedLease, ReplyError> {
        let fields = open_ok(Self::WHAT, reply)?;
        Ok(FusedLease {
            lease_id: LeaseId(fields.uuid(0)?),
            epoch: fields.epoch(1)?,
            attempt_index: fields.attempt_index(2)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f2b3b9e-0f0e-4a51-9d63-000000000001";

    fn reply(fields: &[&str]) -> Value {
        let mut values = vec![Value::Int(1), Value::BulkString(b"OK".to_vec())];
        values.extend(fields.iter().map(|field| Value::BulkString(field.as_bytes().to_vec())));
        Value::Array(values)
    }

    #[test]
    fn a_resumed_claim_is_told_from_a_first_claim() {
        let resumed = reply(&[ID, "2", "1700000030000", ID, "0", "resumed"]);
        let lease = ClaimResumedExecution::parse(&resumed).unwrap();
        assert_eq!(
            (lease.epoch, lease.expires_at),
            (LeaseEpoch(2), TimestampMs::from_millis(1_700_000_030_000))
        );
        assert!(ClaimExecution::parse(&resumed).is_err());
        let initial = reply(&[ID, "1", "1700000030000", ID, "0", "initial"]);
        assert!(ClaimExecution::parse(&initial).is_ok());
        assert!(ClaimResumedExecution::parse(&initial).is_err());
        assert!(ClaimExecution::parse(&reply(&[ID, "one", "1", ID, "0", "initial"])).is_err());
    }

    #[test]
    fn the_fused_claim_answers_with_three_fields() {
        let lease = IssueGrantAndClaim::parse(&reply(&[ID, "5", "3"])).unwrap();
        assert_eq!((lease.epoch, lease.attempt_index), (LeaseEpoch(5), AttemptIndex(3)));
        assert!(IssueGrantAndClaim::parse(&reply(&[ID, "5"])).is_err());
    }
}
