//! One scenario at several values of one key: a point per value, a curve in all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::beside_others::{difference_beside_others, without_allowance};
use super::conclusion::Conclusion;
use super::recovery_result::Recovery;
use super::result::{Control, RunResult, Verdict};
use super::values::interval_around;
use crate::record::{InvalidReason, RunRecord, Warning, is_zero};
use crate::scenario::Metric;
use crate::stats::{CONFIDENCE, Estimate, FittedLine, Latencies, LinePoint, TooFew, log_error_of};

/// A curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// The key that was varied.
    pub key: String,
    /// The values that were asked for; fewer points are there where the sweep was interrupted.
    pub wanted: Vec<String>,
    /// In the order in which the scenario lists the values, whatever order they were run in.
    pub points: Vec<SweepPoint>,
    /// The error that ended the sweep before all of its runs were made, in words; `None` where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Of a sweep over a simulated network: the difference as a line over the added round-trip time, one for
    /// each variant that has points enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<SweepLine>,
}

/// What a variant takes more than the baseline, as a line over the round-trip time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepLine {
    /// The variant.
    pub name: String,
    /// The baseline.
    pub baseline: String,
    /// The metric.
    pub metric: Metric,
    /// Its unit.
    pub unit: String,
    /// Variant less baseline at no added round-trip time: what the measured machine's own network makes of
    /// it. Whether that was measured, [`Sweep::is_beyond`] says.
    pub base: Estimate,
    /// More of it per microsecond of round-trip time, at the load that was measured: the round trips that the
    /// variant makes more, where claims do not queue. Where they do, it is another number.
    pub per_us: Estimate,
    /// The line itself, by what varied within the runs.
    pub line: FittedLine,
    /// Share of a value by which intervals of the line are wider on either side, for programs that ran beside
    /// any of its points; `None` where nothing is allowed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_for_others: Option<f64>,
}

impl SweepLine {
    /// Variant less baseline on a network whose round trips take so much longer than the measured machine's.
    pub fn at(&self, added_rtt_us: f64) -> Estimate {
        // Either part may be off by that share of itself, whatever they add up to.
        let parts = self.line.a.abs() + (self.line.b * added_rtt_us).abs();
        self.line.at(added_rtt_us, CONFIDENCE).wider_by(self.allowed_for_others.unwrap_or_default() * parts)
    }
}

/// One value of the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// As the scenario writes it.
    pub value: String,
    /// Whether the run's numbers may be used.
    pub valid: bool,
    /// Why not, as the run's own report has it.
    pub invalid_reasons: Vec<InvalidReason>,
    /// What a reader of the run should know, as the run's own report has it.
    pub warnings: Vec<Warning>,
    /// Why nothing is judged, where the baseline differed from itself.
    pub control_failed: Option<Control>,
    /// Whether its own control passed; `None` without one, and in sweeps of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_passed: Option<bool>,
    /// Difference below which nothing is judged to differ; `None` where nothing was compared, and in sweeps of
    /// versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_threshold: Option<f64>,
    /// What the scenario's gate makes of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
    /// Median of the time for which replies were held back, where a longer network was simulated.
    pub added_rtt_us: Option<f64>,
    /// Claims of the busiest primary over the mean: 1.0 is even.
    pub busiest_share: Option<f64>,
    /// How it came through each of its faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<Recovery>,
    /// Grants and claims that the servers lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_by_server: u64,
    /// One per variant.
    pub arms: Vec<SweepArm>,
}

/// One variant at one value. An interval holds the noise within the run, not what differs from run to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepArm {
    /// The variant.
    pub name: String,
    /// Successful claims.
    pub claims: u64,
    /// Per second of the time in which they were made; `None` where that time was another variant's as well.
    pub throughput_per_s: Option<f64>,
    /// Its interval, from the whole seconds of a run with one variant, from the counter blocks of the others.
    pub throughput_interval: Option<Estimate>,
    /// Median service time; `None` without a claim.
    pub service_p50_us: Option<f64>,
    /// Its interval, from the single samples of a comparison; of other runs from the histogram, or from the
    /// whole seconds where these differ by more.
    pub service_p50_interval: Option<Estimate>,
    /// 99th percentile of it.
    pub service_p99_us: Option<f64>,
    /// Its interval, as that of the median.
    pub service_p99_interval: Option<Estimate>,
    /// The figures that have none, and why.
    pub without_interval: Vec<NoInterval>,
    /// Against the baseline; `None` for the baseline itself.
    pub against: Option<SweepComparison>,
}

/// A figure without an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoInterval {
    /// The metric.
    pub metric: Metric,
    /// Why there is none.
    pub too_few: TooFew,
}

/// A variant against the baseline, by the scenario's first metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepComparison {
    /// Name of the baseline.
    pub baseline: String,
    /// The metric.
    pub metric: Metric,
    /// Its unit.
    pub unit: String,
    /// The baseline's value.
    pub baseline_value: f64,
    /// Variant over baseline.
    pub ratio: Option<Estimate>,
    /// Share of the effect by which its interval is wider for the programs that ran beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_for_others: Option<f64>,
    /// The run's verdict.
    pub verdict: Verdict,
}

impl SweepComparison {
    /// Variant minus baseline in the metric's unit: the ratio and its interval times the baseline's value,
    /// whose own error is small beside theirs.
    pub fn amount(&self) -> Option<(f64, f64, f64)> {
        let of = |ratio: f64| self.baseline_value * (ratio - 1.0);
        self.ratio.map(|ratio| (of(ratio.estimate), of(ratio.low), of(ratio.high)))
    }
}

/// The key of a simulated network.
const ADDED_RTT: &str = "load.network.added_rtt";

impl SweepPoint {
    /// By how much a round trip was longer here than without a simulated network, in microseconds.
    pub fn added_us(&self) -> f64 {
        self.added_rtt_us.unwrap_or_default()
    }

    /// Whether verdicts of this value count, and lines over the round-trip time go by it.
    pub(crate) fn is_judged(&self) -> bool {
        self.valid && self.control_failed.is_none()
    }
}

impl Sweep {
    /// The worst that the scenario's gate makes of a run; invalid where some were not made.
    pub fn conclusion(&self) -> Conclusion {
        if self.ended_by.is_some() || self.points.len() < self.wanted.len() {
            return Conclusion::Invalid;
        }
        let of =
            |point: &SweepPoint| point.conclusion.or_else(|| (!point.valid).then_some(Conclusion::Invalid));
        self.points.iter().filter_map(of).min().unwrap_or(Conclusion::Pass)
    }

    /// Whether it goes over the simulated network's round trip.
    pub fn is_over_round_trips(&self) -> bool {
        self.key == ADDED_RTT
    }

    /// What variants are compared by; `None` where none are.
    pub fn metric(&self) -> Option<Metric> {
        self.points.iter().flat_map(|point| &point.arms).find_map(|arm| Some(arm.against.as_ref()?.metric))
    }

    /// A variant's line over the time added to each round trip; `None` where too few points make one, and of
    /// a metric that does not grow with round trips.
    pub fn line(&self, variant: &str) -> Option<&SweepLine> {
        self.lines.iter().find(|line| line.name == variant)
    }

    /// Whether round trips so much longer lie beyond all points that carry a variant's line: what it says of
    /// them is extrapolated.
    pub fn is_beyond(&self, variant: &str, added_rtt_us: f64) -> bool {
        let (least, most) = carrying(&self.points, variant)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), (us, _)| (us.min(least), us.max(most)));
        added_rtt_us < least || added_rtt_us > most
    }
}

/// Puts the runs of a sweep together: those that were made, with their values, of those that were wanted.
pub fn sweep<'a>(
    key: &str,
    wanted: &[String],
    runs: impl IntoIterator<Item = (&'a str, &'a RunResult)>,
) -> Sweep {
    let points: Vec<SweepPoint> = runs.into_iter().map(|(value, result)| point(value, result)).collect();
    let mut sweep =
        Sweep { key: key.to_owned(), wanted: wanted.to_vec(), points, ended_by: None, lines: Vec::new() };
    if sweep.is_over_round_trips() && sweep.metric().is_none_or(Metric::grows_with_round_trips) {
        sweep.lines = lines(&sweep.points);
    }
    sweep
}

/// The points that carry a variant's line: by how much a round trip was longer there, and what the variant
/// came to. Points without verdicts, or from invalid runs, carry none.
fn carrying<'a>(
    points: &'a [SweepPoint],
    variant: &'a str,
) -> impl Iterator<Item = (f64, &'a SweepComparison)> {
    points.iter().filter(|point| point.is_judged()).filter_map(move |point| {
        let arm = point.arms.iter().find(|arm| arm.name == variant)?;
        let against = arm.against.as_ref().filter(|against| against.ratio.is_some())?;
        Some((point.added_us(), against))
    })
}

/// A line for each variant that has points enough.
fn lines(points: &[SweepPoint]) -> Vec<SweepLine> {
    let Some(first) = points.first() else { return Vec::new() };
    let of = |name: &str| {
        let found: Vec<(f64, &SweepComparison)> = carrying(points, name).collect();
        let line_points: Vec<LinePoint> =
            found.iter().filter_map(|(x, against)| line_point(*x, against)).collect();
        let line = FittedLine::through(&line_points).ok()?;
        let (_, against) = found.first()?;
        let shares = found.iter().filter_map(|(_, against)| against.allowed_for_others);
        let allowed_for_others = shares.reduce(f64::max);
        let wider = |value| difference_beside_others(value, allowed_for_others.unwrap_or_default());
        Some(SweepLine {
            name: name.to_owned(),
            baseline: against.baseline.clone(),
            metric: against.metric,
            unit: against.unit.clone(),
            base: wider(line.at(0.0, CONFIDENCE)),
            per_us: wider(line.slope(CONFIDENCE)),
            line,
            allowed_for_others,
        })
    };
    first.arms.iter().filter_map(|arm| of(&arm.name)).collect()
}

fn line_point(x: f64, against: &SweepComparison) -> Option<LinePoint> {
    let (y, ..) = against.amount()?;
    let ratio = without_allowance(against.ratio?, against.allowed_for_others);
    Some(LinePoint { x, y, error: against.baseline_value * ratio.estimate * log_error_of(&ratio) })
}

fn point(value: &str, result: &RunResult) -> SweepPoint {
    let record = &result.record;
    let added = record.added_rtt.as_ref().and_then(|added| Latencies::readable(&added.given));
    let compare = record.scenario.compare.as_ref().filter(|_| !result.comparisons.is_empty());
    SweepPoint {
        value: value.to_owned(),
        valid: result.is_usable(),
        invalid_reasons: result.invalid_reasons.clone(),
        warnings: result.warnings.clone(),
        control_failed: result.control.clone().filter(|control| !control.passed),
        control_passed: result.control.as_ref().map(|control| control.passed),
        noise_threshold: compare.map(|compare| compare.noise_threshold),
        conclusion: Some(result.gate().conclusion),
        added_rtt_us: added.map(|added| added.quantile_us(0.5)),
        busiest_share: busiest_share(record),
        recoveries: result.recoveries.clone(),
        lost_by_server: record.audit.lost_by_server,
        arms: (0..result.variants.len()).map(|index| arm(result, index)).collect(),
    }
}

/// Claims of the busiest primary over the mean; of several clusters, which share no claims, in the one where
/// that is most.
fn busiest_share(record: &RunRecord) -> Option<f64> {
    let mut clusters: BTreeMap<Option<u32>, Vec<u64>> = BTreeMap::new();
    for primary in &record.primaries {
        clusters.entry(primary.cluster).or_default().push(primary.claims);
    }
    let share = |claims: &Vec<u64>| {
        let (most, total) = (*claims.iter().max()?, claims.iter().sum::<u64>());
        (total > 0).then(|| most as f64 * claims.len() as f64 / total as f64)
    };
    clusters.values().filter_map(share).max_by(f64::total_cmp)
}

fn arm(result: &RunResult, index: usize) -> SweepArm {
    let variant = &result.variants[index];
    let mut without_interval = Vec::new();
    let mut interval = |metric: Metric, value: f64| match interval_of(&result.record, index, metric, value) {
        Ok(interval) => Some(interval),
        Err(too_few) => {
            without_interval.push(NoInterval { metric, too_few });
            None
        }
    };
    let throughput_per_s = result.own_rate_per_s(index);
    let throughput_interval = throughput_per_s.and_then(|rate| interval(Metric::Throughput, rate));
    let service_p50_us = variant.service_us.map(|service| service.p50);
    let service_p50_interval = service_p50_us.and_then(|us| interval(Metric::ServiceP50, us));
    let service_p99_us = variant.service_us.map(|service| service.p99);
    let service_p99_interval = service_p99_us.and_then(|us| interval(Metric::ServiceP99, us));
    SweepArm {
        name: variant.name.clone(),
        claims: variant.outcomes.claimed,
        throughput_per_s,
        throughput_interval,
        service_p50_us,
        service_p50_interval,
        service_p99_us,
        service_p99_interval,
        without_interval,
        against: difference(result, &variant.name),
    }
}

/// The interval around a figure as the run's own report shows it.
fn interval_of(record: &RunRecord, arm: usize, metric: Metric, value: f64) -> Result<Estimate, TooFew> {
    if arm >= record.arms.len() {
        return Err(TooFew::samples(metric.name(), 1, 0));
    }
    interval_around(value, record, arm, metric)
}

fn difference(result: &RunResult, candidate: &str) -> Option<SweepComparison> {
    let (_, comparison) = result.by_first_metric().into_iter().find(|(_, one)| one.candidate == candidate)?;
    Some(SweepComparison {
        baseline: comparison.baseline.clone(),
        metric: comparison.metric,
        unit: comparison.metric.row().unit.name().to_owned(),
        baseline_value: comparison.baseline_value,
        ratio: comparison.ratio,
        allowed_for_others: comparison.allowed_for_others,
        verdict: comparison.verdict,
    })
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
