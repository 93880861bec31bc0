//! N runs of one scenario: one estimate over all of them, and every attempt on record.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Environment, RedirectKind};
use crate::scenario::{CompareSection, Metric};
use crate::stats::{
    Agreement, CONFIDENCE, CONTROL_CONFIDENCE, Estimate, TooFew, agreement, log_error_of, mean_is_zero,
    mean_with_interval, next_value,
};

use super::attempt::{Attempt, attempt};
use super::beside_others::{difference_beside_others, ratio_beside_others, without_allowance};
use super::comparison::corrected_for_many;
use super::control::{control_limit, control_scale};
use super::repeat_recovery::{OverRuns, RepeatedRecovery, recoveries, redirects};
use super::result::{Comparison, ControlFailure, RunResult, Verdict};
use super::verdict::verdict;

/// Runs that an interval over runs needs.
pub const MIN_RUNS: usize = 3;

/// One metric over all runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedComparison {
    /// Name of the baseline arm.
    pub baseline: String,
    /// Name of the other arm.
    pub candidate: String,
    /// The metric.
    pub metric: Metric,
    /// Candidate over baseline of every run that is valid and was not ended early, in the order made
    /// ([`Repeated::used`]); `None` where that run had too little.
    pub per_run: Vec<Option<Estimate>>,
    /// Geometric mean over runs. Its interval comes from the spread between runs, so it holds what differs
    /// from one run to the next as well, and allows for what ran beside them as a run's own does.
    pub ratio: Option<Estimate>,
    /// Probability of such runs without a difference (Student's t over the runs), corrected for the number of
    /// metrics and candidates; `None` in series of versions that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Where one more run would lie: the interval above is that of the mean over all runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Estimate>,
    /// Whether the runs agree as well as their own intervals say, those of what varied within each run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// The same in the metric's unit. `None` where there is no ratio, where a run does not tell, and in
    /// series of versions that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<RepeatedDifference>,
    /// Why there is no ratio.
    pub too_few: Option<TooFew>,
    /// What is allowed for programs that ran beside the runs; `None` where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_for_others: Option<AllowedOverRuns>,
    /// The verdict, by the scenario's threshold.
    pub verdict: Verdict,
}

/// What intervals over runs allow for, where other programs ran beside some of them: shares of the effect on
/// either side. What stays for a whole series is in no spread between its runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AllowedOverRuns {
    /// Runs with a ratio during which other programs were busy.
    pub runs: u64,
    /// Of the mean: that of each run in equal parts.
    pub of_mean: f64,
    /// Of the next run: the largest of a run.
    pub of_next_run: f64,
}

impl AllowedOverRuns {
    fn from_comparisons(told: &[Option<&Comparison>]) -> Option<Self> {
        let judged: Vec<&&Comparison> = told.iter().flatten().filter(|one| one.ratio.is_some()).collect();
        let shares: Vec<f64> = judged.iter().filter_map(|one| one.allowed_for_others).collect();
        (!shares.is_empty()).then(|| Self {
            runs: shares.len() as u64,
            of_mean: shares.iter().sum::<f64>() / judged.len() as f64,
            of_next_run: shares.iter().copied().fold(0.0, f64::max),
        })
    }
}

/// Candidate less baseline over all runs, in the metric's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedDifference {
    /// The baseline's value: mean over runs.
    pub baseline_value: f64,
    /// The candidate's value: mean over runs.
    pub candidate_value: f64,
    /// Of every run that is valid, was not ended early and has a ratio.
    pub per_run: Vec<Estimate>,
    /// Mean over runs. Its interval comes from the spread between runs.
    pub mean: Estimate,
    /// Where one more run would lie.
    pub next_run: Estimate,
}

/// A series of runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repeated {
    /// Every run, in the order made: none is left out.
    pub attempts: Vec<Attempt>,
    /// Runs that were asked for; fewer attempts are there where the series was interrupted. The file
    /// of a series has it beside this.
    #[serde(skip)]
    pub wanted: Option<u64>,
    /// The error that ended the series before all of its runs were made, in words; `None` where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Whether all of them are valid, and none was ended early. Estimates use those that are.
    pub valid: bool,
    /// Baseline against itself over all runs.
    pub control: Option<Estimate>,
    /// Whether that control holds 1 and is known well enough; if not, nothing is judged.
    pub control_passed: bool,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_failure: Option<ControlFailure>,
    /// Difference below which nothing is judged to differ; `None` where nothing was compared, or in series of
    /// versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_threshold: Option<f64>,
    /// Metric by metric.
    pub comparisons: Vec<RepeatedComparison>,
    /// Fault by fault; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<RepeatedRecovery>,
    /// Redirects over all servers and faults, by kind; empty without a fault, or where there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redirects: BTreeMap<RedirectKind, OverRuns>,
    /// Where the runs were made; `None` without a run, and where variants have a cluster or a library of
    /// their own, which the runs' reports name.
    #[serde(skip)]
    pub environment: Option<Environment>,
}

impl Repeated {
    /// Numbers, from 1 among all attempts, of the runs that estimates use.
    pub fn used(&self) -> impl Iterator<Item = usize> {
        let attempts = self.attempts.iter().enumerate();
        attempts.filter(|(_, attempt)| attempt.valid && !attempt.partial).map(|(n, _)| n + 1)
    }
}

/// Combines the runs of one scenario, of those that were `wanted`. Runs whose own control failed stay in:
/// leaving them out would choose runs by their outcome.
pub fn repeat(results: &[RunResult], wanted: u64) -> Repeated {
    let usable: Vec<&RunResult> = results.iter().filter(|r| r.is_usable()).collect();
    let control_ratios: Vec<_> =
        usable.iter().filter_map(|r| r.control.as_ref()?.ratio).map(|ratio| ratio.estimate.ln()).collect();
    let control = over_runs(&control_ratios, CONTROL_CONFIDENCE).ok();
    let compare = usable.first().and_then(|first| first.record.scenario.compare.as_ref());
    let over_all = control.zip(compare).and_then(|(control, compare)| {
        if !control.contains(1.0) {
            return Some(ControlFailure::Differs { ratio: control });
        }
        let half_width =
            over_runs(&control_ratios, compare.confidence).ok()?.half_width() * scale(&usable, compare);
        let limit = control_limit(compare.noise_threshold);
        (half_width > limit).then_some(ControlFailure::Uncertain { half_width, limit })
    });
    // Runs enough, and none of them says how far its control went: nothing vouches for them together either.
    let control_failure = match control {
        None if usable.len() >= MIN_RUNS => {
            usable.iter().find_map(|run| run.control.as_ref()?.failure.clone())
        }
        _ => over_all,
    };
    let control_passed = control_failure.is_none();
    let mut comparisons: Vec<RepeatedComparison> = compared(&usable)
        .into_iter()
        .map(|comparison| combined(comparison, &usable, control_passed))
        .collect();
    correct_for_many(&mut comparisons, compare.map_or(CONFIDENCE, |compare| compare.confidence));
    Repeated {
        attempts: results.iter().map(attempt).collect(),
        wanted: Some(wanted),
        ended_by: None,
        valid: usable.len() == results.len(),
        control,
        control_passed,
        control_failure,
        noise_threshold: compare.map(|compare| compare.noise_threshold),
        comparisons,
        recoveries: recoveries(&usable, MIN_RUNS),
        redirects: redirects(&usable, MIN_RUNS),
        environment: environment(results),
    }
}

/// One comparison of each that any of the runs made, in the scenario's order. One scenario compares the same in
/// every run, but what a run withholds is in none of its comparisons: the others have it.
fn compared<'a>(runs: &[&'a RunResult]) -> Vec<&'a Comparison> {
    let Some(first) = runs.first() else { return Vec::new() };
    let mut all: Vec<&Comparison> = Vec::new();
    for comparison in runs.iter().copied().flat_map(|run| &run.comparisons) {
        if !all.iter().any(|known| is_same(known, comparison)) {
            all.push(comparison);
        }
    }
    // What the scenario does not know comes last, as it was found.
    all.sort_by_key(|comparison| place(first, comparison));
    all
}

/// Where a run's scenario has it: by candidate, then by metric.
fn place(run: &RunResult, comparison: &Comparison) -> [usize; 2] {
    let candidate = run.record.arms.iter().position(|arm| arm.name == comparison.candidate);
    let metric = run.record.scenario.compare.as_ref().and_then(|compare| {
        compare.metrics.iter().position(|name| Metric::find(name) == Some(comparison.metric))
    });
    [candidate, metric].map(|at| at.unwrap_or(usize::MAX))
}

/// Whether both are of one metric and the same two arms.
fn is_same(one: &Comparison, other: &Comparison) -> bool {
    (&one.baseline, &one.candidate, one.metric) == (&other.baseline, &other.candidate, other.metric)
}

/// One scenario runs in the same place every time.
fn environment(results: &[RunResult]) -> Option<Environment> {
    let record = &results.first()?.record;
    let is_one = !record.is_server_duet() && record.arms.iter().all(|arm| arm.library.is_none());
    is_one.then(|| record.environment.clone())
}

/// As within a run: the mean over runs of what makes the control's interval one of as many claims as the
/// comparison has.
fn scale(usable: &[&RunResult], compare: &CompareSection) -> f64 {
    let of = |run: &&RunResult| {
        let name =
            compare.baseline.as_ref().or(run.record.scenario.variants.first().map(|first| &first.name));
        let baseline = run.record.arms.iter().position(|arm| Some(&arm.name) == name).unwrap_or(0);
        control_scale(&run.record, baseline)
    };
    usable.iter().map(of).sum::<f64>() / usable.len().max(1) as f64
}

/// As within a run: a change that does not survive the correction for the number of metrics and candidates is
/// inconclusive.
fn correct_for_many(comparisons: &mut [RepeatedComparison], confidence: f64) {
    let asked: Vec<_> =
        comparisons.iter().map(|one| (one.metric, one.candidate.clone(), one.p_value)).collect();
    for (comparison, p_value) in comparisons.iter_mut().zip(corrected_for_many(&asked)) {
        comparison.p_value = p_value;
        comparison.verdict = comparison.verdict.if_significant(p_value, confidence);
    }
}

fn combined(first: &Comparison, runs: &[&RunResult], control_passed: bool) -> RepeatedComparison {
    let told: Vec<Option<&Comparison>> =
        runs.iter().map(|run| run.comparisons.iter().find(|other| is_same(first, other))).collect();
    let per_run: Vec<Option<Estimate>> = told.iter().map(|comparison| (*comparison)?.ratio).collect();
    let logs: Vec<f64> = per_run.iter().flatten().map(|ratio| ratio.estimate.ln()).collect();
    let within: Vec<(f64, f64)> = told
        .iter()
        .flatten()
        .filter_map(|one| Some(without_allowance(one.ratio?, one.allowed_for_others)))
        .map(|ratio| (ratio.estimate.ln(), log_error_of(&ratio)))
        .collect();
    let policy = runs[0].record.scenario.compare.clone().unwrap_or_default();
    let allowed = AllowedOverRuns::from_comparisons(&told);
    let [of_mean, of_next_run] = allowed.map_or([0.0; 2], |allowed| [allowed.of_mean, allowed.of_next_run]);
    let ratio = over_runs(&logs, policy.confidence).map(|ratio| ratio_beside_others(ratio, of_mean));
    let next_run =
        next_value(&logs, policy.confidence).ok().filter(|_| ratio.is_ok()).map(Estimate::exponential);
    RepeatedComparison {
        baseline: first.baseline.clone(),
        candidate: first.candidate.clone(),
        metric: first.metric,
        verdict: match &ratio {
            Ok(ratio) if control_passed => {
                verdict(ratio, first.metric.row().direction, policy.noise_threshold)
            }
            _ => Verdict::Inconclusive,
        },
        next_run: next_run.map(|next| ratio_beside_others(next, of_next_run)),
        agreement: agreement(&within).filter(|_| ratio.is_ok()),
        difference: difference(&told, policy.confidence, [of_mean, of_next_run]).filter(|_| ratio.is_ok()),
        allowed_for_others: allowed.filter(|_| ratio.is_ok()),
        too_few: ratio.as_ref().err().cloned(),
        p_value: mean_is_zero(&logs).filter(|_| ratio.is_ok()),
        ratio: ratio.ok(),
        per_run,
    }
}

/// Of the runs that have a ratio. One that tells no difference leaves none: the others would be a choice.
fn difference(
    told: &[Option<&Comparison>],
    confidence: f64,
    [of_mean, of_next_run]: [f64; 2],
) -> Option<RepeatedDifference> {
    let judged: Vec<&Comparison> = told.iter().copied().flatten().filter(|c| c.ratio.is_some()).collect();
    let per_run = judged.iter().map(|comparison| comparison.difference).collect::<Option<Vec<Estimate>>>()?;
    let values: Vec<f64> = per_run.iter().map(|difference| difference.estimate).collect();
    let mean_of =
        |value: fn(&Comparison) -> f64| judged.iter().map(|c| value(c)).sum::<f64>() / judged.len() as f64;
    Some(RepeatedDifference {
        baseline_value: mean_of(|c| c.baseline_value),
        candidate_value: mean_of(|c| c.candidate_value),
        mean: difference_beside_others(mean_with_interval(&values, confidence).ok()?, of_mean),
        next_run: difference_beside_others(next_value(&values, confidence).ok()?, of_next_run),
        per_run,
    })
}

fn over_runs(logs: &[f64], confidence: f64) -> Result<Estimate, TooFew> {
    if logs.len() < MIN_RUNS {
        return Err(TooFew::samples("valid runs", MIN_RUNS as u64, logs.len() as u64));
    }
    mean_with_interval(logs, confidence).map(Estimate::exponential)
}

impl RepeatedComparison {
    /// What differs from run to run beyond the runs' own intervals, as a share; `None` where they agree.
    pub fn disagreement(&self) -> Option<f64> {
        self.agreement?.disagreement()
    }
}

#[cfg(test)]
#[path = "repeat_tests.rs"]
mod tests;
