//! What `[[fault]]` did to the servers of a run, and how its claims came through that.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_zero::is_zero;
use super::{Histogram, Outcomes, RedirectKind};
use crate::scenario::{CutFrom, FaultKind, FaultTarget};

/// What a try came to after which a claim through a fault was made again, as a key of `retries` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedTry<'a> {
    /// No reply in time.
    TimedOut,
    /// The connection was lost.
    Disconnected,
    /// The slot is another server's.
    Moved,
    /// The key is at another server already.
    Ask,
    /// The keys are at two servers.
    TryAgain,
    /// What became of the claim could not be read.
    Unreadable,
    /// The server's own error.
    Code(&'a str),
}

impl<'a> FailedTry<'a> {
    /// Those that are no error code of a server.
    const OWN: [Self; 6] =
        [Self::TimedOut, Self::Disconnected, Self::Moved, Self::Ask, Self::TryAgain, Self::Unreadable];

    /// Of a key of `retries`.
    pub fn from_key(key: &'a str) -> Self {
        Self::OWN.into_iter().find(|own| own.key() == key).unwrap_or(Self::Code(key))
    }

    /// Its key in `retries`.
    pub fn key(self) -> &'a str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Disconnected => "disconnected",
            Self::Moved => "moved",
            Self::Ask => "ask",
            Self::TryAgain => "try_again",
            Self::Unreadable => "unreadable",
            Self::Code(code) => code,
        }
    }
}

/// All faults of a run. Times are in seconds from the start of the window, the time base of the timeline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InjectedRecord {
    /// One entry for each, in the order of time.
    pub faults: Vec<InjectedFault>,
    /// Redirects by the server that answered so, those that are no primaries any more included.
    pub redirects: BTreeMap<String, BTreeMap<RedirectKind, u64>>,
    /// The same as the servers count them (`errorstat_MOVED` and so on of INFO); only of those whose counters
    /// were read before and after the window.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redirects_counted: BTreeMap<String, BTreeMap<RedirectKind, u64>>,
    /// Servers that answered with redirects and whose own counts nobody could compare, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redirects_not_counted: BTreeMap<String, NotCounted>,
    /// Commands without a reply by server, those that are no primaries any more included: so many redirects
    /// more than were met may have been counted there. Empty in results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unanswered: BTreeMap<String, u64>,
    /// Length of a slice, in seconds.
    pub slice_s: f64,
    /// The window in slices, finer than seconds.
    pub slices: Vec<TimeSlice>,
}

/// One fault, as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InjectedFault {
    /// What was done.
    pub kind: FaultKind,
    /// To which server, by its role.
    pub target: FaultTarget,
    /// When it was to strike.
    pub wanted_s: f64,
    /// How long it was to last; `None` for kinds without a length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting_s: Option<f64>,
    /// From whom the server was cut off, for the kind that does that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_from: Option<CutFrom>,
    /// The server that it struck; `None` where it struck none.
    pub server: Option<String>,
    /// When it struck.
    pub struck_s: Option<f64>,
    /// When it was over: the process went on, a replica had taken over, the script had ended.
    pub ended_s: Option<f64>,
    /// Why it could not be carried out to its end; the run is invalid then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<InjectionFailure>,
    /// When another primary had it down as failed (`CLUSTER NODES`), looked at every few hundredths of a
    /// second; `None` where none did.
    pub marked_failed_s: Option<f64>,
    /// When another primary knew that its slots had passed to another server.
    pub took_over_s: Option<f64>,
    /// Which.
    pub heir: Option<String>,
    /// Whether the server came back without its keys and serves its slots again: what had been on it is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emptied: bool,
    /// The slots that moved, for faults that move some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedSlots>,
    /// When the first claim that was due after the fault, and lives on the struck server's slots, held its
    /// lease. Where tries on these slots came to nothing, the first one after the first of them.
    pub first_success_s: Option<f64>,
    /// When the first try of a claim on these slots came to nothing; `None` where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure_s: Option<f64>,
    /// Tries of claims that came to nothing and were followed by another, by what they came to: `timed_out`,
    /// `disconnected`, `moved`, `ask`, `try_again`, `unreadable` (nobody could tell, and the execution could
    /// not be read), or the server's own error.
    pub retries: BTreeMap<String, u64>,
    /// Claims that took more than one try.
    pub claims_retried: u64,
    /// How claims ended between this fault and the next one, or the end of the window.
    pub outcomes: Outcomes,
    /// Of the ambiguous ones: those that a read showed to hold their lease. When they took it nobody knows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub settled: u64,
    /// Claims with a try that had no reply, by what became known of it.
    #[serde(default, skip_serializing_if = "Doubts::is_empty")]
    pub doubts: Doubts,
    /// Executions that were not interrupted again (churn): a call about them had no reply, or a failover had
    /// put them back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// Claims of which a try had no reply, so that it may have taken effect or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Doubts {
    /// It had: a read of the execution showed its lease.
    pub claimed: u64,
    /// It had not: a read showed no such lease, or another try took it.
    pub not_claimed: u64,
    /// Nobody could tell before the window was over. The audit reads these executions back.
    pub open: u64,
}

impl Doubts {
    /// Whether there were none.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why nobody can compare a server's own count of its redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotCounted {
    /// It was no primary when the window began, so that its counters were not read then.
    NoPrimaryBefore,
    /// It did not answer after the window.
    Silent,
    /// It was started again, and counts from there.
    Restarted,
}

/// Slots that went from one primary to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MovedSlots {
    /// How.
    pub way: SlotMoveWay,
    /// The primary that has them now.
    pub to: String,
    /// Those that arrived, in the order in which they moved.
    pub slots: Vec<u16>,
    /// Keys that were in them: each that was sent, or as counted before they moved as one.
    pub keys: u64,
}

/// How slots moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotMoveWay {
    /// As one migration of the servers' (CLUSTER MIGRATESLOTS).
    Atomic,
    /// One after the other, key by key (CLUSTER SETSLOT, MIGRATE).
    OneByOne,
}

/// Why a fault was not carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum InjectionFailure {
    /// The window was over before its time came.
    WindowOver,
    /// The run was stopped before its time came.
    Interrupted,
    /// There was no server of that role.
    NoSuchServer,
    /// The system or a server refused.
    Refused {
        /// In its words.
        detail: String,
    },
    /// No replica took over for so long.
    NoTakeover {
        /// Seconds waited.
        waited_s: f64,
    },
}

/// A part of the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeSlice {
    /// Claims that were due in it.
    pub due: u64,
    /// Claims that got their lease in it, whenever they were due.
    pub claimed: u64,
    /// Claims that were due in it and have no time, for their replies were lost, or servers refused them or
    /// sent them elsewhere: whoever waits for one of them does so for longer than for most. 0 in results of
    /// versions that did not count them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untimed: u64,
    /// Response times of the claims that were due in it and got their lease.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub response: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_try_came_to_comes_back_from_its_key() {
        for failed in FailedTry::OWN.into_iter().chain([FailedTry::Code("CLUSTERDOWN")]) {
            assert_eq!(FailedTry::from_key(failed.key()), failed);
        }
    }
}
