//! [`WindowTotals`] and [`TimelinePoint`]: the window as a whole, and second by second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BatchNote, Histogram, Outcomes};

/// The window as a whole: the claims of the arms, of the control and of the counter blocks, the warm-up's
/// aside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowTotals {
    /// Time in which claims were made: where the timeline ends.
    pub active_s: f64,
    /// How all of its claims ended. Those that were sent are the sum over the timeline, and those that came
    /// after it on purpose (`grant.unconsumed`).
    pub outcomes: Outcomes,
    /// Its batches, the one that went on included. Only in a part's record (`part`): merging needs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<BatchNote>,
}

/// Shortest part of a second over which a rate is formed: over less, a few claims would decide the rate.
const SHORTEST_RATED_S: f64 = 0.1;

/// One second of the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelinePoint {
    /// End of the second, from the window's start.
    pub t_s: f64,
    /// How much of it was measured, from its begin, where that was less than all of it: the last one. Rates
    /// are over this part. In results of versions that did not keep it (`window` is missing) the last second
    /// may be a part as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_s: Option<f64>,
    /// Claims that succeeded in it.
    pub claimed: u64,
    /// Claims that did not.
    pub errors: u64,
    /// Median service time in it; `None` without a claim.
    pub p50_us: Option<f64>,
    /// 99th percentile of it.
    pub p99_us: Option<f64>,
    /// Median response time in it (open loop).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_p50_us: Option<f64>,
    /// 99th percentile of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_p99_us: Option<f64>,
    /// Median time to resume in it (churn, storm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_p50_us: Option<f64>,
    /// 99th percentile of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_p99_us: Option<f64>,
    /// Response times in it, of a run whose rate changes (ramp): quantiles over several seconds come from all
    /// of their claims.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub response: Histogram,
    /// The times that its quantiles were taken from. Only in a part's record (`part`): quantiles of several
    /// parts come from all of their claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<SecondTimes>,
    /// The tool's resident memory, where the system tells; of several generators all of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_resident_bytes: Option<u64>,
    /// 99th percentile of how late claims were sent in it (open loop).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_lag_p99_us: Option<f64>,
    /// Grants in stock at its end.
    pub stock: u64,
    /// Share of a core that each primary's main thread used in it, in the order of `primaries`; empty where
    /// the counters were not read in that second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_cpu: Vec<f64>,
}

/// All times of one second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecondTimes {
    /// Service times of the claims that succeeded in it.
    pub service: Histogram,
    /// Their response times (open loop).
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub response: Histogram,
    /// How late claims were sent in it (open loop).
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub send_lag: Histogram,
    /// Times to resume of its claims (churn, storm).
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub resume: Histogram,
}

impl TimelinePoint {
    /// How much of the second was measured.
    pub fn length_s(&self) -> f64 {
        self.part_s.unwrap_or(1.0)
    }

    /// Until when it was measured, from the window's start.
    pub fn measured_until_s(&self) -> f64 {
        self.t_s - 1.0 + self.length_s()
    }

    /// Rate of `counted` things over the measured part of this second; `None` where that part is too short.
    pub fn per_sec(&self, counted: u64) -> Option<f64> {
        (self.length_s() >= SHORTEST_RATED_S).then(|| counted as f64 / self.length_s())
    }

    /// Successful claims per second, over the part that was measured; `None` where that is too little.
    pub fn claims_per_sec(&self) -> Option<f64> {
        self.per_sec(self.claimed)
    }
}
