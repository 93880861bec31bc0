//! The baseline against itself: where the comparison has it from, and what it vetoes.

use super::super::result::{ControlFailure, RunResult, Verdict};
use super::tests::{analysed, verdict_of};
use crate::scenario::Metric;

#[test]
fn a_control_that_differs_from_itself_vetoes() {
    let result = analysed(|record, _| {
        for stratum in record.strata.iter_mut().filter(|stratum| stratum.control) {
            for ticks in &mut stratum.sides[1].service.0 {
                *ticks += *ticks / 20;
            }
        }
    });
    let control = result.control.as_ref().unwrap();
    assert!(!control.passed && matches!(control.failure, Some(ControlFailure::Differs { .. })));
    assert!(result.comparisons.iter().all(|c| c.verdict == Verdict::Inconclusive));
    assert!(result.valid, "a veto makes no run invalid");
}

#[test]
fn a_control_too_wide_for_the_threshold_vetoes() {
    let result = analysed(|_, scenario| scenario.compare.as_mut().unwrap().noise_threshold = 0.004);
    let control = result.control.unwrap();
    assert!(
        !control.passed
            && matches!(control.failure, Some(ControlFailure::Uncertain { limit, .. }) if (limit - 0.002).abs() < 1e-9)
    );
}

#[test]
fn a_control_within_the_comparison_counts_as_the_baseline_and_vetoes_where_it_differs() {
    let shared = |lean: u32| {
        analysed(|record, _| {
            let controls: Vec<_> = record.strata.iter().filter(|s| s.control).cloned().collect();
            record.strata.retain(|stratum| !stratum.control);
            for (stratum, control) in record.strata.iter_mut().zip(&controls) {
                let mut side = control.sides[1].clone();
                side.service.0.iter_mut().for_each(|ticks| *ticks += *ticks / 100 * lean);
                stratum.sides.push(side);
            }
        })
    };
    let fair = shared(0);
    let p50 = verdict_of(&fair, Metric::ServiceP50);
    assert!(fair.control.as_ref().unwrap().passed, "{:?}", fair.control);
    assert!(p50.verdict == Verdict::Regression && p50.ratio.unwrap().contains(1.2), "{p50:?}");
    let own = analysed(|_, _| ());
    let width = |result: &RunResult| verdict_of(result, Metric::ServiceP50).ratio.unwrap().half_width();
    assert!(width(&fair) < width(&own), "two sides of the baseline are the better baseline");
    let leaning = shared(4);
    assert!(!leaning.control.as_ref().unwrap().passed);
    assert!(leaning.comparisons.iter().all(|c| c.verdict == Verdict::Inconclusive));
}

/// A control that takes the baseline's claims by halves is held to what the comparison is known to, for that
/// has them all.
#[test]
fn halves_of_the_baseline_are_together_the_baseline_and_veto_where_they_differ() {
    let halved = |lean: u32, threshold: f64| {
        analysed(|record, scenario| {
            record.strata.retain(|stratum| !stratum.control);
            for stratum in &mut record.strata {
                let whole = stratum.sides[0].service.0.clone();
                let half = |from: usize| whole.iter().copied().skip(from).step_by(2);
                stratum.sides[0].service.0 = half(0).collect();
                let mut second = stratum.sides[0].clone();
                second.service.0 = half(1).map(|ticks| ticks + ticks / 100 * lean).collect();
                stratum.sides.push(second);
            }
            scenario.compare.as_mut().unwrap().noise_threshold = threshold;
        })
    };
    let fair = halved(0, 0.03);
    let own = analysed(|record, _| record.strata.retain(|stratum| !stratum.control));
    let of = |result: &RunResult| verdict_of(result, Metric::ServiceP50).ratio.unwrap();
    assert_eq!(of(&fair), of(&own), "whichever half a claim is in, it is the baseline's");
    let control = fair.control.as_ref().unwrap();
    assert!(control.passed, "{control:?}");
    // Known to x of itself, so to x / 1.41 of what a control with as many claims as the comparison would be.
    let half_width = control.ratio.unwrap().half_width() * (1.96 / 2.576);
    let limit = |factor: f64| 2.0 * half_width * factor / 2f64.sqrt();
    assert!(halved(0, limit(1.2)).control.unwrap().passed);
    assert!(matches!(halved(0, limit(0.8)).control.unwrap().failure, Some(ControlFailure::Uncertain { .. })));
    let leaning = halved(4, 0.03);
    assert!(matches!(leaning.control.as_ref().unwrap().failure, Some(ControlFailure::Differs { .. })));
    assert!(leaning.comparisons.iter().all(|c| c.verdict == Verdict::Inconclusive));
}
