//! The finished values of one run: what `result.json` holds and every report formats.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{FromJson, to_json_file};
use crate::record::{InvalidReason, Outcomes, RunRecord, Warning};
use crate::scenario::{Metric, MetricName, VariantPath};
use crate::stats::{Agreement, Estimate, TooFew};

use super::generators::GeneratorSummary;
use super::latency_summary::LatencySummary;
use super::metric_source::other_definitions;
use super::profile_result::Profile;
use super::recovery::Recovery;
use super::sizing::{SizingBasis, SizingRow};

/// Value of [`RunResult::schema`].
pub const SCHEMA: &str = "reclaim-bench/1";

/// A run with all that follows from it. `record` alone is measured; everything else is computed from it and
/// can be computed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Whether the numbers may be used.
    pub valid: bool,
    /// Why not, first things first.
    pub invalid_reasons: Vec<InvalidReason>,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
    /// One per arm, in the scenario's order.
    pub variants: Vec<VariantSummary>,
    /// Baseline against each other arm, metric by metric.
    pub comparisons: Vec<Comparison>,
    /// Metrics that do not vary, compared for equality.
    pub exact: Vec<ExactMetric>,
    /// Baseline against itself.
    pub control: Option<Control>,
    /// Primaries that each arm needs at a few rates, from its server CPU; empty where that is not known, and
    /// in results of versions that did not compute it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worth: Vec<Worth>,
    /// How the run came through each fault (`[[fault]]`); empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<Recovery>,
    /// Where the time inside the functions goes, where variants were instrumented (`reclaim-bench profile`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Each generator in numbers, where several made the run; empty where one did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generator_summaries: Vec<GeneratorSummary>,
    /// What was measured.
    #[serde(flatten)]
    pub record: RunRecord,
}

to_json_file!(RunResult);

impl FromJson for RunResult {
    fn from_json(text: &str) -> serde_json::Result<Self> {
        let mut result: Self = serde_json::from_str(text)?;
        result.leave_out_other_definitions();
        Ok(result)
    }
}

impl RunResult {
    /// Takes out what an earlier version concluded from figures that were something else then. What is
    /// measured stays as it is.
    fn leave_out_other_definitions(&mut self) {
        for warning in other_definitions(&self.record) {
            let metric = match warning {
                Warning::OtherDefinition { metric } => metric,
                Warning::MainThreadTimes { .. } => Metric::ServerCpu,
                _ => continue,
            };
            self.comparisons.retain(|comparison| comparison.metric != metric);
            if metric == Metric::ServerCpu {
                self.worth.clear();
                let costs = self.variants.iter_mut().map(|variant| &mut variant.server);
                costs.for_each(|cost| cost.main_thread_cpu_us_per_claim = None);
            }
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

/// One arm in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VariantSummary {
    /// Name.
    pub name: String,
    /// Way of claiming.
    pub path: VariantPath,
    /// How its claims ended.
    pub outcomes: Outcomes,
    /// Successful claims per second of the time in which the arm was active. Where workers of their own make
    /// the claims (`arms[].sdk`) the pipe to them is in that time: it is no rate of theirs, and reports leave
    /// it out.
    pub throughput_per_s: f64,
    /// done - sent.
    pub service_us: Option<LatencySummary>,
    /// done - scheduled (open loop).
    pub response_us: Option<LatencySummary>,
    /// sent - scheduled (open loop).
    pub send_lag_us: Option<LatencySummary>,
    /// Signal sent to lease held (churn).
    pub resume_us: Option<LatencySummary>,
    /// Each round trip of a claim, in order; empty where they were not timed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepSummary>,
    /// Per claim, on the servers and the wire.
    pub server: ServerCost,
}

/// One of the round trips that a claim makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepSummary {
    /// What is sent and waited for.
    pub title: String,
    /// From encoding the request until its reply is read.
    pub time: LatencySummary,
    /// Its part of the time of all claims. What is missing to 1 is the client's own work between round trips.
    pub share: f64,
}

/// What one claim costs. Figures of the servers' counters are over the claims that reached the claiming
/// function (one `FCALL` each), whatever it answered: a run in which many claims are refused shows the mean
/// of both kinds. Figures of the wire are over successful claims alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerCost {
    /// Main-thread CPU of the servers in microseconds, from the counter blocks (`INFO cpu`), over the claims
    /// that reached the function; `None` where the arms were never apart.
    pub main_thread_cpu_us_per_claim: Option<f64>,
    /// Commands that the worker sends, by name, over the claims that reached the function; empty in an SDK
    /// duet, where nobody but the servers count them ([`Self::calls_per_claim`]).
    pub commands_per_claim: BTreeMap<String, f64>,
    /// All calls that the servers counted, commands inside functions included, over the claims that reached
    /// the function.
    pub calls_per_claim: BTreeMap<String, f64>,
    /// Waits for an answer, successful claims only; `null` in an SDK duet, where nobody outside the worker
    /// sees them.
    pub round_trips_per_claim: Option<f64>,
    /// Request bytes, successful claims only; `null` where FlowFabric's SDK makes the claims, whose bytes
    /// nobody counts.
    pub bytes_in_per_claim: Option<f64>,
    /// Reply bytes, the same.
    pub bytes_out_per_claim: Option<f64>,
}

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

/// Primaries that one variant needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worth {
    /// The variant.
    pub name: String,
    /// What it is computed from.
    pub basis: SizingBasis,
    /// A row for each rate.
    pub rows: Vec<WorthRow>,
}

/// One rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorthRow {
    /// Primaries for the measured CPU per claim.
    #[serde(flatten)]
    pub sizing: SizingRow,
    /// For the lower end of its interval.
    pub fewest: Option<u32>,
    /// For the upper end.
    pub most: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::ToJsonFile as _;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::record::SteadyPart;
    use crate::scenario::ModelForm;

    #[test]
    fn what_was_concluded_from_another_definition_is_left_out_where_a_result_is_read() {
        let mut stored = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        stored.comparisons.retain(|comparison| comparison.metric != Metric::Throughput);
        let of_rates = Comparison { metric: Metric::Throughput, ..stored.comparisons[0].clone() };
        stored.comparisons.push(of_rates);
        let read = |result: &RunResult| RunResult::from_json(&result.to_json_file().unwrap()).unwrap();
        let (comparisons, same) = (stored.comparisons.len(), read(&stored));
        assert_eq!((same.comparisons.len(), same.warnings.len()), (comparisons, stored.warnings.len()));
        assert!(same.own_rate_per_s(0).is_some());
        stored.record.scenario.load.model = ModelForm::Open;
        stored.record.blocks[0].steady = Some(SteadyPart { claims: 150, duration_s: 0.03 });
        let other = read(&stored);
        assert_eq!((other.comparisons.len(), other.own_rate_per_s(0)), (comparisons - 1, None));
        assert!(other.comparisons.iter().all(|comparison| comparison.metric != Metric::Throughput));
        let told = Warning::OtherDefinition { metric: Metric::Throughput };
        assert_eq!(other.warnings.iter().filter(|warning| **warning == told).count(), 1);
        assert_eq!(read(&other).warnings, other.warnings, "it is told once");
    }

    #[test]
    fn cpu_of_main_threads_that_poll_is_left_out_of_stored_results_too() {
        let stored = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        let read = |version: &str| {
            let mut stored = stored.clone();
            stored.record.environment.valkey.io_threads = 4;
            stored.record.environment.valkey.version = version.to_owned();
            let read = RunResult::from_json(&stored.to_json_file().unwrap()).unwrap();
            let judged = read.comparisons.iter().any(|comparison| comparison.metric == Metric::ServerCpu);
            (judged, read.variants[0].server.main_thread_cpu_us_per_claim.is_some())
        };
        assert!(stored.comparisons.iter().any(|comparison| comparison.metric == Metric::ServerCpu));
        assert_eq!([read("9.1.2"), read("8.1.3")], [(true, true), (false, false)]);
    }
}
