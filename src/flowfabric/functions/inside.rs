//! What an instrumented library counted: the function that `flowfabric/instrument.lua` adds to it.

use redis::{Cmd, Value};

use crate::flowfabric::encode::{Arg, fcall_of};
use crate::flowfabric::library_alias::LibraryAlias;
use crate::flowfabric::reply::{Fields, ReplyError, number_of};
use crate::flowfabric::request::Request;
use reclaim_analysis::record::{CommandSums, FunctionSums, Inside, TimerSums};

/// Its name before it is renamed with the others.
pub(crate) const READ_INSIDE: &str = "ff_reclaim_bench_inside";

/// A function beside it that takes what a claim takes, answers as a claim does, and does nothing.
pub(crate) const DO_NOTHING: &str = "ff_reclaim_bench_nothing";

/// The end of a key and an argument, each as long as FlowFabric's own.
const KEY_TAIL: &str = ":00000000-0000-0000-0000-000000000000:lease:current";
const ARGUMENT: &str = "00000000-0000-0000-0000-000000000000";

/// A call that does nothing, with as many keys on a partition and as many arguments as a claim: what handing
/// them over takes.
pub(crate) fn do_nothing(library: LibraryAlias, tag: &str, (keys, arguments): (usize, usize)) -> Cmd {
    let mut cmd = redis::cmd("FCALL");
    cmd.arg(&*library.function(DO_NOTHING)).arg(keys);
    for key in 0..keys {
        cmd.arg(format!("ff:exec:{tag}{KEY_TAIL}{key}"));
    }
    cmd.arg(vec![ARGUMENT; arguments]);
    cmd
}

/// Calls of either kind by which the timers themselves are measured: about a millisecond and a half.
const TIMED_CALLS: i64 = 1_000;

/// Reads the sums; any node of the cluster answers for itself. Functions have the names that the server
/// knows.
pub struct ReadInside;

impl Request for ReadInside {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = READ_INSIDE;
    type Reply = Inside;

    fn command(&self) -> Cmd {
        self.command_of(LibraryAlias::OWN)
    }

    fn command_of(&self, library: LibraryAlias) -> Cmd {
        fcall_of(library, Self::WHAT, [], [Arg::Number(TIMED_CALLS)])
    }

    fn parse(reply: &Value) -> Result<Inside, ReplyError> {
        let rows = Fields::from_array(Self::WHAT, reply)?;
        let Some((timers, functions)) = rows.values().split_first() else {
            return Err(rows.malformed("it is empty".to_owned()));
        };
        let timers = Fields::from_array(Self::WHAT, timers)?;
        let timers = TimerSums {
            calls: number(&timers, 0)?,
            bare_us: number(&timers, 1)?,
            timed_us: number(&timers, 2)?,
            shown_us: number(&timers, 3)?,
        };
        let functions = functions.iter().map(function).collect::<Result<_, _>>()?;
        Ok(Inside { functions, timers, ..Inside::default() })
    }
}

/// `[name, entered, left, µs, command, calls, µs, ...]`
fn function(row: &Value) -> Result<(String, FunctionSums), ReplyError> {
    let row = Fields::from_array(READ_INSIDE, row)?;
    let mut sums = FunctionSums {
        entered: number(&row, 1)?,
        left: number(&row, 2)?,
        us: number(&row, 3)?,
        ..FunctionSums::default()
    };
    for at in (4..row.values().len()).step_by(3) {
        let command = CommandSums { calls: number(&row, at + 1)?, us: number(&row, at + 2)? };
        sums.commands.insert(row.text(at)?.to_owned(), command);
    }
    Ok((row.text(0)?.to_owned(), sums))
}

fn number(fields: &Fields<'_>, position: usize) -> Result<u64, ReplyError> {
    number_of(READ_INSIDE, fields.text(position)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(words: &[&str]) -> Value {
        Value::Array(words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect())
    }

    #[test]
    fn a_call_that_does_nothing_has_the_words_of_a_claim() {
        let alias = LibraryAlias::for_arm(1).unwrap();
        let packed = String::from_utf8(do_nothing(alias, "{fp:3}", (11, 8)).get_packed_command()).unwrap();
        assert!(
            packed.starts_with("*22\r\n") && packed.contains("bf_reclaim_bench_nothing\r\n$2\r\n11\r\n"),
            "{packed}"
        );
        assert_eq!(packed.matches("ff:exec:{fp:3}:").count(), 11);
    }

    #[test]
    fn sums_are_read_by_function_and_command() {
        let reply = Value::Array(vec![
            row(&["1000", "22", "1322", "670"]),
            row(&["bf_a", "7", "6", "900", "HSET", "21", "100", "DEL", "7", "40"]),
            row(&["bf_b", "0", "0", "0"]),
        ]);
        let inside = ReadInside::parse(&reply).unwrap();
        assert_eq!(inside.timers, TimerSums { calls: 1_000, bare_us: 22, timed_us: 1_322, shown_us: 670 });
        let a = &inside.functions["bf_a"];
        assert_eq!((a.entered, a.left, a.us), (7, 6, 900));
        assert_eq!(a.commands["HSET"], CommandSums { calls: 21, us: 100 });
        assert_eq!(inside.functions["bf_b"], FunctionSums::default());
    }

    #[test]
    fn other_shapes_are_malformed() {
        let timers = row(&["1000", "22", "1322", "670"]);
        for reply in [
            Value::Array(vec![]),
            Value::Array(vec![row(&["1"])]),
            Value::Array(vec![timers.clone(), row(&["bf_a", "many", "6", "9"])]),
            Value::Array(vec![timers, row(&["bf_a", "7", "6", "9", "HSET", "1"])]),
        ] {
            assert!(matches!(ReadInside::parse(&reply), Err(ReplyError::Malformed { .. })), "{reply:?}");
        }
    }
}
