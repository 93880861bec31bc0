//! What a claim writes beside `exec_core`, read back: lease record, attempt, indexes, history. Texts as they
//! stand, for an audit must be able to say what is wrong with them.

use ff_core::types::{AttemptIndex, LaneId, WorkerInstanceId};
use redis::{Cmd, Value};

use super::encode::keyed;
use super::keys::ExecutionKeys;
use super::reply::{Fields, ReplyError, text_of};
use super::request::Request;

/// Fields of a hash in the order asked for; `None` where one is missing.
pub type Texts = Vec<Option<String>>;

/// Whose lease `exec_core` says it is: its end, worker and instance, the eligibility beside it, and how many
/// attempts there were.
pub struct ReadOwner<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

/// The lease record: `HMGET lease:current`, all of it missing where there is none.
pub struct ReadLeaseRecord<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

/// The attempt's hash: its state, the lease it runs under, and which attempt it replaces, if it does.
pub struct ReadAttemptRecord<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Which attempt.
    pub attempt_index: AttemptIndex,
}

macro_rules! hash_fields {
    ($type:ident, $what:literal, $key:expr, $fields:expr) => {
        impl Request for $type<'_> {
            const COMMAND: &'static str = "hmget";
            const WHAT: &'static str = $what;
            type Reply = Texts;

            fn command(&self) -> Cmd {
                let key: fn(&Self) -> String = $key;
                keyed("HMGET", &key(self), &$fields)
            }

            fn parse(reply: &Value) -> Result<Texts, ReplyError> {
                let fields = Fields::from_array(Self::WHAT, reply)?;
                let text = |position| Ok(fields.optional(position)?.map(str::to_owned));
                (0..$fields.len()).map(text).collect()
            }
        }
    };
}

hash_fields!(
    ReadOwner,
    "HMGET exec_core owner",
    |of| of.0.exec().core(),
    [
        "current_lease_id",
        "current_lease_epoch",
        "lease_expires_at",
        "current_worker_id",
        "current_worker_instance_id",
        "eligibility_state",
        "total_attempt_count",
    ]
);
hash_fields!(
    ReadLeaseRecord,
    "HMGET lease:current",
    |of| of.0.exec().lease_current(),
    [
        "lease_id",
        "lease_epoch",
        "expires_at",
        "worker_id",
        "worker_instance_id",
        "execution_id",
        "attempt_id",
    ]
);
hash_fields!(
    ReadAttemptRecord,
    "HMGET attempt",
    |of| of.keys.exec().attempt_hash(of.attempt_index),
    [
        "attempt_state",
        "lease_id",
        "lease_epoch",
        "worker_id",
        "worker_instance_id",
        "attempt_type",
        "previous_attempt_index",
    ]
);

/// A sorted set of a partition that lists executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortedIndex {
    /// Leases by their end.
    LeaseExpiry,
    /// A lane's executions that somebody holds, by the lease's end.
    Active,
    /// A lane's executions that may be granted.
    Eligible,
}

/// An execution's place in a sorted set: `ZSCORE`, `None` where it is not in it.
pub struct ReadScore<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// Its lane.
    pub lane_id: &'a LaneId,
    /// The set.
    pub index: SortedIndex,
}

impl Request for ReadScore<'_> {
    const COMMAND: &'static str = "zscore";
    const WHAT: &'static str = "ZSCORE index";
    type Reply = Option<String>;

    fn command(&self) -> Cmd {
        let index = self.keys.index();
        let key = match self.index {
            SortedIndex::LeaseExpiry => index.lease_expiry(),
            SortedIndex::Active => index.lane_active(self.lane_id),
            SortedIndex::Eligible => index.lane_eligible(self.lane_id),
        };
        keyed("ZSCORE", &key, &[self.keys.execution_id()])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        Ok(text_of(Self::WHAT, reply)?.map(str::to_owned))
    }
}

/// Whether an execution is among the leases of a worker's instance: `SISMEMBER`.
pub struct IsAmongLeases<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// The instance.
    pub instance_id: &'a WorkerInstanceId,
}

impl Request for IsAmongLeases<'_> {
    const COMMAND: &'static str = "sismember";
    const WHAT: &'static str = "SISMEMBER worker leases";
    type Reply = bool;

    fn command(&self) -> Cmd {
        keyed("SISMEMBER", &self.keys.index().worker_leases(self.instance_id), &[self.keys.execution_id()])
    }

    fn parse(reply: &Value) -> Result<bool, ReplyError> {
        match reply {
            Value::Int(found) => Ok(*found == 1),
            other => {
                Err(ReplyError::Malformed { what: Self::WHAT, problem: format!("unexpected {other:?}") })
            }
        }
    }
}

/// The newest entry of a lease history that tells of a lease taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acquired {
    /// `lease_id`.
    pub lease_id: String,
    /// `lease_epoch`.
    pub epoch: String,
    /// `attempt_id`.
    pub attempt_id: String,
}

/// Reads the end of the lease history: `XREVRANGE lease:history + - COUNT 8`. Between two leases there are at
/// most two other events. `None` where no lease was taken.
pub struct ReadLastAcquired<'a>(
    /// The execution.
    pub &'a ExecutionKeys,
);

impl Request for ReadLastAcquired<'_> {
    const COMMAND: &'static str = "xrevrange";
    const WHAT: &'static str = "XREVRANGE lease:history";
    type Reply = Option<Acquired>;

    fn command(&self) -> Cmd {
        keyed("XREVRANGE", &self.0.exec().lease_history(), &["+", "-", "COUNT", "8"])
    }

    fn parse(reply: &Value) -> Result<Self::Reply, ReplyError> {
        for entry in Fields::from_array(Self::WHAT, reply)?.values() {
            let parts = Fields::from_array(Self::WHAT, entry)?;
            let Some(pairs) = parts.values().get(1) else { continue };
            let pairs = Fields::from_array(Self::WHAT, pairs)?;
            let field = |name: &str| -> Result<Option<&str>, ReplyError> {
                for at in (0..pairs.values().len().saturating_sub(1)).step_by(2) {
                    if pairs.text(at)? == name {
                        return pairs.optional(at + 1);
                    }
                }
                Ok(None)
            };
            let names = match field("event")? {
                Some("acquired") => ["lease_id", "lease_epoch", "attempt_id"],
                Some("reclaimed") => ["new_lease_id", "new_lease_epoch", "new_attempt_id"],
                _ => continue,
            };
            let text = |name| Ok(field(name)?.unwrap_or_default().to_owned());
            let [lease_id, epoch, attempt_id] = names;
            return Ok(Some(Acquired {
                lease_id: text(lease_id)?,
                epoch: text(epoch)?,
                attempt_id: text(attempt_id)?,
            }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(fields: &[&str]) -> Value {
        Value::Array(vec![text("1-0"), Value::Array(fields.iter().map(|field| text(field)).collect())])
    }

    #[test]
    fn the_newest_lease_taken_is_found_behind_other_events() {
        let reply = Value::Array(vec![
            entry(&["event", "released", "lease_id", "b", "lease_epoch", "2"]),
            entry(&["event", "acquired", "lease_id", "b", "lease_epoch", "2", "attempt_id", "t"]),
            entry(&["event", "acquired", "lease_id", "a", "lease_epoch", "1", "attempt_id", "t"]),
        ]);
        let acquired = ReadLastAcquired::parse(&reply).unwrap().unwrap();
        assert_eq!((acquired.lease_id.as_str(), acquired.epoch.as_str()), ("b", "2"));
        let released = Value::Array(vec![entry(&["event", "released"]), entry(&[])]);
        assert_eq!(ReadLastAcquired::parse(&released), Ok(None));
        assert!(ReadLastAcquired::parse(&Value::Int(1)).is_err());
    }
}
