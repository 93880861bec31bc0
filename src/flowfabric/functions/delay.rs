//! The delay kind of interruption: `ff_delay_execution` and `ff_promote_delayed`.

use ff_core::types::{LaneId, LeaseFence, TimestampMs, WorkerInstanceId};
use redis::{Cmd, Value};

use ff_core::types::AttemptIndex;

use crate::flowfabric::encode::{Arg, fcall};
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::reply::{ReplyError, open_ok};
use crate::flowfabric::request::Request;

/// The worker puts its own execution off; the lease is released, the attempt interrupted.
#[derive(Clone, Copy)]
pub struct DelayExecution<'a> {
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
    /// Not before this time.
    pub until: TimestampMs,
}

impl Request for DelayExecution<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_delay_execution";
    type Reply = ();

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
                index.lane_active(self.lane_id),
                index.lane_delayed(self.lane_id),
                index.attempt_timeout(),
            ],
            [
                self.keys.execution_id().into(),
                (&self.fence.lease_id).into(),
                self.fence.lease_epoch.into(),
                (&self.fence.attempt_id).into(),
                self.until.into(),
                Arg::NONE, // source: the lease holder
            ],
        )
    }

    fn parse(reply: &Value) -> Result<(), ReplyError> {
        open_ok(Self::WHAT, reply)?.timestamp(0).map(|_| ())
    }
}

/// Makes a delayed execution runnable once its time has come.
#[derive(Clone, Copy)]
pub struct PromoteDelayed<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// What the caller takes for now: the function believes it.
    pub now: TimestampMs,
}

/// What became of a delayed execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromoteOutcome {
    /// Runnable and eligible.
    Promoted,
    /// Its time has not come.
    NotYetDue,
    /// It was not delayed any more; a stale index entry went.
    NotDelayed,
}

impl Request for PromoteDelayed<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_promote_delayed";
    type Reply = PromoteOutcome;

    fn command(&self) -> Cmd {
        let index = self.keys.index();
        fcall(
            Self::WHAT,
            [self.keys.exec().core(), index.lane_delayed(self.lane_id), index.lane_eligible(self.lane_id)],
            [self.keys.execution_id().into(), self.now.into()],
        )
    }

    fn parse(reply: &Value) -> Result<PromoteOutcome, ReplyError> {
        let fields = open_ok(Self::WHAT, reply)?;
        match fields.text(0)? {
            "promoted" => Ok(PromoteOutcome::Promoted),
            "not_yet_due" => Ok(PromoteOutcome::NotYetDue),
            "not_found_cleaned" | "not_runnable_cleaned" | "not_delayed_cleaned" => {
                Ok(PromoteOutcome::NotDelayed)
            }
            other => Err(fields.malformed(format!("unknown outcome {other:?}"))),
        }
    }
}
