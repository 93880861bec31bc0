//! A run whose rate climbs, step by step: one table over all of its rates would mix them.

use serde::Serialize;

use crate::record::{RunRecord, TimelinePoint};
use crate::scenario::{ArrivalsForm, P99, Ramp};
use crate::stats::{Estimate, Latencies, TooFew};

/// Steps that a run is cut into at most.
const MAX_STEPS: usize = 10;

/// Arrivals that rounding may add to a schedule or take from it.
const ROUNDING: f64 = 2.0;

/// A few whole seconds of a run whose rate climbs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RampStep {
    /// Its begin, in seconds from the window's start.
    pub from_s: f64,
    /// Its end. The last step ends with the last claim.
    pub to_s: f64,
    /// Claims that were due in it per second: the mean of the schedule, for as much of the step as it lasted. None
    /// after its end.
    pub offered_per_s: f64,
    /// Claims that succeeded in it per second.
    pub claimed_per_s: f64,
    /// Claims that ended in it and did not succeed.
    pub errors: u64,
    /// Median response time of the claims that succeeded in it; `None` without one, and in results of
    /// versions that did not keep response times by second.
    pub response_p50: Option<StepQuantile>,
    /// 99th percentile of it.
    pub response_p99: Option<StepQuantile>,
    /// Grants in stock at its end.
    pub stock: u64,
    /// Share of a core that the main thread of the busiest primary used, over the seconds in which it was
    /// read.
    pub busiest_cpu: Option<f64>,
}

/// A quantile of one step, from the merged histograms of its seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepQuantile {
    /// In microseconds.
    pub us: f64,
    /// Its interval.
    pub interval: Option<Estimate>,
    /// Why there is none.
    pub too_few: Option<TooFew>,
}

/// Why a run with a ramp has no steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSteps {
    /// The safety copy of a run that was killed in its window.
    #[error("the run ended before its schedule was on record")]
    NoSchedule,
    /// Rounds, a comparison or counter blocks: seconds of different rates are one second of the timeline.
    #[error(
        "the ramp began anew in several windows of the run: give it executions enough for one, one variant and no \
         [compare]"
    )]
    SeveralWindows,
    /// Several variants, or a control beside the only one: a second of the timeline has the response times of
    /// all of them.
    #[error(
        "several variants, or a variant and its control, share each second of the run, and one step would have the \
         response times of all of them: give it one variant and no [compare]"
    )]
    SeveralVariants,
}

/// A run with a ramp in at most ten steps of equal time; `None` for every other run.
pub fn ramp_steps(record: &RunRecord) -> Option<Result<Vec<RampStep>, NoSteps>> {
    let load = &record.scenario.load;
    let Some(ArrivalsForm::Ramp(form)) = &load.arrivals else { return None };
    let ramp = Ramp::new(form.from, load.rate?, form.over.0);
    let Some(offered) = record.offered else { return Some(Err(NoSteps::NoSchedule)) };
    // Of one window, the last claim's place in the schedule and the number of claims say the same.
    let one = (ramp.count_until(offered.schedule_s) - offered.claims as f64).abs() <= ROUNDING;
    if !one || !record.blocks.is_empty() {
        return Some(Err(NoSteps::SeveralWindows));
    }
    if record.arms.len() > 1 || record.strata.iter().any(|stratum| stratum.control) {
        return Some(Err(NoSteps::SeveralVariants));
    }
    Some(Ok(cut(record, &ramp, offered.schedule_s)))
}

fn cut(record: &RunRecord, ramp: &Ramp, schedule_s: f64) -> Vec<RampStep> {
    let points = &record.timeline;
    let active_s = record.arms.iter().map(|arm| arm.active_s).fold(0.0, f64::max);
    // The claims that were due last end a little after the schedule; that is no step of its own.
    let seconds = if active_s - schedule_s < 1.0 {
        points.len().min(schedule_s.ceil().max(1.0) as usize)
    } else {
        points.len()
    };
    let each = seconds.div_ceil(MAX_STEPS).max(1);
    let begins: Vec<usize> = (0..seconds).step_by(each).collect();
    begins
        .iter()
        .map(|&begin| {
            let last = begin + each >= seconds;
            let end = if last { points.len() } else { begin + each };
            let from_s = begin as f64;
            let to_s = if last { active_s.max(from_s + f64::EPSILON) } else { end as f64 };
            step(&points[begin..end], (from_s, to_s), rate(ramp, from_s, to_s.min(schedule_s)))
        })
        .collect()
}

/// The mean of the schedule from one time to another; zero where that is no time.
fn rate(ramp: &Ramp, from_s: f64, to_s: f64) -> f64 {
    if to_s > from_s { (ramp.count_until(to_s) - ramp.count_until(from_s)) / (to_s - from_s) } else { 0.0 }
}

fn step(points: &[TimelinePoint], (from_s, to_s): (f64, f64), offered_per_s: f64) -> RampStep {
    let length = to_s - from_s;
    let claimed: u64 = points.iter().map(|point| point.claimed).sum();
    let responses = merged(points);
    let quantile = |q: f64| {
        let responses = responses.as_ref()?;
        let (interval, too_few) = match responses.quantile_interval(q) {
            Ok(interval) => (Some(interval), None),
            Err(too_few) => (None, Some(too_few)),
        };
        Some(StepQuantile { us: responses.quantile_us(q), interval, too_few })
    };
    RampStep {
        from_s,
        to_s,
        offered_per_s,
        claimed_per_s: claimed as f64 / length,
        errors: points.iter().map(|point| point.errors).sum(),
        response_p50: quantile(0.5),
        response_p99: quantile(P99),
        stock: points.last().map_or(0, |point| point.stock),
        busiest_cpu: busiest(points),
    }
}

/// All response times of a step. A histogram that cannot be read gives none, rather than those of the others.
fn merged(points: &[TimelinePoint]) -> Option<Latencies> {
    let mut all: Option<Latencies> = None;
    for point in points {
        let Some(second) = Latencies::decode(&point.response).ok()? else { continue };
        match &mut all {
            Some(all) => all.merge(&second).ok()?,
            None => all = Some(second),
        }
    }
    all
}

/// The largest of the primaries' means.
fn busiest(points: &[TimelinePoint]) -> Option<f64> {
    let read: Vec<&[f64]> =
        points.iter().map(|point| point.primary_cpu.as_slice()).filter(|cpu| !cpu.is_empty()).collect();
    let primaries = read.iter().map(|cpu| cpu.len()).min()?;
    let mean = |primary: usize| read.iter().map(|cpu| cpu[primary]).sum::<f64>() / read.len() as f64;
    (0..primaries).map(mean).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, record};
    use crate::record::{LatencyHistogram, Offered, Stratum};
    use crate::scenario::{HumanDuration, RampForm};

    /// 100 to 300 per second over `over` seconds, then 300 per second until `seconds`; every claim takes as
    /// many microseconds as its second has number, and one in fifty a thousand times that.
    fn climbing(over: u64, seconds: u32) -> RunRecord {
        let mut record = record(&[GRANT_LANE], 1);
        let form = RampForm { from: 100.0, over: HumanDuration::from_secs(over) };
        record.scenario.load.arrivals = Some(ArrivalsForm::Ramp(form));
        record.scenario.load.rate = Some(300.0);
        let ramp = Ramp::new(100.0, 300.0, Duration::from_secs(over));
        let claims = ramp.count_until(f64::from(seconds)).round();
        record.offered = Some(Offered { claims: claims as u64, schedule_s: ramp.time_of(claims - 1.0) });
        record.arms[0].active_s = f64::from(seconds);
        let template = record.timeline[0].clone();
        record.timeline = (0..seconds)
            .map(|second| {
                let (begin, end) = (f64::from(second), f64::from(second + 1));
                let claimed = (ramp.count_until(end) - ramp.count_until(begin)) as u64;
                let mut response = LatencyHistogram::default();
                for n in 0..claimed {
                    let slow = if n % 50 == 0 { 1_000 } else { 1 };
                    response.record(Duration::from_micros(slow * u64::from(second + 1)));
                }
                TimelinePoint {
                    t_s: end,
                    claimed,
                    errors: u64::from(second),
                    stock: u64::from(1_000 - second),
                    response: response.encode(),
                    primary_cpu: if second % 2 == 0 { vec![0.1, begin / 100.0] } else { Vec::new() },
                    ..template.clone()
                }
            })
            .collect();
        record
    }

    fn steps(record: &RunRecord) -> Vec<RampStep> {
        ramp_steps(record).expect("a ramp").expect("steps")
    }

    #[test]
    fn a_ramp_is_cut_into_equal_steps_with_the_rate_of_the_schedule() {
        let steps = steps(&climbing(18, 20));
        let times: Vec<_> = steps.iter().map(|step| (step.from_s as u32, step.to_s as u32)).collect();
        assert_eq!(times, (0..10).map(|n| (2 * n, 2 * n + 2)).collect::<Vec<_>>());
        // From 100 by 200 / 18 per second: at second 1 it is 111.1, the mean of the first two; at the top 300.
        assert!((steps[0].offered_per_s - 111.1).abs() < 0.1, "{:?}", steps[0]);
        assert!((steps[9].offered_per_s - 300.0).abs() < 1.0, "{:?}", steps[9]);
        assert!((steps[0].claimed_per_s - 111.1).abs() < 1.0);
        assert_eq!((steps[1].errors, steps[1].stock), (2 + 3, 997));
        // Only seconds 2 and 4 ... of each pair were read: that of 18 had 18 %.
        assert!((steps[9].busiest_cpu.unwrap() - 0.18).abs() < 1e-9);
        assert!((steps[0].busiest_cpu.unwrap() - 0.1).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_those_of_all_claims_of_the_step() {
        let steps = steps(&climbing(18, 20));
        let p99 = steps[9].response_p99.as_ref().unwrap();
        // Two in a hundred are slow in either second, so half of the slow ones lie beyond p99: those of
        // second 20.
        assert!((19_000.0..20_100.0).contains(&p99.us), "{p99:?}");
        assert!(
            p99.interval.is_none() && p99.too_few.is_some(),
            "600 claims are too few for the interval of a p99"
        );
        let p50 = steps[9].response_p50.as_ref().unwrap();
        assert!(p50.interval.unwrap().contains(p50.us), "{p50:?}");
    }

    #[test]
    fn seconds_that_do_not_divide_leave_a_shorter_last_step_and_a_queue_has_steps_of_its_own() {
        let mut record = climbing(10, 11);
        let cut = steps(&record);
        assert_eq!(cut.iter().map(|step| step.to_s as u32).collect::<Vec<_>>(), [2, 4, 6, 8, 10, 11]);
        // A claim that ends just after the schedule belongs to the last step.
        let late = TimelinePoint { t_s: 12.0, claimed: 1, ..record.timeline[10].clone() };
        record.timeline.push(late);
        record.arms[0].active_s = 11.02;
        let last = steps(&record).pop().unwrap();
        assert!(
            (last.to_s - 11.02).abs() < 1e-9 && (last.claimed_per_s - 301.0 / 1.02).abs() < 0.1,
            "{last:?}"
        );
        // Nothing is due in what it takes longer than the schedule, however much of the step that is.
        let scheduled_s = record.offered.unwrap().schedule_s;
        record.arms[0].active_s = scheduled_s + 0.9;
        let last = steps(&record).pop().unwrap();
        assert!((last.to_s - last.from_s - 1.9).abs() < 0.01, "{last:?}");
        assert!((last.offered_per_s - 300.0).abs() < 1e-6, "{last:?}");
        // A queue that takes two seconds more does not.
        record.timeline.push(TimelinePoint { t_s: 13.0, ..record.timeline[11].clone() });
        record.arms[0].active_s = 13.0;
        let last = steps(&record).pop().unwrap();
        assert_eq!((last.from_s as u32, last.offered_per_s.round() as u32), (12, 0));
        let before = &steps(&record)[5];
        assert_eq!((before.from_s as u32, before.to_s as u32), (10, 12));
        assert!((before.offered_per_s - 300.0).abs() < 1e-6, "{before:?}");
    }

    #[test]
    fn a_run_without_one_ramp_has_no_steps_and_says_why() {
        assert!(ramp_steps(&record(&[GRANT_LANE], 1)).is_none());
        let mut two = climbing(18, 20);
        let offered = two.offered.as_mut().unwrap();
        (offered.claims, offered.schedule_s) = (2 * offered.claims, 2.0 * offered.schedule_s);
        assert_eq!(ramp_steps(&two), Some(Err(NoSteps::SeveralWindows)));
        two.offered = None;
        assert_eq!(ramp_steps(&two), Some(Err(NoSteps::NoSchedule)));
    }

    #[test]
    fn variants_that_share_the_seconds_of_a_ramp_have_no_steps() {
        let mut two = climbing(18, 20);
        two.arms.push(two.arms[0].clone());
        assert_eq!(ramp_steps(&two), Some(Err(NoSteps::SeveralVariants)));
        let mut controlled = climbing(18, 20);
        let control = Stratum { control: true, sides: Vec::new(), apart: false, ruler: None };
        controlled.strata.push(control);
        assert_eq!(ramp_steps(&controlled), Some(Err(NoSteps::SeveralVariants)));
    }

    #[test]
    fn results_of_before_have_no_quantiles() {
        let mut record = climbing(18, 20);
        for point in &mut record.timeline {
            point.response = crate::record::Histogram(None);
        }
        assert!(steps(&record).iter().all(|step| step.response_p50.is_none() && step.claimed_per_s > 0.0));
    }
}
