//! Lease reclaim: a grant for an execution whose lease was lost, and the claim that goes on with a new
//! attempt. What FlowFabric itself calls a reclaim since 0.12; the rest of this tool uses the word as
//! [`super::super::ReclaimGrant`] does.

use std::time::Duration;

use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseId};
use redis::{Cmd, Value};

use super::claim::ClaimedLease;
use crate::flowfabric::encode::{Arg, fcall, fcall_of};
use crate::flowfabric::grant::WorkerIdentity;
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::library_alias::LibraryAlias;
use crate::flowfabric::reply::{ReplyError, open_ok};
use crate::flowfabric::request::Request;

/// How often one execution may be reclaimed before it fails for good: what FlowFabric's Rust surface asks
/// for. Libraries before 0.13 do not read it and keep to 100.
pub const MAX_RECLAIMS_PER_EXECUTION: i64 = 1_000;

/// Issues a grant for an execution whose lease was revoked or ran out, to one worker. As with
/// [`super::IssueClaimGrant`], [`super::super::ReadGrantExpiry`] reads when it ends: older libraries do not
/// answer with it.
#[derive(Clone, Copy)]
pub struct IssueReclaimGrant<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The only worker that may consume the grant.
    pub worker: &'a WorkerIdentity,
    /// Life of the grant, in whole milliseconds.
    pub ttl: Duration,
}

impl Request for IssueReclaimGrant<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_issue_reclaim_grant";
    type Reply = ();

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [exec.core(), exec.claim_grant(), index.lease_expiry()],
            [
                self.keys.execution_id().into(),
                (&self.worker.worker_id).into(),
                (&self.worker.instance_id).into(),
                self.lane_id.into(),
                Arg::NONE, // capability_hash
                self.ttl.into(),
                Arg::NONE, // route_snapshot_json
                Arg::NONE, // admission_summary
                Arg::NONE, // worker_capabilities_csv
            ],
        )
    }

    fn parse(reply: &Value) -> Result<(), ReplyError> {
        open_ok(Self::WHAT, reply)?.text(0).map(|_| ())
    }
}

/// Consumes such a grant: closes the attempt whose lease was lost, and starts a new one.
#[derive(Clone, Copy)]
pub struct ReclaimExecution<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The worker that the grant names.
    pub worker: &'a WorkerIdentity,
    /// The attempt whose lease was lost: its hash is one of the keys, and that of the next one.
    pub attempt_index: AttemptIndex,
    /// Id of the attempt to create.
    pub attempt_id: &'a AttemptId,
    /// Lease to take.
    pub lease_id: &'a LeaseId,
    /// How long.
    pub lease_ttl: Duration,
}

impl Request for ReclaimExecution<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_reclaim_execution";
    type Reply = ClaimedLease;

    fn command(&self) -> Cmd {
        self.command_of(LibraryAlias::OWN)
    }

    fn command_of(&self, library: LibraryAlias) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        let next = AttemptIndex(self.attempt_index.0.saturating_add(1));
        fcall_of(
            library,
            Self::WHAT,
            [
                exec.core(),
                exec.claim_grant(),
                exec.attempt_hash(self.attempt_index),
                exec.stream_meta(self.attempt_index),
                exec.attempt_hash(next),
                exec.attempt_usage(next),
                exec.attempts(),
                exec.lease_current(),
                exec.lease_history(),
                index.lease_expiry(),
                index.worker_leases(&self.worker.instance_id),
                index.lane_active(self.lane_id),
                index.attempt_timeout(),
                index.execution_deadline(),
            ],
            [
                self.keys.execution_id().into(),
                (&self.worker.worker_id).into(),
                (&self.worker.instance_id).into(),
                self.lane_id.into(),
                self.lease_id.into(),
                self.lease_ttl.into(),
                self.attempt_id.into(),
                Arg::NONE, // attempt_policy_json
                Arg::Number(MAX_RECLAIMS_PER_EXECUTION),
            ],
        )
    }

    fn parse(reply: &Value) -> Result<ClaimedLease, ReplyError> {
        let fields = open_ok(Self::WHAT, reply)?;
        let kind = fields.text(5)?;
        if kind != "reclaim" {
            return Err(fields.malformed(format!("{kind:?} where a reclaim says \"reclaim\"")));
        }
        ClaimedLease::read(&fields)
    }
}
