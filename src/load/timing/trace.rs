//! Recorded arrivals: a file with one time per line.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::machine::read_text;

/// Why a trace cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error(
        "load.arrivals.trace: cannot read {}: {why}; give the path of a text file, relative to the scenario's file \
         (with --set, to the current directory)",
        file.display()
    )]
    File {
        /// The file.
        file: PathBuf,
        /// Why not; in the words above already, so no source of its own.
        why: std::io::Error,
    },
    /// A line is no time, or an earlier one than the line before.
    #[error("load.arrivals.trace: {}:{line}: {problem}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// Longest trace: beyond it, times are more likely in milliseconds or microseconds.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Reads a trace: seconds, or RFC 3339 in UTC, one per line, ascending. Empty lines and what follows `#` are
/// skipped. Returns each arrival's distance from the first.
pub fn read(file: &Path) -> Result<Vec<Duration>, TraceError> {
    let text = read_text(file).map_err(|why| TraceError::File { file: file.to_owned(), why })?;
    parse(&text).map_err(|(line, problem)| TraceError::Line { file: file.to_owned(), line, problem })
}

fn parse(text: &str) -> Result<Vec<Duration>, (usize, String)> {
    let mut first = None;
    let mut offsets: Vec<Duration> = Vec::new();
    for (line, content) in text.lines().enumerate() {
        let line = line + 1;
        let word = content.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        let at = time(word).ok_or_else(|| {
            let form = "write seconds such as 12.345, or RFC 3339 such as 2026-01-31T12:00:00.5Z";
            (line, format!("`{word}` is not a time; {form}"))
        })?;
        let offset = at.checked_sub(*first.get_or_insert(at));
        let ascending = offset.filter(|offset| offsets.last().is_none_or(|last| last <= offset));
        offsets.push(
            ascending
                .ok_or_else(|| (line, format!("`{word}` is earlier than the line before; sort the file")))?,
        );
    }
    if let Some(last) = offsets.last().filter(|last| **last > LONGEST) {
        let days = last.as_secs() / (24 * 60 * 60);
        let lines = text.lines().count();
        return Err((
            lines,
            format!("the trace lasts {days} days, a week at most is replayed; times are in seconds"),
        ));
    }
    if offsets.is_empty() {
        Err((1, "no arrival in it; write one time per line, as seconds or RFC 3339".to_owned()))
    } else {
        Ok(offsets)
    }
}

/// Time since an epoch that all lines share.
fn time(word: &str) -> Option<Duration> {
    if let Ok(at) = humantime::parse_rfc3339(word) {
        return at.duration_since(SystemTime::UNIX_EPOCH).ok();
    }
    let seconds: f64 = word.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn seconds_and_timestamps_are_both_read_as_distances() {
        assert_eq!(parse("# recorded on Monday\n10.5\n10.75 # late\n\n12\n"), Ok(ms(&[0, 250, 1_500])));
        let stamps = "2026-01-31T12:00:00.5Z\n2026-01-31T12:00:00.5Z\n2026-01-31T12:00:02Z\n";
        assert_eq!(parse(stamps), Ok(ms(&[0, 0, 1_500])));
    }

    #[test]
    fn what_is_no_ascending_time_is_refused_with_its_line() {
        for (text, line, word) in [
            ("1\ntwo\n", 2, "`two` is not a time"),
            ("1\nNaN\n", 2, "not a time"),
            ("-1\n", 1, "not a time"),
            ("5\n6\n4\n", 3, "sort the file"),
            ("0\n1000000\n", 2, "the trace lasts 11 days, a week at most is replayed; times are in seconds"),
            ("# nothing\n", 1, "no arrival"),
        ] {
            let (at, problem) = parse(text).unwrap_err();
            assert!(at == line && problem.contains(word), "{text:?}: {at}, {problem}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("not/here.txt")).unwrap_err().to_string();
        assert!(error.contains("not/here.txt") && error.contains("load.arrivals.trace"), "{error}");
    }
}
