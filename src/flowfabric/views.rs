//! An execution as the reclaim scanner and the audit see it: several fields of `exec_core` in one read.

use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase, OwnershipState};
use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseEpoch, LeaseId, WaitpointId};
use redis::{Cmd, Value};
use uuid::Uuid;

use super::encode::keyed;
use super::keys::ExecutionKeys;
use super::reads::{ATTEMPT_INDEX, LANE, attempt_index, given, lane};
use super::reply::{Fields, ReplyError, state_of, uuid_of};
use super::request::Request;

/// An execution as the reclaim scanner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanView {
    /// Runnable, or it gets no grant.
    pub lifecycle_phase: LifecyclePhase,
    /// Eligible now, or it gets no grant.
    pub eligibility_state: EligibilityState,
    /// Interrupted: a reclaim grant. Anything else: a first claim's business.
    pub attempt_state: AttemptState,
    /// Goes into the grant, so that the worker need not read it.
    pub lane_id: LaneId,
    /// `None` before the first claim.
    pub attempt_index: Option<AttemptIndex>,
    /// `None` before the first claim.
    pub attempt_id: Option<AttemptId>,
}

/// Reads one execution for the reclaim scanner, by HMGET. `None` without an execution.
pub struct ReadForScan<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadForScan<'_> {
    const COMMAND: &'static str = "hmget";
    const WHAT: &'static str = "HMGET exec_core for the scanner";
    type Reply = Option<ScanView>;

    fn command(&self) -> Cmd {
        keyed(
            "HMGET",
            &self.0.exec().core(),
            &[
                "lifecycle_phase",
                "eligibility_state",
                "attempt_state",
                LANE,
                ATTEMPT_INDEX,
                "current_attempt_id",
            ],
        )
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        let fields = Fields::from_array(Self::WHAT, reply)?;
        let Some(phase) = fields.optional(0)? else { return Ok(None) };
        Ok(Some(ScanView {
            lifecycle_phase: state_of(Self::WHAT, phase)?,
            eligibility_state: fields.state(1)?,
            attempt_state: fields.state(2)?,
            lane_id: lane(Self::WHAT, fields.text(3)?)?,
            attempt_index: attempt_index(Self::WHAT, fields.optional(4)?)?,
            attempt_id: uuid(Self::WHAT, fields.optional(5)?)?.map(AttemptId),
        }))
    }
}

/// An execution as the audit sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditView {
    /// Active under a lease; runnable or suspended without.
    pub lifecycle_phase: LifecyclePhase,
    /// Leased or not.
    pub ownership_state: OwnershipState,
    /// Running, interrupted, or before the first.
    pub attempt_state: AttemptState,
    /// Must stay what the first claim made it.
    pub attempt_id: Option<AttemptId>,
    /// Must stay what the first claim made it.
    pub attempt_index: Option<AttemptIndex>,
    /// Must be the number of claims that succeeded.
    pub lease_epoch: LeaseEpoch,
    /// The lease, where there is one.
    pub lease_id: Option<LeaseId>,
    /// The open waitpoint, where it is suspended.
    pub waitpoint_id: Option<WaitpointId>,
}

/// Reads one execution for the audit, by HMGET. `None` without an execution.
pub struct ReadForAudit<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadForAudit<'_> {
    const COMMAND: &'static str = "hmget";
    const WHAT: &'static str = "HMGET exec_core for the audit";
    type Reply = Option<AuditView>;

    fn command(&self) -> Cmd {
        keyed(
            "HMGET",
            &self.0.exec().core(),
            &[
                "lifecycle_phase",
                "ownership_state",
                "attempt_state",
                "current_attempt_id",
                ATTEMPT_INDEX,
                "current_lease_epoch",
                "current_lease_id",
                "current_waitpoint_id",
            ],
        )
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        let fields = Fields::from_array(Self::WHAT, reply)?;
        let Some(phase) = fields.optional(0)? else { return Ok(None) };
        Ok(Some(AuditView {
            lifecycle_phase: state_of(Self::WHAT, phase)?,
            ownership_state: fields.state(1)?,
            attempt_state: fields.state(2)?,
            attempt_id: uuid(Self::WHAT, fields.optional(3)?)?.map(AttemptId),
            attempt_index: attempt_index(Self::WHAT, fields.optional(4)?)?,
            lease_epoch: fields.epoch(5)?,
            lease_id: uuid(Self::WHAT, fields.optional(6)?)?.map(LeaseId),
            waitpoint_id: uuid(Self::WHAT, fields.optional(7)?)?.map(WaitpointId),
        }))
    }
}

fn uuid(what: &'static str, text: Option<&str>) -> Result<Option<Uuid>, ReplyError> {
    given(text).map(|text| uuid_of(what, text)).transpose()
}
