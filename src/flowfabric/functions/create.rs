//! `ff_create_execution`: where an execution and its lane begin.

use ff_core::state::PublicState;
use ff_core::types::LaneId;
use redis::{Cmd, Value};

use crate::flowfabric::encode::{Arg, fcall};
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::reply::{ReplyError, Status, open};
use crate::flowfabric::request::Request;

/// Creates an execution that is eligible at once; without policy, deadline or idempotency key.
#[derive(Clone, Copy)]
pub struct CreateExecution<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Tenant namespace.
    pub namespace: &'a str,
    /// Lane it is scheduled in.
    pub lane_id: &'a LaneId,
    /// Kind of work, free text.
    pub execution_kind: &'a str,
    /// 0 to 9000; higher goes first.
    pub priority: u16,
    /// Who submits it.
    pub creator_identity: &'a str,
    /// Input, opaque. No key is written for an empty one.
    pub payload: &'a [u8],
    /// Labels as a JSON object, or empty.
    pub tags_json: &'a str,
}

/// What became of a new execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It exists now, in this state.
    Created(PublicState),
    /// It existed before; nothing was changed.
    Duplicate,
}

impl Request for CreateExecution<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_create_execution";
    type Reply = CreateOutcome;

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [
                exec.core(),
                exec.payload(),
                exec.policy(),
                exec.tags(),
                index.lane_eligible(self.lane_id),
                exec.noop(), // idempotency key
                index.execution_deadline(),
                index.all_executions(),
            ],
            [
                self.keys.execution_id().into(),
                self.namespace.into(),
                self.lane_id.into(),
                self.execution_kind.into(),
                Arg::Number(i64::from(self.priority)),
                self.creator_identity.into(),
                Arg::NONE, // policy_json
                self.payload.into(),
                Arg::NONE, // delay_until
                Arg::NONE, // dedup_ttl_ms
                self.tags_json.into(),
                Arg::NONE, // execution_deadline_at
                Arg::Number(i64::from(self.keys.partition().index)),
            ],
        )
    }

    fn parse(reply: &Value) -> Result<CreateOutcome, ReplyError> {
        match open(Self::WHAT, reply)? {
            (Status::Ok, fields) => fields.state(1).map(CreateOutcome::Created),
            (Status::Duplicate, _) => Ok(CreateOutcome::Duplicate),
            (Status::AlreadySatisfied, fields) => {
                Err(fields.malformed("unexpected status AlreadySatisfied".into()))
            }
        }
    }
}
