//! Service levels of runs whose times are known.

use super::*;
use crate::judge::fixtures::{GRANT_LANE, record, scenario, spread};
use crate::judge::{analyse, analyse_as, metric_values};
use crate::record::{Histogram, LatencyHistogram, StormRecord};
use crate::scenario::Metric;

/// The one variant of this record against a bound in µs.
fn level(record: RunRecord, bound_us: f64) -> (Clock, LevelState) {
    let result = analyse_as(record, &scenario(&[GRANT_LANE]));
    let one = service_levels(&result, Duration::from_secs_f64(bound_us / 1e6)).next().unwrap();
    (one.clock, one.state)
}

#[test]
fn a_level_within_the_interval_of_the_p99_is_neither_kept_nor_missed() {
    let run = record(&[GRANT_LANE], 1);
    let p99 = analyse(run.clone()).unwrap().variants[0].service_us.as_ref().unwrap().p99;
    assert_eq!(level(run.clone(), 1.1 * p99), (Clock::Service, LevelState::Kept));
    assert_eq!(level(run.clone(), 0.9 * p99), (Clock::Service, LevelState::Missed));
    let (_, state) = level(run, p99);
    let LevelState::Untold { interval: Ok(interval) } = &state else { panic!("{state:?}") };
    assert!(interval.contains(p99) && interval.half_width() > 0.0, "{interval:?}");
}

/// A run of 10,000 claims in 1 to 2.2 ms, of which the last ones waited for a stall of so many milliseconds, one for
/// each.
fn stalled(ms: u64) -> RunRecord {
    let mut run = record(&[GRANT_LANE], 1);
    let mut histogram = LatencyHistogram::default();
    let body = 10_000 - ms;
    let us = (0..body).map(|n| 1_000 + 1_200 * n / body).chain((1..=ms).map(|waited| 1_000 * waited));
    us.for_each(|us| histogram.record(Duration::from_micros(us)));
    run.arms[0].service = histogram.encode();
    // None of its seconds says more than the histogram.
    run.timeline.clear();
    run
}

/// Its p99 is 2.2 ms, and of 25 ms the order statistics know nothing; one error for both sides ended at 7.4 ms.
#[test]
fn a_level_that_a_stall_may_have_missed_is_not_kept() {
    let (clock, state) = level(stalled(95), 10_000.0);
    let LevelState::Untold { interval: Ok(interval) } = state else { panic!("{state:?}") };
    assert_eq!(clock, Clock::Service);
    assert!(interval.estimate < 2_300.0 && (interval.high / 25_000.0 - 1.0).abs() < 0.05, "{interval:?}");
    assert_eq!(level(stalled(95), 27_000.0).1, LevelState::Kept);
    assert_eq!(level(stalled(95), 2_000.0).1, LevelState::Missed);
    let result = analyse_as(stalled(95), &scenario(&[GRANT_LANE]));
    let stored = metric_values(&result).into_iter().find(|one| one.name.metric == Metric::ServiceP99);
    assert_eq!(stored.unwrap().interval, Some(interval), "what is exported is what is judged");
}

/// Its p99 is 20 ms, and may be that of all others; one error for both sides began at 4.2 ms.
#[test]
fn a_level_that_was_missed_because_of_a_stall_alone_is_not_missed_for_sure() {
    let state = level(stalled(120), 3_000.0).1;
    assert!(matches!(&state, LevelState::Untold { interval: Ok(known) } if known.low < 2_300.0), "{state:?}");
    assert_eq!(level(stalled(120), 2_000.0).1, LevelState::Missed);
}

/// Five more that were late: p99 is still among those that were not stalled, and its interval ends later.
#[test]
fn claims_without_a_time_beside_a_stall_leave_a_level_open() {
    let with_lost = |bound_us: f64| {
        let mut run = stalled(95);
        run.arms[0].outcomes.ambiguous = 5;
        level(run, bound_us).1
    };
    assert!(matches!(with_lost(10_000.0), LevelState::Untold { interval: Ok(_) }));
    assert_eq!(with_lost(35_000.0), LevelState::Kept);
}

/// Those whose replies were lost may have been late, and those that never got a lease were.
#[test]
fn claims_without_a_time_decide_by_what_is_known_of_them() {
    let p99 = analyse(record(&[GRANT_LANE], 1)).unwrap().variants[0].service_us.as_ref().unwrap().p99;
    let of = |ambiguous: u64, timed_out: u64, bound_us: f64| {
        let mut run = record(&[GRANT_LANE], 1);
        (run.arms[0].outcomes.ambiguous, run.arms[0].outcomes.timed_out) = (ambiguous, timed_out);
        level(run, bound_us).1
    };
    let above = 1.1 * p99;
    let few = [of(0, 0, above), of(6, 0, above), of(0, 6, above)];
    assert!(few.iter().all(|state| *state == LevelState::Kept), "{few:?}");
    let open = of(200, 0, above);
    assert!(matches!(&open, LevelState::Untold { interval: Ok(known) } if known.high < above), "{open:?}");
    assert_eq!(of(0, 200, above), LevelState::Missed);
    // What is late without them is late with them.
    assert_eq!([of(6, 0, 0.9 * p99), of(0, 6, 0.9 * p99)], [LevelState::Missed, LevelState::Missed]);
    // Too few for an interval: how many are beyond the bound tells, or does not.
    let of_few = |ambiguous: u64| {
        let mut few = record(&[GRANT_LANE], 1);
        (few.arms[0].service, few.arms[0].outcomes.ambiguous) = (spread(2_000, 200.0, 1), ambiguous);
        level(few, 1e6).1
    };
    assert_eq!(of_few(0), LevelState::Kept);
    assert!(matches!(of_few(30), LevelState::Untold { interval: Err(_) }), "{:?}", of_few(30));
}

/// Claims that are too few for an interval of their p99 are on one side of a bound all the same where hardly
/// any, or far too many, are beyond it.
#[test]
fn a_level_is_told_of_few_claims_by_how_many_are_beyond_it() {
    let of = |claims: u64, bound_us: f64| {
        let mut few = record(&[GRANT_LANE], 1);
        few.arms[0].service = spread(claims, 200.0, 1);
        level(few, bound_us).1
    };
    assert_eq!([of(20, 1.0), of(4_000, 150.0)], [LevelState::Missed, LevelState::Missed]);
    assert_eq!(of(2_000, 1e6), LevelState::Kept);
    // The p99 of twenty claims is the slowest of them.
    let LevelState::Untold { interval: Err(too_few) } = of(20, 1e6) else { panic!("{:?}", of(20, 1e6)) };
    assert_eq!(too_few, TooFew::samples("claims", 5_000, 20));
    assert!(
        matches!(of(800, 1e6), LevelState::Untold { .. }),
        "of 342 independent ones none beyond is no surprise at 1 in 100"
    );
}

#[test]
fn an_open_loop_is_held_to_its_response_time() {
    let mut open = record(&[GRANT_LANE], 1);
    open.arms[0].response = spread(6_000, 1_000_000.0, 1);
    assert_eq!(level(open, 500_000.0), (Clock::Response, LevelState::Missed));
}

/// So many claims took the same time that there is no interval to speak of.
#[test]
fn a_p99_that_does_not_vary_is_known() {
    let mut same = record(&[GRANT_LANE], 1);
    let mut histogram = LatencyHistogram::default();
    (0..6_000).for_each(|_| histogram.record(Duration::from_micros(200)));
    same.arms[0].service = histogram.encode();
    assert_eq!(level(same.clone(), 210.0).1, LevelState::Kept);
    assert_eq!(level(same, 190.0).1, LevelState::Missed);
}

/// Of 6,000 whose time is known, some 1.81 s at p99.
fn storm(executions: u64, held: u64) -> RunRecord {
    let mut storm = record(&[GRANT_LANE], 1);
    storm.scenario.load.mode = Mode::Storm;
    storm.arms[0].resume = spread(6_000, 900_000.0, 2);
    storm.storm = Some(StormRecord { executions, held, ..StormRecord::default() });
    storm
}

#[test]
fn a_storm_is_held_to_the_time_to_resume_of_all_its_executions() {
    let by_resuming = |state| (Clock::Resume, state);
    assert_eq!(level(storm(6_000, 6_000), 2e6), by_resuming(LevelState::Kept));
    assert_eq!(level(storm(6_000, 6_000), 1e6), by_resuming(LevelState::Missed));
    // A hundred never came back: those that did kept it.
    assert_eq!(level(storm(6_100, 6_000), 2e6), by_resuming(LevelState::Missed));
    let untold = |record: RunRecord| {
        let (_, state) = level(record, 2e6);
        matches!(state, LevelState::Untold { interval: Err(TooFew::Samples { have: 6_000, .. }) })
    };
    assert!(untold(storm(6_100, 6_100)), "since when a hundred hold their lease nobody knows");
    let mut stopped = storm(6_100, 6_000);
    stopped.partial = true;
    assert!(untold(stopped), "they had not had the time");
    // Without its times a storm is a closed loop like any other.
    let mut untimed = storm(6_000, 6_000);
    untimed.arms[0].resume = Histogram(None);
    assert_eq!(level(untimed, 1e6), (Clock::Service, LevelState::Kept));
}
