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
    /// The first few failures, each cause once.
    examples: Vec<Example>,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Example {
    /// What was tried.
    what: String,
    /// On which key or execution.
    subject: String,
    error: String,
}

impl std::fmt::Display for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, subject, error } = self;
        write!(f, "{what} for {subject}: {error}")
    }
}

impl Removal {
    pub(super) fn count(&mut self, part: &Self) {
        self.keys += part.keys;
        self.entries += part.entries;
        self.failures += part.failures;
        part.examples.iter().for_each(|example| self.example(example.clone()));
    }

    pub(super) fn fail(&mut self, what: &str, subject: &str, error: &CallError) {
        self.failures += 1;
        let (what, subject) = (what.to_owned(), subject.to_owned());
        self.example(Example { what, subject, error: error.to_string() });
    }

    /// Keeps an example of a failure. A cause is told once: another subject of it says nothing new.
    fn example(&mut self, example: Example) {
        let known =
            self.examples.iter().any(|known| (&known.what, &known.error) == (&example.what, &example.error));
        if !known && self.examples.len() < EXAMPLES {
            self.examples.push(example);
        }
    }

    /// The failures in words, each cause once.
    pub fn causes(&self) -> String {
        self.examples.iter().map(Example::to_string).collect::<Vec<_>>().join("; ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::valkey::WireError;

    #[test]
    fn a_cause_is_told_once_and_every_failure_counted() {
        let refused = |code: &str| {
            CallError::Wire(WireError::Server { code: code.to_owned(), detail: "no".to_owned() })
        };
        let mut removal = Removal::default();
        for partition in 0..9 {
            removal.fail("UNLINK", &format!("{{fp:{partition}}}"), &refused("NOPERM"));
        }
        removal.fail("UNLINK", "{fp:3}", &refused("BUSY"));
        let mut whole = Removal::default();
        whole.count(&removal);
        whole.count(&removal);
        assert_eq!(whole.failures, 20);
        let said = whole.causes();
        assert_eq!((said.matches("NOPERM").count(), said.matches("BUSY").count()), (1, 1), "{said}");
        assert!(said.starts_with("UNLINK for {fp:0}: "), "{said}");
    }
}
