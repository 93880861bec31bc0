//! Whether the load was the one that was asked for: sent in time, and there all the time.

use std::time::Duration;

use super::super::fixtures::calibration_note;
use super::tests::analysed;
use crate::record::{CalibratedLag, CalibrationNote, InvalidReason, LatencyHistogram, Warning};
use crate::scenario::{Arrivals, Mode, Model, Slo};

#[test]
fn a_late_generator_is_measured_against_the_service_level_or_the_median() {
    let histogram = |us: u64| {
        let mut histogram = LatencyHistogram::default();
        histogram.record(Duration::from_micros(us));
        histogram.encode()
    };
    let run = |lag_us: u64, slo: Option<u64>| {
        analysed(|record, scenario| {
            scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
            scenario.slo =
                slo.map(|ms| Slo { response_p99: Some(Duration::from_millis(ms)), ..Slo::default() });
            record.arms[0].send_lag = histogram(lag_us);
            record.arms[0].response = histogram(1_000);
        })
        .valid
    };
    assert!(run(110, None) && !run(2_000, None));
    assert!(run(400, Some(5)));
    assert!(!run(600, Some(5)));
}

fn is_stall(warning: &Warning) -> bool {
    matches!(warning, Warning::Stall { .. })
}

#[test]
fn a_stall_is_warned_of_and_an_open_loop_shows_it_itself() {
    let warned = |gap: Option<f64>, open: bool| {
        let result = analysed(|record, scenario| {
            record.longest_gap_s = gap;
            if open {
                scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
            }
        });
        assert!(result.valid, "{:?}", result.invalid_reasons);
        result.warnings.iter().any(is_stall)
    };
    assert!(warned(Some(1.2), false));
    assert!(!warned(Some(0.2), false) && !warned(Some(2.6), true) && !warned(None, false));
}

#[test]
fn many_short_stalls_are_as_bad_as_a_long_one_unless_claims_or_scans_take_as_long() {
    let stalled_in = |mode: Mode, median_ms: Option<u64>, longest_s: f64, stalled_s: f64| {
        let result = analysed(|record, scenario| {
            (record.longest_gap_s, record.stalled_s) = (Some(longest_s), Some(stalled_s));
            scenario.load.mode = mode;
            if let Some(ms) = median_ms {
                let mut service = LatencyHistogram::default();
                service.record(Duration::from_millis(ms));
                record.arms[0].service = service.encode();
            }
        });
        let warned = result.warnings.iter().any(is_stall);
        let refused =
            result.invalid_reasons.iter().any(|reason| matches!(reason, InvalidReason::Stalled { .. }));
        (warned, refused)
    };
    let stalled = |longest_s, stalled_s| stalled_in(Mode::Staged, None, longest_s, stalled_s);
    assert_eq!(stalled_in(Mode::Staged, Some(20), 0.2, 2.6), (true, true));
    assert_eq!(stalled_in(Mode::Staged, Some(30), 0.2, 2.6), (false, false), "three such claims and a ruler");
    assert_eq!(stalled_in(Mode::Churn, None, 0.2, 2.6), (false, false), "between two scans");
    assert_eq!(stalled(0.2, 0.9), (false, false));
    assert_eq!(stalled(0.2, 1.2), (true, false));
    assert_eq!(stalled(0.2, 2.6), (true, true));
}

/// Arms with blocks of their own: those are the time in which claims were made, not these and the arms once
/// more.
#[test]
fn a_stall_s_share_is_of_the_time_in_which_claims_were_made() {
    let share_of = |apart: bool| {
        let result = analysed(|record, _| {
            record.longest_gap_s = Some(1.0);
            record.strata.iter_mut().for_each(|stratum| stratum.apart = apart);
        });
        let of = |warning: &Warning| match warning {
            Warning::Stall { share, .. } => Some(*share),
            _ => None,
        };
        (1.0 / result.warnings.iter().find_map(of).unwrap(), result.record)
    };
    let (mixed_s, record) = share_of(false);
    let (apart_s, _) = share_of(true);
    let blocks_s: f64 = record.blocks.iter().map(|block| block.duration_s).sum();
    assert!((mixed_s - record.arms[0].active_s - blocks_s).abs() < 1e-6, "{mixed_s}");
    assert!((apart_s - blocks_s).abs() < 1e-6, "{apart_s}");
}

/// Thousands in flight, each of which waits for those before it.
#[test]
fn a_gap_that_is_shorter_than_a_claim_is_no_stall() {
    let crowd = analysed(|record, _| {
        record.longest_gap_s = Some(2.6);
        let mut service = LatencyHistogram::default();
        service.record(Duration::from_secs(3));
        record.arms[0].service = service.encode();
    });
    assert!(crowd.valid, "{:?}", crowd.invalid_reasons);
}

#[test]
fn a_stall_counts_where_grants_are_left_to_expire_as_well() {
    let stalled = analysed(|record, scenario| {
        (record.scenario.grant.unconsumed, scenario.grant.unconsumed) = (0.25, 0.25);
        record.longest_gap_s = Some(1_000.0);
    });
    assert!(
        matches!(stalled.invalid_reasons[..], [InvalidReason::Stalled { .. }]),
        "{:?}",
        stalled.invalid_reasons
    );
}

/// On loopback a tenth of the median claim is less than any timer keeps to.
#[test]
fn without_a_service_level_a_generator_may_be_as_late_as_it_can_help() {
    let late = |lag_us: u64, calibrated: Option<f64>| {
        let result = analysed(|record, scenario| {
            let histogram = |us: u64| {
                let mut histogram = LatencyHistogram::default();
                histogram.record(Duration::from_micros(us));
                histogram.encode()
            };
            scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
            record.arms[0].send_lag = histogram(lag_us);
            record.arms[0].response = histogram(250);
            record.calibration = calibrated.map(|p99_us| CalibrationNote {
                send_lag: Some(CalibratedLag { rate_per_sec: 1_000.0, p99_us }),
                ..calibration_note()
            });
        });
        (result.valid, result.warnings.iter().any(|w| matches!(w, Warning::LateSends { .. })))
    };
    assert_eq!(
        [late(20, None), late(80, None), late(140, None), late(2_000, None)],
        [(true, false), (true, true), (true, true), (false, false)]
    );
    assert_eq!([late(140, Some(120.0)), late(200, Some(120.0))], [(true, true), (false, false)]);
}
