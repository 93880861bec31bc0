//! Replies as the servers send them, opened field by field. A reply of another shape is an error of its own,
//! never an outcome.

use ff_core::types::{AttemptIndex, LeaseEpoch, TimestampMs};
use redis::Value;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as DeserializeError;
use uuid::Uuid;

use super::refusal::RefusalCode;

/// Why a reply holds no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The function says no: `[0, code, detail…]`.
    #[error("{what} refused: {code}{}{detail}", if detail.is_empty() { "" } else { ": " })]
    Refused {
        /// Function or read that was asked.
        what: &'static str,
        /// Why.
        code: RefusalCode,
        /// What the function added, comma separated; mostly empty.
        detail: String,
    },
    /// The reply does not have the shape that this tool was built for.
    #[error("{what} answered in an unknown form: {problem}; is this the function library that was verified?")]
    Malformed {
        /// Function or read that was asked.
        what: &'static str,
        /// What is wrong with the reply.
        problem: String,
    },
}

impl ReplyError {
    /// The code, where the function refused.
    pub fn refusal(&self) -> Option<&RefusalCode> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Malformed { .. } => None,
        }
    }
}

/// First word of a reply that is no refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Duplicate,
    AlreadySatisfied,
}

/// What follows status or array head, by position.
pub(super) struct Fields<'a> {
    what: &'static str,
    values: &'a [Value],
}

/// Opens a function's reply: `[1, status, fields…]`, or a refusal as the error.
pub(super) fn open<'a>(what: &'static str, reply: &'a Value) -> Result<(Status, Fields<'a>), ReplyError> {
    let all = Fields::from_array(what, reply)?;
    let accepted = match all.values.first() {
        Some(Value::Int(1)) => true,
        Some(Value::Int(0)) => false,
        other => return Err(all.malformed(format!("begins with {other:?}, not with 1 or 0"))),
    };
    let word = all.text(1)?;
    let fields = Fields { what, values: &all.values[2..] };
    if !accepted {
        return Err(ReplyError::Refused { what, code: word.into(), detail: fields.joined() });
    }
    let status = match word {
        "OK" => Status::Ok,
        "DUPLICATE" => Status::Duplicate,
        "ALREADY_SATISFIED" => Status::AlreadySatisfied,
        other => return Err(fields.malformed(format!("unknown status {other:?}"))),
    };
    Ok((status, fields))
}

/// As [`open`], for functions that answer `OK` or refuse.
pub(super) fn open_ok<'a>(what: &'static str, reply: &'a Value) -> Result<Fields<'a>, ReplyError> {
    match open(what, reply)? {
        (Status::Ok, fields) => Ok(fields),
        (other, fields) => Err(fields.malformed(format!("unexpected status {other:?}"))),
    }
}

/// Text of one reply value; `None` for nil.
pub(super) fn text_of<'a>(what: &'static str, value: &'a Value) -> Result<Option<&'a str>, ReplyError> {
    match value {
        Value::Nil => Ok(None),
        Value::SimpleString(text) => Ok(Some(text)),
        Value::BulkString(bytes) => std::str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| ReplyError::Malformed { what, problem: "text is not UTF-8".into() }),
        other => Err(ReplyError::Malformed { what, problem: format!("{other:?} where text was expected") }),
    }
}

/// A state of the state vector, in ff-core's own spelling.
pub(super) fn state_of<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, ReplyError> {
    let deserializer: serde::de::value::BorrowedStrDeserializer<'a, DeserializeError> =
        serde::de::value::BorrowedStrDeserializer::new(text);
    T::deserialize(deserializer.into_deserializer())
        .map_err(|_| ReplyError::Malformed { what, problem: format!("unknown state {text:?}") })
}

/// A decimal number.
pub(super) fn number_of<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, ReplyError> {
    text.parse()
        .map_err(|_| ReplyError::Malformed { what, problem: format!("{text:?} is not a number here") })
}

/// A UUID.
pub(super) fn uuid_of(what: &'static str, text: &str) -> Result<Uuid, ReplyError> {
    Uuid::try_parse(text)
        .map_err(|_| ReplyError::Malformed { what, problem: format!("{text:?} is not a UUID") })
}

impl<'a> Fields<'a> {
    /// The elements of an array reply, e.g. of HMGET.
    pub(super) fn from_array(what: &'static str, reply: &'a Value) -> Result<Self, ReplyError> {
        match reply {
            Value::Array(values) => Ok(Self { what, values }),
            other => Err(ReplyError::Malformed { what, problem: format!("{other:?} is no array") }),
        }
    }

    pub(super) fn values(&self) -> &'a [Value] {
        self.values
    }

    /// Text that may be nil.
    pub(super) fn optional(&self, position: usize) -> Result<Option<&'a str>, ReplyError> {
        match self.values.get(position) {
            Some(value) => text_of(self.what, value),
            None => Err(self.malformed(format!("only {} fields, no number {position}", self.values.len()))),
        }
    }

    /// Text that must be there.
    pub(super) fn text(&self, position: usize) -> Result<&'a str, ReplyError> {
        self.optional(position)?.ok_or_else(|| self.malformed(format!("field {position} is nil")))
    }

    pub(super) fn uuid(&self, position: usize) -> Result<Uuid, ReplyError> {
        uuid_of(self.what, self.text(position)?)
    }

    pub(super) fn epoch(&self, position: usize) -> Result<LeaseEpoch, ReplyError> {
        number_of(self.what, self.text(position)?).map(LeaseEpoch)
    }

    pub(super) fn attempt_index(&self, position: usize) -> Result<AttemptIndex, ReplyError> {
        number_of(self.what, self.text(position)?).map(AttemptIndex)
    }

    pub(super) fn timestamp(&self, position: usize) -> Result<TimestampMs, ReplyError> {
        number_of(self.what, self.text(position)?).map(TimestampMs)
    }

    pub(super) fn state<T: Deserialize<'a>>(&self, position: usize) -> Result<T, ReplyError> {
        state_of(self.what, self.text(position)?)
    }

    pub(super) fn malformed(&self, problem: String) -> ReplyError {
        ReplyError::Malformed { what: self.what, problem }
    }

    fn joined(&self) -> String {
        let words: Vec<&str> =
            self.values.iter().filter_map(|value| text_of(self.what, value).ok().flatten()).collect();
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff_core::state::AttemptState;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_refusal_keeps_code_and_detail() {
        let reply = Value::Array(vec![Value::Int(0), bulk("capability_mismatch"), bulk("gpu"), bulk("ssd")]);
        let refused = open("ff_test", &reply).err().unwrap();
        assert_eq!(refused.refusal(), Some(&RefusalCode::CapabilityMismatch));
        assert_eq!(refused.to_string(), "ff_test refused: capability_mismatch: gpu, ssd");
    }

    #[test]
    fn any_other_shape_is_malformed_and_says_how() {
        let cases = [
            (bulk("34"), "is no array"),
            (Value::Array(vec![]), "begins with None"),
            (Value::Array(vec![bulk("1"), bulk("OK")]), "not with 1 or 0"),
            (Value::Array(vec![Value::Int(1)]), "no number 1"),
            (Value::Array(vec![Value::Int(1), Value::Nil]), "field 1 is nil"),
            (Value::Array(vec![Value::Int(1), bulk("MAYBE")]), "unknown status \"MAYBE\""),
            (Value::Array(vec![Value::Int(1), bulk("DUPLICATE")]), "unexpected status Duplicate"),
        ];
        for (reply, says) in cases {
            let error = open_ok("ff_test", &reply).err().unwrap();
            assert!(error.refusal().is_none());
            assert!(error.to_string().contains(says), "{error} does not say {says:?}");
        }
    }

    #[test]
    fn fields_are_read_by_type() {
        let reply = Value::Array(vec![Value::Int(1), bulk("OK"), bulk("17"), bulk("attempt_interrupted")]);
        let fields = open_ok("ff_test", &reply).unwrap();
        assert_eq!(fields.epoch(0), Ok(LeaseEpoch(17)));
        assert_eq!(fields.state::<AttemptState>(1), Ok(AttemptState::AttemptInterrupted));
        assert!(fields.uuid(0).is_err());
        assert!(fields.state::<AttemptState>(0).is_err());
    }
}
