//! Storms and executions that go round as one, two and eight generators, each on a paused clock of its own:
//! what their records are together is the record of one.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::fixtures::{FakePath, PausedPacer, scenario};
use super::super::planning::dealt;
use super::super::timing::{Draw, Schedule};
use super::circulation::Offer;
use super::circulation_tests::{Carousel, MS, Release, offered_to};
use super::storm_retries::StormRetries;
use crate::workload::{ExecIndex, Slice};
use reclaim_analysis::judge::fixtures::{GRANT_LANE, generator, record};
use reclaim_analysis::record::{
    ArmRecord, Histogram, LatencyHistogram, PartNote, Recorder, RunRecord, StormRecord, TimelinePoint, merge,
};
use reclaim_analysis::scenario::VariantPath::GrantLane;
use reclaim_analysis::scenario::{Amount, Arrivals};

fn parts(of: u32) -> impl Iterator<Item = Slice> {
    (1..=of).map(move |number| Slice::new(number, of).unwrap())
}

fn own(executions: u32, slice: Slice) -> Vec<u32> {
    (0..executions).filter(|&execution| slice.owns(ExecIndex(execution))).collect()
}

/// One generator's work, from the same moment of a paused clock as every other one's.
fn alone<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// What one generator has recorded, as its record.
fn recorded(recorder: &Recorder, slice: Slice, storm: Option<StormRecord>) -> RunRecord {
    let base = record(&[GRANT_LANE], 1);
    let arm = &recorder.arms()[0];
    let of_arm = ArmRecord {
        outcomes: arm.outcomes.clone(),
        active_s: arm.active.as_secs_f64(),
        service: arm.service.encode(),
        response: arm.response.encode(),
        send_lag: arm.send_lag.encode(),
        resume: arm.resume.encode(),
        error_service: arm.error_service.encode(),
        steps: Vec::new(),
        wire: arm.wire,
        ..base.arms[0].clone()
    };
    let note = PartNote {
        number: slice.number(),
        of: slice.generators(),
        rendezvous: "x".into(),
        began_us: vec![7],
    };
    RunRecord {
        arms: vec![of_arm],
        strata: Vec::new(),
        timeline: recorder.timeline(),
        window: Some(recorder.window()),
        events: recorder.events(),
        longest_gap_s: recorder.longest_gap().map(|gap| gap.as_secs_f64()),
        stalled_s: recorder.stalled().map(|stalled| stalled.as_secs_f64()),
        generator: Some(generator(slice.number()).used),
        part: (!slice.is_whole()).then_some(note),
        storm,
        ..base
    }
}

/// Every value of a histogram, in microseconds and in order: the half, 99 % and the last among them.
fn values(histogram: &Histogram) -> Vec<Option<f64>> {
    let mut all = LatencyHistogram::default();
    all.add(histogram).unwrap();
    let count = all.count();
    (0..count).map(|n| all.quantile_us((n as f64 + 0.5) / count as f64)).collect()
}

/// All but the grants in stock, of which each generator knows its own, and when its scanners had come to an
/// end.
fn same(whole: &RunRecord, merged: &RunRecord) {
    assert_eq!(whole.storm, merged.storm);
    let (one, all) = (&whole.arms[0], &merged.arms[0]);
    assert_eq!((&one.outcomes, one.wire), (&all.outcomes, all.wire));
    for ((what, one), (_, all)) in one.clocks().into_iter().zip(all.clocks()) {
        assert_eq!(values(one), values(all), "{what}");
    }
    let seconds = |record: &RunRecord| -> Vec<_> {
        let second = |point: &TimelinePoint| {
            (point.claimed, point.errors, point.p50_us, point.p99_us, point.response_p50_us)
        };
        record.timeline.iter().map(second).collect()
    };
    assert_eq!(seconds(whole), seconds(merged));
}

/// When an execution's signal is sent: some at the same time as others, and never while a scanner reads its
/// sets.
fn signal_at(execution: u32, bursts: u32) -> Duration {
    MS * (6 * (execution / bursts) + 2 + execution % 4)
}

/// One generator's part of a storm in which every execution has a worker, so that nobody waits for another
/// one's claim.
fn storm_of(executions: u32, bursts: u32, slice: Slice) -> RunRecord {
    alone(async {
        let (start, mine) = (Instant::now(), own(executions, slice));
        let mut carousel = Carousel::new(u32::MAX);
        carousel.since = Some(start);
        let (retries, last) = (StormRetries::default(), Cell::new(Duration::ZERO));
        let release = async {
            let mut signals: Vec<_> = mine.iter().map(|&one| (signal_at(one, bursts), one)).collect();
            signals.sort_unstable();
            for (at, execution) in signals {
                tokio::time::sleep_until(start + at).await;
                carousel.resumable.borrow_mut().push(execution);
                last.set(start.elapsed());
            }
            Ok(())
        };
        let (workers, of) = (slice.share_of(executions), mine.len() as u64);
        let offer = Offer::Storm { workers, executions: of, start, release, retries: &retries };
        let path = FakePath::new(MS);
        let (mut recorder, end) =
            offered_to(&path, (&scenario(&[GrantLane]), slice), &carousel, offer, Vec::new()).await;
        assert_eq!((end.failure, end.stalled), (None, false));
        recorder.end_batch(end.active, [0]);
        let storm = retries.record(of, Some(last.get()), Some(last.get() + MS));
        recorded(&recorder, slice, Some(storm))
    })
}

/// One generator's part of claims that a schedule has due, at whole milliseconds as a paused clock has them,
/// and more executions than it needs at a time.
fn arrivals_of(burst: u32, claims: usize, slice: Slice) -> RunRecord {
    alone(async {
        let draw = Draw { rate_per_sec: 500.0, seed: 7, part: "0", trace: &[] };
        let arrivals = Arrivals::Burst { size: burst, every: MS * 2 * burst };
        let schedule = dealt(Schedule::new(&arrivals, claims, &draw), slice);
        let offer: Offer<'_, PausedPacer, Release> =
            Offer::Open { schedule: &schedule, pacer: PausedPacer::new(&schedule) };
        let (path, carousel) = (FakePath::new(MS), Carousel::new(u32::MAX));
        let ready = own(800, slice);
        let (mut recorder, end) =
            offered_to(&path, (&scenario(&[GrantLane]), slice), &carousel, offer, ready).await;
        assert_eq!((end.failure, end.stalled), (None, false));
        recorder.end_batch(end.active, [0]);
        recorded(&recorder, slice, None)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_storm_is_the_same_however_many_generators_work_it_off(executions in 8u32..400, bursts in 1u32..60) {
        let whole = storm_of(executions, bursts, Slice::WHOLE);
        let storm = whole.storm.clone().unwrap();
        prop_assert_eq!((storm.held, whole.arms[0].outcomes.claimed), (u64::from(executions), u64::from(executions)));
        let last_us = (0..executions).map(|one| signal_at(one, bursts)).max().unwrap().as_secs_f64() * 1e6;
        prop_assert_eq!(storm.last_signal_us, Some(last_us));
        for of in [2, 8] {
            let merged = merge(parts(of).map(|slice| storm_of(executions, bursts, slice)).collect()).unwrap();
            same(&whole, &merged);
            // It ends with the last claim, whose part ends last.
            prop_assert_eq!(&whole.window, &merged.window);
            prop_assert_eq!(whole.arms[0].active_s.to_bits(), merged.arms[0].active_s.to_bits());
        }
    }

    #[test]
    fn arrivals_are_served_alike_however_many_generators_serve_them(burst in 1u32..9, claims in 8usize..700) {
        let whole = arrivals_of(burst, claims, Slice::WHOLE);
        prop_assert_eq!(whole.arms[0].outcomes.claimed, claims as u64);
        for of in [2, 8] {
            same(&whole, &merge(parts(of).map(|slice| arrivals_of(burst, claims, slice)).collect()).unwrap());
        }
    }
}

#[test]
fn workers_and_claims_of_executions_that_go_round_are_shared_out() {
    let made = |claims: u64, slice: Slice| {
        alone(async {
            let (path, carousel) = (FakePath::new(MS), Carousel::new(u32::MAX));
            let (workers, amount) = (slice.share_of(19), Amount::Claims(slice.share_of_claims(claims)));
            let offer: Offer<'_, PausedPacer, Release> =
                Offer::Closed { workers, amount, start: Instant::now() };
            let ready = own(100, slice);
            let (recorder, _) =
                offered_to(&path, (&scenario(&[GrantLane]), slice), &carousel, offer, ready).await;
            let interrupted = *carousel.interrupted.borrow();
            (recorder.claimed(), u64::from(interrupted), path.most_in_flight.get())
        })
    };
    for of in [1, 2, 8] {
        let each: Vec<_> = parts(of).map(|slice| made(1_001, slice)).collect();
        let sum = each.iter().fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        assert_eq!(sum, (1_001, 1_001, 19), "{of}: {each:?}");
    }
}

/// Every kind of arrivals, dealt out, is the schedule.
#[test]
fn arrivals_that_are_dealt_out_are_the_schedule() {
    let arrivals = [
        Arrivals::Constant,
        Arrivals::Poisson,
        Arrivals::Burst { size: 7, every: MS * 10 },
        Arrivals::Ramp { from_per_sec: 10.0, over: Duration::from_secs(1) },
    ];
    for arrivals in arrivals {
        let draw = Draw { rate_per_sec: 1_000.0, seed: 7, part: "0", trace: &[] };
        let whole = Schedule::new(&arrivals, 1_001, &draw);
        for of in [1, 2, 8] {
            let each: Vec<Schedule> = parts(of).map(|slice| dealt(whole.clone(), slice)).collect();
            let share = parts(of).map(|slice| slice.share_of(1_001) as usize);
            assert!(each.iter().map(|own| own.offsets().len()).eq(share), "{of} of {arrivals:?}");
            assert!(each.iter().all(|own| own.length() == whole.length()));
            let mut all: Vec<Duration> = each.iter().flat_map(|own| own.offsets().to_vec()).collect();
            all.sort_unstable();
            assert_eq!(all, whole.offsets(), "{of} of {arrivals:?}");
        }
    }
}
