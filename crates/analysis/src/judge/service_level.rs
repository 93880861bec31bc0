//! Whether a run kept its scenario's service level.

use std::cmp::Ordering;
use std::time::Duration;

use super::clock::Clock;
use super::conclusion::{Cause, Conclusion, Finding};
use super::recovery_result::{Recovery, Untold};
use super::result::{RunResult, VariantSummary};
use super::untimed::{Untimed, WithoutTime, without_time};
use super::values::interval_around;
use crate::record::RunRecord;
use crate::scenario::{FaultKind, Mode, P99, P99_ONE_IN};
use crate::stats::{CONFIDENCE, Estimate, Latencies, TooFew};

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
    exact_where_constant(interval_around(p99_us, record, arm, clock.p99()), p99_us)
}

/// An interval, or enough claims and so many of them with the same time that the quantile is exact.
fn exact_where_constant(interval: Result<Estimate, TooFew>, us: f64) -> Result<Estimate, TooFew> {
    match interval {
        Err(TooFew::Constant { .. }) => Ok(exactly(us)),
        other => other,
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
/// of these, wider by as much as what is `known` of their p99 is wider than a histogram tells. `None` where too few are
/// beyond it.
fn with_further(times: &Latencies, known: &Estimate, (earlier, later): (u64, u64)) -> Option<Estimate> {
    if earlier + later == 0 {
        return Some(*known);
    }
    let count = times.count() as f64;
    let at = (P99 * (count + (earlier + later) as f64) - earlier as f64) / count;
    if !(0.0..1.0).contains(&at) {
        return None;
    }
    let told = |q: f64| exact_where_constant(times.quantile_interval(q), times.quantile_us(q)).ok();
    let (own, of_p99) = (told(at)?, told(P99)?);
    // How far the order statistics are away differs from quantile to quantile; seconds that were slower do not.
    let (lower, higher) = ((known.low / of_p99.low).min(1.0), (known.high / of_p99.high).max(1.0));
    Some(Estimate { low: lower * own.low, high: higher * own.high, ..own })
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
#[path = "service_level_tests.rs"]
mod tests;
