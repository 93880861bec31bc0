//! The one table of metrics: name, unit, direction and where the value comes from. Judge, reports and exports read
//! these rows; nothing else lists metrics.

use super::{ArmRecord, CounterBlock, Histogram, WireTotals};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Latencies, CPU, bytes.
    LowerIsBetter,
    /// Throughput.
    HigherIsBetter,
}

/// Where a metric's value comes from, and so how it can be judged.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A quantile of service times; samples of every stratum are there, so arms are compared in pairs.
    ServiceQuantile(f64),
    /// The mean of service times; judged like a quantile.
    ServiceMean,
    /// A quantile of a histogram without single samples: a value, but no interval within one run.
    Histogram {
        /// The histogram.
        of: fn(&ArmRecord) -> &Histogram,
        /// Quantile, 0 to 1.
        quantile: f64,
    },
    /// A quotient of what one counter block saw: (amount, per). Blocks of one group are a pair.
    Blocks(fn(&CounterBlock) -> (f64, f64)),
    /// A sum over an arm's claims that does not vary from claim to claim, compared for equality.
    Exact {
        /// The sum.
        of: fn(&WireTotals) -> u64,
        /// Differences per claim that are no finding.
        tolerance: f64,
    },
    /// Calls of each command on the servers, those inside functions included, from the counter blocks; one metric
    /// `calls.<command>` for each. Compared for equality.
    Calls {
        /// Differences per claim that are no finding.
        tolerance: f64,
    },
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name in scenarios, results and exports.
    pub name: &'static str,
    /// Unit of its value.
    pub unit: &'static str,
    /// Which way is better.
    pub direction: Direction,
    /// Where the value comes from.
    pub source: Source,
    /// Claims per arm below which the metric is not judged: 50 beyond a tail quantile.
    pub min_claims: u64,
    /// For a reader.
    pub title: &'static str,
}

impl Metric {
    /// Difference per claim of an exact metric that is no finding between two means over `claims` each. Bytes depend on
    /// how many digits a claim's partition number has; that evens out as the claims grow in number.
    pub fn tolerance_over(&self, claims: u64, tolerance: f64) -> f64 {
        if self.unit.starts_with("bytes") {
            tolerance.max(BYTES_SPREAD / (claims.max(1) as f64).sqrt())
        } else {
            tolerance
        }
    }

    /// Whether `compare.metrics` may name it. Exact metrics are always compared.
    pub fn is_judged(&self) -> bool {
        !matches!(self.source, Source::Exact { .. } | Source::Calls { .. })
    }
}

const fn lower(name: &'static str, unit: &'static str, source: Source, title: &'static str) -> Metric {
    Metric { name, unit, direction: Direction::LowerIsBetter, source, min_claims: 0, title }
}

const fn tail(quantile: f64, name: &'static str, min_claims: u64, title: &'static str) -> Metric {
    Metric { min_claims, ..lower(name, "us", Source::ServiceQuantile(quantile), title) }
}

const fn clock(
    name: &'static str,
    of: fn(&ArmRecord) -> &Histogram,
    quantile: f64,
    min_claims: u64,
    title: &'static str,
) -> Metric {
    Metric { min_claims, ..lower(name, "us", Source::Histogram { of, quantile }, title) }
}

const fn exact(
    name: &'static str,
    unit: &'static str,
    of: fn(&WireTotals) -> u64,
    tolerance: f64,
    title: &'static str,
) -> Metric {
    lower(name, unit, Source::Exact { of, tolerance }, title)
}

/// The number of digits of epochs and times differs from claim to claim; a changed protocol moves whole bytes.
const BYTES_TOLERANCE: f64 = 0.5;
/// Five standard deviations of the difference between two claims' bytes: 14 times the partition number stands in a
/// claim, with one to three digits (standard deviation 0.57), so 14 x 0.57 x sqrt(2) x 5.
const BYTES_SPREAD: f64 = 57.0;
/// Commands of a claim do not vary, but a server's own housekeeping may call one now and then.
const CALLS_TOLERANCE: f64 = 0.01;
/// Counts of the tool's own: only rounding.
const COUNT_TOLERANCE: f64 = 1e-9;

/// Every metric there is.
pub const METRICS: &[Metric] = &[
    lower("service_p50", "us", Source::ServiceQuantile(0.5), "service time, median"),
    tail(0.9, "service_p90", 500, "service time, 90th percentile"),
    tail(0.99, "service_p99", 5_000, "service time, 99th percentile"),
    tail(0.999, "service_p999", 50_000, "service time, 99.9th percentile"),
    lower("service_mean", "us", Source::ServiceMean, "service time, mean"),
    clock("response_p50", |arm| &arm.response, 0.5, 0, "response time, median"),
    clock("response_p99", |arm| &arm.response, 0.99, 5_000, "response time, 99th percentile"),
    clock("resume_p50", |arm| &arm.resume, 0.5, 0, "signal to lease, median"),
    clock("resume_p99", |arm| &arm.resume, 0.99, 5_000, "signal to lease, 99th percentile"),
    Metric {
        direction: Direction::HigherIsBetter,
        ..lower(
            "throughput",
            "claims/s",
            Source::Blocks(|block| (block.claims as f64, block.duration_s)),
            "claims per second of an arm alone",
        )
    },
    lower(
        "server_cpu",
        "us",
        // Over all claims that reached the function: the servers worked for those that they refused as well.
        Source::Blocks(|block| (block.counters.main_thread_cpu_us, block.reached() as f64)),
        "server CPU per claim, main threads",
    ),
    exact("round_trips", "per claim", |wire| wire.round_trips, COUNT_TOLERANCE, "round trips"),
    exact("commands", "per claim", |wire| wire.commands, COUNT_TOLERANCE, "commands sent"),
    // Named as the servers see it, like the cost of an arm in a result: what the tool sends goes in there.
    exact("bytes_in", "bytes per claim", |wire| wire.bytes_out, BYTES_TOLERANCE, "request bytes"),
    exact("bytes_out", "bytes per claim", |wire| wire.bytes_in, BYTES_TOLERANCE, "reply bytes"),
    lower("calls", "per claim", Source::Calls { tolerance: CALLS_TOLERANCE }, "calls on the servers"),
];

/// The row of that name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for row in METRICS {
            assert_eq!(METRICS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
            assert_eq!(metric(row.name).map(|found| found.title), Some(row.title));
        }
        assert!(metric("service_p42").is_none());
    }

    #[test]
    fn a_tail_quantile_asks_for_fifty_samples_beyond_it() {
        for row in METRICS {
            if let Source::ServiceQuantile(q) = row.source
                && row.min_claims > 0
            {
                assert!((row.min_claims as f64 * (1.0 - q) - 50.0).abs() < 1e-6, "{}", row.name);
            }
        }
    }
}
