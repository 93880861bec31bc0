use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
use super::super::{analyse, analyse_as, fault_fixture};
use super::*;
use crate::judge::attempt::AttemptRecovery;
use crate::record::{AddedRoundTrip, Histogram, LatencyHistogram, Warning};
use crate::scenario::{FaultKind, HumanDuration, SloSection};

fn runs(arms: &[SimulatedArm], count: u64) -> Vec<RunResult> {
    (0..count).map(|seed| analyse_as(record(arms, seed), &scenario(arms))).collect()
}

fn p50(repeated: &Repeated) -> &RepeatedComparison {
    repeated.comparisons.iter().find(|c| c.metric == Metric::ServiceP50).unwrap()
}

#[test]
fn several_runs_give_one_estimate() {
    let repeated = repeat(&runs(&[GRANT_LANE, HGET_LANE], 4), 4);
    assert!(repeated.valid && repeated.control_passed && repeated.control.is_some());
    let p50 = p50(&repeated);
    assert_eq!((p50.verdict, p50.per_run.len()), (Verdict::Regression, 4));
    assert!(p50.ratio.unwrap().contains(1.2), "{p50:?}");
    assert_ne!(self::p50(&repeat(&runs(&[GRANT_LANE, TWIN], 4), 4)).verdict, Verdict::Regression);
}

#[test]
fn the_next_run_has_an_interval_of_its_own_and_runs_that_differ_too_much_are_named() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 5);
    let quiet = repeat(&results, 5);
    let (mean, next) = (p50(&quiet).ratio.unwrap(), p50(&quiet).next_run.unwrap());
    assert!((mean.estimate - next.estimate).abs() < 1e-12);
    assert!(next.low < mean.low && next.high > mean.high, "{next:?}");
    assert_eq!(p50(&quiet).disagreement(), None, "{:?}", p50(&quiet).agreement);
    for (n, result) in results.iter_mut().enumerate() {
        let shift = 1.0 + 0.03 * n as f64;
        let p50 = result.comparisons.iter_mut().find(|c| c.metric == Metric::ServiceP50).unwrap();
        let ratio = p50.ratio.as_mut().unwrap();
        (ratio.estimate, ratio.low, ratio.high) =
            (ratio.estimate * shift, ratio.low * shift, ratio.high * shift);
    }
    let drifting = repeat(&results, 5);
    let beyond = p50(&drifting).disagreement().unwrap();
    assert!((beyond - 0.045).abs() < 0.015, "{beyond}");
}

#[test]
fn a_saving_has_its_own_intervals_over_runs_in_the_unit_of_its_metric() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 4);
    for (n, result) in results.iter_mut().enumerate() {
        let p50 = result.comparisons.iter_mut().find(|c| c.metric == Metric::ServiceP50).unwrap();
        (p50.baseline_value, p50.candidate_value) = (200.0, 250.0);
        let saved = 50.0 + [-3.0, -1.0, 1.0, 3.0][n];
        p50.difference =
            Some(Estimate { estimate: saved, low: saved - 0.5, high: saved + 0.5, confidence: 0.95 });
    }
    let over_all = p50(&repeat(&results, 4)).difference.clone().unwrap();
    assert_eq!((over_all.baseline_value, over_all.candidate_value), (200.0, 250.0));
    // Spread between runs 2.58, Student's t 3.182 with three degrees of freedom; of the next one, with a
    // run's own.
    let half = |estimate: Estimate| (estimate.estimate, estimate.high - estimate.estimate);
    let (mean, next) = (half(over_all.mean), half(over_all.next_run));
    assert!((mean.0 - 50.0).abs() < 1e-9 && (mean.1 - 4.11).abs() < 0.01, "{mean:?}");
    assert!((next.0 - 50.0).abs() < 1e-9 && (next.1 - 9.19).abs() < 0.01, "{next:?}");
    // What one run does not tell is not made from the others.
    results[1].comparisons.iter_mut().for_each(|c| c.difference = None);
    assert_eq!(p50(&repeat(&results, 4)).difference, None);
    results[1].comparisons.iter_mut().for_each(|c| c.ratio = None);
    assert_eq!(p50(&repeat(&results, 4)).difference.as_ref().map(|d| d.per_run.len()), Some(3));
}

/// The first run compared one candidate by less than the others did, and the other candidate not at all.
#[test]
fn what_the_first_run_does_not_tell_is_told_by_the_others_in_the_scenario_s_order() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE, TWIN], 4);
    let asked = |run: &RunResult| -> Vec<(String, Metric)> {
        run.comparisons.iter().map(|one| (one.candidate.clone(), one.metric)).collect()
    };
    let (in_order, whole) = (asked(&results[1]), repeat(&results, 4));
    assert_eq!(in_order.len(), 6);
    results[0].comparisons.retain(|one| one.candidate == "hget-lane" && one.metric == Metric::ServerCpu);
    let repeated = repeat(&results, 4);
    let told: Vec<(String, Metric)> =
        repeated.comparisons.iter().map(|one| (one.candidate.clone(), one.metric)).collect();
    assert_eq!(told, in_order);
    for (one, of_all) in repeated.comparisons.iter().zip(&whole.comparisons) {
        let is_whole = one.candidate == "hget-lane" && one.metric == Metric::ServerCpu;
        assert_eq!((one.per_run.len(), one.per_run[0].is_some()), (4, is_whole), "{one:?}");
        assert_eq!(one.per_run[1..], of_all.per_run[1..]);
        assert!(one.ratio.is_some() && of_all.ratio.is_some(), "three runs are enough: {one:?}");
    }
    // Of three runs two have it, which are too few: that is said.
    let of_three = repeat(&results[..3], 3);
    let p50 = p50(&of_three);
    assert_eq!(p50.per_run.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(p50.verdict, Verdict::Inconclusive);
    assert!(p50.ratio.is_none() && p50.too_few.is_some(), "{p50:?}");
}

/// What stays beside a whole series is in no spread between its runs; beside single runs it is, and in the
/// next one whole.
#[test]
fn a_series_allows_for_what_ran_beside_it_and_takes_it_for_no_random_error() {
    let arms = [GRANT_LANE, HGET_LANE];
    let series = |busy: &[u64]| {
        let run = |seed: u64| {
            let mut record = record(&arms, seed);
            if busy.contains(&seed) {
                record.warnings.push(Warning::BusyMachine { share: 0.5 });
            }
            analyse_as(record, &scenario(&arms))
        };
        repeat(&(0..4).map(run).collect::<Vec<_>>(), 4)
    };
    let quiet = series(&[]);
    assert_eq!(p50(&quiet).allowed_for_others, None);
    for (busy, of_mean) in [(&[1][..], 0.175), (&[0, 1, 2, 3], 0.7)] {
        let beside = series(busy);
        let [before, after] = [&quiet, &beside].map(p50);
        let allowed = after.allowed_for_others.unwrap();
        assert_eq!((allowed.runs, allowed.of_next_run), (busy.len() as u64, 0.7));
        assert!((allowed.of_mean - of_mean).abs() < 1e-12, "{allowed:?}");
        // Runs agree as well or as badly as before: their random errors are the same.
        let [p_before, p_after] = [before, after].map(|one| one.agreement.unwrap().p_value);
        assert!((p_before - p_after).abs() < 1e-9, "{p_before} {p_after}");
        let effect = before.ratio.unwrap().estimate.ln();
        let wider = |of: fn(&RepeatedComparison) -> Estimate| (of(before).low / of(after).low).ln() / effect;
        assert!((wider(|one| one.ratio.unwrap()) - of_mean).abs() < 1e-9);
        assert!((wider(|one| one.next_run.unwrap()) - 0.7).abs() < 1e-9);
        let [before, after] = [before, after].map(|one| one.difference.as_ref().unwrap());
        let wider =
            |of: fn(&RepeatedDifference) -> Estimate| (of(before).low - of(after).low) / of(before).estimate;
        assert!((wider(|one| one.mean) - of_mean).abs() < 1e-9);
        assert!((wider(|one| one.next_run) - 0.7).abs() < 1e-9);
    }
}

/// A control that is known to no better than many times the threshold agrees with everything.
#[test]
fn a_control_that_is_not_known_well_enough_passes_nothing() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 3);
    assert!(repeat(&results, 3).control_passed);
    for (result, shift) in results.iter_mut().zip([0.8, 1.0, 1.1]) {
        let ratio = result.control.as_mut().unwrap().ratio.as_mut().unwrap();
        ratio.estimate *= shift;
    }
    let repeated = repeat(&results, 3);
    assert!(repeated.control.unwrap().contains(1.0) && !repeated.control_passed);
    assert!(matches!(
        repeated.control_failure,
        Some(ControlFailure::Uncertain { half_width, limit }) if half_width > 10.0 * limit
    ));
    assert_eq!(p50(&repeated).verdict, Verdict::Inconclusive);
}

/// As each of the runs says by itself.
#[test]
fn runs_without_a_control_that_says_anything_vouch_for_nothing_together() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 3);
    for result in &mut results {
        let control = result.control.as_mut().unwrap();
        let failure = ControlFailure::TooFew { too_few: TooFew::samples("pairs", 6, 4), own_strata: true };
        (control.ratio, control.passed, control.failure) = (None, false, Some(failure));
    }
    let repeated = repeat(&results, 3);
    assert!(
        !repeated.control_passed && matches!(repeated.control_failure, Some(ControlFailure::TooFew { .. }))
    );
    assert_eq!(p50(&repeated).verdict, Verdict::Inconclusive);
    for result in &mut results {
        result.control = None;
    }
    assert!(repeat(&results, 3).control_passed, "none was asked for");
}

#[test]
fn every_attempt_stays_on_record() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 4);
    results[1].valid = false;
    let repeated = repeat(&results, results.len() as u64);
    assert_eq!(repeated.attempts.len(), 4);
    assert!(!repeated.valid);
    assert_eq!(p50(&repeated).per_run.len(), 3);
}

/// By a signal, or because it missed its service level hopelessly: its checks may have passed all the same.
#[test]
fn a_run_that_was_ended_early_is_told_apart_from_those_that_count() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 4);
    results[1].record.partial = true;
    let repeated = repeat(&results, 4);
    let told: Vec<_> = repeated.attempts.iter().map(|attempt| (attempt.valid, attempt.partial)).collect();
    assert_eq!(told, [(true, false), (true, true), (true, false), (true, false)]);
    assert_eq!((repeated.valid, p50(&repeated).per_run.len()), (false, 3));
}

/// What bears on how the figures are read: a series would hide it otherwise.
#[test]
fn an_attempt_holds_what_its_run_says_against_itself_and_old_ones_are_read() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 3);
    let mut given = LatencyHistogram::default();
    given.record(std::time::Duration::from_micros(1_030));
    results[0].record.added_rtt = Some(AddedRoundTrip { asked_us: 1_000.0, given: given.encode() });
    results[1].record.added_rtt = Some(AddedRoundTrip { asked_us: 1_000.0, given: Histogram(None) });
    results[1].warnings.push(Warning::NoRealTime);
    let repeated = repeat(&results, 3);
    let [first, second, third] = repeated.attempts.as_slice() else { panic!("{:?}", repeated.attempts) };
    assert!((first.added_rtt_us.unwrap() / 1_030.0 - 1.0).abs() < 0.01, "{first:?}");
    assert_eq!((second.added_rtt_us, third.added_rtt_us), (Some(1_000.0), None));
    assert_eq!(second.warnings, results[1].warnings);
    assert_eq!(repeated.environment.as_ref(), Some(&results[0].record.environment));
    let mut text = serde_json::to_value(&repeated).unwrap();
    assert!(text.get("environment").is_none(), "each of its runs holds it");
    let read: Repeated = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(read.attempts, repeated.attempts);
    // As the versions before wrote it.
    text["attempts"] =
        serde_json::json!([{ "started": "", "seed": 1, "valid": true, "control_passed": null }]);
    let old: Repeated = serde_json::from_value(text).unwrap();
    let attempt = &old.attempts[0];
    assert_eq!((attempt.partial, attempt.added_rtt_us, attempt.warnings.len()), (false, None, 0));
    assert!(attempt.service_levels.is_empty() && attempt.recovery_levels.is_empty());
}

#[test]
fn an_attempt_says_of_each_variant_whether_it_kept_the_service_level() {
    let mut results = runs(&[GRANT_LANE], 4);
    let p99_us = results[2].variants[0].service_us.as_ref().unwrap().p99;
    for (result, bound_us) in results.iter_mut().zip([1.0, 1e6, p99_us, 1.0]) {
        let bound = HumanDuration(std::time::Duration::from_secs_f64(bound_us / 1e6));
        result.record.scenario.slo = Some(SloSection { response_p99: Some(bound), ..SloSection::default() });
    }
    results[3].record.partial = true;
    let repeated = repeat(&results, 4);
    let told: Vec<Vec<_>> = repeated
        .attempts
        .iter()
        .map(|attempt| {
            let levels = attempt.service_levels.iter();
            levels.map(|level| (level.variant.as_str(), level.metric, level.kept)).collect()
        })
        .collect();
    let of_one = |kept| vec![("grant-lane", Metric::ServiceP99, kept)];
    // What was ended early is not judged.
    assert_eq!(told, [of_one(Some(false)), of_one(Some(true)), of_one(None), Vec::new()]);
    let text = serde_json::to_value(&repeated.attempts).unwrap();
    assert!(text[2].get("service_levels").is_some() && text[3].get("service_levels").is_none());
    let read: Vec<Attempt> = serde_json::from_value(text).unwrap();
    assert_eq!(read, repeated.attempts);
}

#[test]
fn an_attempt_says_of_each_fault_whether_all_was_as_before_in_time() {
    let run = analyse(fault_fixture::outage(8.0, 2.05)).unwrap();
    let results = [2, 3].map(|seconds| {
        let mut result = run.clone();
        let bound = HumanDuration::from_secs(seconds);
        result.record.scenario.slo = Some(SloSection { recovery: Some(bound), ..SloSection::default() });
        result
    });
    let levels = |n: usize| repeat(&results, 2).attempts[n].recovery_levels.clone();
    let level = |bound_s, kept| AttemptRecovery { fault: 0, kind: FaultKind::Pause, bound_s, kept };
    assert_eq!(levels(0), [level(2.0, Some(false))]);
    assert_eq!(levels(1), [level(3.0, Some(true))]);
}

#[test]
fn two_runs_are_too_few_and_none_is_nothing() {
    let two = repeat(&runs(&[GRANT_LANE, HGET_LANE], 2), 2);
    assert_eq!(p50(&two).verdict, Verdict::Inconclusive);
    assert_eq!(p50(&two).too_few.as_ref().unwrap().to_string(), "needs at least 3 valid runs, has 2");
    assert!(repeat(&[], 0).comparisons.is_empty());
}

#[test]
fn a_control_that_leans_in_every_run_vetoes() {
    let mut results = runs(&[GRANT_LANE, HGET_LANE], 4);
    for (i, result) in results.iter_mut().enumerate() {
        let lean = 1.05 + 0.001 * i as f64;
        let estimate = Estimate { estimate: lean, low: lean - 0.01, high: lean + 0.01, confidence: 0.99 };
        result.control.as_mut().unwrap().ratio = Some(estimate);
    }
    let repeated = repeat(&results, results.len() as u64);
    assert!(!repeated.control_passed);
    assert_eq!(p50(&repeated).verdict, Verdict::Inconclusive);
}

/// Four candidates and two metrics: what one alone would have said, eight together may not.
#[test]
fn verdicts_over_runs_are_corrected_for_their_number() {
    let results = runs(&[GRANT_LANE, HGET_LANE], 4);
    let with = |metrics: usize| {
        let mut changed = results.clone();
        for (n, result) in changed.iter_mut().enumerate() {
            let wide = |at: f64| {
                let estimate = (at + 0.045 * [-1.0, 1.0, 0.5, -0.5][n]).exp();
                Some(Estimate { estimate, low: estimate / 1.01, high: estimate * 1.01, confidence: 0.95 })
            };
            let first = result.comparisons.iter().find(|c| c.metric == Metric::ServiceP50).unwrap().clone();
            let as_metric = |metric| Comparison { metric, ratio: wide(0.11), ..first.clone() };
            let all = [Metric::ServiceP50, Metric::ServiceP90, Metric::ServiceP99, Metric::ServiceMean];
            result.comparisons = all[..metrics].iter().map(|metric| as_metric(*metric)).collect();
        }
        repeat(&changed, 4)
    };
    let (alone, among) = (with(1), with(4));
    let [of_alone, of_among] = [&alone, &among].map(|series| p50(series).clone());
    assert_eq!(of_alone.ratio, of_among.ratio);
    assert_eq!((of_alone.verdict, of_among.verdict), (Verdict::Regression, Verdict::Inconclusive));
    assert!((of_among.p_value.unwrap() / of_alone.p_value.unwrap() - 4.0).abs() < 1e-9);
    // What is certain stays so among many.
    let certain = repeat(&results, 4);
    assert!(certain.comparisons.len() > 2 && p50(&certain).verdict == Verdict::Regression);
}
