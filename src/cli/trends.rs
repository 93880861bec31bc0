//! Which metrics of a history are shown.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::output::say;
use reclaim_analysis::judge::{self, History, HistoryEntry, Trend};
use reclaim_analysis::scenario::Metric;

/// Names the lines that could not be read.
pub fn name_skipped(path: &Path, history: &History) {
    for skipped in &history.skipped {
        say(&format!("{}:{}: left out, {}", path.display(), skipped.line, skipped.problem));
    }
}

/// Trends of the metrics wanted in the scenario of the last run; of these of every variant where none is
/// named.
pub fn trends(
    entries: &[HistoryEntry],
    wanted: &[String],
    by_default: &[Metric],
) -> anyhow::Result<Vec<Trend>> {
    let Some(last) = entries.last() else { bail!("the history is empty: give results to append") };
    let known: Vec<&str> = last.metrics.keys().map(String::as_str).collect();
    let default =
        |name: &&str| by_default.iter().any(|metric| name.ends_with(&format!("/{}", metric.name())));
    let names: Vec<&str> = match wanted {
        [] => known.iter().copied().filter(default).collect(),
        wanted => wanted.iter().map(String::as_str).collect(),
    };
    if known.is_empty() {
        bail!(
            "the last run in the history, of {}, has no metric at all: was no claim successful?",
            last.scenario
        );
    }
    if names.is_empty() {
        bail!(
            "the last run in the history, of {}, has no service p50, which a trend shows by default: was no claim \
             successful? Choose a metric with --metric; known: {}",
            last.scenario,
            known.join(", ")
        );
    }
    let trend = |name| judge::trend(entries, &last.scenario, name);
    names.into_iter().map(|name| trend(name).with_context(|| no_trend(last, name, &known))).collect()
}

/// Why a metric has no trend.
fn no_trend(last: &HistoryEntry, name: &str, known: &[&str]) -> String {
    if known.contains(&name) {
        return format!("no run of {} in the history is valid, so {name} has no trend", last.scenario);
    }
    let hint = reclaim_analysis::scenario::nearest(name, known.iter().copied())
        .map_or_else(|| format!("known: {}", known.join(", ")), |best| format!("did you mean {best}?"));
    format!("no valid run of {} has a metric {name}; {hint}", last.scenario)
}
