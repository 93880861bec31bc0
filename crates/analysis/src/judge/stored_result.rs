//! Two stored results side by side: the finished values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::to_json_file;
use crate::scenario::{Metric, MetricName};
use crate::stats::{Estimate, TooFew};

use super::conclusion::Conclusion;
use super::setting_difference::SettingDifference;
use super::stored_pairs::StoredPair;

/// From where on a change for the worse counts, as shares of the base.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Thresholds {
    /// Warns.
    pub warn: f64,
    /// Fails.
    pub fail: f64,
}

/// What one metric says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoredVerdict {
    /// The whole interval lies beyond the failing threshold.
    Fail,
    /// The interval lies on both sides of the failing threshold, or there is none.
    Inconclusive,
    /// The whole interval lies beyond the warning threshold, and not beyond the failing one.
    Warn,
    /// Within the thresholds.
    Pass,
    /// No threshold is set for it: shown, not judged.
    NotJudged,
}

/// Which run a side was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunLabel {
    /// Scenario.
    pub scenario: String,
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// Commit of the tool.
    pub commit: String,
    /// Version of the function library.
    pub library: String,
    /// SHA-256 of it.
    pub library_sha256: String,
}

/// One metric of one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoredMetric {
    /// The variant, by its name in both results.
    pub variant: String,
    /// The metric.
    pub metric: Metric,
    /// Its unit.
    pub unit: String,
    /// The base's value; `None` where there is too little.
    pub base_value: Option<f64>,
    /// The candidate's value.
    pub candidate_value: Option<f64>,
    /// Candidate over base.
    pub ratio: Option<Estimate>,
    /// Why there is no ratio.
    pub too_few: Option<TooFew>,
    /// Its thresholds, if it is judged.
    pub thresholds: Option<Thresholds>,
    /// The verdict.
    pub verdict: StoredVerdict,
}

/// One metric that does not vary; more of it is a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoredExact {
    /// The variant.
    pub variant: String,
    /// What is counted, e.g. `round_trips`, `calls.hget`.
    pub metric: MetricName,
    /// The base's value per claim.
    pub base_value: f64,
    /// The candidate's value per claim.
    pub candidate_value: f64,
    /// [`StoredVerdict::Pass`] where equal, [`StoredVerdict::Fail`] where the candidate has more,
    /// [`StoredVerdict::Warn`] where it has less.
    pub verdict: StoredVerdict,
}

/// Claims of one variant that did not succeed: only those that did have a time, so no time shows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoredFailures {
    /// The variant.
    pub variant: String,
    /// Claims of the base without a lease.
    pub base: u64,
    /// Of how many.
    pub base_of: u64,
    /// Claims of the candidate without a lease.
    pub candidate: u64,
    /// Of how many.
    pub candidate_of: u64,
    /// [`StoredVerdict::Fail`] where a larger share of the candidate's did not succeed, by more than one of a
    /// thousand; else [`StoredVerdict::Pass`]. [`StoredVerdict::NotJudged`] where a fault was injected.
    pub verdict: StoredVerdict,
}

/// Two results side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoredComparison {
    /// What it is compared with.
    pub base: RunLabel,
    /// What is compared.
    pub candidate: RunLabel,
    /// All that differs between the two runs besides the figures.
    pub differences: Vec<SettingDifference>,
    /// Metrics with intervals, variant by variant.
    pub metrics: Vec<StoredMetric>,
    /// Metrics that do not vary and differ, and the number of those that are equal is in
    /// [`Self::exact_equal`].
    pub exact: Vec<StoredExact>,
    /// Metrics that do not vary and are equal.
    pub exact_equal: u64,
    /// Claims that did not succeed, for variants that have such in either result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StoredFailures>,
    /// What each result says of two arms that both have compared, by the median service time: shown, not judged.
    /// Empty where no pair is in both, and in comparisons of versions that did not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_arms: Vec<StoredPair>,
    /// The worst verdict, as an exit code means it.
    pub conclusion: Conclusion,
}

to_json_file!(StoredComparison);
