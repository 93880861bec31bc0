//! What can be measured and judged: the identity of every metric, in one table. Where a value comes from in a
//! record is judge's ([`crate::judge`]); nothing else lists metrics or compares their names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Latencies, CPU, bytes.
    LowerIsBetter,
    /// Throughput.
    HigherIsBetter,
}

/// Unit of a metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Microseconds,
    /// Bare round trips.
    RoundTrips,
    /// Claims per second.
    ClaimsPerSecond,
    /// A count per claim.
    PerClaim,
    /// Bytes per claim.
    BytesPerClaim,
}

impl Unit {
    /// As results and exports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "us",
            Self::RoundTrips => "round trips",
            Self::ClaimsPerSecond => "claims/s",
            Self::PerClaim => "per claim",
            Self::BytesPerClaim => "bytes per claim",
        }
    }
}

/// How the gate between two stored results takes a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateRole {
    /// Shown, not judged.
    Shown,
    /// Held to `[gate] throughput_*`.
    Throughput,
    /// Held to `[gate] p99_*`.
    Tail,
    /// The same, where the run has no response times: those are what users feel.
    TailWithoutResponse,
}

/// How arms of one run are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judged {
    /// It varies: a ratio with an interval, where `compare.metrics` names it.
    ByInterval {
        /// Claims per arm below which it is not judged: 50 beyond a tail quantile.
        min_claims: u64,
    },
    /// It does not vary from claim to claim: always compared, for equality.
    Exactly {
        /// Differences per claim that are no finding.
        tolerance: f64,
    },
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Median service time.
    ServiceP50,
    /// 90th percentile of it.
    ServiceP90,
    /// 99th percentile of it.
    ServiceP99,
    /// 99.9th percentile of it.
    ServiceP999,
    /// Mean of it.
    ServiceMean,
    /// Median of it over the median of the bare round trips among the same claims: what another machine can
    /// repeat.
    ServiceP50RoundTrips,
    /// Median response time.
    ResponseP50,
    /// 99th percentile of it.
    ResponseP99,
    /// Median time from signal to lease.
    ResumeP50,
    /// 99th percentile of it.
    ResumeP99,
    /// Claims per second of an arm alone.
    Throughput,
    /// Main-thread CPU of the servers per claim.
    ServerCpu,
    /// Round trips per claim.
    RoundTrips,
    /// Commands sent per claim.
    Commands,
    /// Request bytes per claim. Up to 0.1 it was named as the servers see it.
    #[serde(alias = "bytes_in")]
    RequestBytes,
    /// Reply bytes per claim.
    #[serde(alias = "bytes_out")]
    ReplyBytes,
    /// Calls on the servers per claim; one value for each command.
    Calls,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct MetricRow {
    /// Whose it is.
    pub metric: Metric,
    /// Name in scenarios, results and exports.
    pub name: &'static str,
    /// Unit of its value.
    pub unit: Unit,
    /// Which way is better.
    pub direction: Direction,
    /// How arms are compared by it.
    pub judged: Judged,
    /// How stored results are compared by it.
    pub gate: GateRole,
    /// Whether it is a time that a claim takes, so that less is faster and not only cheaper.
    pub is_time: bool,
    /// For a reader.
    pub title: &'static str,
}

const fn time(metric: Metric, name: &'static str, min_claims: u64, title: &'static str) -> MetricRow {
    MetricRow {
        metric,
        name,
        unit: Unit::Microseconds,
        direction: Direction::LowerIsBetter,
        judged: Judged::ByInterval { min_claims },
        gate: GateRole::Shown,
        is_time: true,
        title,
    }
}

const fn exact(metric: Metric, name: &'static str, tolerance: f64, title: &'static str) -> MetricRow {
    let (judged, unit) = (Judged::Exactly { tolerance }, Unit::PerClaim);
    MetricRow { judged, unit, is_time: false, ..time(metric, name, 0, title) }
}

/// The number of digits of epochs and times differs from claim to claim; a changed protocol moves whole
/// bytes.
const BYTES_TOLERANCE: f64 = 0.5;
/// Five standard deviations of the difference between two claims' bytes: 14 times the partition number stands
/// in a claim, with one to three digits (standard deviation 0.57), so 14 x 0.57 x sqrt(2) x 5.
const BYTES_SPREAD: f64 = 57.0;
/// Commands of a claim do not vary, but a server's own housekeeping may call one now and then.
const CALLS_TOLERANCE: f64 = 0.01;
/// Counts of the tool's own: only rounding.
const COUNT_TOLERANCE: f64 = 1e-9;

/// Names that metrics had in earlier versions, and what they are now: stored results and histories hold them.
const EARLIER_NAMES: [(&str, &str); 2] = [("bytes_in", "request_bytes"), ("bytes_out", "reply_bytes")];

/// Every metric there is, in the order of reports.
pub const METRICS: &[MetricRow] = &[
    time(Metric::ServiceP50, "service_p50", 0, "service time, median"),
    time(Metric::ServiceP90, "service_p90", 500, "service time, 90th percentile"),
    MetricRow {
        gate: GateRole::TailWithoutResponse,
        ..time(Metric::ServiceP99, "service_p99", 5_000, "service time, 99th percentile")
    },
    time(Metric::ServiceP999, "service_p999", 50_000, "service time, 99.9th percentile"),
    time(Metric::ServiceMean, "service_mean", 0, "service time, mean"),
    MetricRow {
        unit: Unit::RoundTrips,
        ..time(
            Metric::ServiceP50RoundTrips,
            "service_p50_round_trips",
            0,
            "service time, median, in bare round trips",
        )
    },
    time(Metric::ResponseP50, "response_p50", 0, "response time, median"),
    MetricRow {
        gate: GateRole::Tail,
        ..time(Metric::ResponseP99, "response_p99", 5_000, "response time, 99th percentile")
    },
    time(Metric::ResumeP50, "resume_p50", 0, "signal to lease, median"),
    MetricRow {
        gate: GateRole::Tail,
        ..time(Metric::ResumeP99, "resume_p99", 5_000, "signal to lease, 99th percentile")
    },
    MetricRow {
        unit: Unit::ClaimsPerSecond,
        direction: Direction::HigherIsBetter,
        gate: GateRole::Throughput,
        is_time: false,
        ..time(Metric::Throughput, "throughput", 0, "claims per second of an arm alone")
    },
    MetricRow {
        is_time: false,
        ..time(Metric::ServerCpu, "server_cpu", 0, "server CPU per claim, main threads")
    },
    exact(Metric::RoundTrips, "round_trips", COUNT_TOLERANCE, "round trips"),
    exact(Metric::Commands, "commands", COUNT_TOLERANCE, "commands sent"),
    MetricRow {
        unit: Unit::BytesPerClaim,
        ..exact(Metric::RequestBytes, "request_bytes", BYTES_TOLERANCE, "request bytes")
    },
    MetricRow {
        unit: Unit::BytesPerClaim,
        ..exact(Metric::ReplyBytes, "reply_bytes", BYTES_TOLERANCE, "reply bytes")
    },
    exact(Metric::Calls, "calls", CALLS_TOLERANCE, "calls on the servers"),
];

impl MetricRow {
    /// Whether `compare.metrics` may name it. Exact metrics are always compared.
    pub fn is_judged(&self) -> bool {
        matches!(self.judged, Judged::ByInterval { .. })
    }

    /// Claims per arm below which it is not judged.
    pub fn min_claims(&self) -> u64 {
        match self.judged {
            Judged::ByInterval { min_claims } => min_claims,
            Judged::Exactly { .. } => 0,
        }
    }

    /// Difference per claim that is no finding between two means over `claims` each; 0 for what is not
    /// compared exactly. Bytes depend on how many digits a claim's partition number has; that evens out as
    /// the claims grow in number.
    pub fn tolerance_over(&self, claims: u64) -> f64 {
        match (self.judged, self.unit) {
            (Judged::Exactly { tolerance }, Unit::BytesPerClaim) => {
                tolerance.max(BYTES_SPREAD / (claims.max(1) as f64).sqrt())
            }
            (Judged::Exactly { tolerance }, _) => tolerance,
            (Judged::ByInterval { .. }, _) => 0.0,
        }
    }
}

impl Metric {
    /// Its row.
    pub fn row(self) -> &'static MetricRow {
        // A test holds the table to the order of the variants.
        &METRICS[self as usize]
    }

    /// Whether it is a time of one claim in microseconds, to which each of its round trips adds as much as it
    /// takes.
    pub fn grows_with_round_trips(self) -> bool {
        let row = self.row();
        row.is_time && row.unit == Unit::Microseconds
    }

    /// Whether it is a time from signal to lease.
    pub fn is_of_resuming(self) -> bool {
        matches!(self, Self::ResumeP50 | Self::ResumeP99)
    }

    /// Its name in scenarios, results and exports.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The metric of that name; names of earlier versions are understood.
    pub fn find(name: &str) -> Option<Self> {
        let name = EARLIER_NAMES.iter().find(|(earlier, _)| *earlier == name).map_or(name, |(_, now)| *now);
        METRICS.iter().find(|row| row.name == name).map(|row| row.metric)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::MetricName;
    use super::*;

    #[test]
    fn every_metric_has_its_row_and_one_name_everywhere() {
        for (position, row) in METRICS.iter().enumerate() {
            assert_eq!(row.metric as usize, position, "{}", row.name);
            assert_eq!((row.metric.row().title, Metric::find(row.name)), (row.title, Some(row.metric)));
            assert_eq!(serde_json::to_value(row.metric).unwrap(), row.name);
        }
        assert_eq!(METRICS.last().unwrap().metric, Metric::Calls, "a variant after the last has no row");
        assert!(Metric::find("service_p42").is_none());
    }

    #[test]
    fn names_of_earlier_versions_are_read_and_no_longer_written() {
        for (earlier, now) in EARLIER_NAMES {
            let metric = Metric::find(earlier).unwrap();
            assert_eq!((metric.name(), serde_json::from_value(earlier.into()).ok()), (now, Some(metric)));
            assert_eq!(earlier.parse::<MetricName>().unwrap().to_string(), now);
        }
    }

    #[test]
    fn a_service_tail_asks_for_fifty_samples_beyond_it() {
        for (metric, quantile) in
            [(Metric::ServiceP90, 0.9), (Metric::ServiceP99, 0.99), (Metric::ServiceP999, 0.999)]
        {
            let row = metric.row();
            assert!((row.min_claims() as f64 * (1.0 - quantile) - 50.0).abs() < 1e-6, "{}", row.name);
        }
    }
}
