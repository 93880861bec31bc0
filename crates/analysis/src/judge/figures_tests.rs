//! What figures without intervals may say, and what they may not.

use std::slice::from_ref;

use proptest::prelude::*;
use serde_json::json;

use super::super::figures_fixture::other_harness;
use super::FigurePlace::{BeyondFail, BeyondWarn, NotHeld, Within};
use super::*;
use crate::scenario::GateSection;

fn report(p50: f64, throughput: f64) -> FfBenchReport {
    serde_json::from_value(other_harness(throughput, [p50, 2.0 * p50, 4.0 * p50])).unwrap()
}

fn options() -> StoredOptions {
    StoredOptions::from_gate_section(&GateSection::default())
}

fn compare(base: &FfBenchReport, candidate: &FfBenchReport) -> FigureComparison {
    compare_figures(from_ref(base), from_ref(candidate), &options()).unwrap()
}

#[test]
fn a_report_of_the_other_harness_is_read_and_what_it_has_more_is_skipped() {
    let mut value = serde_json::to_value(report(1.0, 500.0)).unwrap();
    assert!(value.get("notes").is_none());
    value["of_a_later_version"] = json!(true);
    assert_eq!(serde_json::from_value::<FfBenchReport>(value).unwrap(), report(1.0, 500.0));
}

#[test]
fn no_difference_however_large_is_more_than_inconclusive() {
    for (p50, throughput) in [(1.0, 500.0), (100.0, 5.0), (0.01, 50_000.0)] {
        let compared = compare(&report(1.0, 500.0), &report(p50, throughput));
        assert_eq!(compared.conclusion, Conclusion::Inconclusive);
    }
}

#[test]
fn where_a_figure_stands_is_told_by_the_thresholds_of_stored_results() {
    let places = |p50: f64, throughput: f64| {
        compare(&report(1.0, 500.0), &report(p50, throughput))
            .figures
            .into_iter()
            .map(|f| f.place)
            .collect::<Vec<_>>()
    };
    assert_eq!(places(1.0, 500.0), [NotHeld, NotHeld, Within, Within]);
    assert_eq!(places(1.15, 530.0), [NotHeld, NotHeld, BeyondWarn, Within]);
    assert_eq!(places(1.3, 440.0), [NotHeld, NotHeld, BeyondFail, BeyondFail]);
    assert_eq!(places(0.5, 470.0), [NotHeld, NotHeld, Within, BeyondWarn]);
    // A threshold says "more than": what is worse by exactly as much is within it, whichever way is worse.
    assert_eq!(places(1.1, 475.0), [NotHeld, NotHeld, Within, Within]);
    assert_eq!(places(1.101, 474.5), [NotHeld, NotHeld, BeyondWarn, BeyondWarn]);
}

#[test]
fn without_a_sample_there_is_no_ratio() {
    let compared = compare(&report(0.0, 0.0), &report(1.0, 500.0));
    assert!(compared.figures.iter().all(|figure| figure.ratio.is_none()));
    assert!(compared.figures.iter().all(|figure| figure.place == FigurePlace::Missing));
}

#[test]
fn what_measured_different_things_is_refused_and_can_be_allowed() {
    let base = report(1.0, 500.0);
    let other = FfBenchReport {
        git_sha: "def5678".into(),
        config: json!({ "tasks": 1000, "workers": 32 }),
        ..base.clone()
    };
    let refused = compare_figures(from_ref(&base), from_ref(&other), &options());
    let refused = refused.unwrap_err().to_string();
    assert_eq!(refused, "results are not comparable: config workers: 16 against 32");
    let allowed = StoredOptions { allow_differences: true, ..options() };
    let compared = compare_figures(from_ref(&base), &[other], &allowed).unwrap();
    assert_eq!(compared.differences.iter().map(|d| d.forbids).collect::<Vec<_>>(), [true, false]);
    // Settings of another harness are one difference, not one for each key.
    let foreign = FfBenchReport { config: json!({ "load": { "claims": 3 } }), ..base.clone() };
    let compared = compare_figures(&[base], &[foreign], &allowed).unwrap();
    assert_eq!(compared.differences.len(), 1);
}

#[test]
fn reports_are_matched_by_scenario_and_one_alone_is_named() {
    let named = |name: &str| FfBenchReport { scenario: name.into(), ..report(1.0, 500.0) };
    let (base, candidate) = ([named("a"), named("b")], [named("b"), named("c")]);
    let compared = compare_figures(&base, &candidate, &options()).unwrap();
    assert_eq!(compared.figures.len(), 4);
    assert!(compared.figures.iter().all(|figure| figure.scenario == "b"));
    let alone: Vec<String> = compared.differences.iter().map(|d| d.what.to_string()).collect();
    assert_eq!(alone, ["scenario a", "scenario c"]);
    let error = compare_figures(&base, &[named("c"), named("d")], &options()).unwrap_err().to_string();
    assert_eq!(error, "the two have no scenario in common: a, b against c, d");
}

proptest! {
    #[test]
    fn any_figures_give_finite_ratios_or_none(base in prop::num::f64::ANY, candidate in prop::num::f64::ANY) {
        let of = |value| FfBenchReport { throughput_ops_per_sec: value, ..report(1.0, 500.0) };
        let compared = compare(&of(base), &of(candidate));
        prop_assert!(compared.figures.iter().all(|figure| figure.ratio.is_none_or(f64::is_finite)));
        prop_assert_eq!(compared.conclusion, Conclusion::Inconclusive);
    }
}
