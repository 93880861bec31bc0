//! From a result to an exit code.
//!
//! An A/B run answers a question; that one arm is slower is an answer, not a failure. So a run passes whatever it
//! found, unless the scenario's `[gate] enforce` (or the command line) makes its verdicts binding. An invalid run fails
//! either way: it has no answer.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{Direction, ScenarioFile};
use crate::stats::{Estimate, TooFew};

use super::repeat::Repeated;
use super::result::{Comparison, ExactMetric, RunResult, VariantSummary, Verdict};
use super::service_level::service_levels;

/// Share of the claims that may end in an error, or more of them than with the baseline, before that is a finding.
const ERRORS: f64 = 0.001;

/// What is binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatePolicy {
    /// Whether verdicts decide.
    pub enforce: bool,
    /// Bound of the response time's 99th percentile (service time in a closed loop).
    pub response_p99: Option<Duration>,
}

impl GatePolicy {
    /// The policy of a scenario.
    pub fn from_scenario(scenario: &ScenarioFile) -> Self {
        let response_p99 = scenario.slo.as_ref().map(|slo| slo.response_p99.0);
        Self { enforce: scenario.gate.enforce, response_p99 }
    }
}

/// How a run ends, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The numbers must not be used.
    Invalid,
    /// A regression, or a service level missed.
    Regression,
    /// The gate was asked and cannot say.
    Inconclusive,
    /// Nothing wrong.
    Pass,
}

impl Conclusion {
    /// The process' exit code: 0 pass, 1 regression, 2 invalid, 3 inconclusive.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Regression => 1,
            Self::Invalid => 2,
            Self::Inconclusive => 3,
        }
    }
}

/// One reason for a conclusion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it amounts to.
    pub conclusion: Conclusion,
    /// In words.
    pub text: String,
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// The worst of the findings.
    pub conclusion: Conclusion,
    /// Why, worst first. Empty for a pass.
    pub findings: Vec<Finding>,
    /// Whether verdicts decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enforced: bool,
}

impl Gate {
    fn new(mut findings: Vec<Finding>, policy: &GatePolicy) -> Self {
        findings.sort_by_key(|finding| finding.conclusion);
        let conclusion = findings.first().map_or(Conclusion::Pass, |finding| finding.conclusion);
        Self { conclusion, findings, enforced: policy.enforce }
    }
}

/// Applies a policy to a finished run.
pub fn gate(result: &RunResult, policy: &GatePolicy) -> Gate {
    let mut findings = Vec::new();
    if !result.valid {
        let text = format!("the run is invalid for {} reason(s)", result.invalid_reasons.len().max(1));
        findings.push(Finding { conclusion: Conclusion::Invalid, text });
    }
    if let Some(aborted) = &result.record.aborted {
        // Whoever sets the limit wants to know that it was reached, gate or no gate.
        findings.push(Finding { conclusion: Conclusion::Regression, text: aborted.to_string() });
    } else if result.record.partial {
        let text = "the run was interrupted: what it had measured is kept, and not judged".to_owned();
        findings.push(Finding { conclusion: Conclusion::Invalid, text });
    }
    // Verdicts of such a run say nothing, whichever way they point.
    if policy.enforce && findings.is_empty() {
        findings.extend(error_findings(result, policy.response_p99.is_some()).map(|(_, finding)| finding));
        findings.extend(verdict_findings(result));
        findings.extend(exact_findings(result));
        findings.extend(policy.response_p99.into_iter().flat_map(|bound| slo_findings(result, bound)));
        if result.comparisons.is_empty() && policy.response_p99.is_none() && findings.is_empty() {
            findings.push(nothing_judged());
        }
    }
    Gate::new(findings, policy)
}

/// Claims that did not succeed, by variant: only successful ones have a latency, so no time shows them. With a service
/// level every variant is held to it; else the others to the baseline.
pub(crate) fn error_findings(
    result: &RunResult,
    service_level: bool,
) -> impl Iterator<Item = (&VariantSummary, Finding)> {
    let baseline = result.record.scenario.compare.as_ref().and_then(|compare| {
        result.variants.iter().find(|variant| Some(&variant.name) == compare.baseline.as_ref())
    });
    let share_of = move |variant: &VariantSummary| {
        unsuccessful(result, variant, service_level) as f64 / variant.outcomes.planned().max(1) as f64
    };
    let base_share = baseline.filter(|_| !service_level).map_or(0.0, share_of);
    result.variants.iter().filter_map(move |variant| {
        let is_base = baseline.is_some_and(|base| base.name == variant.name);
        let nothing = variant.outcomes.claimed == 0 && variant.outcomes.planned() > 0;
        let conclusion = if is_base && !service_level {
            // Nothing to compare with.
            nothing.then_some(Conclusion::Invalid)?
        } else {
            (nothing || share_of(variant) > base_share + ERRORS).then_some(Conclusion::Regression)?
        };
        let outcomes = &variant.outcomes;
        let refused: Vec<String> =
            outcomes.refused.iter().map(|(code, n)| format!(", {n} refused with {code}")).collect();
        let text = format!(
            "{} of {} claims of {} did not succeed{}",
            unsuccessful(result, variant, service_level),
            outcomes.planned(),
            variant.name,
            refused.concat()
        );
        Some((variant, Finding { conclusion, text }))
    })
}

/// What a healthy run does not show. Races that were lost are part of a scenario with contenders, and grants that
/// expired of one that leaves them to (`grant.unconsumed`); in any other they are claims that did not succeed. A claim
/// that was not sent misses a service level; between variants it says nothing, since an execution that one of them
/// failed to claim is missing for the other as well.
fn unsuccessful(result: &RunResult, variant: &VariantSummary, service_level: bool) -> u64 {
    let (outcomes, scenario) = (&variant.outcomes, &result.record.scenario);
    let expired = if scenario.grant.unconsumed == 0.0 { outcomes.expired } else { 0 };
    let lost = if scenario.load.contenders == 1 { outcomes.lost_race } else { 0 };
    outcomes.errors()
        + expired
        + lost
        + if service_level { outcomes.dropped + outcomes.empty_stock } else { 0 }
}

/// Applies a policy to a series of runs of one scenario. What varies is judged over all runs; a fault, a call more and
/// a missed service level count wherever they were seen: no run is dropped for what it found.
pub fn gate_repeated(results: &[RunResult], repeated: &Repeated, policy: &GatePolicy) -> Gate {
    let mut findings = Vec::new();
    if let Some(wanted) = repeated.wanted.filter(|wanted| (results.len() as u64) < *wanted) {
        let text = format!(
            "{} of {wanted} runs were made: a series that was cut short is not judged",
            results.len()
        );
        findings.push(Finding { conclusion: Conclusion::Invalid, text });
    }
    for (n, result) in results.iter().enumerate() {
        let mut found = gate(result, &GatePolicy { enforce: false, ..*policy }).findings;
        if policy.enforce && found.is_empty() {
            found.extend(error_findings(result, policy.response_p99.is_some()).map(|(_, finding)| finding));
            found.extend(exact_findings(result));
            found.extend(policy.response_p99.into_iter().flat_map(|bound| slo_findings(result, bound)));
        }
        findings.extend(
            found
                .into_iter()
                .map(|finding| Finding { text: format!("run {}: {}", n + 1, finding.text), ..finding }),
        );
    }
    if policy.enforce {
        findings.extend(repeated_findings(repeated));
        if repeated.comparisons.is_empty() && policy.response_p99.is_none() {
            findings.push(nothing_judged());
        }
    }
    Gate::new(findings, policy)
}

fn repeated_findings(repeated: &Repeated) -> Vec<Finding> {
    if let Some(control) = repeated.control.filter(|_| !repeated.control_passed) {
        let text = format!("over all runs the baseline differs from itself by {}", within(&control));
        return vec![Finding { conclusion: Conclusion::Inconclusive, text }];
    }
    let finding = |c: &super::RepeatedComparison| {
        let conclusion = conclusion(c.verdict)?;
        let amount = amount(c.ratio.as_ref(), c.too_few.as_ref());
        let text = format!("{} of {} against {} over all runs: {amount}", c.metric, c.candidate, c.baseline);
        Some(Finding { conclusion, text })
    };
    repeated.comparisons.iter().filter_map(finding).collect()
}

/// What a verdict amounts to, where it amounts to anything.
fn conclusion(verdict: Verdict) -> Option<Conclusion> {
    match verdict {
        Verdict::Regression => Some(Conclusion::Regression),
        Verdict::Inconclusive => Some(Conclusion::Inconclusive),
        Verdict::Improvement | Verdict::NoChange => None,
    }
}

fn amount(ratio: Option<&Estimate>, too_few: Option<&TooFew>) -> String {
    match (ratio, too_few) {
        (Some(ratio), _) => within(ratio),
        (None, Some(reason)) => reason.to_string(),
        (None, None) => "no estimate".to_owned(),
    }
}

fn within(ratio: &Estimate) -> String {
    let percent = |ratio: f64| 100.0 * (ratio - 1.0);
    format!("{:+.2} % [{:+.2}, {:+.2}]", percent(ratio.estimate), percent(ratio.low), percent(ratio.high))
}

fn nothing_judged() -> Finding {
    let text = "nothing was judged: the gate needs a second [[variant]] or an [slo]".to_owned();
    Finding { conclusion: Conclusion::Inconclusive, text }
}

fn verdict_findings(result: &RunResult) -> Vec<Finding> {
    // A failed control has made every verdict inconclusive; its reason is the one to tell.
    if let Some(control) = result.control.as_ref().filter(|control| !control.passed) {
        let text = control.reason.clone().unwrap_or_else(|| "the control failed".to_owned());
        return vec![Finding { conclusion: Conclusion::Inconclusive, text }];
    }
    let threshold = result.record.scenario.compare.as_ref().map_or(0.0, |compare| compare.noise_threshold);
    let finding = |comparison: &Comparison| {
        let conclusion = conclusion(comparison.verdict)?;
        if conclusion == Conclusion::Inconclusive && cannot_be_worse(comparison, threshold) {
            return None;
        }
        let amount = amount(comparison.ratio.as_ref(), comparison.too_few.as_ref());
        let text = format!(
            "{} of {} against {}: {amount}",
            comparison.metric, comparison.candidate, comparison.baseline
        );
        Some(Finding { conclusion, text })
    };
    result.comparisons.iter().filter_map(finding).collect()
}

/// Whether the whole interval lies on the side of a regression's threshold where none is: whether the metric got better
/// or stayed as it is may be open, but not that it got no worse.
fn cannot_be_worse(comparison: &Comparison, threshold: f64) -> bool {
    let Some(ratio) = comparison.ratio else { return false };
    match comparison.metric.row().direction {
        Direction::LowerIsBetter => ratio.high < 1.0 + threshold,
        Direction::HigherIsBetter => ratio.low > 1.0 / (1.0 + threshold),
    }
}

/// Exact metrics of arms that claim the same way: nothing but the library differs, so each has to be equal, and more
/// of anything is a regression. Arms that claim in different ways differ by design.
pub(crate) fn judged_exact(result: &RunResult) -> impl Iterator<Item = &ExactMetric> {
    let path_of = |name: &str| result.variants.iter().find(|v| v.name == name).map(|v| v.path);
    result.exact.iter().filter(move |exact| path_of(&exact.baseline) == path_of(&exact.candidate))
}

fn exact_findings(result: &RunResult) -> impl Iterator<Item = Finding> {
    judged_exact(result).filter(|exact| exact.is_more()).map(|exact| Finding {
        conclusion: Conclusion::Regression,
        text: format!(
            "{} of {} {} → {} per claim, against {}",
            exact.metric,
            exact.candidate,
            per_claim(exact.baseline_value),
            per_claim(exact.candidate_value),
            exact.baseline
        ),
    })
}

/// A count per claim: whole where it is.
fn per_claim(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn slo_findings(result: &RunResult, bound: Duration) -> impl Iterator<Item = Finding> {
    service_levels(result, bound).filter(|level| !level.kept()).map(|level| Finding {
        conclusion: Conclusion::Regression,
        text: format!(
            "{} answers within {:.0} us at p99, the service level is {:.0} us",
            level.variant.name, level.p99_us, level.bound_us
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
    use super::*;
    use crate::record::{Aborted, Fault, RunRecord};
    use crate::scenario::{Metric, MetricName};

    const ENFORCED: GatePolicy = GatePolicy { enforce: true, response_p99: None };

    fn result(arms: &[SimulatedArm], change: impl FnOnce(&mut RunRecord)) -> RunResult {
        let mut record = record(arms, 3);
        change(&mut record);
        analyse_as(record, &scenario(arms))
    }

    fn code(result: &RunResult, policy: GatePolicy) -> u8 {
        gate(result, &policy).conclusion.exit_code()
    }

    #[test]
    fn a_slower_arm_fires_only_where_the_gate_is_enforced() {
        let slower = result(&[GRANT_LANE, HGET_LANE], |_| ());
        assert_eq!(code(&slower, GatePolicy { enforce: false, response_p99: None }), 0);
        let gate = gate(&slower, &ENFORCED);
        assert_eq!(gate.conclusion.exit_code(), 1);
        assert!(
            gate.findings[0].text.starts_with("service_p50 of hget-lane against grant-lane: +"),
            "{gate:?}"
        );
    }

    #[test]
    fn equal_arms_stay_quiet() {
        let mut equal = result(&[GRANT_LANE, TWIN], |_| ());
        // p99 is too noisy in a run this small; what it says is the next test's.
        equal.comparisons.retain(|comparison| comparison.metric != Metric::ServiceP99);
        let gate = gate(&equal, &ENFORCED);
        assert_eq!((gate.conclusion, gate.findings), (Conclusion::Pass, vec![]));
    }

    #[test]
    fn what_cannot_be_said_is_inconclusive() {
        let short = result(&[GRANT_LANE, TWIN], |record| record.strata.truncate(40));
        assert_eq!(code(&short, ENFORCED), 3);
        let alone = result(&[GRANT_LANE], |_| ());
        assert_eq!(code(&alone, ENFORCED), 3);
    }

    #[test]
    fn a_failed_control_stops_even_a_clear_regression() {
        let vetoed = result(&[GRANT_LANE, HGET_LANE], |record| {
            for stratum in record.strata.iter_mut().filter(|stratum| stratum.control) {
                stratum.sides[1].service.0.iter_mut().for_each(|ticks| *ticks += *ticks / 10);
            }
        });
        let gate = gate(&vetoed, &ENFORCED);
        assert_eq!(gate.conclusion.exit_code(), 3);
        assert!(gate.findings[0].text.contains("differs from itself"), "{gate:?}");
    }

    #[test]
    fn an_invalid_run_is_invalid_whatever_it_found() {
        let invalid = result(&[GRANT_LANE, HGET_LANE], |record| {
            record.faults.push(Fault::Infrastructure { detail: "a node went away".into() });
        });
        assert_eq!(gate(&invalid, &ENFORCED).findings.len(), 1);
        assert_eq!(code(&invalid, ENFORCED), 2);
        assert_eq!(code(&invalid, GatePolicy { enforce: false, response_p99: None }), 2);
    }

    #[test]
    fn one_more_call_inside_the_function_is_a_regression_and_one_fewer_is_not() {
        let calls = |more: bool| {
            result(&[GRANT_LANE, TWIN], |record| {
                for block in record.blocks.iter_mut().filter(|block| block.arm == 1) {
                    let hset = block.counters.calls.get_mut("hset").unwrap();
                    if more { *hset += block.claims } else { *hset -= block.claims }
                }
            })
        };
        let gate = gate(&calls(true), &ENFORCED);
        assert!(
            gate.findings.iter().any(|f| f.text.starts_with("calls.hset of twin 3 → 4 per claim")),
            "{gate:?}"
        );
        assert_eq!(gate.conclusion, Conclusion::Regression);
        assert_ne!(code(&calls(false), ENFORCED), 1);
    }

    #[test]
    fn a_series_is_judged_over_all_its_runs() {
        let code = |results: &[RunResult], policy| {
            gate_repeated(results, &super::super::repeat(results, results.len() as u64), &policy)
                .conclusion
                .exit_code()
        };
        let seeds = |arms: &[SimulatedArm]| -> Vec<RunResult> {
            (0..4)
                .map(|seed| analyse_as(super::super::fixtures::record(arms, seed), &scenario(arms)))
                .collect()
        };
        let mut slower = seeds(&[GRANT_LANE, HGET_LANE]);
        assert_eq!(code(&slower, ENFORCED), 1);
        assert_eq!(code(&slower, GatePolicy { enforce: false, response_p99: None }), 0);
        assert_eq!(code(&slower[..2], ENFORCED), 3, "two runs say nothing about runs");
        let cut = gate_repeated(
            &slower,
            &super::super::repeat(&slower, 5),
            &GatePolicy { enforce: false, ..ENFORCED },
        );
        assert_eq!(cut.conclusion, Conclusion::Invalid, "{cut:?}");
        assert!(cut.findings[0].text.starts_with("4 of 5 runs"), "{cut:?}");
        slower[3].valid = false;
        assert_eq!(code(&slower, ENFORCED), 2);
        let mut equal = seeds(&[GRANT_LANE, TWIN]);
        for run in &mut equal {
            run.comparisons.retain(|comparison| comparison.metric == Metric::ServiceP50);
        }
        assert_eq!(code(&equal, ENFORCED), 0);
        let exact =
            equal[2].exact.iter_mut().find(|exact| exact.metric == MetricName::calls("hset")).unwrap();
        (exact.equal, exact.candidate_value) = (false, exact.baseline_value + 1.0);
        assert_eq!(code(&equal, ENFORCED), 1, "one call more in one of the runs");
    }

    #[test]
    fn claims_that_fail_fire_although_no_time_shows_them() {
        let failing = |arm: usize, failed: u64| {
            result(&[GRANT_LANE, TWIN], |record| record.arms[arm].outcomes.failed = failed)
        };
        let clean = gate(&failing(1, 0), &ENFORCED);
        assert!(clean.findings.iter().all(|finding| !finding.text.contains("did not succeed")), "{clean:?}");
        let some = gate(&failing(1, 100), &ENFORCED);
        assert_eq!(some.conclusion, Conclusion::Regression);
        assert!(
            some.findings[0].text.contains("100 of") && some.findings[0].text.contains("twin"),
            "{some:?}"
        );
        assert_ne!(
            gate(&failing(0, 100), &ENFORCED).conclusion,
            Conclusion::Regression,
            "the baseline's own"
        );
        let both = result(&[GRANT_LANE, TWIN], |record| {
            record.arms[1].outcomes.failed = 100;
            record.arms[0].outcomes.empty_stock = 300;
        });
        assert_eq!(
            gate(&both, &ENFORCED).conclusion,
            Conclusion::Regression,
            "the other arm kept its grants"
        );
        let none = result(&[GRANT_LANE, TWIN], |record| {
            let outcomes = &mut record.arms[1].outcomes;
            (outcomes.failed, outcomes.claimed) = (outcomes.claimed, 0);
        });
        assert_eq!(gate(&none, &ENFORCED).conclusion, Conclusion::Invalid, "nothing was measured");
        let level = GatePolicy { enforce: true, response_p99: Some(Duration::from_secs(1)) };
        let alone = result(&[GRANT_LANE], |record| record.arms[0].outcomes.timed_out = 5_000);
        assert_eq!(gate(&alone, &level).conclusion, Conclusion::Regression);
        let expired = result(&[GRANT_LANE], |record| record.arms[0].outcomes.expired = 500);
        let said = gate(&expired, &level);
        assert!(said.findings[0].text.starts_with("500 of 6500 claims"), "{said:?}");
        let on_purpose = result(&[GRANT_LANE], |record| {
            record.arms[0].outcomes.expired = 500;
            record.scenario.grant.unconsumed = 0.1;
        });
        assert_eq!(gate(&on_purpose, &level).conclusion, Conclusion::Pass);
    }

    #[test]
    fn a_run_that_its_service_level_ended_fails_with_and_without_a_gate() {
        let ended = result(&[GRANT_LANE], |record| {
            record.partial = true;
            record.aborted = Some(Aborted { limit_us: 1e6, seconds: 5, after_s: 12.34 });
        });
        let gate = gate(&ended, &GatePolicy { enforce: false, response_p99: None });
        assert_eq!(gate.conclusion, Conclusion::Regression);
        assert!(
            gate.findings[0].text.ends_with("5 seconds on end, which ended the run after 12.3 s"),
            "{gate:?}"
        );
        assert_eq!(code(&ended, ENFORCED), 1);
    }

    #[test]
    fn an_interrupted_run_is_not_judged() {
        let stopped = result(&[GRANT_LANE, HGET_LANE], |record| record.partial = true);
        let gate = gate(&stopped, &ENFORCED);
        assert_eq!((gate.conclusion, gate.findings.len()), (Conclusion::Invalid, 1), "{gate:?}");
    }

    #[test]
    fn what_may_be_better_and_cannot_be_worse_passes() {
        let mut better = result(&[GRANT_LANE, TWIN], |_| ());
        better.comparisons.retain(|comparison| comparison.metric == Metric::ServiceP50);
        let change = |result: &mut RunResult, low: f64, high: f64| {
            let comparison = &mut result.comparisons[0];
            comparison.verdict = Verdict::Inconclusive;
            comparison.ratio =
                Some(Estimate { estimate: f64::midpoint(low, high), low, high, confidence: 0.95 });
        };
        change(&mut better, 0.8, 1.001);
        assert_eq!(code(&better, ENFORCED), 0);
        change(&mut better, 0.99, 1.2);
        assert_eq!(code(&better, ENFORCED), 3);
    }

    #[test]
    fn a_missed_service_level_fires() {
        let run = result(&[GRANT_LANE], |_| ());
        let level = |us: u64| GatePolicy { enforce: true, response_p99: Some(Duration::from_micros(us)) };
        assert_eq!(code(&run, level(100)), 1);
        assert_eq!(code(&run, level(100_000)), 0);
    }
}
