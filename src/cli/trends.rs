//! What is shown of a history, and which of its lines could not be read.

use std::path::Path;

use anyhow::anyhow;

use super::output::say;
use reclaim_analysis::judge::{History, HistoryEntry, Trend, shown_trends};
use reclaim_analysis::report;
use reclaim_analysis::scenario::Metric;

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
    shown_trends(entries, wanted, by_default).map_err(|no_trend| anyhow!("{}", report::no_trend(&no_trend)))
}
