//! What the whole analysis says of a run: what was planted is found, and said.

use std::time::Duration;

use super::super::Comparison;
use super::super::fixtures::{GRANT_LANE, HGET_LANE, TWIN, record, scenario};
use super::super::result::Verdict;
use super::*;
use crate::record::{Samples, Warning};
use crate::scenario::Metric;

pub(super) fn analysed(change: impl FnOnce(&mut RunRecord, &mut Scenario)) -> RunResult {
    let arms = [GRANT_LANE, HGET_LANE];
    let (mut record, mut scenario) = (record(&arms, 1), scenario(&arms));
    change(&mut record, &mut scenario);
    analyse_as(record, &scenario)
}

pub(super) fn verdict_of(result: &RunResult, metric: Metric) -> &Comparison {
    result.comparisons.iter().find(|c| c.metric == metric).unwrap()
}

#[test]
fn a_slower_arm_is_a_regression_with_the_planted_size() {
    let result = analysed(|_, _| ());
    assert!(result.valid, "{:?}", result.invalid_reasons);
    assert_eq!(result.warnings, []);
    let p50 = verdict_of(&result, Metric::ServiceP50);
    assert_eq!(p50.verdict, Verdict::Regression);
    assert!(p50.ratio.unwrap().contains(1.2), "{p50:?}");
    assert!(p50.p_value.unwrap() < 0.01 && p50.detectable.unwrap() < 0.05);
    assert_eq!(verdict_of(&result, Metric::ServiceP99).verdict, Verdict::Regression);
    let cpu = verdict_of(&result, Metric::ServerCpu);
    assert!(cpu.ratio.unwrap().contains(1.25), "{cpu:?}");
    assert!(result.control.as_ref().unwrap().passed, "{:?}", result.control);
    assert!(result.variants[0].service_us.unwrap().p50_interval.is_some());
    let hget: Vec<f64> = result.variants.iter().map(|v| v.server.commands_per_claim["hget"]).collect();
    assert_eq!(hget, [1.0, 2.0]);
    let unequal: Vec<_> = result.exact.iter().filter(|e| !e.equal).map(|e| e.metric.to_string()).collect();
    assert_eq!(unequal, ["round_trips", "commands", "request_bytes", "reply_bytes", "calls.hget"]);
}

/// The same bare round trips under both sides of every ratio.
#[test]
fn one_question_in_two_units_is_asked_once() {
    let asked = |metrics: &[Metric]| {
        analysed(|record, scenario| {
            scenario.compare.as_mut().unwrap().metrics = metrics.to_vec();
            for stratum in &mut record.strata {
                let mut ruler = Samples::default();
                (0..5).for_each(|_| ruler.push(Duration::from_micros(50)));
                stratum.ruler = Some(ruler);
            }
        })
    };
    let p = |result: &RunResult, metric| verdict_of(result, metric).p_value.unwrap();
    let (once, twice) = (
        asked(&[Metric::ServiceP50, Metric::ServerCpu]),
        asked(&[Metric::ServiceP50, Metric::ServerCpu, Metric::ServiceP50RoundTrips]),
    );
    for metric in [Metric::ServiceP50, Metric::ServerCpu] {
        assert!((p(&once, metric) - p(&twice, metric)).abs() < 1e-12, "{metric:?}");
    }
    assert!((p(&twice, Metric::ServiceP50) - p(&twice, Metric::ServiceP50RoundTrips)).abs() < 1e-12);
}

#[test]
fn equal_arms_show_no_change() {
    let arms = [GRANT_LANE, TWIN];
    let result = analyse_as(record(&arms, 2), &scenario(&arms));
    assert_eq!(verdict_of(&result, Metric::ServiceP50).verdict, Verdict::NoChange);
    assert!(result.exact.iter().all(|exact| exact.equal), "{:?}", result.exact);
}

#[test]
fn an_analysis_can_be_repeated() {
    let first = analysed(|_, _| ());
    let text = serde_json::to_string(&first).unwrap();
    let stored: RunResult = serde_json::from_str(&text).unwrap();
    assert_eq!(analyse(stored.record).unwrap(), first);
}

#[test]
fn p99_needs_five_thousand_claims_per_arm() {
    let result = analysed(|record, _| record.strata.truncate(90));
    let p99 = verdict_of(&result, Metric::ServiceP99);
    assert_eq!(p99.verdict, Verdict::Inconclusive);
    assert_eq!(p99.too_few.as_ref().unwrap().to_string(), "needs at least 5000 claims per arm, has 4500");
    assert!(p99.baseline_value > 0.0);
}

#[test]
fn what_a_reader_should_know_is_said() {
    let result = analysed(|record, scenario| {
        record.tool.debug_build = true;
        record.partial = true;
        record.arms[1].outcomes.failed = 7;
        scenario.compare.as_mut().unwrap().metrics.push(Metric::ResponseP99);
    });
    assert!(result.warnings.contains(&Warning::DebugBuild));
    assert!(result.warnings.iter().any(|w| matches!(w, Warning::Errors { errors: 7, .. })));
    let missing = Warning::NotMeasured { metric: "response_p99".into(), arm: "hget-lane".into() };
    for expected in [Warning::Interrupted, missing] {
        assert!(result.warnings.contains(&expected), "{expected:?}: {:?}", result.warnings);
    }
}
