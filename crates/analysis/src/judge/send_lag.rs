//! How late claims were sent, and how late is too late.

use crate::record::{ArmRecord, GeneratorRecord, InvalidReason, RunRecord, SEND_LAG_SHARE, Warning};
use crate::scenario::{P99, Scenario};
use crate::stats::Latencies;

/// Without a service level, a calibrated generator that is late by less than this at p99 is as good as timer
/// and scheduler let it be: local claims take so little that a tenth of their median lies below that on any
/// machine.
const FLOOR_US: f64 = 100.0;

/// What the send lag may be over the one that was calibrated at the same rate.
const OVER_CALIBRATED: f64 = 1.5;

/// How late claims were sent, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SendLag {
    /// 99th percentile.
    pub p99: f64,
    /// A tenth of what it is measured against.
    wanted: f64,
    /// What makes the run invalid.
    allowed: f64,
}

impl SendLag {
    pub fn is_late(&self) -> bool {
        self.p99 > self.wanted
    }

    pub fn is_too_late(&self) -> bool {
        self.p99 > self.allowed
    }

    /// How much of what is allowed it is.
    pub fn of_allowed(self) -> f64 {
        self.p99 / self.allowed.max(f64::MIN_POSITIVE)
    }

    pub fn invalid_reason(&self) -> InvalidReason {
        InvalidReason::SendLag { p99_us: self.p99, limit_us: self.allowed }
    }

    /// What is said where it is late, and not too late.
    pub fn warning(&self) -> Option<Warning> {
        let worth_it = self.is_late() && !self.is_too_late();
        worth_it.then_some(Warning::LateSends { p99_us: self.p99, limit_us: self.wanted })
    }
}

/// Of whose claims a lag is: whether what was calibrated holds for those who sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calibrated {
    /// For all of them.
    All,
    /// For some of several generators.
    Partly,
    /// For none.
    NotAtAll,
}

impl Calibrated {
    /// Of the claims of all generators.
    fn of_all(record: &RunRecord) -> Self {
        let each: Vec<bool> = record.generators.iter().map(|one| record.is_calibrated_for(one)).collect();
        match (each.contains(&true), each.contains(&false)) {
            (_, false) => Self::All,
            (true, true) => Self::Partly,
            (false, true) => Self::NotAtAll,
        }
    }

    fn of_one(record: &RunRecord, generator: &GeneratorRecord) -> Self {
        if record.is_calibrated_for(generator) { Self::All } else { Self::NotAtAll }
    }
}

/// Of each arm with a schedule.
pub(super) fn of_arms<'a>(
    record: &'a RunRecord,
    scenario: &'a Scenario,
) -> impl Iterator<Item = SendLag> + 'a {
    of_arms_by(record, scenario, Calibrated::of_all(record))
}

fn of_arms_by<'a>(
    record: &'a RunRecord,
    scenario: &'a Scenario,
    calibrated: Calibrated,
) -> impl Iterator<Item = SendLag> + 'a {
    record.arms.iter().filter_map(move |arm| of_arm(arm, record, scenario, calibrated))
}

/// Of one of several generators, over all of its claims: it may be as late as those of the arm that may be
/// the latest.
pub(super) fn of_generator(
    generator: &GeneratorRecord,
    record: &RunRecord,
    scenario: &Scenario,
) -> Option<SendLag> {
    let p99 = Latencies::readable(&generator.send_lag)?.quantile_us(P99);
    let arms = of_arms_by(record, scenario, Calibrated::of_one(record, generator));
    arms.reduce(|a, b| SendLag { p99, wanted: a.wanted.max(b.wanted), allowed: a.allowed.max(b.allowed) })
        .map(|limits| SendLag { p99, ..limits })
}

/// `None` without a schedule. A service level says how late is too late; without one it is the median
/// response time, but never less than a generator can do, as far as that is known.
fn of_arm(
    arm: &ArmRecord,
    record: &RunRecord,
    scenario: &Scenario,
    calibrated: Calibrated,
) -> Option<SendLag> {
    let lag = Latencies::readable(&arm.send_lag)?;
    let p99 = lag.quantile_us(P99);
    if let Some(bound) = scenario.slo.and_then(|slo| slo.response_p99) {
        let limit = SEND_LAG_SHARE * bound.as_secs_f64() * 1e6;
        return Some(SendLag { p99, wanted: limit, allowed: limit });
    }
    let response = Latencies::readable(&arm.response)?;
    let wanted_us = SEND_LAG_SHARE * response.quantile_us(0.5);
    // Where nobody knows what this generator can do: late by no more than a slow claim takes it is at least
    // not what the response times mostly show.
    let slow_claim = Latencies::readable(&arm.service).map_or(0.0, |service| service.quantile_us(P99));
    let of_note = record.calibration.as_ref().and_then(|note| {
        let by_calibration = OVER_CALIBRATED * note.send_lag?.p99_us;
        // It can do at least that; how late it was because the machine had other things to do excuses no run.
        Some(if note.disturbed.is_empty() { by_calibration } else { slow_claim.min(by_calibration) })
    });
    let floor = match (of_note, calibrated) {
        (Some(of_note), Calibrated::All) => of_note,
        // Each generator is held to its own limit besides.
        (Some(of_note), Calibrated::Partly) => of_note.max(slow_claim),
        (Some(_), Calibrated::NotAtAll) | (None, _) => slow_claim,
    };
    let floor = FLOOR_US.max(floor);
    Some(SendLag { p99, wanted: wanted_us, allowed: wanted_us.max(floor) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures::{GRANT_LANE, calibration_note, generator, record, scenario};
    use super::*;
    use crate::record::{CalibratedLag, CalibrationNote, Disturbance, Histogram, LatencyHistogram};

    fn took(us: u64) -> Histogram {
        let mut histogram = LatencyHistogram::default();
        histogram.record(Duration::from_micros(us));
        histogram.encode()
    }

    /// A run whose slow claim takes 300 us.
    fn run(calibrated: Option<f64>, disturbed: &[Disturbance]) -> RunRecord {
        let mut run = record(&[GRANT_LANE], 1);
        let arm = &mut run.arms[0];
        (arm.send_lag, arm.response, arm.service) = (took(50), took(250), took(300));
        run.calibration = calibrated.map(|p99_us| CalibrationNote {
            send_lag: Some(CalibratedLag { rate_per_sec: 1_000.0, p99_us }),
            disturbed: disturbed.to_vec(),
            ..calibration_note()
        });
        run
    }

    /// What is allowed there.
    fn allowed(calibrated: Option<f64>, disturbed: &[Disturbance]) -> f64 {
        of_arms(&run(calibrated, disturbed), &scenario(&[GRANT_LANE])).next().unwrap().allowed
    }

    /// What another machine can do nobody has measured, however alike it is.
    #[test]
    fn a_calibration_excuses_no_generator_elsewhere() {
        let mut run = run(Some(4_000.0), &[]);
        run.environment.host.boot = Some("here".into());
        run.generators = (1..=2).map(generator).collect();
        for one in &mut run.generators {
            (one.host.boot, one.send_lag) = (Some("here".into()), took(50));
        }
        let scenario = scenario(&[GRANT_LANE]);
        let limits = |run: &RunRecord| {
            let each = run.generators.iter().map(|one| of_generator(one, run, &scenario).unwrap().allowed);
            let all = of_arms(run, &scenario).next().unwrap().allowed;
            each.chain([all]).map(|us| (us / 100.0).round() as u64).collect::<Vec<_>>()
        };
        assert_eq!(limits(&run), [60, 60, 60]);
        run.generators[1].host.boot = Some("elsewhere".into());
        assert_eq!(limits(&run), [60, 3, 60], "all together are held to the larger one");
        run.environment.host.boot = Some("a third".into());
        assert_eq!(limits(&run), [3, 3, 3]);
    }

    #[test]
    fn a_calibration_on_a_busy_machine_excuses_no_lateness() {
        let near = |value: f64, truth: f64| (value / truth - 1.0).abs() < 0.005;
        let busy = [Disturbance::OthersBusy { share: 0.4 }];
        assert!(near(allowed(None, &[]), 300.0));
        assert!(near(allowed(Some(4_000.0), &[]), 6_000.0));
        assert!(near(allowed(Some(4_000.0), &busy), 300.0), "as without one");
        assert!(near(allowed(Some(120.0), &busy), 180.0), "the generator can do at least that");
        assert!(near(allowed(Some(120.0), &[]), 180.0));
    }
}
