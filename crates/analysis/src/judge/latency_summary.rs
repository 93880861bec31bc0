//! Quantiles of one histogram.

use crate::scenario::P99;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Histogram;
use crate::stats::{Estimate, Latencies};

/// Quantiles of a merged histogram, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencySummary {
    /// Values in it.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest value.
    pub max: f64,
    /// Median with its interval (Harrell-Davis), where there are raw samples for it.
    pub p50_interval: Option<Estimate>,
}

/// Quantiles of one histogram; `None` when it is empty, or cannot be read.
pub(super) fn latency(histogram: &Histogram) -> Option<LatencySummary> {
    Latencies::readable(histogram).map(|latencies| LatencySummary {
        count: latencies.count(),
        mean: latencies.mean_us(),
        p50: latencies.quantile_us(0.5),
        p90: latencies.quantile_us(0.9),
        p95: latencies.quantile_us(0.95),
        p99: latencies.quantile_us(P99),
        p999: latencies.quantile_us(0.999),
        max: latencies.max_us(),
        p50_interval: None,
    })
}
