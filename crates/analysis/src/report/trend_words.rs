//! Trends in words: by how much a level moved, and which library a point is of.

use super::format::{difference, signed};
use super::words;
use crate::judge::{NoTrend, Trend, TrendChange, TrendPoint};
use crate::record::short_sha256;
use crate::scenario::suggest;

/// By how much a level moved: `+5.9 %`; of a difference between arms, which may have been nothing, `+12.3 µs`.
pub(super) fn moved_by(trend: &Trend, change: &TrendChange) -> String {
    if trend.is_of_two_arms() {
        format!("{} {}", signed(change.after - change.before), words::unit_named(&trend.unit))
    } else {
        difference(change.after / change.before)
    }
}

/// The function library of a point; of a difference between arms that have two, the candidate's against the
/// baseline's.
pub(super) fn library(point: &TrendPoint) -> String {
    let own = short_sha256(&point.library_sha256);
    match &point.baseline_library_sha256 {
        Some(baseline) => format!("{own} against {}", short_sha256(baseline)),
        None => own.to_owned(),
    }
}

/// Why a history has no trend to show, and what to do.
pub(super) fn no_trend(no_trend: &NoTrend<'_>) -> String {
    match no_trend {
        NoTrend::NoRun => "the history is empty: give results to append".to_owned(),
        NoTrend::NoMetric { scenario } => format!(
            "the last run in the history, of {scenario}, has no metric at all: was no claim successful?"
        ),
        NoTrend::NoDefault { scenario, known } => format!(
            "the last run in the history, of {scenario}, has no service p50, which a trend shows by default: was no claim \
             successful? Choose a metric with --metric; known: {}",
            known.join(", ")
        ),
        NoTrend::NoValidRun { scenario, metric } => {
            format!("no run of {scenario} in the history is valid, so {metric} has no trend")
        }
        NoTrend::Unknown { scenario, metric, known } => {
            format!("no valid run of {scenario} has a metric {metric}; {}", suggest(metric, known))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_libraries_are_named_where_there_are_two() {
        let of = |baseline: Option<&str>| {
            library(&TrendPoint {
                started: String::new(),
                commit: String::new(),
                library_sha256: "cd".repeat(32),
                baseline_library_sha256: baseline.map(|byte| byte.repeat(32)),
                sdk: None,
                kernel: None,
                value: 1.0,
                interval: None,
            })
        };
        assert_eq!([of(None), of(Some("ab"))], ["cdcdcdcdcdcd", "cdcdcdcdcdcd against abababababab"]);
    }
}
