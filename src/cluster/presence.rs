//! Which runs of this tool are under way on servers that are not ours: how each makes itself known.
//!
//! Each has a key of its own that runs out by itself: a run that was killed is forgotten by the servers.
//! There is a number of places for such keys, all on one partition, so one command shows every run that is
//! there.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use ff_core::partition::{Partition, PartitionFamily};
use redis::Value;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a mark stands without a sign of life.
pub(super) const LIFE: Duration = Duration::from_secs(15);
/// How often it is renewed outside of windows.
const RENEWED: Duration = Duration::from_secs(5);
/// How old it may get in a window.
const OLDEST: Duration = Duration::from_secs(10);
/// How old it may be when a window begins.
pub(super) const FRESH: Duration = Duration::from_secs(2);
/// Between two attempts, and between two looks at a run that is about to leave.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// Runs that can be on one cluster at a time.
pub(super) const PLACES: usize = 32;

/// How a run makes itself known on servers that are not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// What it is, for whoever meets it: "a run of lane-ab".
    pub what: String,
    /// Whether it goes on where another one is under way.
    pub company: Company,
}

/// What a run does where it meets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Joins it.
    Accepted,
    /// Ends with an error.
    Refused {
        /// Which option would have it join: "give --shared to run beside it".
        otherwise: &'static str,
    },
}

/// Another run that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherRun {
    pub(super) place: usize,
    pub(super) mark: Mark,
    /// Since its first sign of life, by the servers' clock.
    pub age: Duration,
    /// Since its last one.
    pub silent_for: Duration,
}

impl std::fmt::Display for OtherRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mark { what, process, .. } = &self.mark;
        let (age, silent) = (spoken(self.age), spoken(self.silent_for));
        write!(f, "{what} ({process}, begun {age} ago, last heard of {silent} ago)")
    }
}

fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

/// What a mark's key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) run: Uuid,
    pub(super) what: String,
    pub(super) process: String,
    /// Servers' time of the first sign of life.
    pub(super) since_ms: u64,
    /// It is about to remove what runs share: who comes now waits until it is gone.
    pub(super) leaving: bool,
}

impl Mark {
    pub(super) fn text(&self) -> String {
        // Text and numbers: there is nothing in it that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// This run's own mark.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) place: usize,
    pub(super) mark: Mark,
    /// When it was last renewed, and when that was last tried.
    pub(super) renewed: Instant,
    pub(super) tried: Instant,
}

/// What goes on while a mark might be renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing that is measured.
    #[default]
    Free,
    /// Counters are being read: no command now, or it would be on one side of the account and not on the
    /// other.
    Held,
    /// Claims are being measured.
    Window,
}

/// A run's mark, and what goes on beside it.
#[derive(Default)]
pub(super) struct Presence {
    pub(super) own: RefCell<Option<Own>>,
    pub(super) pace: Cell<Pace>,
    /// The marks' server left a question without an answer while this run was leaving: it is asked nothing
    /// more.
    pub(super) given_up: Cell<bool>,
    /// Partitions below this one may have a waitpoint secret of this run.
    pub(super) secrets_below: Cell<u16>,
}

impl Presence {
    /// When the mark is due for renewal; `None` where it is not, or not now.
    pub(super) fn due(&self) -> Option<Instant> {
        let oldest = match self.pace.get() {
            Pace::Free => RENEWED,
            Pace::Window => OLDEST,
            Pace::Held => return None,
        };
        let own = self.own.borrow();
        let own = own.as_ref()?;
        Some((own.renewed + oldest).max(own.tried + PAUSE))
    }
}

/// Where all marks are.
pub(super) fn partition() -> Partition {
    Partition { family: PartitionFamily::Flow, index: 0 }
}

pub(super) fn key(place: usize) -> String {
    format!("ff:reclaim-bench:{}:run:{place}", partition().hash_tag())
}

/// A mark of another version of this tool is still one.
pub(super) fn mark_of(value: &Value) -> Option<Mark> {
    let Value::BulkString(text) = value else { return None };
    Some(serde_json::from_slice(text).unwrap_or_else(|_| Mark {
        run: Uuid::nil(),
        what: "a run of another version of reclaim-bench".to_owned(),
        process: "unknown process".to_owned(),
        since_ms: u64::MAX,
        leaving: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(pace: Pace, since_renewed: Duration) -> Presence {
        let renewed = Instant::now().checked_sub(since_renewed).unwrap();
        let mark = Mark {
            run: Uuid::nil(),
            what: "a run of smoke".to_owned(),
            process: "process 1 on here".to_owned(),
            since_ms: 1_000,
            leaving: false,
        };
        let own = Own { place: 0, mark, renewed, tried: renewed };
        Presence { own: RefCell::new(Some(own)), pace: Cell::new(pace), ..Presence::default() }
    }

    #[test]
    fn a_window_is_not_disturbed_until_the_mark_would_run_out_in_it() {
        let is_due = |pace, seconds| {
            presence(pace, Duration::from_secs(seconds)).due().is_some_and(|due| due <= Instant::now())
        };
        assert!(is_due(Pace::Free, 6) && !is_due(Pace::Free, 4));
        assert!(!is_due(Pace::Window, 9) && is_due(Pace::Window, 11));
        assert!(!is_due(Pace::Held, 14), "counters are being read");
        assert!(OLDEST + FRESH < LIFE && RENEWED < OLDEST);
    }

    #[test]
    fn a_run_is_named_with_its_age() {
        let mark = presence(Pace::Free, Duration::ZERO).own.take().unwrap().mark;
        assert_eq!(mark_of(&Value::BulkString(mark.text().into_bytes())), Some(mark.clone()));
        let run =
            OtherRun { place: 0, mark, age: Duration::from_secs(190), silent_for: Duration::from_secs(4) };
        assert_eq!(
            run.to_string(),
            "a run of smoke (process 1 on here, begun 3 min ago, last heard of 4 s ago)"
        );
        let newer = mark_of(&Value::BulkString(b"{\"what\": 3}".to_vec())).unwrap();
        assert!(newer.what.contains("another version"), "{newer:?}");
    }
}
