//! A sweep made by hand: two values, two variants, the second one slower.

use crate::judge::{NoInterval, Sweep, SweepArm, SweepComparison, SweepLine, SweepPoint, Verdict};
use crate::record::Warning;
use crate::scenario::Metric;
use crate::stats::{CONFIDENCE, Estimate, FittedLine, LinePoint, TooFew};

/// The line of a variant that takes so much longer than the baseline, and so much more for each microsecond
/// of round-trip time.
pub(super) fn line(name: &str, base_us: f64, per_us: f64) -> SweepLine {
    let points = [0.0, 100.0, 1_000.0].map(|x| LinePoint { x, y: base_us + per_us * x, error: 3.0 });
    let line = FittedLine::through(&points).unwrap();
    SweepLine {
        name: name.into(),
        baseline: "grant-lane".into(),
        metric: Metric::ServiceP50,
        unit: "us".into(),
        base: line.at(0.0, CONFIDENCE),
        per_us: line.slope(CONFIDENCE),
        line,
        allowed_for_others: None,
    }
}

pub(super) fn curve() -> Sweep {
    let around =
        |value: f64| Estimate { estimate: value, low: 0.9 * value, high: 1.1 * value, confidence: 0.95 };
    let arm = |name: &str, p50: f64, against| SweepArm {
        name: name.into(),
        claims: 1_000,
        throughput_per_s: Some(1e6 / p50),
        throughput_interval: None,
        service_p50_us: Some(p50),
        service_p50_interval: Some(around(p50)),
        service_p99_us: None,
        service_p99_interval: None,
        without_interval: vec![NoInterval {
            metric: Metric::Throughput,
            too_few: TooFew::Samples { what: "counter blocks".into(), needed: 8, have: 2 },
        }],
        against,
    };
    let against = SweepComparison {
        baseline: "grant-lane".into(),
        metric: Metric::ServiceP50,
        unit: "us".into(),
        baseline_value: 500.0,
        ratio: Some(Estimate { estimate: 1.2, low: 1.1, high: 1.3, confidence: 0.95 }),
        allowed_for_others: None,
        verdict: Verdict::Regression,
    };
    let arms = vec![arm("grant-lane", 500.0, None), arm("hget-lane", 600.0, Some(against))];
    let point = |value: &str, added: Option<f64>, arms| SweepPoint {
        value: value.into(),
        valid: true,
        invalid_reasons: Vec::new(),
        warnings: vec![Warning::SharedMachine { cores: 2 }],
        control_failed: None,
        control_passed: Some(true),
        noise_threshold: Some(0.02),
        conclusion: None,
        added_rtt_us: added,
        busiest_share: Some(1.02),
        recoveries: Vec::new(),
        lost_by_server: 0,
        arms,
    };
    Sweep {
        key: "load.network.added_rtt".into(),
        wanted: vec!["0us".into(), "a,b".into()],
        ended_by: None,
        points: vec![point("0us", None, arms.clone()), point("a,b", Some(103.0), arms)],
        lines: Vec::new(),
    }
}
