//! One scenario at several values of one key: a point per value, a curve in all.

use serde::Serialize;

use super::result::{RunResult, Verdict};
use crate::measure::metric;
use crate::stats::{Estimate, Latencies};

/// A curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sweep {
    /// The key that was varied.
    pub key: String,
    /// In the order in which the scenario lists the values, whatever order they were run in.
    pub points: Vec<SweepPoint>,
}

/// One value of the key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepPoint {
    /// As the scenario writes it.
    pub value: String,
    /// Whether the run's numbers may be used.
    pub valid: bool,
    /// Median of the time for which replies were held back, where a longer network was simulated.
    pub added_rtt_us: Option<f64>,
    /// Claims of the busiest primary over the mean: 1.0 is even.
    pub busiest_share: Option<f64>,
    /// One per variant.
    pub arms: Vec<SweepArm>,
}

/// One variant at one value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepArm {
    /// The variant.
    pub name: String,
    /// Successful claims.
    pub claims: u64,
    /// Per second of the time in which they were made.
    pub throughput_per_s: f64,
    /// Median service time; `None` without a claim.
    pub service_p50_us: Option<f64>,
    /// 99th percentile of it.
    pub service_p99_us: Option<f64>,
    /// Against the baseline; `None` for the baseline itself.
    pub against: Option<SweepDifference>,
}

/// A variant against the baseline, by the scenario's first metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepDifference {
    /// Name of the baseline.
    pub baseline: String,
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// The baseline's value.
    pub baseline_value: f64,
    /// Variant over baseline.
    pub ratio: Option<Estimate>,
    /// The run's verdict.
    pub verdict: Verdict,
}

impl SweepDifference {
    /// Variant minus baseline in the metric's unit: the ratio and its interval times the baseline's value, whose own
    /// error is small beside theirs.
    pub fn amount(&self) -> Option<(f64, f64, f64)> {
        let of = |ratio: f64| self.baseline_value * (ratio - 1.0);
        self.ratio.map(|ratio| (of(ratio.estimate), of(ratio.low), of(ratio.high)))
    }
}

/// Puts the runs of a sweep together.
pub fn sweep<'a>(key: &str, runs: impl IntoIterator<Item = (&'a str, &'a RunResult)>) -> Sweep {
    let points = runs.into_iter().map(|(value, result)| point(value, result)).collect();
    Sweep { key: key.to_owned(), points }
}

fn point(value: &str, result: &RunResult) -> SweepPoint {
    let record = &result.record;
    let added = record.added_rtt.as_ref().and_then(|added| Latencies::decode(&added.given).ok().flatten());
    let claims: Vec<u64> = record.primaries.iter().map(|primary| primary.claims).collect();
    let total: u64 = claims.iter().sum();
    let busiest = claims.iter().max().filter(|_| total > 0);
    SweepPoint {
        value: value.to_owned(),
        valid: result.valid && !record.partial,
        added_rtt_us: added.map(|added| added.quantile_us(0.5)),
        busiest_share: busiest.map(|most| *most as f64 * claims.len() as f64 / total as f64),
        arms: result
            .variants
            .iter()
            .map(|variant| SweepArm {
                name: variant.name.clone(),
                claims: variant.outcomes.claimed,
                throughput_per_s: variant.throughput_per_s,
                service_p50_us: variant.service_us.map(|service| service.p50),
                service_p99_us: variant.service_us.map(|service| service.p99),
                against: difference(result, &variant.name),
            })
            .collect(),
    }
}

fn difference(result: &RunResult, candidate: &str) -> Option<SweepDifference> {
    let first = result.comparisons.first()?;
    let comparison =
        result.comparisons.iter().find(|c| c.candidate == candidate && c.metric == first.metric)?;
    Some(SweepDifference {
        baseline: comparison.baseline.clone(),
        metric: comparison.metric.clone(),
        unit: metric(&comparison.metric).map_or_else(String::new, |row| row.unit.to_owned()),
        baseline_value: comparison.baseline_value,
        ratio: comparison.ratio,
        verdict: comparison.verdict,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};

    #[test]
    fn a_point_holds_every_variant_and_its_distance_from_the_baseline() {
        let arms = [GRANT_LANE, HGET_LANE];
        let run = |seed| analyse_as(record(&arms, seed), &scenario(&arms));
        let mut partial = run(2);
        partial.record.partial = true;
        let sweep = sweep("load.network.added_rtt", [("0us", &run(1)), ("1ms", &partial)]);
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
}
