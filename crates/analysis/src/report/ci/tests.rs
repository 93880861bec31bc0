use std::time::Duration;

use super::*;
use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario, spread};
use crate::judge::ruler_fixture::{in_round_trips, in_round_trips_but};
use crate::judge::spoilt_fixture::{
    control_fails, control_is_uncertain, held_to, interrupted, must_recover_within,
};
use crate::judge::{StoredOptions, analyse, analyse_as, compare, fault_fixture};
use crate::record::{InvalidReason, LibraryInfo, RunRecord, Samples, StormRecord};
use crate::scenario::{Direction, GateSection, Metric, Mode};

fn run(arms: &[SimulatedArm], seed: u64) -> RunResult {
    run_but(arms, seed, |_| ())
}

/// A run whose record something was done to before it was judged.
fn run_but(arms: &[SimulatedArm], seed: u64, change: impl FnOnce(&mut RunRecord)) -> RunResult {
    let mut record = record(arms, seed);
    change(&mut record);
    analyse(record).unwrap()
}

fn invalid() -> RunResult {
    run_but(&[GRANT_LANE, HGET_LANE], 1, |record| {
        let detail = "node <b> & \"c\" went away".into();
        record.invalid_reasons.push(InvalidReason::Infrastructure { detail });
    })
}

/// A run whose outage of two seconds must be over within this time.
fn outage(bound: Duration) -> RunResult {
    let mut record = fault_fixture::outage(8.0, 2.0);
    must_recover_within(&mut record, bound);
    analyse_as(record, &scenario(&[GRANT_LANE]))
}

fn stored_options() -> StoredOptions {
    StoredOptions::from_gate_section(&GateSection::default())
}

fn against_stored() -> crate::judge::StoredComparison {
    against_stored_by(1.4)
}

/// Against a run of another library, which takes so many times as long and has one call more in each claim.
fn against_stored_by(slower: f64) -> crate::judge::StoredComparison {
    let candidate = run_but(&[SimulatedArm { slower, ..GRANT_LANE }], 2, |record| {
        record.environment.library.sha256 = "cd".repeat(32);
        let primary = &mut record.primaries[0];
        *primary.counters.calls.entry("hset".to_owned()).or_default() += primary.claims;
    });
    compare(&run(&[GRANT_LANE], 1), &candidate, &stored_options()).unwrap()
}

#[test]
fn bencher_metric_format() {
    insta::assert_snapshot!("bencher", bencher(&run(&[GRANT_LANE, HGET_LANE], 1)).unwrap());
}

#[test]
fn github_action_benchmark_in_both_directions() {
    let result = run(&[GRANT_LANE], 1);
    insta::assert_snapshot!("github_smaller", github(&result, Direction::LowerIsBetter).unwrap());
    insta::assert_snapshot!("github_bigger", github(&result, Direction::HigherIsBetter).unwrap());
}

/// Candidate less baseline in round trips, as Bencher reads it: the value, and the ends of its interval.
fn more_round_trips(result: &RunResult, pair: &str) -> Option<[f64; 3]> {
    let json: serde_json::Value = serde_json::from_str(&bencher(result).unwrap()).unwrap();
    let measure = json.get(format!("lane-ab/{pair}"))?.get("service_p50_round_trips")?;
    Some(["value", "lower_value", "upper_value"].map(|key| measure[key].as_f64().unwrap()))
}

#[test]
fn what_a_candidate_takes_more_is_a_figure_of_its_own() {
    let pair = "hget-lane less grant-lane";
    let arms = [GRANT_LANE, HGET_LANE];
    let result = in_round_trips(&arms, 1, 1);
    let [value, low, high] = more_round_trips(&result, pair).unwrap();
    assert!((value - 0.8).abs() < 0.05 && low < value && value < high, "{value} [{low}, {high}]");
    let point = |result: &RunResult, direction| {
        let all: Vec<serde_json::Value> = serde_json::from_str(&github(result, direction).unwrap()).unwrap();
        let named = format!("lane-ab/{pair}/service_p50_round_trips");
        all.into_iter().find(|point| point["name"] == named.as_str())
    };
    let tracked = point(&result, Direction::LowerIsBetter).unwrap();
    assert_eq!((&tracked["unit"], tracked["value"].as_f64()), (&"round trips".into(), Some(value)));
    assert!(tracked["range"].as_str().unwrap().starts_with("± 0.0"), "{tracked}");
    assert!(tracked["extra"].as_str().unwrap().starts_with("library 15 (abababababab)\n"), "{tracked}");
    assert!(point(&result, Direction::HigherIsBetter).is_none());
    // Two libraries are said to be two.
    let two = in_round_trips_but(&arms, 1, |record| {
        let own = LibraryInfo { sha256: "cd".repeat(32), ..record.environment.library.clone() };
        record.arms[1].library = Some(own);
    });
    let tracked = point(&two, Direction::LowerIsBetter).unwrap();
    let both = "library 15 (cdcdcdcdcdcd) against library 15 (abababababab)\nValkey 9.1.2, 3 primaries";
    assert!(tracked["extra"].as_str().unwrap().starts_with(both), "{tracked}");
    // What a control forbids is none.
    let vetoed = in_round_trips_but(&arms, 1, control_fails);
    assert_eq!(more_round_trips(&vetoed, pair), None);
    assert!(point(&vetoed, Direction::LowerIsBetter).is_none());
}

/// The action alerts on the ratio of a value to the one before.
#[test]
fn what_may_be_nothing_or_less_goes_where_no_ratio_is_made_of_it() {
    let faster = SimulatedArm { name: "faster", slower: 0.8, ..HGET_LANE };
    let result = in_round_trips(&[GRANT_LANE, faster], 1, 1);
    let without = |result: &RunResult| {
        let smaller = github(result, Direction::LowerIsBetter).unwrap();
        assert!(smaller.contains("grant-lane/service_p50") && !smaller.contains(" less "), "{smaller}");
    };
    let [value, low, high] = more_round_trips(&result, "faster less grant-lane").unwrap();
    assert!((value + 0.8).abs() < 0.05 && low < value && value < high, "{value} [{low}, {high}]");
    without(&result);
    // A tenth slower and a tenth faster in turns.
    let neither = in_round_trips_but(&[GRANT_LANE, TWIN], 1, |record| {
        for (n, stratum) in record.strata.iter_mut().filter(|stratum| !stratum.control).enumerate() {
            let (times, over) = if n % 2 == 0 { (11, 10) } else { (10, 11) };
            let twin = stratum.sides[0].service.0.iter().map(|ticks| ticks * times / over).collect();
            stratum.sides[1].service = Samples(twin);
        }
    });
    let trips = neither.comparisons.iter().find(|one| one.metric == Metric::ServiceP50RoundTrips).unwrap();
    let Estimate { estimate, low, high, .. } = trips.difference.unwrap();
    assert!(low < 0.0 && 0.0 < high, "{trips:?}");
    let exported = more_round_trips(&neither, "twin less grant-lane");
    assert_eq!(exported, Some([estimate, low, high].map(rounded)));
    without(&neither);
    assert_eq!(rounded(-54.321_987).to_bits(), (-54.322_f64).to_bits());
}

#[test]
fn figures_of_an_unusable_run_are_not_exported() {
    let refusal = bencher(&invalid()).unwrap_err().to_string();
    assert!(refusal.starts_with("the run is invalid"), "{refusal}");
    let partial = run_but(&[GRANT_LANE], 1, interrupted);
    assert!(github(&partial, Direction::LowerIsBetter).unwrap_err().to_string().contains("interrupted"));
}

#[test]
fn junit_has_a_case_for_every_verdict() {
    insta::assert_snapshot!("junit", junit(&run(&[GRANT_LANE, HGET_LANE], 1)));
    insta::assert_snapshot!("junit_invalid", junit(&invalid()));
    insta::assert_snapshot!("junit_stored", junit_stored(&against_stored()));
}

#[test]
fn a_case_says_the_difference_in_its_unit_whatever_the_verdict() {
    let case = |result: &RunResult, metric: &str| {
        let document = junit(result);
        let from = document.find(&format!("name=\"{metric}\"")).unwrap_or_else(|| panic!("{document}"));
        document[from..].split("</testcase>").next().unwrap_or_default().to_owned()
    };
    let slower = in_round_trips(&[GRANT_LANE, HGET_LANE], 1, 1);
    let equal = in_round_trips(&[GRANT_LANE, TWIN], 2, 1);
    for (metric, unit) in [("service_p50", " µs</"), ("service_p50_round_trips", " round trips</")] {
        let said = case(&slower, metric);
        assert!(said.contains(">slower (by design): +") && said.contains(unit), "{said}");
        let said = case(&equal, metric);
        assert!(said.contains("<system-out>no change: ") && said.contains(unit), "{said}");
    }
}

/// The command ends with 3 there: inconclusive, which must not look green.
#[test]
fn a_gate_that_had_nothing_to_judge_is_no_green_document() {
    let alone = |enforce| junit(&run_but(&[GRANT_LANE], 1, |record| record.scenario.gate.enforce = enforce));
    assert!(!alone(false).contains("<skipped"), "{}", alone(false));
    let document = alone(true);
    assert!(document.contains("name=\"gate\"") && document.contains("<skipped"), "{document}");
}

#[test]
fn a_slower_variant_fails_a_case_only_where_the_gate_is_enforced() {
    let arms = [GRANT_LANE, HGET_LANE];
    let open = junit(&run(&arms, 1));
    assert!(!open.contains("<failure") && open.contains("slower (by design)"), "{open}");
    let gated = run_but(&arms, 1, |record| record.scenario.gate.enforce = true);
    assert!(junit(&gated).contains("<failure message=\"slower: +19.9 %"));
    let comment = pull_request(&gated);
    assert!(comment.contains(": regression") && comment.contains("✗ slower |"), "{comment}");
    // The same way of claiming, as in a library duet that was run without a gate.
    let slower = SimulatedArm { name: "candidate", slower: 1.2, ..GRANT_LANE };
    assert!(pull_request(&run(&[GRANT_LANE, slower], 1)).contains("slower (not gated)"));
}

#[test]
fn a_verdict_that_a_failed_control_forbids_says_so() {
    let assert_said = |spoil: fn(&mut RunRecord), why: &str| {
        let result = run_but(&[GRANT_LANE, HGET_LANE], 1, spoil);
        let report = junit(&result);
        let said = format!("<skipped message=\"inconclusive, because the control failed: {why}");
        assert!(!result.comparisons.is_empty(), "{why}");
        assert_eq!(report.matches(&said).count(), result.comparisons.len(), "{report}");
    };
    assert_said(control_fails, "the baseline differs from itself by +");
    assert_said(control_is_uncertain, "too noisy to judge");
}

#[test]
fn an_inconclusive_metric_of_a_comparison_says_why() {
    // By as much at p99 as fails, more or less.
    let report = junit_stored(&against_stored_by(1.0 + GateSection::default().p99_fail));
    assert!(report.contains("], the interval lies on both sides of the threshold, "), "{report}");
}

#[test]
fn a_comparison_in_which_nothing_has_a_threshold_is_not_green() {
    assert!(!junit_stored(&against_stored()).contains("no metric that has a threshold"));
    // They have no variant in common.
    let options = StoredOptions { allow_differences: true, ..stored_options() };
    let report = junit_stored(&compare(&run(&[GRANT_LANE], 1), &run(&[HGET_LANE], 2), &options).unwrap());
    assert!(
        report.contains("skipped=\"1\"") && report.contains("no metric that has a threshold"),
        "{report}"
    );
}

#[test]
fn a_pull_request_reads_the_conclusion_first() {
    insta::assert_snapshot!("pull_request", pull_request(&run(&[GRANT_LANE, HGET_LANE], 1)));
    insta::assert_snapshot!("pull_request_invalid", pull_request(&invalid()));
    insta::assert_snapshot!("pull_request_stored", pull_request_stored(&against_stored(), false));
}

#[test]
fn a_comment_says_what_the_faster_arm_saves() {
    let arms = [GRANT_LANE, HGET_LANE];
    let comment = pull_request(&in_round_trips(&arms, 1, 1));
    assert!(
        comment.contains("carrying lane\\_id saves ") && comment.contains(" round trips of 50.0 µs, "),
        "{comment}"
    );
    let vetoed = pull_request(&in_round_trips_but(&arms, 1, control_fails));
    assert!(!vetoed.contains(" saves "), "{vetoed}");
}

#[test]
fn a_comparison_shows_what_each_result_says_of_its_own_arms() {
    let arms = [GRANT_LANE, HGET_LANE];
    let options = stored_options();
    let (base, slow) = (in_round_trips(&arms, 1, 1), in_round_trips(&arms, 3, 2));
    let compared = compare(&base, &slow, &options).unwrap();
    let comment = pull_request_stored(&compared, false);
    let row = |unit: &str| {
        let begins = format!("| hget-lane less grant-lane | {unit} | +");
        comment.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("{comment}"))
    };
    assert!(row("µs").ends_with(" | lie apart |") && row("round trips").ends_with(" | agree |"), "{comment}");
    assert!(comment.contains("Not judged") && !comment.contains("A dash stands"), "{comment}");
    let document = junit_stored(&compared);
    let said = "<system-out>not judged: base +0.";
    assert!(
        document.contains(said) && document.contains(" round trips; the two agree</system-out>"),
        "{document}"
    );
    // A control that failed is no answer; without arms that were compared there is none either.
    let vetoed = in_round_trips_but(&arms, 3, control_fails);
    let half = stored_text(&compare(&base, &vetoed, &options).unwrap(), false, None).replace('\n', " ");
    assert!(half.contains("A dash stands for a result"), "{half}");
    assert!(!pull_request_stored(&against_stored(), true).contains("own arms"));
}

/// A level that was missed must be seen by whoever reads the report, and by the build server.
#[test]
fn a_service_level_is_a_test_case_and_a_sentence() {
    assert!(!junit(&run(&[GRANT_LANE], 2)).contains("service level"));
    for (bound, cases, word) in [
        (Duration::from_micros(1), "<failure", "MISSED by grant-lane"),
        (Duration::from_secs(1), "<system-out>kept at p99 of the service time", "kept by grant-lane"),
    ] {
        let result = run_but(&[GRANT_LANE], 2, |record| held_to(record, bound));
        let report = junit(&result);
        assert!(report.contains("name=\"service level\"") && report.contains(cases), "{report}");
        let text = crate::report::text(&result, None).replace('\n', " ");
        assert!(text.contains(word), "{text}");
        assert!(text.contains("at p99 of the service time (a closed loop has no response time)"), "{text}");
    }
}

/// Neither green nor red: the bound lies within the interval of the p99.
#[test]
fn a_service_level_that_nobody_can_tell_is_a_skipped_test_case_and_a_sentence() {
    let p99_us = run(&[GRANT_LANE], 2).variants[0].service_us.as_ref().unwrap().p99;
    let bound = Duration::from_secs_f64(p99_us / 1e6);
    let result = run_but(&[GRANT_LANE], 2, |record| held_to(record, bound));
    let report = junit(&result);
    assert!(!report.contains("<failure") && report.contains("<skipped message=\"whether "), "{report}");
    let text = crate::report::text(&result, None).replace('\n', " ");
    assert!(text.contains("cannot be told of grant-lane (p99 lies between "), "{text}");
    assert!(text.contains(", the 95 % interval of 6,000 claims)"), "{text}");
}

/// A storm's executions are all known: how many were late, and by which clock.
#[test]
fn the_service_level_of_a_storm_is_told_by_the_time_to_resume() {
    let mut record = record(&[GRANT_LANE], 1);
    record.scenario.load.mode = Mode::Storm;
    record.arms[0].resume = spread(6_000, 900_000.0, 2);
    record.storm = Some(StormRecord { executions: 6_000, held: 6_000, ..StormRecord::default() });
    held_to(&mut record, Duration::from_secs(1));
    let result = analyse_as(record, &scenario(&[GRANT_LANE]));
    let clock = "at p99 of the time to resume (a storm has no response time)";
    let text = crate::report::text(&result, None).replace('\n', " ");
    assert!(text.contains(&format!("Service level, 1.00 s {clock}: MISSED by grant-lane (")), "{text}");
    assert!(text.contains(" of 6,000 executions were later)."), "{text}");
    assert!(junit(&result).contains(clock), "{}", junit(&result));
}

/// A level that was missed is to be read by whoever looks at the pull request, gate or no gate.
#[test]
fn a_comment_says_whether_levels_were_kept_without_a_gate() {
    let missed = |record: &mut RunRecord| held_to(record, Duration::from_micros(1));
    let comment = pull_request(&run_but(&[GRANT_LANE], 2, missed));
    assert!(comment.contains("measured, not gated") && comment.contains("MISSED by grant-lane"), "{comment}");
    let comment = pull_request(&outage(Duration::from_millis(500)));
    assert!(comment.contains("Recovery within 500.0 ms: MISSED after the "), "{comment}");
}

#[test]
fn a_comment_says_how_sure_the_interval_of_the_control_is() {
    let comment = pull_request(&run(&[GRANT_LANE, HGET_LANE], 1));
    assert!(comment.contains("(99 % interval), passed; "), "{comment}");
}

/// What makes the command fail must be red on the build server as well.
#[test]
fn a_fault_that_was_not_over_in_time_is_a_failed_test_case() {
    let missed = junit(&outage(Duration::from_millis(500)));
    assert!(
        missed.contains("fault 1\" name=\"recovery\"") && missed.contains("MISSED after the"),
        "{missed}"
    );
    assert_eq!(missed.matches("<failure").count(), 1, "{missed}");
    let kept = junit(&outage(Duration::from_secs(9)));
    assert!(kept.contains("fault 1\" name=\"recovery\"") && !kept.contains("<failure"), "{kept}");
}

/// What the exit code calls inconclusive must not look green.
#[test]
fn a_metric_that_was_asked_for_and_not_compared_is_a_skipped_case() {
    let named = |metrics: &[Metric]| {
        junit(&run_but(&[GRANT_LANE, HGET_LANE], 1, |record| {
            record.scenario.gate.enforce = true;
            record.scenario.compare.as_mut().unwrap().metrics =
                metrics.iter().map(|metric| metric.name().to_owned()).collect();
        }))
    };
    // A closed loop has no response time.
    let document = named(&[Metric::ServiceP50, Metric::ResponseP99]);
    let case = document.split("name=\"response_p99\"").nth(1).unwrap_or_else(|| panic!("{document}"));
    assert!(case.split("</testcase>").next().unwrap().contains("<skipped"), "{case}");
    assert!(!named(&[Metric::ServiceP50]).contains("response_p99"));
}
