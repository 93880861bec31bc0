//! Which metrics of a history are shown as trends.

use super::arm_differences::{is_of_two_arms, metric_in};
use super::history::HistoryEntry;
use super::trend::{Trend, trend};
use crate::scenario::Metric;

/// What is shown by default of what one variant takes more than another, where a run has it.
const OF_TWO_ARMS: [Metric; 2] = [Metric::ServiceP50, Metric::ServiceP50RoundTrips];

/// Why a history has no trend to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTrend<'a> {
    /// There is no run in it.
    NoRun,
    /// Its last run has no metric at all.
    NoMetric {
        /// Scenario of that run.
        scenario: &'a str,
    },
    /// Its last run has none of the metrics that are shown by default.
    NoDefault {
        /// Scenario of that run.
        scenario: &'a str,
        /// The metrics that it has.
        known: Vec<&'a str>,
    },
    /// No valid run has a metric that others have.
    NoValidRun {
        /// Scenario of the last run.
        scenario: &'a str,
        /// The metric.
        metric: &'a str,
    },
    /// No run has a metric.
    Unknown {
        /// Scenario of the last run.
        scenario: &'a str,
        /// The metric.
        metric: &'a str,
        /// Those that there are.
        known: Vec<&'a str>,
    },
}

/// Trends of the metrics wanted in the scenario of the last run; where none is named, of those `by_default` of
/// every variant, and of what one variant takes more than another.
pub fn shown_trends<'a>(
    entries: &'a [HistoryEntry],
    wanted: &'a [String],
    by_default: &[Metric],
) -> Result<Vec<Trend>, NoTrend<'a>> {
    let last = entries.last().ok_or(NoTrend::NoRun)?;
    let (scenario, known) = (last.scenario.as_str(), known(entries, last));
    let default = |name: &&str| {
        let shown: &[Metric] = if is_of_two_arms(name) { &OF_TWO_ARMS } else { by_default };
        metric_in(name).is_some_and(|metric| shown.contains(&metric))
    };
    let names: Vec<&str> = match wanted {
        [] => known.iter().copied().filter(default).collect(),
        wanted => wanted.iter().map(String::as_str).collect(),
    };
    if last.metrics.is_empty() {
        return Err(NoTrend::NoMetric { scenario });
    }
    if names.is_empty() {
        return Err(NoTrend::NoDefault { scenario, known });
    }
    let no_trend = |metric| {
        if known.contains(&metric) {
            NoTrend::NoValidRun { scenario, metric }
        } else {
            NoTrend::Unknown { scenario, metric, known: known.clone() }
        }
    };
    names.into_iter().map(|name| trend(entries, scenario, name).ok_or_else(|| no_trend(name))).collect()
}

/// Differences between variants, then what each variant has, in the last run. One whose control failed tells no
/// difference: then those that the last run with the same settings told.
fn known<'a>(entries: &'a [HistoryEntry], last: &'a HistoryEntry) -> Vec<&'a str> {
    let keys = |entry: &'a HistoryEntry| entry.metrics.keys().map(String::as_str);
    let alike = |entry: &&HistoryEntry| {
        entry.valid && (&entry.scenario, &entry.settings) == (&last.scenario, &last.settings)
    };
    let differences = |entry| keys(entry).filter(|key| is_of_two_arms(key)).collect::<Vec<_>>();
    let told = entries.iter().rev().filter(alike).map(differences).find(|told| !told.is_empty());
    let of_arms = keys(last).filter(|key| !is_of_two_arms(key));
    told.unwrap_or_default().into_iter().chain(of_arms).collect()
}

#[cfg(test)]
mod tests {
    use super::super::history_fixture::night;
    use super::*;

    const P50: &str = "grant-lane/service_p50";
    const LESS: &str = "hget-lane less grant-lane/service_p50";

    /// Nights of one variant, of which the first also tells what another takes more.
    fn nights() -> Vec<HistoryEntry> {
        let mut nights: Vec<HistoryEntry> = (0..3).map(|number| night(number, 200.0)).collect();
        let value = nights[0].metrics[P50].clone();
        for name in [LESS, "hget-lane less grant-lane/server_cpu", "grant-lane/server_cpu"] {
            nights[0].metrics.insert(name.to_owned(), value.clone());
        }
        nights
    }

    fn shown(entries: &[HistoryEntry], wanted: &[String]) -> Vec<String> {
        let trends = shown_trends(entries, wanted, &[Metric::ServiceP50]).unwrap();
        trends.into_iter().map(|trend| trend.metric).collect()
    }

    #[test]
    fn by_default_differences_come_first_also_where_the_last_control_failed() {
        assert_eq!(shown(&nights(), &[]), [LESS, P50]);
        assert_eq!(shown(&nights()[1..], &[]), [P50]);
        assert_eq!(shown(&nights(), &["grant-lane/server_cpu".to_owned()]), ["grant-lane/server_cpu"]);
    }

    #[test]
    fn why_there_is_no_trend_is_told() {
        let why = |entries: &[HistoryEntry], wanted: &[String]| {
            format!("{:?}", shown_trends(entries, wanted, &[Metric::ServiceP50]).unwrap_err())
        };
        assert_eq!(why(&[], &[]), "NoRun");
        let mut failed = nights();
        failed[2].metrics.clear();
        assert!(why(&failed, &[]).starts_with("NoMetric"));
        assert!(why(&nights(), &["grant-lane/another".to_owned()]).starts_with("Unknown"));
        let mut invalid = nights();
        for night in &mut invalid {
            night.valid = false;
        }
        assert!(why(&invalid, &[]).starts_with("NoValidRun"));
        let mut other = nights();
        let value = other[2].metrics.remove(P50).unwrap();
        other[2].metrics.insert("grant-lane/throughput".to_owned(), value);
        assert!(why(&other[2..], &[]).starts_with("NoDefault"));
    }
}
