//! What a clean-up has done so far, and how the replies to its commands are counted.

use ff_core::partition::{Partition, PartitionFamily};
use redis::Value;

use super::super::batch::Replies;
use crate::flowfabric::CallError;

/// Failures that are told in words; the count holds all of them.
const EXAMPLES: usize = 5;

/// What a clean-up did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Keys removed.
    pub keys: u64,
    /// Entries removed from keys that others use as well.
    pub entries: u64,
    /// Commands that failed, each of which leaves at least one key or entry behind.
    pub failures: u64,
    /// The first few failures, in words.
    pub examples: Vec<String>,
}

impl Removal {
    pub(super) fn count(&mut self, part: &Self) {
        self.keys += part.keys;
        self.entries += part.entries;
        self.failures += part.failures;
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(part.examples.iter().take(room).cloned());
    }

    pub(super) fn fail(&mut self, what: &str, subject: &str, error: &CallError) {
        self.failures += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{what} for {subject}: {error}"));
        }
    }

    /// Takes the next reply, a number of keys removed.
    pub(super) fn keys_from(&mut self, replies: &mut Replies, what: &str, subject: &str) {
        match replies.value() {
            Ok(value) => self.keys += number(&value),
            Err(error) => self.fail(what, subject, &error),
        }
    }

    /// Takes the next reply, a number of entries removed.
    pub(super) fn entries_from(&mut self, replies: &mut Replies, what: &str, subject: &str) {
        match replies.value() {
            Ok(value) => self.entries += number(&value),
            Err(error) => self.fail(what, subject, &error),
        }
    }
}

pub(super) fn partition(index: u16) -> Partition {
    Partition { family: PartitionFamily::Execution, index }
}

/// A count that a removing command answers.
pub(super) fn number(value: &Value) -> u64 {
    match value {
        Value::Int(number) => number.unsigned_abs(),
        _ => 0,
    }
}

/// Texts of an array reply; empty for anything else.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) | Value::Set(items) => {
            items.iter().map(|item| text(item).unwrap_or_default()).collect()
        }
        _ => Vec::new(),
    }
}

/// Text of a reply; `None` for nil and anything that is no text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}
