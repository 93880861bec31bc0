//! What a picture of a run needs beyond its summary: quantiles from end to end, differences stratum by
//! stratum, the window in spans.

use super::control::control_sides;
use super::stratum_sides::compared_sides;
use crate::record::{Histogram, RunRecord, TimelinePoint};
use crate::stats::{Latencies, median};

/// Points of a quantile curve for each further nine.
const PER_NINE: u32 = 16;

/// A quantile and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantilePoint {
    /// 0 to 1.
    pub quantile: f64,
    /// In microseconds.
    pub us: f64,
}

/// A histogram from its smallest value to the quantile beyond which a single value lies, in equal steps of
/// nines. Empty without a value, and for a damaged histogram, which makes its result invalid elsewhere.
pub fn quantile_curve(histogram: &Histogram) -> Vec<QuantilePoint> {
    let Some(latencies) = Latencies::readable(histogram) else { return Vec::new() };
    let nines = (latencies.count() as f64).log10();
    (0..=(nines * f64::from(PER_NINE)).floor() as u32)
        .map(|step| {
            let quantile = 1.0 - 10f64.powf(-f64::from(step) / f64::from(PER_NINE));
            QuantilePoint { quantile, us: latencies.quantile_us(quantile) }
        })
        .collect()
}

/// Medians of one stratum, candidate over baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StratumRatio {
    /// Its place among all strata of the run, the control's included: the order of time.
    pub position: usize,
    /// The ratio of the two medians.
    pub ratio: f64,
}

/// The strata of one candidate in the order of time; `None` as candidate for the control, the baseline
/// against itself.
pub fn stratum_ratios(record: &RunRecord, baseline: &str, candidate: Option<&str>) -> Vec<StratumRatio> {
    let index = |name: &str| record.arms.iter().position(|arm| arm.name == name);
    let Some(base) = index(baseline) else { return Vec::new() };
    let Some(other) = candidate.map_or(Some(base), index) else { return Vec::new() };
    record
        .strata
        .iter()
        .enumerate()
        .filter_map(|(position, stratum)| {
            let (a, b) = match candidate {
                None => control_sides(stratum, base)?,
                Some(_) if stratum.control => return None,
                Some(_) => compared_sides(record, stratum, base, other),
            };
            let ratio = median(&b)? / median(&a)?;
            ratio.is_finite().then_some(StratumRatio { position, ratio })
        })
        .collect()
}

/// Some neighbouring seconds of the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Begin, in seconds from the window's start.
    pub from_s: f64,
    /// Until when it was measured.
    pub to_s: f64,
    /// Claims that succeeded.
    pub claimed: u64,
    /// Claims that did not.
    pub errors: u64,
    /// Highest median service time of a second; `None` without a claim.
    pub highest_p50_us: Option<f64>,
    /// Highest 99th percentile of a second.
    pub highest_p99_us: Option<f64>,
    /// Highest 99th percentile of the response time of a second (open loop).
    pub highest_response_p99_us: Option<f64>,
    /// Highest 99th percentile of the send lag of a second (open loop).
    pub highest_send_lag_p99_us: Option<f64>,
    /// Fewest grants in stock at the end of a second.
    pub least_stock: u64,
    /// Highest share of a core that a primary's main thread used in a second.
    pub busiest_cpu: Option<f64>,
}

/// The window in at most this many spans of equal length; seconds by themselves where there are no more.
pub fn spans(timeline: &[TimelinePoint], at_most: usize) -> Vec<Span> {
    let each = timeline.len().div_ceil(at_most.max(1)).max(1);
    timeline.chunks(each).map(span).collect()
}

fn span(seconds: &[TimelinePoint]) -> Span {
    let highest =
        |of: fn(&TimelinePoint) -> Option<f64>| seconds.iter().filter_map(of).max_by(f64::total_cmp);
    Span {
        from_s: seconds.first().map_or(0.0, |point| (point.t_s - 1.0).max(0.0)),
        to_s: seconds.last().map_or(0.0, TimelinePoint::measured_until_s),
        claimed: seconds.iter().map(|point| point.claimed).sum(),
        errors: seconds.iter().map(|point| point.errors).sum(),
        highest_p50_us: highest(|point| point.p50_us),
        highest_p99_us: highest(|point| point.p99_us),
        highest_response_p99_us: highest(|point| point.response_p99_us),
        highest_send_lag_p99_us: highest(|point| point.send_lag_p99_us),
        least_stock: seconds.iter().map(|point| point.stock).min().unwrap_or_default(),
        busiest_cpu: highest(|point| point.primary_cpu.iter().copied().max_by(f64::total_cmp)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, record};
    use super::*;

    #[test]
    fn a_curve_ends_where_single_values_begin_and_agrees_with_its_histogram() {
        let record = record(&[GRANT_LANE], 1);
        let arm = &record.arms[0];
        let curve = quantile_curve(&arm.service);
        let latencies = Latencies::decode(&arm.service).unwrap().unwrap();
        let last = curve.last().unwrap();
        assert!(
            curve[0].quantile.abs() < 1e-12 && last.quantile < 1.0 - 1.0 / (1.2 * latencies.count() as f64)
        );
        assert!(curve.windows(2).all(|two| two[0].quantile < two[1].quantile && two[0].us <= two[1].us));
        let p90 = curve[PER_NINE as usize];
        assert!((p90.quantile - 0.9).abs() < 1e-9 && (p90.us - latencies.quantile_us(0.9)).abs() < 1e-9);
        assert_eq!(quantile_curve(&Histogram(None)), []);
        assert_eq!(quantile_curve(&Histogram(Some("AAAA".into()))), []);
    }

    #[test]
    fn strata_show_the_planted_difference_and_the_control_none() {
        let record = record(&[GRANT_LANE, HGET_LANE], 1);
        let mean =
            |ratios: &[StratumRatio]| ratios.iter().map(|s| s.ratio).sum::<f64>() / ratios.len() as f64;
        let planted = stratum_ratios(&record, "grant-lane", Some("hget-lane"));
        let control = stratum_ratios(&record, "grant-lane", None);
        assert_eq!((planted.len(), control.len()), (60, 60));
        assert!((mean(&planted) - 1.2).abs() < 0.02 && (mean(&control) - 1.0).abs() < 0.02);
        assert_eq!([planted[1].position, control[1].position], [2, 3], "in turns");
        assert_eq!(stratum_ratios(&record, "grant-lane", Some("another")), []);
    }

    #[test]
    fn spans_lose_no_claim_and_no_peak() {
        let record = record(&[GRANT_LANE], 1);
        let mut timeline = record.timeline;
        timeline[17].p99_us = Some(9_000.0);
        timeline[17].errors = 4;
        let total: u64 = timeline.iter().map(|point| point.claimed).sum();
        let spans = spans(&timeline, 7);
        assert_eq!((spans.len(), spans.iter().map(|span| span.claimed).sum::<u64>()), (6, total));
        assert_eq!((spans[3].highest_p99_us, spans[3].errors), (Some(9_000.0), 4));
        assert_eq!((spans[0].from_s, spans[5].to_s), (0.0, 30.0));
        assert_eq!(super::spans(&timeline, 500).len(), 30);
        assert_eq!(super::spans(&[], 5), []);
    }
}
