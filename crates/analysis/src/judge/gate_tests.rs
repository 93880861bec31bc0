use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
use super::super::{analyse, analyse_as, fault_fixture};
use super::*;
use crate::judge::{Clock, ControlFailure, Untold};
use crate::record::{Aborted, InvalidReason, RunRecord};
use crate::scenario::{Metric, MetricName};
use crate::stats::Estimate;

const ENFORCED: GatePolicy = GatePolicy { enforce: true, response_p99: None, recovery: None };

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
    assert_eq!(code(&slower, GatePolicy { enforce: false, response_p99: None, recovery: None }), 0);
    let gate = gate(&slower, &ENFORCED);
    assert_eq!(gate.conclusion.exit_code(), 1);
    assert!(
        matches!(
            &gate.findings[0].cause,
            Cause::Metric { metric: Metric::ServiceP50, candidate, ratio: Ok(ratio), .. }
                if candidate == "hget-lane" && ratio.low > 1.0
        ),
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

/// A run of a scenario that names these metrics.
fn named(arms: &[SimulatedArm], seed: u64, metrics: &[Metric], change: fn(&mut RunRecord)) -> RunResult {
    let mut record = record(arms, seed);
    let names = metrics.iter().map(|metric| metric.name().to_owned()).collect();
    record.scenario.compare.as_mut().unwrap().metrics = names;
    change(&mut record);
    analyse(record).unwrap()
}

/// The servers' CPU time is no work then, and is left out.
fn main_threads_poll(record: &mut RunRecord) {
    record.environment.valkey.io_threads = 4;
    record.environment.valkey.version = "8.1.3".to_owned();
}

/// By which metrics nothing was compared as the gate of a run or a series says, and whether they were withheld.
fn missed(gate: &Gate) -> Vec<(Metric, &str, bool)> {
    let findings = gate.findings.iter().filter_map(|finding| match &finding.cause {
        Cause::NotCompared { metric, candidate, withheld, .. } => {
            Some((*metric, candidate.as_str(), *withheld))
        }
        _ => None,
    });
    findings.collect()
}

#[test]
fn a_metric_that_was_named_and_could_not_be_compared_is_no_pass() {
    let twins = [GRANT_LANE, TWIN];
    let cpu = [Metric::ServiceP50, Metric::ServerCpu];
    assert_eq!(code(&named(&twins, 3, &cpu, |_| ()), ENFORCED), 0);
    let polled = named(&twins, 3, &cpu, main_threads_poll);
    assert!(polled.valid, "{:?}", polled.invalid_reasons);
    let withheld = gate(&polled, &ENFORCED);
    assert_eq!(withheld.conclusion, Conclusion::Inconclusive, "{withheld:?}");
    assert_eq!(missed(&withheld), [(Metric::ServerCpu, "twin", true)]);
    assert_eq!(code(&polled, GatePolicy { enforce: false, ..ENFORCED }), 0);
    // A closed loop has no response times.
    let never = gate(&named(&twins, 3, &[Metric::ServiceP50, Metric::ResponseP99], |_| ()), &ENFORCED);
    assert_eq!(never.conclusion, Conclusion::Inconclusive, "{never:?}");
    assert_eq!(missed(&never), [(Metric::ResponseP99, "twin", false)]);
    let three = gate(&named(&[GRANT_LANE, TWIN, HGET_LANE], 3, &cpu, main_threads_poll), &ENFORCED);
    let each = ["twin", "hget-lane"].map(|candidate| (Metric::ServerCpu, candidate, true));
    assert_eq!((three.conclusion, missed(&three)), (Conclusion::Regression, each.to_vec()));
}

#[test]
fn what_nobody_named_or_another_metric_answers_is_not_missed() {
    let twins = [GRANT_LANE, TWIN];
    // Without bare round trips: the median's ratio is the same in both units.
    let medians = [Metric::ServiceP50, Metric::ServiceP50RoundTrips];
    let answered = gate(&named(&twins, 3, &medians, |_| ()), &ENFORCED);
    assert_eq!((answered.conclusion, answered.findings), (Conclusion::Pass, vec![]));
    let alone = gate(&named(&twins, 3, &medians[1..], |_| ()), &ENFORCED);
    assert_eq!(missed(&alone), [(Metric::ServiceP50RoundTrips, "twin", false)]);
    let by_default = result(&twins, main_threads_poll);
    assert!(by_default.comparisons.iter().all(|one| one.metric != Metric::ServerCpu));
    assert_eq!(missed(&gate(&by_default, &ENFORCED)), []);
}

#[test]
fn a_series_misses_what_none_of_its_runs_compared() {
    let series = |polling: u64| {
        let cpu = [Metric::ServiceP50, Metric::ServerCpu];
        let run = |seed: u64| {
            let change: fn(&mut RunRecord) = if seed < polling { main_threads_poll } else { |_| () };
            named(&[GRANT_LANE, TWIN], seed, &cpu, change)
        };
        let results: Vec<RunResult> = (0..4).map(run).collect();
        gate_repeated(&results, &super::super::repeat(&results, 4), &ENFORCED)
    };
    let none = series(4);
    assert_eq!(none.conclusion, Conclusion::Inconclusive, "{none:?}");
    assert_eq!(missed(&none), [(Metric::ServerCpu, "twin", true)]);
    assert_eq!(none.findings[0].run, None, "of all runs");
    // Three of four runs are enough, the first not among them.
    assert_eq!([0, 1].map(|polling| series(polling).findings), [vec![], vec![]]);
    let one = series(3);
    assert_eq!((one.conclusion, missed(&one)), (Conclusion::Inconclusive, vec![]), "too few runs");
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
    let differs = Cause::ControlFailed { failure: vetoed.control.unwrap().failure };
    assert!(matches!(&differs, Cause::ControlFailed { failure: Some(ControlFailure::Differs { .. }) }));
    assert_eq!(gate.findings[0].cause, differs);
}

#[test]
fn an_invalid_run_is_invalid_whatever_it_found() {
    let invalid = result(&[GRANT_LANE, HGET_LANE], |record| {
        record.invalid_reasons.push(InvalidReason::Infrastructure { detail: "a node went away".into() });
    });
    assert_eq!(gate(&invalid, &ENFORCED).findings.len(), 1);
    assert_eq!(code(&invalid, ENFORCED), 2);
    assert_eq!(code(&invalid, GatePolicy { enforce: false, response_p99: None, recovery: None }), 2);
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
    let more = |finding: &Finding| match &finding.cause {
        Cause::MoreOf { metric, candidate, candidate_value, .. } => {
            *metric == MetricName::calls("hset")
                && candidate == "twin"
                && (candidate_value - 4.0).abs() < 0.005
        }
        _ => false,
    };
    assert!(gate.findings.iter().any(more), "{gate:?}");
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
        (0..4).map(|seed| analyse_as(super::super::fixtures::record(arms, seed), &scenario(arms))).collect()
    };
    let mut slower = seeds(&[GRANT_LANE, HGET_LANE]);
    assert_eq!(code(&slower, ENFORCED), 1);
    assert_eq!(code(&slower, GatePolicy { enforce: false, response_p99: None, recovery: None }), 0);
    assert_eq!(code(&slower[..2], ENFORCED), 3, "two runs say nothing about runs");
    let cut =
        gate_repeated(&slower, &super::super::repeat(&slower, 5), &GatePolicy { enforce: false, ..ENFORCED });
    assert_eq!(cut.conclusion, Conclusion::Invalid, "{cut:?}");
    assert_eq!(cut.findings[0].cause, Cause::CutShort { made: 4, wanted: 5 });
    slower[3].valid = false;
    assert_eq!(code(&slower, ENFORCED), 2);
    let mut equal = seeds(&[GRANT_LANE, TWIN]);
    for run in &mut equal {
        run.comparisons.retain(|comparison| comparison.metric == Metric::ServiceP50);
    }
    assert_eq!(code(&equal, ENFORCED), 0);
    let exact = equal[2].exact.iter_mut().find(|exact| exact.metric == MetricName::calls("hset")).unwrap();
    (exact.equal, exact.candidate_value) = (false, exact.baseline_value + 1.0);
    assert_eq!(code(&equal, ENFORCED), 1, "one call more in one of the runs");
}

#[test]
fn claims_that_fail_fire_although_no_time_shows_them() {
    let failing = |arm: usize, failed: u64| {
        result(&[GRANT_LANE, TWIN], |record| record.arms[arm].outcomes.failed = failed)
    };
    let clean = gate(&failing(1, 0), &ENFORCED);
    let unsuccessful = |finding: &Finding| match &finding.cause {
        Cause::Unsuccessful { variant, claims, of, .. } => Some((variant.clone(), *claims, *of)),
        _ => None,
    };
    assert_eq!(clean.findings.iter().find_map(unsuccessful), None);
    let some = gate(&failing(1, 100), &ENFORCED);
    assert_eq!(some.conclusion, Conclusion::Regression);
    let found = unsuccessful(&some.findings[0]);
    assert!(matches!(&found, Some((variant, 100, _)) if variant == "twin"), "{some:?}");
    assert_ne!(gate(&failing(0, 100), &ENFORCED).conclusion, Conclusion::Regression, "the baseline's own");
    let both = result(&[GRANT_LANE, TWIN], |record| {
        record.arms[1].outcomes.failed = 100;
        record.arms[0].outcomes.empty_stock = 300;
    });
    assert_eq!(gate(&both, &ENFORCED).conclusion, Conclusion::Regression, "the other arm kept its grants");
    let none = result(&[GRANT_LANE, TWIN], |record| {
        let outcomes = &mut record.arms[1].outcomes;
        (outcomes.failed, outcomes.claimed) = (outcomes.claimed, 0);
    });
    assert_eq!(gate(&none, &ENFORCED).conclusion, Conclusion::Invalid, "nothing was measured");
    let level = GatePolicy { enforce: true, response_p99: Some(Duration::from_secs(1)), recovery: None };
    let alone = result(&[GRANT_LANE], |record| record.arms[0].outcomes.timed_out = 5_000);
    assert_eq!(gate(&alone, &level).conclusion, Conclusion::Regression);
    let expired = result(&[GRANT_LANE], |record| record.arms[0].outcomes.expired = 500);
    let said = gate(&expired, &level);
    assert_eq!(unsuccessful(&said.findings[0]), Some(("grant-lane".to_owned(), 500, 6500)));
    let on_purpose = result(&[GRANT_LANE], |record| {
        record.arms[0].outcomes.expired = 500;
        record.scenario.grant.unconsumed = 0.1;
    });
    assert_eq!(gate(&on_purpose, &level).conclusion, Conclusion::Pass);
}

#[test]
fn a_run_that_its_service_level_ended_fails_with_and_without_a_gate() {
    let aborted = Aborted { limit_us: 1e6, seconds: 5, after_s: 12.34 };
    let ended = result(&[GRANT_LANE], |record| {
        record.partial = true;
        record.aborted = Some(aborted);
    });
    let gate = gate(&ended, &GatePolicy { enforce: false, response_p99: None, recovery: None });
    assert_eq!(
        (gate.conclusion, &gate.findings[0].cause),
        (Conclusion::Regression, &Cause::Aborted(aborted))
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
        comparison.ratio = Some(Estimate { estimate: f64::midpoint(low, high), low, high, confidence: 0.95 });
    };
    change(&mut better, 0.8, 1.001);
    assert_eq!(code(&better, ENFORCED), 0);
    change(&mut better, 0.99, 1.2);
    assert_eq!(code(&better, ENFORCED), 3);
    // Two clusters of one server differ as well, by as much as the verdict allowed for.
    let threshold = better.record.scenario.compare.as_ref().unwrap().noise_threshold;
    change(&mut better, 0.99, 1.0 + 0.8 * threshold);
    assert_eq!(code(&better, ENFORCED), 0);
    better.control.as_mut().unwrap().allowance = Some(0.5 * threshold);
    assert_eq!(code(&better, ENFORCED), 3);
}

#[test]
fn a_series_that_cannot_be_worse_passes_as_a_run_does() {
    let runs: Vec<RunResult> = (0..4)
        .map(|seed| {
            analyse_as(
                super::super::fixtures::record(&[GRANT_LANE, TWIN], seed),
                &scenario(&[GRANT_LANE, TWIN]),
            )
        })
        .collect();
    let code = |low: f64, high: f64| {
        let mut repeated = super::super::repeat(&runs, runs.len() as u64);
        repeated.comparisons.retain(|comparison| comparison.metric == Metric::ServiceP50);
        repeated.comparisons[0].verdict = Verdict::Inconclusive;
        repeated.comparisons[0].ratio =
            Some(Estimate { estimate: f64::midpoint(low, high), low, high, confidence: 0.95 });
        gate_repeated(&runs, &repeated, &ENFORCED).conclusion.exit_code()
    };
    assert_eq!((code(0.8, 1.001), code(0.99, 1.2)), (0, 3));
}

#[test]
fn a_missed_service_level_fires() {
    let run = result(&[GRANT_LANE], |_| ());
    let level =
        |us: u64| GatePolicy { enforce: true, response_p99: Some(Duration::from_micros(us)), recovery: None };
    let missed = gate(&run, &level(100));
    assert_eq!(missed.conclusion.exit_code(), 1);
    // A closed loop has no response time, and the finding says by which clock it was judged.
    assert!(
        matches!(missed.findings[0].cause, Cause::ServiceLevel { clock: Clock::Service, late: None, .. }),
        "{missed:?}"
    );
    assert_eq!(code(&run, level(100_000)), 0);
}

#[test]
fn a_service_level_that_a_run_cannot_tell_is_inconclusive() {
    let run = result(&[GRANT_LANE], |_| ());
    let p99_us = run.variants[0].service_us.as_ref().unwrap().p99;
    let response_p99 = Some(Duration::from_secs_f64(p99_us / 1e6));
    let gate = gate(&run, &GatePolicy { enforce: true, response_p99, recovery: None });
    assert_eq!(gate.conclusion.exit_code(), 3);
    let [Finding { cause: Cause::ServiceLevelUntold { claims, interval, .. }, .. }] =
        gate.findings.as_slice()
    else {
        panic!("{gate:?}")
    };
    assert_eq!(*claims, 6_000);
    assert!(interval.as_ref().is_ok_and(|interval| interval.contains(p99_us)), "{interval:?}");
}

#[test]
fn a_fault_that_takes_too_long_to_recover_from_fires() {
    let run = |struck_s: f64, outage_s: f64| analyse(fault_fixture::outage(struck_s, outage_s)).unwrap();
    let level = |seconds: u64| GatePolicy {
        enforce: true,
        response_p99: None,
        recovery: Some(Duration::from_secs(seconds)),
    };
    let run_of_two = run(8.0, 2.05);
    assert!(run_of_two.valid, "{:?}", run_of_two.invalid_reasons);
    assert_eq!([code(&run_of_two, level(3)), code(&run_of_two, level(2))], [0, 1]);
    assert_eq!(code(&run_of_two, GatePolicy { enforce: false, ..level(2) }), 0);
    // It never came back, and nothing says what it was before.
    assert_eq!(code(&run(8.0, 20.0), level(3)), 1);
    assert_eq!(code(&run(0.5, 1.0), level(3)), 3);
}

/// When a restless run was as before nobody can tell, but while nothing succeeds it is not.
#[test]
fn an_outage_longer_than_its_recovery_may_take_fires_however_restless_the_run_was() {
    let run = analyse(fault_fixture::restless(8.0, 2.05)).unwrap();
    let judged = |seconds: u64| {
        let recovery = Some(Duration::from_secs(seconds));
        gate(&run, &GatePolicy { enforce: true, response_p99: None, recovery })
    };
    assert_eq!([1, 2, 3].map(|seconds| judged(seconds).conclusion.exit_code()), [1, 3, 3]);
    assert!(
        matches!(judged(1).findings[0].cause, Cause::StillFailing { first_success_s, .. } if first_success_s > 2.0)
    );
}

#[test]
fn claims_that_were_read_to_hold_their_lease_after_a_fault_are_no_failures() {
    let mut record = fault_fixture::outage(8.0, 1.0);
    record.arms[0].outcomes.ambiguous = 90;
    record.injected.as_mut().unwrap().faults[0].settled = 90;
    let level = GatePolicy { enforce: true, response_p99: None, recovery: Some(Duration::from_secs(3)) };
    assert_eq!(code(&analyse(record.clone()).unwrap(), level), 0);
    record.injected.as_mut().unwrap().faults[0].settled = 0;
    assert_eq!(code(&analyse(record).unwrap(), level), 1);
}

/// What would have been missed had the load gone on nobody knows.
#[test]
fn a_fault_that_outlasted_the_load_is_not_judged_and_says_so() {
    let mut record = fault_fixture::outage(8.0, 1.05);
    record.injected.as_mut().unwrap().faults[0].ended_s = Some(23.0);
    let level = GatePolicy { enforce: true, response_p99: None, recovery: Some(Duration::from_secs(3)) };
    let gate = gate(&analyse(record).unwrap(), &level);
    let outlasted = |finding: &Finding| {
        matches!(finding.cause, Cause::RecoveryUnknown { why: Some(Untold::OutlastedLoad), .. })
    };
    assert!(gate.conclusion.exit_code() == 3 && gate.findings.iter().all(outlasted), "{gate:?}");
}

#[test]
fn a_series_that_an_error_ended_is_invalid_for_that() {
    let runs = [result(&[GRANT_LANE], |_| ())];
    for (ended_by, code) in [(Some("no server".to_owned()), 2), (None, 0)] {
        let wanted = if ended_by.is_some() { 3 } else { 1 };
        let repeated = Repeated { ended_by: ended_by.clone(), ..super::super::repeat(&runs, wanted) };
        let policy = GatePolicy { enforce: false, ..ENFORCED };
        let gate = gate_repeated(&runs, &repeated, &policy);
        assert_eq!(gate.conclusion.exit_code(), code, "{gate:?}");
        let broke_off = gate.findings.iter().find_map(|finding| match &finding.cause {
            Cause::BrokeOff { made: 1, wanted: 3, error } => Some(error.clone()),
            _ => None,
        });
        assert_eq!(broke_off, ended_by);
    }
}
