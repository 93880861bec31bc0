//! Suspending, and the two ways back that need no signal: `ff_suspend_execution`, `ff_expire_suspension`,
//! `ff_resume_execution`.

use ff_core::state::PublicState;
use ff_core::types::{
    AttemptIndex, LaneId, LeaseFence, SuspensionId, TimestampMs, WaitpointId, WaitpointToken,
    WorkerInstanceId,
};
use redis::{Cmd, Value};

use crate::flowfabric::condition::ResumeCondition;
use crate::flowfabric::encode::{Arg, fcall};
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::reply::{Fields, ReplyError, Status, open, open_ok};
use crate::flowfabric::request::Request;

/// Lease events kept per execution, FlowFabric's own default.
const LEASE_EVENTS_KEPT: i64 = 1_000;

/// The worker suspends its own execution on one new waitpoint; the lease is released, the attempt
/// interrupted.
#[derive(Clone, Copy)]
pub struct SuspendExecution<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// Holder of the lease.
    pub instance_id: &'a WorkerInstanceId,
    /// The running attempt.
    pub attempt_index: AttemptIndex,
    /// The lease held.
    pub fence: &'a LeaseFence,
    /// Id of the suspension to open.
    pub suspension_id: &'a SuspensionId,
    /// Id of the waitpoint to open.
    pub waitpoint_id: &'a WaitpointId,
    /// Name of the waitpoint for the outside; its token is bound to it.
    pub waitpoint_key: &'a str,
    /// What ends it.
    pub condition: &'a ResumeCondition,
    /// When the condition's timeout is due; `None` waits for ever.
    pub timeout_at: Option<TimestampMs>,
}

/// A suspension and its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// As asked for.
    pub suspension_id: SuspensionId,
    /// As asked for.
    pub waitpoint_id: WaitpointId,
    /// Whoever delivers a signal must show it.
    pub token: WaitpointToken,
}

/// What became of a suspend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuspendOutcome {
    /// Suspended.
    Suspended(Suspension),
    /// The condition was satisfied by signals that came early; the worker keeps its lease.
    AlreadySatisfied(Suspension),
}

impl Request for SuspendExecution<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_suspend_execution";
    type Reply = SuspendOutcome;

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [
                exec.core(),
                exec.attempt_hash(self.attempt_index),
                exec.lease_current(),
                exec.lease_history(),
                index.lease_expiry(),
                index.worker_leases(self.instance_id),
                exec.suspension_current(),
                exec.waitpoint(self.waitpoint_id),
                exec.waitpoint_signals(self.waitpoint_id),
                index.suspension_timeout(),
                index.pending_waitpoint_expiry(),
                index.lane_active(self.lane_id),
                index.lane_suspended(self.lane_id),
                exec.waitpoints(),
                exec.waitpoint_condition(self.waitpoint_id),
                index.attempt_timeout(),
                index.waitpoint_hmac_secrets(),
                exec.noop(), // dedup hash: no idempotency key
            ],
            [
                self.keys.execution_id().into(),
                self.attempt_index.into(),
                (&self.fence.attempt_id).into(),
                (&self.fence.lease_id).into(),
                self.fence.lease_epoch.into(),
                self.suspension_id.into(),
                self.waitpoint_id.into(),
                self.waitpoint_key.into(),
                "waiting_for_signal".into(), // reason_code
                "worker".into(),             // requested_by
                self.timeout_at.into(),
                self.condition.condition_json.as_str().into(),
                self.condition.policy_json.as_str().into(),
                Arg::NONE, // continuation_metadata_pointer
                Arg::NONE, // use_pending_waitpoint
                self.condition.on_timeout.as_str().into(),
                Arg::Number(LEASE_EVENTS_KEPT),
                Arg::NONE,      // idempotency_key
                Arg::Number(0), // dedup_ttl_ms
                Arg::Number(0), // num_extra_waitpoints
            ],
        )
    }

    fn parse(reply: &Value) -> Result<SuspendOutcome, ReplyError> {
        let suspension = |fields: &Fields<'_>| {
            Ok(Suspension {
                suspension_id: SuspensionId(fields.uuid(0)?),
                waitpoint_id: WaitpointId(fields.uuid(1)?),
                token: fields.text(3)?.into(),
            })
        };
        match open(Self::WHAT, reply)? {
            (Status::Ok, fields) => suspension(&fields).map(SuspendOutcome::Suspended),
            (Status::AlreadySatisfied, fields) => suspension(&fields).map(SuspendOutcome::AlreadySatisfied),
            (Status::Duplicate, fields) => Err(fields.malformed("unexpected status Duplicate".into())),
        }
    }
}

/// Applies a suspension's timeout once it is due, as FlowFabric's scanner does.
#[derive(Clone, Copy)]
pub struct ExpireSuspension<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The open waitpoint.
    pub waitpoint_id: &'a WaitpointId,
    /// The interrupted attempt.
    pub attempt_index: AttemptIndex,
}

/// What became of a suspension's timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireOutcome {
    /// Runnable again, the attempt still interrupted.
    Resumed,
    /// The timeout ended the execution or handed it to an operator.
    NotResumed,
    /// The server's time is not there yet.
    NotYetDue,
    /// There was no open suspension; a stale index entry went.
    NotSuspended,
}

impl Request for ExpireSuspension<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_expire_suspension";
    type Reply = ExpireOutcome;

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [
                exec.core(),
                exec.suspension_current(),
                exec.waitpoint(self.waitpoint_id),
                exec.waitpoint_condition(self.waitpoint_id),
                exec.attempt_hash(self.attempt_index),
                exec.stream_meta(self.attempt_index),
                index.suspension_timeout(),
                index.lane_suspended(self.lane_id),
                index.lane_terminal(self.lane_id),
                index.lane_eligible(self.lane_id),
                index.lane_delayed(self.lane_id),
                exec.lease_history(),
            ],
            [self.keys.execution_id().into()],
        )
    }

    fn parse(reply: &Value) -> Result<ExpireOutcome, ReplyError> {
        let fields = open_ok(Self::WHAT, reply)?;
        match fields.text(0)? {
            "auto_resume" => Ok(ExpireOutcome::Resumed),
            "not_yet_due" => Ok(ExpireOutcome::NotYetDue),
            "not_found_cleaned" | "not_suspended_cleaned" | "no_active_suspension_cleaned" => {
                Ok(ExpireOutcome::NotSuspended)
            }
            "fail" | "cancel" | "expire" | "escalate" => Ok(ExpireOutcome::NotResumed),
            other => Err(fields.malformed(format!("unknown outcome {other:?}"))),
        }
    }
}

/// Who resumes without a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeTrigger {
    /// A person.
    Operator,
    /// FlowFabric, after a condition was satisfied elsewhere.
    Signal,
}

/// Makes a suspended execution runnable, whatever its condition says.
#[derive(Clone, Copy)]
pub struct ResumeExecution<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The open waitpoint, which is closed.
    pub waitpoint_id: &'a WaitpointId,
    /// On whose behalf.
    pub trigger: ResumeTrigger,
}

/// What became of a resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeOutcome {
    /// Runnable, in this state.
    Resumed(PublicState),
}

impl Request for ResumeExecution<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_resume_execution";
    type Reply = ResumeOutcome;

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        let trigger = match self.trigger {
            ResumeTrigger::Operator => "operator",
            ResumeTrigger::Signal => "signal",
        };
        fcall(
            Self::WHAT,
            [
                exec.core(),
                exec.suspension_current(),
                exec.waitpoint(self.waitpoint_id),
                exec.waitpoint_signals(self.waitpoint_id),
                index.suspension_timeout(),
                index.lane_eligible(self.lane_id),
                index.lane_delayed(self.lane_id),
                index.lane_suspended(self.lane_id),
            ],
            [self.keys.execution_id().into(), trigger.into(), Arg::Number(0)],
        )
    }

    fn parse(reply: &Value) -> Result<ResumeOutcome, ReplyError> {
        open_ok(Self::WHAT, reply)?.state(0).map(ResumeOutcome::Resumed)
    }
}
