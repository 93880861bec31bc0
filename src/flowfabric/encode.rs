//! Commands out of keys and arguments, encoded without intermediate strings: this runs once per claim.

use std::time::Duration;

use ff_core::types::{
    AttemptId, AttemptIndex, LaneId, LeaseEpoch, LeaseId, SignalId, SuspensionId, TimestampMs, WaitpointId,
    WorkerId, WorkerInstanceId,
};
use redis::Cmd;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::library_alias::LibraryAlias;

/// One argument of a function.
#[derive(Clone, Copy)]
pub(super) enum Arg<'a> {
    /// Text, or bytes as they are.
    Bytes(&'a [u8]),
    /// An id in its hyphenated form.
    Id(Uuid),
    /// A count, an index or milliseconds.
    Number(i64),
}

impl Arg<'_> {
    /// What the functions read as "not given".
    pub(super) const NONE: Self = Arg::Bytes(b"");

    fn len_hint(&self) -> usize {
        match self {
            Arg::Bytes(bytes) => bytes.len(),
            Arg::Id(_) => Hyphenated::LENGTH,
            // A timestamp in milliseconds.
            Arg::Number(_) => 13,
        }
    }

    fn write(self, cmd: &mut Cmd) {
        match self {
            Arg::Bytes(bytes) => cmd.arg(bytes),
            Arg::Id(id) => cmd.arg(&*id.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Arg::Number(number) => cmd.arg(number),
        };
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Arg::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Arg::Bytes(bytes)
    }
}

impl<'a, T> From<Option<T>> for Arg<'a>
where
    T: Into<Arg<'a>>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Arg::NONE, Into::into)
    }
}

impl From<Duration> for Arg<'_> {
    /// Whole milliseconds; what does not fit an `i64` is as good as forever.
    fn from(duration: Duration) -> Self {
        Arg::Number(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

impl From<TimestampMs> for Arg<'_> {
    fn from(at: TimestampMs) -> Self {
        Arg::Number(at.0)
    }
}

impl From<AttemptIndex> for Arg<'_> {
    fn from(index: AttemptIndex) -> Self {
        Arg::Number(i64::from(index.0))
    }
}

impl From<LeaseEpoch> for Arg<'_> {
    fn from(epoch: LeaseEpoch) -> Self {
        // An epoch counts claims: it cannot come near the limit.
        Arg::Number(i64::try_from(epoch.0).unwrap_or(i64::MAX))
    }
}

macro_rules! arg_from {
    ($($id:ident),* as id; $($text:ident),* as text) => {
        $(impl From<&$id> for Arg<'_> {
            fn from(id: &$id) -> Self {
                Arg::Id(id.0)
            }
        })*
        $(impl<'a> From<&'a $text> for Arg<'a> {
            fn from(text: &'a $text) -> Self {
                text.as_str().into()
            }
        })*
    };
}
arg_from!(AttemptId, LeaseId, SignalId, SuspensionId, WaitpointId as id; LaneId, WorkerId, WorkerInstanceId as text);

/// `FCALL function numkeys keys… args…`.
pub(super) fn fcall<const K: usize, const A: usize>(
    function: &'static str,
    keys: [String; K],
    args: [Arg<'_>; A],
) -> Cmd {
    fcall_of(LibraryAlias::OWN, function, keys, args)
}

/// The same function of one library among several.
pub(super) fn fcall_of<const K: usize, const A: usize>(
    library: LibraryAlias,
    function: &'static str,
    keys: [String; K],
    args: [Arg<'_>; A],
) -> Cmd {
    let bytes = "FCALL".len()
        + function.len()
        + 2
        + keys.iter().map(String::len).sum::<usize>()
        + args.iter().map(Arg::len_hint).sum::<usize>();
    let mut cmd = Cmd::with_capacity(3 + K + A, bytes);
    cmd.arg("FCALL").arg(&*library.function(function)).arg(K);
    for key in keys {
        cmd.arg(key);
    }
    for arg in args {
        arg.write(&mut cmd);
    }
    cmd
}

/// Any other command: its name, one key, and plain words.
pub(super) fn keyed(command: &'static str, key: &str, words: &[&str]) -> Cmd {
    let bytes = command.len() + key.len() + words.iter().map(|word| word.len()).sum::<usize>();
    let mut cmd = Cmd::with_capacity(2 + words.len(), bytes);
    cmd.arg(command).arg(key);
    for word in words {
        cmd.arg(*word);
    }
    cmd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_argument_reaches_the_wire_as_the_functions_read_it() {
        let id = LeaseId::from_uuid(Uuid::from_u128(0xa1));
        let cmd = fcall(
            "ff_test",
            ["k1".to_owned(), "k2".to_owned()],
            [
                "text".into(),
                (&id).into(),
                Duration::from_secs(30).into(),
                None::<&str>.into(),
                AttemptIndex::new(7).into(),
                TimestampMs::from_millis(1_700_000_000_123).into(),
            ],
        );
        let packed = String::from_utf8(cmd.get_packed_command()).unwrap();
        let words: Vec<&str> =
            packed.split("\r\n").skip(1).enumerate().filter(|(i, _)| i % 2 == 1).map(|(_, w)| w).collect();
        assert_eq!(
            words,
            [
                "FCALL",
                "ff_test",
                "2",
                "k1",
                "k2",
                "text",
                "00000000-0000-0000-0000-0000000000a1",
                "30000",
                "",
                "7",
                "1700000000123",
            ]
        );
    }
}
