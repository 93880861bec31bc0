//! Where in a record each metric's value stands, and so how it can be judged.

use crate::record::{ArmRecord, CounterBlock, Histogram, RunRecord, TimelinePoint, WireTotals};
use crate::scenario::Metric;

/// Where a metric's value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A quantile of service times; samples of every stratum are there, so arms are compared in pairs.
    ServiceQuantile(f64),
    /// The mean of service times; judged like a quantile.
    ServiceMean,
    /// A quantile of service times over the median of the bare round trips in the same strata.
    ServiceInRoundTrips(f64),
    /// A quantile of a histogram without single samples: a value, but no interval within one run.
    Histogram {
        /// The histogram.
        of: fn(&ArmRecord) -> &Histogram,
        /// Quantile, 0 to 1.
        quantile: f64,
    },
    /// A quotient of what one counter block saw: (amount, per). Blocks of one group are a pair.
    Blocks(fn(&CounterBlock) -> (f64, f64)),
    /// A sum over an arm's claims that does not vary from claim to claim.
    Exact(fn(&WireTotals) -> u64),
    /// Calls of each command on the servers, those inside functions included, from the counter blocks.
    Calls,
}

/// Whether a record's figures do not hold it: the servers' CPU, where others may have used it too; claims per
/// second, where the pipe to a worker is in the time that they took.
pub(super) fn is_withheld(metric: Metric, record: &RunRecord) -> bool {
    match metric {
        Metric::ServerCpu => record.server_figures_withheld(),
        Metric::Throughput => record.has_workers(),
        _ => false,
    }
}

/// Where the value comes from.
pub(super) fn source(metric: Metric) -> Source {
    match metric {
        Metric::ServiceP50 => Source::ServiceQuantile(0.5),
        Metric::ServiceP90 => Source::ServiceQuantile(0.9),
        Metric::ServiceP99 => Source::ServiceQuantile(0.99),
        Metric::ServiceP999 => Source::ServiceQuantile(0.999),
        Metric::ServiceMean => Source::ServiceMean,
        Metric::ServiceP50RoundTrips => Source::ServiceInRoundTrips(0.5),
        Metric::ResponseP50 => Source::Histogram { of: |arm| &arm.response, quantile: 0.5 },
        Metric::ResponseP99 => Source::Histogram { of: |arm| &arm.response, quantile: 0.99 },
        Metric::ResumeP50 => Source::Histogram { of: |arm| &arm.resume, quantile: 0.5 },
        Metric::ResumeP99 => Source::Histogram { of: |arm| &arm.resume, quantile: 0.99 },
        Metric::Throughput => Source::Blocks(CounterBlock::rate_parts),
        // Over all claims that reached the function: the servers worked for those that they refused as well.
        Metric::ServerCpu => {
            Source::Blocks(|block| (block.counters.main_thread_cpu_us, block.reached() as f64))
        }
        Metric::RoundTrips => Source::Exact(|wire| wire.round_trips),
        Metric::Commands => Source::Exact(|wire| wire.commands),
        // Named as the servers see it: what the tool sends goes in there.
        Metric::RequestBytes => Source::Exact(|wire| wire.bytes_out),
        Metric::ReplyBytes => Source::Exact(|wire| wire.bytes_in),
        Metric::Calls => Source::Calls,
    }
}

/// The metric whose ratio this one's is: the median in round trips divides both sides by the same bare round
/// trips.
pub(super) fn question(metric: Metric) -> Metric {
    match metric {
        Metric::ServiceP50RoundTrips => Metric::ServiceP50,
        other => other,
    }
}

/// The metric's value in one second over all variants, for those that the timeline has.
pub(super) fn per_second(metric: Metric) -> Option<fn(&TimelinePoint) -> Option<f64>> {
    match metric {
        Metric::ServiceP50 => Some(|point| point.p50_us),
        Metric::ServiceP99 => Some(|point| point.p99_us),
        Metric::ResponseP50 => Some(|point| point.response_p50_us),
        Metric::ResponseP99 => Some(|point| point.response_p99_us),
        Metric::ResumeP50 => Some(|point| point.resume_p50_us),
        Metric::ResumeP99 => Some(|point| point.resume_p99_us),
        Metric::Throughput => Some(|point| Some(point.claimed as f64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::METRICS;

    #[test]
    fn what_is_compared_exactly_has_an_exact_source_and_nothing_else_has() {
        for row in METRICS {
            let exact = matches!(source(row.metric), Source::Exact(_) | Source::Calls);
            assert_eq!(exact, !row.is_judged(), "{}", row.name);
        }
    }
}
