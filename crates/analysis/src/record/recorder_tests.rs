use super::*;
use crate::record::{LatencyHistogram, StepTimes};

const US: Duration = Duration::from_micros(1);

fn stamps(scheduled: u32, sent: u32, done: u32) -> Stamps {
    Stamps {
        scheduled: Some(US * scheduled),
        sent: US * sent,
        done: US * done,
        resume: None,
        steps: StepTimes::default(),
    }
}

#[test]
fn only_successful_claims_enter_the_latency_histograms() {
    let mut recorder = Recorder::new(1, []);
    let outcomes = [
        Outcome::Claimed,
        Outcome::Expired,
        Outcome::LostRace,
        Outcome::Refused("invalid_claim_grant".into()),
        Outcome::Ambiguous,
        Outcome::TimedOut,
        Outcome::Failed,
    ];
    for outcome in &outcomes {
        recorder.record(0, Purpose::Plain, &stamps(0, 10, 110), outcome, WireCost::default(), 0);
    }
    let arm = &recorder.arms()[0];
    assert_eq!((arm.service.count(), arm.response.count()), (1, 1));
    assert_eq!(arm.error_service.count(), outcomes.len() as u64 - 1);
    assert_eq!(arm.send_lag.count(), outcomes.len() as u64);
    assert_eq!(arm.outcomes.planned(), outcomes.len() as u64);
    assert_eq!(arm.outcomes.errors(), 4);
}

#[test]
fn the_three_clocks_differ_as_they_should() {
    let mut recorder = Recorder::new(1, []);
    recorder.record(0, Purpose::Plain, &stamps(100, 400, 1_000), &Outcome::Claimed, WireCost::default(), 0);
    let arm = &recorder.arms()[0];
    let near = |histogram: &LatencyHistogram, us: f64| {
        let seen = histogram.quantile_us(0.5).unwrap();
        assert!((seen - us).abs() < us * 0.001, "{seen} is not {us}");
    };
    near(&arm.service, 600.0);
    near(&arm.response, 900.0);
    near(&arm.send_lag, 300.0);
}

#[test]
fn each_round_trip_of_a_successful_claim_has_a_histogram_of_its_own() {
    let mut recorder = Recorder::new(1, []);
    let claim = |first: u32, second: u32| Stamps {
        steps: [US * first, US * second].into_iter().collect(),
        ..stamps(0, 0, first + second)
    };
    recorder.record(0, Purpose::Plain, &claim(50, 120), &Outcome::Claimed, WireCost::default(), 0);
    recorder.record(0, Purpose::Plain, &claim(50, 120), &Outcome::Failed, WireCost::default(), 0);
    recorder.record(0, Purpose::Block, &claim(50, 120), &Outcome::Claimed, WireCost::default(), 0);
    let places = &recorder.arms()[0].steps;
    assert_eq!(places.iter().map(LatencyHistogram::count).collect::<Vec<_>>(), [1, 1]);
    let medians: Vec<f64> = places.iter().map(|place| place.quantile_us(0.5).unwrap()).collect();
    assert!((medians[0] - 50.0).abs() < 0.1 && (medians[1] - 120.0).abs() < 0.2, "{medians:?}");
}

#[test]
fn a_bare_round_trip_is_kept_with_its_stratum_and_is_no_claim() {
    let mut recorder = Recorder::new(1, [1]);
    assert_eq!(recorder.add_stratum(1), 1);
    recorder.ruler(1, US * 50);
    recorder.dropped(0, Purpose::Ruler { stratum: 1 });
    assert_eq!((recorder.rulers()[0].0.len(), recorder.rulers()[1].0.as_slice()), (0, &[500][..]));
    assert_eq!((recorder.claimed(), recorder.arms()[0].outcomes.planned()), (0, 0));
}

#[test]
fn what_is_claimed_too_late_is_counted_and_lies_outside_the_window() {
    let mut recorder = Recorder::new(1, []);
    let mut record = |purpose, done, outcome: &Outcome| {
        recorder.record(0, purpose, &stamps(0, done - 100, done), outcome, WireCost::default(), 0);
    };
    record(Purpose::Plain, 900, &Outcome::Claimed);
    record(Purpose::Late, 5_000_000, &Outcome::Refused("grant_expired".into()));
    assert_eq!(recorder.arms()[0].outcomes.planned(), 2);
    assert_eq!((recorder.active(), recorder.window().outcomes.planned()), (US * 900, 2));
    assert_eq!(recorder.timeline().len(), 1);
}

#[test]
fn control_and_blocks_stay_out_of_the_arms() {
    let mut recorder = Recorder::new(2, [2, 2]);
    for purpose in [
        Purpose::Warmup,
        Purpose::Stratum { stratum: 0, side: 1 },
        Purpose::Control { stratum: 1, side: 1 },
        Purpose::Block,
    ] {
        recorder.record(1, purpose, &stamps(0, 0, 50), &Outcome::Claimed, WireCost::default(), 0);
        recorder.empty_stock(1, purpose);
        recorder.dropped(1, purpose);
    }
    let outcomes = &recorder.arms()[1].outcomes;
    assert_eq!((outcomes.claimed, outcomes.empty_stock, outcomes.dropped), (1, 1, 1));
    assert_eq!(recorder.strata()[0][1].0, [500]);
    assert_eq!(recorder.strata()[1][1].0, [500]);
    assert_eq!(recorder.claimed(), 3);
}

#[test]
fn the_steady_part_leaves_ramp_in_and_drain_out() {
    let mut recorder = Recorder::new(1, [1]);
    recorder.begin_block(4);
    let mut record = |purpose, sent| {
        let stamps = stamps(0, sent, sent + 400);
        recorder.record(0, purpose, &stamps, &Outcome::Claimed, WireCost::default(), 0);
    };
    // Four in flight, one sent every 100 us; the first eight are ramp-in.
    (0..8).for_each(|n| record(Purpose::Block, 100 * n));
    (8..48).for_each(|n| record(Purpose::Stratum { stratum: 0, side: 0 }, 100 * n));
    let part = recorder.steady_part().unwrap();
    assert!((part.claims as f64 / part.duration_s - 10_000.0).abs() < 1e-6, "{part:?}");
    recorder.end_batch(US * 5_200, [0]);
    assert_eq!(recorder.steady_part(), None);
}
