//! Whether a run kept its scenario's service level.

use std::cmp::Ordering;
use std::time::Duration;

use super::clock::Clock;
use super::conclusion::{Cause, Conclusion, Finding};
use super::recovery_result::{Recovery, Untold};
use super::result::{RunResult, VariantSummary};
use super::untimed::{Untimed, WithoutTime, without_time};
use super::values::measured;
use crate::record::RunRecord;
use crate::scenario::{FaultKind, Mode, P99, P99_ONE_IN};
use crate::stats::{CONFIDENCE, Estimate, Latencies, LogValue, TooFew};

/// One variant against the bound of its 99th percentile.
#[derive(Clone, Debug)]
pub struct ServiceLevel<'a> {
    /// The variant.
    pub variant: &'a VariantSummary,
    /// By which clock: that of the response time. A closed loop has none, and is held to the service time; a
    /// storm to the time to resume.
    pub clock: Clock,
    /// Times that were taken by it.
    pub claims: u64,
    /// Their 99th percentile in µs.
    pub p99_us: f64,
    /// Of a storm: executions that came back later than the bound or never, of how many.
    pub late: Option<(u64, u64)>,
    /// What the 99th percentile does not know of, where it does not know of all claims; never of a storm,
    /// which knows what became of all its executions.
    pub untimed: Option<WithoutTime>,
    /// The bound in µs.
    pub bound_us: f64,
    /// Whether it was kept.
    pub state: LevelState,
}

/// Whether a service level was kept.
#[derive(Clone, Debug, PartialEq)]
pub enum LevelState {
    /// The p99 lies at or below the bound, with its whole interval where it has one, and with all claims that
    /// have no time later than the others.
    Kept,
    /// It lies above it, in the same way, with those later that never got a lease, and the others earlier.
    Missed,
    /// Neither can be said.
    Untold {
        /// The interval of the claims that have a time, or why there is none.
        interval: Result<Estimate, TooFew>,
    },
}

impl ServiceLevel<'_> {
    /// What it amounts to; `None` where it was kept.
    pub(crate) fn finding(&self) -> Option<Finding> {
        let (variant, clock, bound_us) = (self.variant.name.clone(), self.clock, self.bound_us);
        match &self.state {
            LevelState::Kept => None,
            LevelState::Missed => {
                let (p99_us, late, untimed) = (self.p99_us, self.late, self.untimed);
                let cause = Cause::ServiceLevel { variant, clock, p99_us, late, untimed, bound_us };
                Some(Finding::new(Conclusion::Regression, cause))
            }
            LevelState::Untold { interval } => {
                let (claims, interval, untimed) = (self.claims, interval.clone(), self.untimed);
                let cause = Cause::ServiceLevelUntold { variant, clock, claims, interval, untimed, bound_us };
                Some(Finding::new(Conclusion::Inconclusive, cause))
            }
        }
    }
}

/// Every variant with a successful claim, against this bound.
pub(crate) fn service_levels(result: &RunResult, bound: Duration) -> impl Iterator<Item = ServiceLevel<'_>> {
    let bound_us = bound.as_secs_f64() * 1e6;
    let (record, clock) = (&result.record, judged_clock(result));
    result.variants.iter().filter_map(move |variant| {
        let summary = clock.summary(variant)?;
        let arm = record.arms.iter().position(|arm| arm.name == variant.name)?;
        let (claims, p99_us) = (summary.count, summary.p99);
        let level = |state, late, untimed| ServiceLevel {
            variant,
            clock,
            claims,
            p99_us,
            late,
            untimed,
            bound_us,
            state,
        };
        if clock == Clock::Resume {
            let (state, late) = of_storm(record, arm, bound_us)?;
            return Some(level(state, Some(late), None));
        }
        let times = Latencies::readable(clock.histogram(&record.arms[arm]))?;
        let untimed = Untimed::from_arm(&record.arms[arm]);
        let state = of_claims(&times, interval(record, (arm, clock), p99_us), untimed, bound_us);
        Some(level(state, None, without_time(&times, untimed)))
    })
}

/// The clock by which a run is held to its level.
fn judged_clock(result: &RunResult) -> Clock {
    let known = |clock: Clock| result.variants.iter().any(|variant| clock.summary(variant).is_some());
    if result.record.scenario.load.mode == Mode::Storm && known(Clock::Resume) {
        Clock::Resume
    } else if known(Clock::Response) {
        Clock::Response
    } else {
        Clock::Service
    }
}

/// The p99 of an arm's claims that have a time, with the interval that is stored and exported of it.
fn interval(record: &RunRecord, (arm, clock): (usize, Clock), p99_us: f64) -> Result<Estimate, TooFew> {
    match measured(record, arm, clock.p99()) {
        // Around the figure that reports have.
        Ok(value) => Ok(LogValue { value: p99_us, ..value }.estimate(CONFIDENCE)),
        // Enough claims, and so many of them with the same time that their p99 is exact.
        Err(TooFew::Constant { .. }) => Ok(exactly(p99_us)),
        Err(too_few) => Err(too_few),
    }
}

fn exactly(us: f64) -> Estimate {
    Estimate { estimate: us, low: us, high: us, confidence: CONFIDENCE }
}

/// An arm's claims against the bound: the interval of those that have a time, and what is known of the
/// others.
fn of_claims(
    times: &Latencies,
    interval: Result<Estimate, TooFew>,
    untimed: Untimed,
    bound_us: f64,
) -> LevelState {
    let side = |further| side_of(times, interval.as_ref().ok(), further, bound_us);
    if side((0, untimed.all())) == Some(Ordering::Less) {
        LevelState::Kept
    } else if side((untimed.unknown, untimed.never)) == Some(Ordering::Greater) {
        LevelState::Missed
    } else {
        LevelState::Untold { interval }
    }
}

/// On which side of the bound the p99 lies, with `further` claims (earlier, later) before and after all
/// others; `None` where nobody can tell. Without an interval, the number of claims beyond the bound may
/// decide.
fn side_of(
    times: &Latencies,
    known: Option<&Estimate>,
    further: (u64, u64),
    bound_us: f64,
) -> Option<Ordering> {
    let interval = known.and_then(|known| with_further(times, known, further));
    let Some(interval) = interval else { return times.quantile_against(P99, bound_us, further) };
    if interval.high <= bound_us {
        Some(Ordering::Less)
    } else if interval.low > bound_us {
        Some(Ordering::Greater)
    } else {
        None
    }
}

/// The interval of the p99 with further claims, earlier and later than all others: that of another quantile
/// of these, and no narrower than what is `known` of their p99. `None` where too few are beyond it.
fn with_further(times: &Latencies, known: &Estimate, (earlier, later): (u64, u64)) -> Option<Estimate> {
    if earlier + later == 0 {
        return Some(*known);
    }
    let count = times.count() as f64;
    let at = (P99 * (count + (earlier + later) as f64) - earlier as f64) / count;
    if !(0.0..1.0).contains(&at) {
        return None;
    }
    let own = match times.log_quantile(at) {
        Ok(value) => value.estimate(CONFIDENCE),
        Err(TooFew::Constant { .. }) => exactly(times.quantile_us(at)),
        Err(_) => return None,
    };
    let times_as_long = own.estimate / known.estimate;
    let (low, high) = (own.low.min(times_as_long * known.low), own.high.max(times_as_long * known.high));
    Some(Estimate { low, high, ..own })
}

/// A storm against the bound, and how many of its executions were late, of which one in a hundred may be. All of
/// them are known, so that nothing is estimated, and nothing said of another storm. What never came back is late.
/// Since when an execution holds its lease whose claim had no reply nobody knows, nor what was still to come where
/// the storm was stopped.
fn of_storm(record: &RunRecord, arm: usize, bound_us: f64) -> Option<(LevelState, (u64, u64))> {
    let resumed = Latencies::readable(&record.arms[arm].resume)?;
    let timed = resumed.count();
    let (all, held) = record.storm_counts(timed);
    let (without, untimed) = (all.saturating_sub(held), held.saturating_sub(timed));
    let (never, unknown) = if record.partial { (0, without + untimed) } else { (without, untimed) };
    let (late, allowed) = (resumed.above(bound_us) + never, all / P99_ONE_IN);
    let state = if late > allowed {
        LevelState::Missed
    } else if late + unknown <= allowed {
        LevelState::Kept
    } else {
        let needed = timed + late + unknown - allowed;
        let too_few = TooFew::samples("executions whose time is known", needed, timed);
        LevelState::Untold { interval: Err(too_few) }
    };
    Some((state, (late, all)))
}

/// One fault against the time within which everything must be as before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveryLevel<'a> {
    /// How the run came through it.
    pub(crate) recovery: &'a Recovery,
    /// What it was.
    pub(crate) kind: FaultKind,
    /// Whether the bound was kept; `None` where nobody can tell.
    pub(crate) kept: Option<bool>,
    /// Why nobody can tell when all was as before.
    pub(crate) why: Option<Untold>,
}

/// Every fault that struck, against this bound.
pub(crate) fn recovery_levels(
    result: &RunResult,
    bound: Duration,
) -> impl Iterator<Item = RecoveryLevel<'_>> {
    let record = &result.record;
    let faults = record.injected.as_ref().map_or(&[][..], |injected| &injected.faults);
    let loaded_s = record.loaded_s();
    result.recoveries.iter().filter_map(move |recovery| {
        let fault = faults.get(recovery.fault as usize)?;
        let kind = fault.kind;
        let bound_s = bound.as_secs_f64();
        let why = recovery.untold();
        // A recovery is recognised only this much after it happened.
        let seen_by = bound_s + recovery.before.map_or(0.0, |before| before.settling_s());
        let (kept, why) = match (why, recovery.recovered_s) {
            // Even with the earlier fault's remainder included, recovery was within the bound.
            (None, Some(recovered_s)) if recovered_s <= bound_s => (Some(true), None),
            _ if recovery.with_earlier => (None, Some(Untold::EarlierFault)),
            (Some(Untold::NextFault), _) => {
                let noticed = recovery.next_struck_s.filter(|_| !recovery.nothing_failed);
                (noticed.is_some_and(|next_s| seen_by <= next_s).then_some(false), why)
            }
            (Some(_), _) => (recovery.failed_beyond(bound_s).then_some(false), why),
            (None, Some(_)) => (Some(false), None),
            // It has until then to come back, and the load may have ended before.
            (None, None) => ((fault.struck_s? + seen_by <= loaded_s).then_some(false), None),
        };
        Some(RecoveryLevel { recovery, kind, kept, why })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, record, scenario, spread};
    use crate::judge::{analyse, analyse_as};
    use crate::record::{Histogram, LatencyHistogram, StormRecord};

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
        assert!(
            matches!(&open, LevelState::Untold { interval: Ok(known) } if known.high < above),
            "{open:?}"
        );
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
}
