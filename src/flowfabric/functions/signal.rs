//! `ff_deliver_signal`: the outside world resumes a suspended execution.

use std::time::Duration;

use ff_core::types::{LaneId, SignalId, WaitpointId, WaitpointToken};
use redis::{Cmd, Value};

use crate::flowfabric::encode::{Arg, fcall};
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::reply::{ReplyError, Status, open};
use crate::flowfabric::request::Request;

/// Signals that one execution may receive over its life, FlowFabric's own default; the function refuses the
/// next one with `signal_limit_exceeded`.
pub const MAX_SIGNALS_PER_EXECUTION: u32 = 10_000;

/// Signals kept in a waitpoint's stream, FlowFabric's own default.
const SIGNALS_KEPT: i64 = 1_000;

/// How long an idempotency key is remembered, FlowFabric's own default.
const DEDUP_TTL: Duration = Duration::from_hours(24);

/// Delivers one signal without payload to a waitpoint.
#[derive(Clone, Copy)]
pub struct DeliverSignal<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The waitpoint that the suspension opened.
    pub waitpoint_id: &'a WaitpointId,
    /// The token that came with it.
    pub token: &'a WaitpointToken,
    /// Id of this signal.
    pub signal_id: &'a SignalId,
    /// Name, as the resume condition knows it.
    pub name: &'a str,
    /// Makes a repeated delivery harmless; `None` writes no such key.
    pub idempotency_key: Option<&'a str>,
}

/// What a signal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalOutcome {
    /// The condition is satisfied, the execution runnable.
    Resumed,
    /// Recorded, but the condition is not satisfied yet.
    Recorded,
    /// Recorded, but no matcher wanted it.
    NoMatch,
    /// A signal with the same idempotency key came before.
    Duplicate(SignalId),
}

impl Request for DeliverSignal<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_deliver_signal";
    type Reply = SignalOutcome;

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [
                exec.core(),
                exec.waitpoint_condition(self.waitpoint_id),
                exec.waitpoint_signals(self.waitpoint_id),
                exec.exec_signals(),
                exec.signal(self.signal_id),
                exec.signal_payload(self.signal_id),
                self.idempotency_key
                    .map_or_else(|| exec.noop(), |key| exec.signal_dedup(self.waitpoint_id, key)),
                exec.waitpoint(self.waitpoint_id),
                exec.suspension_current(),
                index.lane_eligible(self.lane_id),
                index.lane_suspended(self.lane_id),
                index.lane_delayed(self.lane_id),
                index.suspension_timeout(),
                index.waitpoint_hmac_secrets(),
                index.partition_signal_delivery(),
            ],
            [
                self.signal_id.into(),
                self.keys.execution_id().into(),
                self.waitpoint_id.into(),
                self.name.into(),
                "external".into(),      // signal_category
                "external_api".into(),  // source_type
                "reclaim-bench".into(), // source_identity
                Arg::NONE,              // payload
                "json".into(),          // payload_encoding
                self.idempotency_key.into(),
                Arg::NONE,          // correlation_id
                "waitpoint".into(), // target_scope
                Arg::NONE,          // created_at: the server's time
                DEDUP_TTL.into(),
                Arg::Number(0), // resume_delay_ms
                Arg::Number(SIGNALS_KEPT),
                Arg::Number(i64::from(MAX_SIGNALS_PER_EXECUTION)),
                self.token.as_str().into(),
            ],
        )
    }

    fn parse(reply: &Value) -> Result<SignalOutcome, ReplyError> {
        match open(Self::WHAT, reply)? {
            (Status::Ok, fields) => match fields.text(1)? {
                "resume_condition_satisfied" => Ok(SignalOutcome::Resumed),
                "appended_to_waitpoint" => Ok(SignalOutcome::Recorded),
                "no_op" => Ok(SignalOutcome::NoMatch),
                other => Err(fields.malformed(format!("unknown effect {other:?}"))),
            },
            (Status::Duplicate, fields) => Ok(SignalOutcome::Duplicate(SignalId(fields.uuid(0)?))),
            (Status::AlreadySatisfied, fields) => {
                Err(fields.malformed("unexpected status AlreadySatisfied".into()))
            }
        }
    }
}
