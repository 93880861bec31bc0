//! How a run came through a fault, as results hold it, and why nobody can tell where nobody can.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::RunRecord;

/// Groups on end that must be within the noise for that to count as back, and the time that they must cover.
const ON_END: usize = 3;
const ON_END_S: f64 = 0.5;

/// Groups by which all may seem as before ahead of the first success on the struck server's slots: a group
/// that it falls into, and one more.
pub(super) const HIDDEN_FROM: f64 = 2.0;

/// How a run came through one fault. Times are in seconds from when it struck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own in the stored format")]
pub struct Recovery {
    /// Its number in `injected.faults`, from 0.
    pub fault: u32,
    /// Until another primary had the server down as failed.
    pub marked_failed_s: Option<f64>,
    /// Until its slots had passed to another server.
    pub took_over_s: Option<f64>,
    /// Until a claim on its slots that was due after it struck held its lease; where tries on them came to
    /// nothing, until the first one after that. `None` where nothing came to nothing either
    /// (`nothing_failed`).
    pub first_success_s: Option<f64>,
    /// Until the response time's 99th percentile was back within the noise and stayed there.
    pub p99_back_s: Option<f64>,
    /// Until claims per second were.
    pub rate_back_s: Option<f64>,
    /// Until both were; `None` where they never were, or nobody can tell.
    pub recovered_s: Option<f64>,
    /// Claims that were due from when it struck until all was as before, or until the next fault or the end
    /// of the load, and took longer than the noise explains, or have no time.
    pub late: Option<u64>,
    /// The slowest of those that have one, in microseconds.
    pub slowest_us: Option<f64>,
    /// What the run was before the first fault; `None` where too little of it lies before that.
    pub before: Option<Before>,
    /// Whether that was so restless that it holds the outage as well: by its noise all was as before while
    /// claims on the struck server's slots still came to nothing. Then nobody can tell when it was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden_by_noise: bool,
    /// Whether no claim noticed anything on its slots: no try came to nothing, and none was late. Then there
    /// is no first success either, only the next claim.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nothing_failed: bool,
    /// How long the fault went on after the load had ended, in seconds; `None` for one that was over before.
    /// Late claims are those of the load then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlasted_load_s: Option<f64>,
    /// Whether all seemed as before while such a fault went on. It may not have stayed so, and nobody claimed
    /// any more: nobody can tell then when it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seemed_back: bool,
    /// From when it struck until the next fault did, where all was not as before by then, in seconds: what
    /// would have come of this one alone nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_struck_s: Option<f64>,
    /// Whether it struck while all was not yet as before the fault before it: its times hold what was left of
    /// that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_earlier: bool,
}

/// What came of a fault. Times are in seconds from when it struck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RecoveryOutcome {
    /// The load had ended so long before the fault was over; until then all seemed as before.
    OutlastedLoad { by_s: f64 },
    /// The run was too restless before it; its slots were without a success for so long, where that is known.
    HiddenByNoise { first_success_s: Option<f64> },
    /// Nothing beyond the noise was seen of it.
    NothingSeen,
    /// All was as before after so long.
    Recovered { after_s: f64, with_earlier: bool },
    /// It was not when the next fault struck.
    NotBeforeNextFault { struck_s: f64 },
    /// It was not when the load ended.
    NotBeforeEnd { ended_s: f64 },
    /// The storm's own times have it in them.
    InStorm,
    /// Too little of the run lies before it.
    TooLittleBefore,
}

/// Why nobody can tell when all was as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// Too little of the run lies before its first fault.
    TooLittleBefore,
    /// The run was so restless before that its noise holds the outage.
    HiddenByNoise,
    /// All seemed as before, but the load had ended before the fault was over.
    OutlastedLoad,
    /// The next fault struck before all was as before.
    NextFault,
    /// It struck before all was as before the fault before it.
    EarlierFault,
}

impl Before {
    /// How long all must be as before until it is said to be.
    pub(crate) fn settling_s(&self) -> f64 {
        on_end(self.group_s) as f64 * self.group_s
    }
}

/// Groups of this length on end that must be as before.
pub(super) fn on_end(group_s: f64) -> usize {
    ON_END.max((ON_END_S / group_s).ceil() as usize)
}

impl Recovery {
    /// Why nobody can tell when all was as before; `None` where that can be told, also where it never was.
    pub fn untold(&self) -> Option<Untold> {
        if self.seemed_back {
            Some(Untold::OutlastedLoad)
        } else if self.hidden_by_noise {
            Some(Untold::HiddenByNoise)
        } else if self.before.is_none() {
            Some(Untold::TooLittleBefore)
        } else {
            self.next_struck_s.map(|_| Untold::NextFault)
        }
    }

    /// What came of its fault in this run; `None` where the record has no such fault.
    pub(crate) fn outcome(&self, record: &RunRecord) -> Option<RecoveryOutcome> {
        let fault = record.injected.as_ref()?.faults.get(self.fault as usize)?;
        let after_fault_s = (record.loaded_s() - fault.struck_s.unwrap_or_default()).max(0.0);
        Some(match (self.recovered_s, self.before) {
            _ if self.seemed_back => {
                RecoveryOutcome::OutlastedLoad { by_s: self.outlasted_load_s.unwrap_or_default() }
            }
            _ if self.hidden_by_noise => {
                RecoveryOutcome::HiddenByNoise { first_success_s: self.first_success_s }
            }
            (Some(after_s), Some(_)) if after_s <= 0.0 => RecoveryOutcome::NothingSeen,
            (Some(after_s), _) => RecoveryOutcome::Recovered { after_s, with_earlier: self.with_earlier },
            (None, Some(_)) => match self.next_struck_s {
                Some(struck_s) => RecoveryOutcome::NotBeforeNextFault { struck_s },
                None => RecoveryOutcome::NotBeforeEnd { ended_s: after_fault_s },
            },
            (None, None) if record.storm.is_some() => RecoveryOutcome::InStorm,
            (None, None) => RecoveryOutcome::TooLittleBefore,
        })
    }

    /// Whether nothing succeeded on the struck server's slots for so much longer than `bound_s` that all was
    /// not as before within it, whatever the noise holds.
    pub(crate) fn failed_beyond(&self, bound_s: f64) -> bool {
        let failing_s = self.first_success_s.zip(self.before);
        failing_s.is_some_and(|(first_s, before)| first_s > bound_s + HIDDEN_FROM * before.group_s)
    }
}

/// A run before its first fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// Groups of slices that this is from.
    pub groups: u32,
    /// Length of a group, in seconds: nothing is known more exactly than this.
    pub group_s: f64,
    /// 99th percentile of the response time of a group: the geometric mean.
    pub p99_us: f64,
    /// What it may be by noise.
    pub p99_limit_us: f64,
    /// Claims per second: the mean.
    pub claims_per_s: f64,
    /// What they may be by noise.
    pub least_claims_per_s: f64,
}
