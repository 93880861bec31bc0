use super::*;
use crate::judge::analyse_as;
use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};

#[test]
fn a_point_holds_every_variant_and_its_distance_from_the_baseline() {
    let arms = [GRANT_LANE, HGET_LANE];
    let run = |seed| analyse_as(record(&arms, seed), &scenario(&arms));
    let mut partial = run(2);
    partial.record.partial = true;
    let wanted = ["0us", "1ms", "2ms"].map(String::from);
    let sweep = sweep("load.network.added_rtt", &wanted, [("0us", &run(1)), ("1ms", &partial)]);
    let values: Vec<_> = sweep.points.iter().map(|point| (point.value.as_str(), point.valid)).collect();
    assert_eq!(values, [("0us", run(1).valid), ("1ms", false)]);
    let [base, other] = sweep.points[0].arms.as_slice() else { panic!("{:?}", sweep.points[0].arms) };
    assert_eq!(base.against, None);
    let against = other.against.as_ref().unwrap();
    let (estimate, low, high) = against.amount().unwrap();
    assert!(low <= estimate && estimate <= high);
    let ratio = against.ratio.unwrap();
    assert!((against.baseline_value + estimate - against.baseline_value * ratio.estimate).abs() < 1e-9);
}

/// What fails a run by itself fails the sweep that made it.
#[test]
fn the_worst_of_its_runs_is_what_a_sweep_ends_with() {
    let arms = [GRANT_LANE, HGET_LANE];
    let run = |enforce: bool, spoil: &dyn Fn(&mut RunRecord)| {
        let mut record = record(&arms, 1);
        record.scenario.gate.enforce = enforce;
        spoil(&mut record);
        analyse_as(record, &scenario(&arms))
    };
    let sound = |enforce| run(enforce, &|_| ());
    let failed = |enforce| {
        run(enforce, &|record| {
            let outcomes = &mut record.arms[1].outcomes;
            *outcomes.refused.entry("use_claim_resumed_execution".into()).or_default() +=
                outcomes.claimed / 100;
        })
    };
    let values = ["a", "b"].map(String::from);
    let ended = |results: [RunResult; 2]| {
        sweep("load.rate", &values, ["a", "b"].into_iter().zip(&results)).conclusion()
    };
    assert_eq!(ended([sound(true), failed(true)]), Conclusion::Regression);
    assert_eq!(ended([sound(false), failed(false)]), Conclusion::Pass, "nobody asked the gate");
    let broken = run(true, &|record| record.audit.double_claims = 1);
    assert_eq!(ended([broken, failed(true)]), Conclusion::Invalid);
    let unfinished = sweep("load.rate", &values, [("a", &failed(true))]);
    assert_eq!(unfinished.conclusion(), Conclusion::Invalid, "as a series that was cut short");
}

/// Nothing at 100.
fn crossing() -> FittedLine {
    let points = [0.0, 100.0, 200.0, 300.0].map(|x| LinePoint { x, y: x - 100.0, error: 1.0 });
    FittedLine::through(&points).unwrap()
}

#[test]
fn over_a_simulated_network_the_saving_is_a_line_that_predicts_others() {
    let arms = [GRANT_LANE, HGET_LANE];
    let run = |us: u64, warnings: &[Warning]| {
        let mut record = record(&arms, us);
        let extra = us as u32 * 10;
        for side in record.strata.iter_mut().flat_map(|stratum| &mut stratum.sides) {
            // Two round trips, and three.
            side.service.0.iter_mut().for_each(|ticks| *ticks += (2 + side.arm) * extra);
        }
        let mut given = crate::record::LatencyHistogram::default();
        given.record(std::time::Duration::from_micros(us));
        record.added_rtt = Some(crate::record::AddedRoundTrip { asked_us: us as f64, given: given.encode() });
        record.warnings.extend_from_slice(warnings);
        analyse_as(record, &scenario(&arms))
    };
    let values = ["100us", "250us", "500us", "1ms"];
    let over = |warnings: &[Warning]| [100, 250, 500, 1_000].map(|us| run(us, warnings));
    let results = over(&[]);
    let swept = |key: &str, results: &[RunResult]| {
        sweep(key, &values.map(String::from), values.into_iter().zip(results))
    };
    let lines = swept(ADDED_RTT, &results).lines;
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.name.as_str(), line.baseline.as_str()), ("hget-lane", "grant-lane"));
    assert!(line.per_us.contains(1.0) && line.per_us.half_width() < 0.05, "{line:?}");
    // A fifth of 200 us, and one round trip more.
    assert!(line.at(2_000.0).contains(2_040.0), "{:?}", line.at(2_000.0));
    assert!(swept("population.skew", &results).lines.is_empty());
    // Claims per second do not grow by as much with each microsecond, nor does a share of a round trip.
    for metric in [Metric::Throughput, Metric::ServerCpu, Metric::ServiceP50RoundTrips] {
        let mut by_other = results.clone();
        for result in &mut by_other {
            result.comparisons.retain(|comparison| comparison.candidate == "hget-lane");
            result.comparisons.iter_mut().for_each(|comparison| comparison.metric = metric);
        }
        let sweep = swept(ADDED_RTT, &by_other);
        assert_eq!((sweep.metric(), sweep.lines.len()), (Some(metric), 0));
    }
    // What ran beside it is no random error: the same line, with wider intervals.
    let busy = &swept(ADDED_RTT, &over(&[Warning::BusyMachine { share: 0.5 }])).lines[0];
    assert!((busy.at(2_000.0).estimate / line.at(2_000.0).estimate - 1.0).abs() < 1e-9);
    let wider = |of: &dyn Fn(&SweepLine) -> Estimate| (of(line).low - of(busy).low) / of(line).estimate.abs();
    let crossing = SweepLine { line: crossing(), ..busy.clone() };
    let by = |line: &SweepLine| line.at(100.0).high - line.at(100.0).estimate;
    let quiet = SweepLine { allowed_for_others: None, ..crossing.clone() };
    assert!((by(&crossing) - by(&quiet) - 200.0 * busy.allowed_for_others.unwrap()).abs() < 1e-6);
    for share in [wider(&|line| line.base), wider(&|line| line.per_us), wider(&|line| line.at(2_000.0))] {
        assert!((share - busy.allowed_for_others.unwrap()).abs() < 1e-6, "{share}");
    }
}

/// None added as well as more than was.
#[test]
fn a_line_knows_what_lies_beyond_the_points_that_carry_it() {
    let arms = [GRANT_LANE, HGET_LANE];
    let runs = [1, 2, 3].map(|seed| analyse_as(record(&arms, seed), &scenario(&arms)));
    let values = ["0us", "100us", "1ms"].map(String::from);
    let mut curve = sweep(ADDED_RTT, &values, values.iter().map(String::as_str).zip(&runs));
    for (point, us) in curve.points.iter_mut().zip([0.0, 100.0, 1_000.0]) {
        (point.valid, point.control_failed, point.added_rtt_us) = (true, None, Some(us));
    }
    let beyond = |curve: &Sweep| [0.0, 50.0, 1_000.0, 1_001.0].map(|us| curve.is_beyond("hget-lane", us));
    assert_eq!(beyond(&curve), [false, false, false, true]);
    assert!(curve.is_beyond("another", 100.0), "nothing carries it");
    // Points that no line goes by.
    let mut invalid = curve.clone();
    invalid.points[0].valid = false;
    assert_eq!(beyond(&invalid), [true, true, false, true]);
    curve.points[0].arms[1].against.as_mut().unwrap().ratio = None;
    assert_eq!(beyond(&curve), [true, true, false, true]);
}

#[test]
fn figures_have_the_intervals_that_the_run_allows_and_the_others_say_why() {
    let arms = [GRANT_LANE, HGET_LANE];
    let short = |record: &mut RunRecord| record.blocks.truncate(4);
    let point = |arms: &[crate::judge::fixtures::SimulatedArm], change: &dyn Fn(&mut RunRecord)| {
        let mut record = record(arms, 3);
        change(&mut record);
        let result = analyse_as(record, &scenario(arms));
        sweep("population.skew", &[], [("x", &result)]).points.remove(0)
    };
    let whole = &point(&arms, &|_| ()).arms[1];
    for (value, interval) in [
        (whole.throughput_per_s, whole.throughput_interval),
        (whole.service_p50_us, whole.service_p50_interval),
        (whole.service_p99_us, whole.service_p99_interval),
    ] {
        let (value, interval) = (value.unwrap(), interval.unwrap());
        assert!((interval.estimate - value).abs() < 1e-9 && interval.contains(value), "{interval:?}");
        assert!(interval.half_width() < 0.05 * value, "{interval:?}");
    }
    assert_eq!(whole.without_interval, []);
    let said = |arm: &SweepArm| {
        arm.without_interval
            .iter()
            .map(|none| format!("{}: {}", none.metric, none.too_few))
            .collect::<Vec<_>>()
    };
    let few = &point(&arms, &short).arms[0];
    assert_eq!(said(few), ["throughput: needs at least 8 counter blocks, has 2"]);
    assert!(few.throughput_interval.is_none() && few.service_p50_interval.is_some());
    let alone = |change: &dyn Fn(&mut RunRecord)| point(&[GRANT_LANE], change).arms.remove(0);
    let steady = alone(&|_| ()).service_p50_interval.unwrap();
    let swinging = alone(&|record| {
        for (n, second) in record.timeline.iter_mut().enumerate() {
            second.p50_us = Some(if n % 3 == 0 { 300.0 } else { 180.0 });
        }
    });
    let wide = swinging.service_p50_interval.unwrap();
    assert!(wide.half_width() > 5.0 * steady.half_width(), "{wide:?} and {steady:?}");
    assert!((wide.estimate - steady.estimate).abs() < 1e-9, "the figure is that of all claims");
    let alone = &alone(&|record| record.timeline.truncate(4));
    assert_eq!(said(alone), ["throughput: needs at least 8 whole seconds, has 3"]);
}

#[test]
fn a_point_repeats_what_its_run_says_against_itself_and_can_be_read_back() {
    let arms = [GRANT_LANE];
    let mut broken = record(&arms, 1);
    broken.audit.double_claims = 1;
    broken.tool.debug_build = true;
    let result = analyse_as(broken, &scenario(&arms));
    let sweep = sweep("population.skew", &["a".to_owned()], [("a", &result)]);
    let point = &sweep.points[0];
    assert!(!point.valid);
    assert_eq!((&point.invalid_reasons, &point.warnings), (&result.invalid_reasons, &result.warnings));
    assert_eq!((point.invalid_reasons.len(), point.warnings.len()), (1, 1));
    let text = serde_json::to_string(&sweep).unwrap();
    assert_eq!(serde_json::from_str::<Sweep>(&text).unwrap(), sweep);
}
