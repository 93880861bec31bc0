//! Plain reads of one thing: what the claim variants, the reclaim scanner and the audit look up beside the
//! functions.

use ff_core::keys::IndexKeys;
use ff_core::partition::Partition;
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, TimestampMs};
use redis::{Cmd, Value};

use super::encode::keyed;
use super::keys::ExecutionKeys;
use super::reply::{Fields, ReplyError, number_of, text_of};
use super::request::Request;

/// `exec_core` field with the lane.
pub(super) const LANE: &str = "lane_id";
/// `exec_core` field with the running or interrupted attempt's index; empty before the first claim.
pub(super) const ATTEMPT_INDEX: &str = "current_attempt_index";

/// Reads the attempt index: `HGET exec_core current_attempt_index`. `None` without an execution or an
/// attempt.
pub struct ReadAttemptIndex<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadAttemptIndex<'_> {
    const COMMAND: &'static str = "hget";
    const WHAT: &'static str = "HGET exec_core current_attempt_index";
    type Reply = Option<AttemptIndex>;

    fn command(&self) -> Cmd {
        keyed("HGET", &self.0.exec().core(), &[ATTEMPT_INDEX])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        attempt_index(Self::WHAT, text_of(Self::WHAT, reply)?)
    }
}

/// Reads how many attempts there were: `HGET exec_core total_attempt_count`. `None` without an execution.
pub struct ReadAttemptCount<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadAttemptCount<'_> {
    const COMMAND: &'static str = "hget";
    const WHAT: &'static str = "HGET exec_core total_attempt_count";
    type Reply = Option<u32>;

    fn command(&self) -> Cmd {
        keyed("HGET", &self.0.exec().core(), &["total_attempt_count"])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        given(text_of(Self::WHAT, reply)?).map(|text| number_of(Self::WHAT, text)).transpose()
    }
}

/// Reads the lane: `HGET exec_core lane_id`. `None` without an execution.
pub struct ReadLane<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadLane<'_> {
    const COMMAND: &'static str = "hget";
    const WHAT: &'static str = "HGET exec_core lane_id";
    type Reply = Option<LaneId>;

    fn command(&self) -> Cmd {
        keyed("HGET", &self.0.exec().core(), &[LANE])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        text_of(Self::WHAT, reply)?.map(|text| lane(Self::WHAT, text)).transpose()
    }
}

/// Reads lane and attempt index at once: `HMGET exec_core lane_id current_attempt_index`. `None` where either
/// is missing.
pub struct ReadLaneAndAttempt<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadLaneAndAttempt<'_> {
    const COMMAND: &'static str = "hmget";
    const WHAT: &'static str = "HMGET exec_core lane_id current_attempt_index";
    type Reply = Option<(LaneId, AttemptIndex)>;

    fn command(&self) -> Cmd {
        keyed("HMGET", &self.0.exec().core(), &[LANE, ATTEMPT_INDEX])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        let fields = Fields::from_array(Self::WHAT, reply)?;
        let index = attempt_index(Self::WHAT, fields.optional(1)?)?;
        let lane_id = fields.optional(0)?.map(|text| lane(Self::WHAT, text)).transpose()?;
        Ok(lane_id.zip(index))
    }
}

/// Reads what a worker needs to begin: the payload. `GET payload`, `None` where none was stored.
pub struct ReadPayload<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadPayload<'_> {
    const COMMAND: &'static str = "get";
    const WHAT: &'static str = "GET payload";
    type Reply = Option<Vec<u8>>;

    fn command(&self) -> Cmd {
        keyed("GET", &self.0.exec().payload(), &[])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        match reply {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes.clone())),
            other => Err(malformed(Self::WHAT, other)),
        }
    }
}

/// Reads the whole execution: `HGETALL exec_core`, as pairs in the server's order; empty without an
/// execution.
pub struct ReadCore<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadCore<'_> {
    const COMMAND: &'static str = "hgetall";
    const WHAT: &'static str = "HGETALL exec_core";
    type Reply = Vec<(String, String)>;

    fn command(&self) -> Cmd {
        keyed("HGETALL", &self.0.exec().core(), &[])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        pairs(Self::WHAT, reply)
    }
}

/// Reads the labels: `HGETALL tags`, as pairs in the server's order.
pub struct ReadTags<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadTags<'_> {
    const COMMAND: &'static str = "hgetall";
    const WHAT: &'static str = "HGETALL tags";
    type Reply = Vec<(String, String)>;

    fn command(&self) -> Cmd {
        keyed("HGETALL", &self.0.exec().tags(), &[])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        pairs(Self::WHAT, reply)
    }
}

/// Reads when a grant ends: `PEXPIRETIME claim_grant`. `None` where there is no grant.
pub struct ReadGrantExpiry<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadGrantExpiry<'_> {
    const COMMAND: &'static str = "pexpiretime";
    const WHAT: &'static str = "PEXPIRETIME claim_grant";
    type Reply = Option<TimestampMs>;

    fn command(&self) -> Cmd {
        keyed("PEXPIRETIME", &self.0.exec().claim_grant(), &[])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        match reply {
            Value::Int(-2) => Ok(None),
            Value::Int(at) if *at >= 0 => Ok(Some(TimestampMs(*at))),
            // -1: a grant without an end, which no function writes.
            other => Err(malformed(Self::WHAT, other)),
        }
    }
}

/// Lists executions of a lane that could be granted, first in line first: `ZRANGE eligible offset …`.
pub struct ListEligible<'a> {
    /// The partition.
    pub partition: Partition,
    /// The lane.
    pub lane_id: &'a LaneId,
    /// How many to leave out.
    pub offset: u32,
    /// At most this many; at least 1.
    pub limit: u32,
}

impl Request for ListEligible<'_> {
    const COMMAND: &'static str = "zrange";
    const WHAT: &'static str = "ZRANGE lane eligible";
    type Reply = Vec<ExecutionId>;

    fn command(&self) -> Cmd {
        let mut cmd = keyed("ZRANGE", &IndexKeys::new(&self.partition).lane_eligible(self.lane_id), &[]);
        let first = u64::from(self.offset);
        cmd.arg(first).arg(first + u64::from(self.limit.max(1)) - 1);
        cmd
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        let fields = Fields::from_array(Self::WHAT, reply)?;
        (0..fields.values().len())
            .map(|position| {
                let text = fields.text(position)?;
                ExecutionId::parse(text).map_err(|error| fields.malformed(error.to_string()))
            })
            .collect()
    }
}

/// How many executions of a lane could be granted: `ZCARD eligible`.
pub struct CountEligible<'a> {
    /// The partition.
    pub partition: Partition,
    /// The lane.
    pub lane_id: &'a LaneId,
}

impl Request for CountEligible<'_> {
    const COMMAND: &'static str = "zcard";
    const WHAT: &'static str = "ZCARD lane eligible";
    type Reply = u64;

    fn command(&self) -> Cmd {
        keyed("ZCARD", &IndexKeys::new(&self.partition).lane_eligible(self.lane_id), &[])
    }

    fn parse(reply: &Value) -> Result<u64, ReplyError> {
        match reply {
            Value::Int(count) => Ok(count.unsigned_abs()),
            other => Err(malformed(Self::WHAT, other)),
        }
    }
}

/// The end of the year 9999: no server's clock is beyond that, and times can be added and subtracted below
/// it.
const LAST_SECOND: i64 = 253_402_300_799;

/// Reads a server's clock: `TIME`, in microseconds since the epoch; signed, because clocks are subtracted.
pub struct ReadServerTime;

impl Request for ReadServerTime {
    const COMMAND: &'static str = "time";
    const WHAT: &'static str = "TIME";
    type Reply = i64;

    fn command(&self) -> Cmd {
        redis::cmd("TIME")
    }

    fn parse(reply: &Value) -> Result<i64, ReplyError> {
        let fields = Fields::from_array(Self::WHAT, reply)?;
        let seconds: i64 = number_of(Self::WHAT, fields.text(0)?)?;
        let micros: i64 = number_of(Self::WHAT, fields.text(1)?)?;
        if !(0..=LAST_SECOND).contains(&seconds) || !(0..1_000_000).contains(&micros) {
            return Err(
                fields.malformed(format!("{seconds} s and {micros} µs are no time of a server's clock"))
            );
        }
        Ok(seconds * 1_000_000 + micros)
    }
}

/// A field that `exec_core` holds empty rather than not at all.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn attempt_index(
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<AttemptIndex>, ReplyError> {
    given(text).map(|text| number_of(what, text).map(AttemptIndex)).transpose()
}

pub(super) fn lane(what: &'static str, text: &str) -> Result<LaneId, ReplyError> {
    LaneId::try_new(text)
        .map_err(|error| ReplyError::Malformed { what, problem: format!("lane {text:?}: {error}") })
}

/// The fields and values of a hash.
fn pairs(what: &'static str, reply: &Value) -> Result<Vec<(String, String)>, ReplyError> {
    let fields = Fields::from_array(what, reply)?;
    (0..fields.values().len() / 2)
        .map(|pair| Ok((fields.text(2 * pair)?.to_owned(), fields.text(2 * pair + 1)?.to_owned())))
        .collect()
}

fn malformed(what: &'static str, value: &Value) -> ReplyError {
    ReplyError::Malformed { what, problem: format!("unexpected {value:?}") }
}
