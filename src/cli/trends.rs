//! A history in words: lines that could not be read, and why there is no trend to show.

use std::path::Path;

use anyhow::anyhow;

use super::output::say;
use reclaim_analysis::judge::{History, HistoryEntry, NoTrend, Trend, shown_trends};
use reclaim_analysis::scenario::{Metric, suggest};

/// Names the lines that could not be read.
pub fn name_skipped(path: &Path, history: &History) {
    for skipped in &history.skipped {
        say(&format!("{}:{}: left out, {}", path.display(), skipped.line, skipped.problem));
    }
}

/// Trends of the metrics wanted in the scenario of the last run; of these of every variant where none is
/// named, and of what one variant takes more than another.
pub fn trends(
    entries: &[HistoryEntry],
    wanted: &[String],
    by_default: &[Metric],
) -> anyhow::Result<Vec<Trend>> {
    shown_trends(entries, wanted, by_default).map_err(|no_trend| anyhow!("{}", in_words(&no_trend)))
}

fn in_words(no_trend: &NoTrend<'_>) -> String {
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
