//! Which metrics of a history are shown.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::output::say;
use reclaim_analysis::judge::{self, History, HistoryEntry, Trend, is_of_two_arms};
use reclaim_analysis::scenario::Metric;

/// What is shown by default of what one variant takes more than another, where a run has it.
const OF_TWO_ARMS: [Metric; 2] = [Metric::ServiceP50, Metric::ServiceP50RoundTrips];

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
    let Some(last) = entries.last() else { bail!("the history is empty: give results to append") };
    let known = known(entries, last);
    let default = |name: &&str| {
        let shown: &[Metric] = if is_of_two_arms(name) { &OF_TWO_ARMS } else { by_default };
        shown.iter().any(|metric| name.ends_with(&format!("/{}", metric.name())))
    };
    let names: Vec<&str> = match wanted {
        [] => known.iter().copied().filter(default).collect(),
        wanted => wanted.iter().map(String::as_str).collect(),
    };
    if last.metrics.is_empty() {
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

/// Why a metric has no trend.
fn no_trend(last: &HistoryEntry, name: &str, known: &[&str]) -> String {
    if known.contains(&name) {
        return format!("no run of {} in the history is valid, so {name} has no trend", last.scenario);
    }
    let hint = reclaim_analysis::scenario::nearest(name, known.iter().copied())
        .map_or_else(|| format!("known: {}", known.join(", ")), |best| format!("did you mean {best}?"));
    format!("no valid run of {} has a metric {name}; {hint}", last.scenario)
}
