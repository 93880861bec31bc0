//! What a comparison within one run says, as `result.json` holds it: ratios and their verdicts, what is equal, and
//! the control.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{Metric, MetricName};
use crate::stats::{Agreement, Estimate, TooFew};

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The candidate is worse: the whole interval lies beyond the noise threshold.
    Regression,
    /// The candidate is better, by the same rule.
    Improvement,
    /// The whole interval lies within the noise threshold.
    NoChange,
    /// Neither can be said.
    Inconclusive,
}

impl Verdict {
    /// Whether it says that something differs.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Regression | Self::Improvement)
    }

    /// A change only where the corrected p-value allows one to be called.
    pub(super) fn if_significant(self, p_value: Option<f64>, confidence: f64) -> Self {
        let significant = p_value.is_some_and(|p| p <= 1.0 - confidence);
        if self.is_change() && !significant { Self::Inconclusive } else { self }
    }
}

/// One metric, baseline against candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Name of the baseline arm.
    pub baseline: String,
    /// Name of the other arm.
    pub candidate: String,
    /// The metric.
    pub metric: Metric,
    /// Its unit.
    pub unit: String,
    /// The baseline's value.
    pub baseline_value: f64,
    /// The candidate's value.
    pub candidate_value: f64,
    /// Candidate over baseline: 1.0 is equal. `None` where there is too little to say.
    pub ratio: Option<Estimate>,
    /// Candidate less baseline, in the metric's unit, with an interval of its own. `None` where there is too
    /// little to say, and in results of versions that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Estimate>,
    /// Why there is no ratio.
    pub too_few: Option<TooFew>,
    /// Sign-flip permutation test over strata, corrected for the number of metrics (Holm-Bonferroni).
    pub p_value: Option<f64>,
    /// Smallest relative difference that this run could have shown, what is allowed for others included.
    pub detectable: Option<f64>,
    /// Share of the effect by which `ratio` and `difference` are wider on either side than what varied within
    /// the run makes them, for the programs that ran beside it; `None` where nothing is allowed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_for_others: Option<f64>,
    /// The same in either half of the run; `None` where there is too little, and in results of versions that did
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halves: Option<RatioHalves>,
    /// What this run and those before it that measured the same say together; `None` where they are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_runs_before: Option<WithRunsBefore>,
    /// The verdict.
    pub verdict: Verdict,
}

/// A metric in either half of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatioHalves {
    /// Candidate over baseline in the first half: geometric mean over its strata or blocks.
    pub first: f64,
    /// In the second half.
    pub second: f64,
    /// Probability of halves so far apart where the effect stays the same (Welch's t, which knows how far
    /// neighbours resemble each other).
    pub p_value: f64,
}

/// One metric over this run and those before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WithRunsBefore {
    /// Runs, this one among them.
    pub runs: u64,
    /// Smallest ratio of them.
    pub lowest: f64,
    /// Largest ratio of them.
    pub highest: f64,
    /// Where one more run would lie, from what differs between these (Student's t).
    pub next_run: Estimate,
    /// Whether they agree as well as their own intervals say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

impl WithRunsBefore {
    /// What differs from run to run beyond the runs' own intervals, as a share; `None` where they agree.
    pub fn disagreement(&self) -> Option<f64> {
        self.agreement?.disagreement()
    }
}

/// A metric that does not vary from claim to claim: any difference is a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExactMetric {
    /// Name of the baseline arm.
    pub baseline: String,
    /// Name of the other arm.
    pub candidate: String,
    /// What is counted, e.g. `round_trips`, `calls.hget`.
    pub metric: MetricName,
    /// The baseline's value per claim.
    pub baseline_value: f64,
    /// The candidate's value per claim.
    pub candidate_value: f64,
    /// Whether they are equal.
    pub equal: bool,
}

impl ExactMetric {
    /// Whether the candidate has more of it.
    pub fn is_more(&self) -> bool {
        !self.equal && self.candidate_value > self.baseline_value
    }
}

/// The baseline against itself: what noise alone does in this run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// Second side over first: should be 1.
    pub ratio: Option<Estimate>,
    /// Whether the run may judge.
    pub passed: bool,
    /// Why not, where it may not. `None` also in results of versions that told it in words.
    #[serde(default)]
    pub failure: Option<ControlFailure>,
    /// In a server duet: by how much two clusters of the baseline's server may differ by themselves, as a
    /// share, which is the far end of the control's interval. Verdicts are taken with their intervals wider
    /// by so much on either side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<f64>,
}

/// Why the baseline against itself forbids a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "failure")]
pub enum ControlFailure {
    /// There is too little to say.
    TooFew {
        /// Of what.
        too_few: TooFew,
        /// Whether the control has strata of its own (`compare.control_strata`).
        own_strata: bool,
    },
    /// The whole interval lies beside 1: the arms were not treated alike.
    Differs {
        /// Second side over first.
        ratio: Estimate,
    },
    /// Two clusters of the baseline's server differ by more than half the noise threshold: what differs
    /// between the arms' clusters may be the clusters and not the servers.
    ClustersDiffer {
        /// The second cluster over the first.
        ratio: Estimate,
        /// What they may differ by, as a share: half the threshold.
        limit: f64,
    },
    /// The interval is too wide for the noise threshold.
    Uncertain {
        /// Half of it, as a share of the baseline.
        half_width: f64,
        /// The most that it may be: half the threshold.
        limit: f64,
    },
}
