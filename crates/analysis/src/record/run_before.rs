use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::Metric;

/// A run that measured the same with the same on the same machine before this one, and what it said. Where the
/// next one lies is in no run by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunBefore {
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// Its seed: with the start it names the run.
    pub seed: u64,
    /// Its comparisons.
    pub ratios: Vec<RatioBefore>,
}

/// One metric of two variants in a run before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatioBefore {
    /// Name of the baseline.
    pub baseline: String,
    /// Name of the other variant.
    pub candidate: String,
    /// The metric.
    pub metric: Metric,
    /// Candidate over baseline.
    pub ratio: f64,
    /// Standard error of the ratio's logarithm: of what varied within that run.
    pub log_error: f64,
}
