//! From a result to an exit code.
//!
//! An A/B run answers a question; that one arm is slower is an answer, not a failure. So a run passes
//! whatever it found, unless the scenario's `[gate] enforce` (or the command line) makes its verdicts
//! binding. An invalid run fails either way: it has no answer.

use std::cmp::Ordering;
use std::time::Duration;

use crate::scenario::{CompareSection, Metric, ScenarioFile};
use crate::stats::Estimate;

use super::conclusion::{Cause, Conclusion, Finding, Gate};
use super::control::cluster_allowance;
use super::metric_source::{is_withheld, question};
use super::recovery_result::Untold;
use super::repeat::{Repeated, RepeatedComparison};
use super::result::{Comparison, ExactMetric, RunResult, VariantSummary, Verdict};
use super::service_level::{recovery_levels, service_levels};
use super::verdict::{against_worse_end, best_and_worst, noise_band};

/// Share of the claims that may end in an error, or more of them than with the baseline, before that is a
/// finding.
pub(super) const ERRORS: f64 = 0.001;

/// What is binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatePolicy {
    /// Whether verdicts decide.
    pub enforce: bool,
    /// Bound of the response time's 99th percentile (in a closed loop of the service time, in a storm of the
    /// time to resume).
    pub response_p99: Option<Duration>,
    /// Time after a fault within which everything must be as it was before.
    pub recovery: Option<Duration>,
}

impl GatePolicy {
    /// The policy of a scenario.
    pub fn from_scenario(scenario: &ScenarioFile) -> Self {
        let slo = scenario.slo.as_ref();
        let response_p99 = slo.and_then(|slo| Some(slo.response_p99?.0));
        let recovery = slo.and_then(|slo| Some(slo.recovery?.0));
        Self { enforce: scenario.gate.enforce, response_p99, recovery }
    }

    /// Whether there is a service level.
    fn has_level(&self) -> bool {
        self.response_p99.is_some() || self.recovery.is_some()
    }
}

impl RunResult {
    /// What its scenario's policy makes of it.
    pub fn gate(&self) -> Gate {
        gate(self, &GatePolicy::from_scenario(&self.record.scenario))
    }
}

/// Applies a policy to a finished run.
pub fn gate(result: &RunResult, policy: &GatePolicy) -> Gate {
    let mut findings = Vec::new();
    if !result.valid {
        let reasons = result.invalid_reasons.len();
        findings.push(Finding::new(Conclusion::Invalid, Cause::InvalidRun { reasons }));
    }
    if let Some(aborted) = &result.record.aborted {
        // Whoever sets the limit wants to know that it was reached, gate or no gate.
        findings.push(Finding::new(Conclusion::Regression, Cause::Aborted(*aborted)));
    } else if result.record.partial {
        findings.push(Finding::new(Conclusion::Invalid, Cause::Interrupted));
    }
    // Verdicts of such a run say nothing, whichever way they point.
    if policy.enforce && findings.is_empty() {
        findings.extend(findings_of_one(result, policy, verdict_findings(result)));
        if result.comparisons.is_empty() && !policy.has_level() && findings.is_empty() {
            findings.push(nothing_judged());
        }
    }
    Gate::from_findings(findings, policy.enforce)
}

/// What a run says, with its verdicts: in a series they are over all runs, and all else counts wherever it is
/// seen.
fn findings_of_one(result: &RunResult, policy: &GatePolicy, verdicts: Vec<Finding>) -> Vec<Finding> {
    let errors = error_findings(result, policy.response_p99.is_some()).map(|(_, finding)| finding);
    let mut findings: Vec<Finding> = errors.chain(verdicts).collect();
    findings.extend(exact_findings(result));
    findings.extend(policy.response_p99.into_iter().flat_map(|bound| slo_findings(result, bound)));
    findings.extend(policy.recovery.into_iter().flat_map(|bound| recovery_findings(result, bound)));
    findings
}

/// Claims that did not succeed, by variant: only successful ones have a latency, so no time shows them. With
/// a service level every variant is held to it; else the others to the baseline.
pub(crate) fn error_findings(
    result: &RunResult,
    service_level: bool,
) -> impl Iterator<Item = (&VariantSummary, Finding)> {
    let baseline = result.record.scenario.compare.as_ref().and_then(|compare| {
        result.variants.iter().find(|variant| Some(&variant.name) == compare.baseline.as_ref())
    });
    let of = move |variant| unsuccessful(result, variant, service_level);
    let base = baseline.filter(|_| !service_level).map_or((0, 0), of);
    result.variants.iter().filter_map(move |variant| {
        let is_base = baseline.is_some_and(|base| base.name == variant.name);
        let nothing = variant.outcomes.claimed == 0 && variant.outcomes.planned() > 0;
        let conclusion = if is_base && !service_level {
            // Nothing to compare with.
            nothing.then_some(Conclusion::Invalid)?
        } else {
            (nothing || more_failed(base, of(variant))).then_some(Conclusion::Regression)?
        };
        let (claims, of) = of(variant);
        let cause = Cause::Unsuccessful {
            variant: variant.name.clone(),
            claims,
            of,
            refused: variant.outcomes.refused.clone(),
        };
        Some((variant, Finding::new(conclusion, cause)))
    })
}

/// Whether the candidate's share of claims without a lease is larger than the base's by more than [`ERRORS`].
/// Each pair is (claims without a lease, all claims).
pub(super) fn more_failed(base: (u64, u64), candidate: (u64, u64)) -> bool {
    let share = |(claims, of): (u64, u64)| claims as f64 / of.max(1) as f64;
    share(candidate) > share(base) + ERRORS
}

/// Claims of a variant without a lease, of how many: what a healthy run does not show. Races that were lost are part of a scenario with contenders, and grants
/// that expired of one that leaves them to (`grant.unconsumed`); in any other they are claims that did not
/// succeed. A claim that was not sent misses a service level; between variants it says nothing, since an
/// execution that one of them failed to claim is missing for the other as well.
pub(super) fn unsuccessful(result: &RunResult, variant: &VariantSummary, service_level: bool) -> (u64, u64) {
    let (outcomes, scenario) = (&variant.outcomes, &result.record.scenario);
    let lost = if scenario.load.contenders == 1 { outcomes.lost_race } else { 0 };
    // A claim through a fault that was read to hold its lease did succeed; only its time is not known.
    let settled: u64 =
        result.record.injected.iter().flat_map(|injected| &injected.faults).map(|fault| fault.settled).sum();
    let arm = result.record.arm(&variant.name);
    let claims = outcomes.errors().saturating_sub(settled)
        + arm.map_or(0, |arm| arm.expired_unasked(scenario.grant.unconsumed))
        + lost
        + if service_level { outcomes.dropped + outcomes.empty_stock } else { 0 };
    (claims, outcomes.planned())
}

/// Applies a policy to a series of runs of one scenario. What varies is judged over all runs; a run that is
/// invalid, a call more and a missed service level count wherever they were seen: no run is dropped for what
/// it found.
pub fn gate_repeated(results: &[RunResult], repeated: &Repeated, policy: &GatePolicy) -> Gate {
    let mut findings = Vec::new();
    if let Some(error) = repeated.ended_by.clone() {
        let (made, wanted) = (results.len(), repeated.wanted.unwrap_or_default());
        findings.push(Finding::new(Conclusion::Invalid, Cause::BrokeOff { made, wanted, error }));
    } else if let Some(wanted) = repeated.wanted.filter(|wanted| (results.len() as u64) < *wanted) {
        let cause = Cause::CutShort { made: results.len(), wanted };
        findings.push(Finding::new(Conclusion::Invalid, cause));
    }
    for (n, result) in results.iter().enumerate() {
        let mut found = gate(result, &GatePolicy { enforce: false, ..*policy }).findings;
        if policy.enforce && found.is_empty() {
            found.extend(findings_of_one(result, policy, Vec::new()));
        }
        findings.extend(found.into_iter().map(|finding| Finding { run: Some(n as u64 + 1), ..finding }));
    }
    if policy.enforce {
        findings.extend(repeated_findings(results, repeated));
        if repeated.comparisons.is_empty() && !policy.has_level() && findings.is_empty() {
            findings.push(nothing_judged());
        }
    }
    Gate::from_findings(findings, policy.enforce)
}

fn repeated_findings(results: &[RunResult], repeated: &Repeated) -> Vec<Finding> {
    if let Some(failure) = &repeated.control_failure {
        let cause = Cause::SeriesControlFailed { failure: failure.clone() };
        return vec![Finding::new(Conclusion::Inconclusive, cause)];
    }
    let threshold = repeated.noise_threshold.unwrap_or_default();
    let finding = |c: &RepeatedComparison| {
        let conclusion = conclusion(c.verdict)?;
        if conclusion == Conclusion::Inconclusive && cannot_be_worse(c.ratio, c.metric, threshold) {
            return None;
        }
        let cause = Cause::Metric {
            metric: c.metric,
            candidate: c.candidate.clone(),
            baseline: c.baseline.clone(),
            ratio: c.ratio.ok_or_else(|| c.too_few.clone()),
            over_all_runs: true,
        };
        Some(Finding::new(conclusion, cause))
    };
    let usable: Vec<&RunResult> = results.iter().filter(|result| result.is_usable()).collect();
    let compared: Vec<(&str, Metric)> =
        repeated.comparisons.iter().map(|one| (one.candidate.as_str(), one.metric)).collect();
    repeated.comparisons.iter().filter_map(finding).chain(not_compared(&usable, &compared)).collect()
}

/// What these runs of one scenario were to tell and cannot: metrics that it names, and that a candidate is
/// compared by in none of them. `compared` is what there is, by candidate; a question that one metric answers
/// is not open because another unit of it is missing.
fn not_compared(runs: &[&RunResult], compared: &[(&str, Metric)]) -> Vec<Finding> {
    let Some(first) = runs.first() else { return Vec::new() };
    let Some(compare) = &first.record.scenario.compare else { return Vec::new() };
    let Some(baseline) = &compare.baseline else { return Vec::new() };
    let (named, mut findings) = (named_metrics(compare), Vec::new());
    for candidate in first.variants.iter().map(|variant| &variant.name).filter(|name| *name != baseline) {
        let answered = |metric: Metric| {
            compared.iter().any(|(of, by)| *of == candidate && question(*by) == question(metric))
        };
        findings.extend(named.iter().filter(|metric| !answered(**metric)).map(|&metric| {
            let cause = Cause::NotCompared {
                metric,
                candidate: candidate.clone(),
                baseline: baseline.clone(),
                withheld: runs.iter().any(|run| is_withheld(metric, &run.record)),
            };
            Finding::new(Conclusion::Inconclusive, cause)
        }));
    }
    findings
}

/// Metrics that a scenario names. The list that stands where it names none is nobody's wish: some kinds of
/// run have no figures of all that is in it, as churn has no server CPU.
fn named_metrics(compare: &CompareSection) -> Vec<Metric> {
    if compare.metrics == CompareSection::default().metrics {
        return Vec::new();
    }
    compare.metrics.iter().filter_map(|name| Metric::find(name)).collect()
}

/// What a verdict amounts to, where it amounts to anything.
fn conclusion(verdict: Verdict) -> Option<Conclusion> {
    match verdict {
        Verdict::Regression => Some(Conclusion::Regression),
        Verdict::Inconclusive => Some(Conclusion::Inconclusive),
        Verdict::Improvement | Verdict::NoChange => None,
    }
}

fn nothing_judged() -> Finding {
    Finding::new(Conclusion::Inconclusive, Cause::NothingJudged)
}

fn verdict_findings(result: &RunResult) -> Vec<Finding> {
    // A failed control has made every verdict inconclusive; its reason is the one to tell.
    if let Some(control) = result.control.as_ref().filter(|control| !control.passed) {
        let cause = Cause::ControlFailed { failure: control.failure.clone() };
        return vec![Finding::new(Conclusion::Inconclusive, cause)];
    }
    let threshold = result.record.scenario.noise_threshold();
    // As the verdict was taken: two clusters of one server differ as well.
    let allowance = cluster_allowance(result.control.as_ref());
    let finding = |comparison: &Comparison| {
        let conclusion = conclusion(comparison.verdict)?;
        let ratio = comparison.ratio.map(|ratio| ratio.wider_by_factor(1.0 + allowance));
        if conclusion == Conclusion::Inconclusive && cannot_be_worse(ratio, comparison.metric, threshold) {
            return None;
        }
        let cause = Cause::Metric {
            metric: comparison.metric,
            candidate: comparison.candidate.clone(),
            baseline: comparison.baseline.clone(),
            ratio: comparison.ratio.ok_or_else(|| comparison.too_few.clone()),
            over_all_runs: false,
        };
        Some(Finding::new(conclusion, cause))
    };
    let compared: Vec<(&str, Metric)> =
        result.comparisons.iter().map(|one| (one.candidate.as_str(), one.metric)).collect();
    result.comparisons.iter().filter_map(finding).chain(not_compared(&[result], &compared)).collect()
}

/// Whether the whole interval lies on the side of a regression's threshold where none is: whether the metric
/// got better or stayed as it is may be open, but not that it got no worse.
fn cannot_be_worse(ratio: Option<Estimate>, metric: Metric, threshold: f64) -> bool {
    let Some(ratio) = ratio else { return false };
    let direction = metric.row().direction;
    let [_, worst] = best_and_worst(&ratio, direction);
    against_worse_end(worst, direction, noise_band(threshold)) == Some(Ordering::Less)
}

/// What it means that a candidate is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateRole {
    /// The scenario's gate is enforced: it fails.
    Gates,
    /// The arms claim in different ways: that is what the run is to show.
    ByDesign,
    /// The arms claim in the same way, and no gate was asked for.
    NotGated,
}

/// What a verdict between two variants means in this run.
pub fn gate_role(result: &RunResult, baseline: &str, candidate: &str) -> GateRole {
    if result.record.scenario.gate.enforce {
        return GateRole::Gates;
    }
    if claim_alike(result, baseline, candidate) { GateRole::NotGated } else { GateRole::ByDesign }
}

/// Whether two variants claim in the same way.
fn claim_alike(result: &RunResult, baseline: &str, candidate: &str) -> bool {
    let path_of = |name: &str| result.variants.iter().find(|v| v.name == name).map(|v| v.path);
    path_of(baseline) == path_of(candidate)
}

/// Exact metrics of arms that claim the same way: nothing but the library differs, so each has to be equal,
/// and more of anything is a regression. Arms that claim in different ways differ by design.
pub(crate) fn judged_exact(result: &RunResult) -> impl Iterator<Item = &ExactMetric> {
    result.exact.iter().filter(|exact| claim_alike(result, &exact.baseline, &exact.candidate))
}

fn exact_findings(result: &RunResult) -> impl Iterator<Item = Finding> {
    judged_exact(result).filter(|exact| exact.is_more()).map(|exact| {
        let cause = Cause::MoreOf {
            metric: exact.metric.clone(),
            candidate: exact.candidate.clone(),
            baseline: exact.baseline.clone(),
            candidate_value: exact.candidate_value,
            baseline_value: exact.baseline_value,
        };
        Finding::new(Conclusion::Regression, cause)
    })
}

fn slo_findings(result: &RunResult, bound: Duration) -> impl Iterator<Item = Finding> {
    service_levels(result, bound).filter_map(|level| level.finding())
}

/// Whether each fault was over in time.
fn recovery_findings(result: &RunResult, bound: Duration) -> impl Iterator<Item = Finding> {
    let bound_s = bound.as_secs_f64();
    recovery_levels(result, bound).filter(|level| level.kept != Some(true)).map(move |level| {
        let (fault, kind, why) = (level.recovery.fault, level.kind, level.why);
        match (level.kept, level.recovery.first_success_s) {
            (None, _) => Finding::new(Conclusion::Inconclusive, Cause::RecoveryUnknown { fault, kind, why }),
            (Some(_), Some(first_success_s)) if why.is_some_and(|why| why != Untold::NextFault) => {
                let cause = Cause::StillFailing { fault, kind, first_success_s, bound_s };
                Finding::new(Conclusion::Regression, cause)
            }
            (Some(_), _) => {
                let recovered_s = level.recovery.recovered_s;
                let next_struck_s = level.recovery.next_struck_s;
                let cause = Cause::Recovery { fault, kind, recovered_s, next_struck_s, bound_s };
                Finding::new(Conclusion::Regression, cause)
            }
        }
    })
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
