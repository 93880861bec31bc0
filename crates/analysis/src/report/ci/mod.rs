//! What other programs of a build read: trackers of figures, test reports, a comment on a pull request.
//!
//! ```text
//! RunResult ─► judge::metric_values ─► bencher | github | ff_bench (figures; never of an invalid run)
//!         ├──► judge::arm_differences ► bencher | github (what one arm takes more than another)
//!         └──► judge::gate ──────────► junit | pull_request (verdicts)
//! FigureComparison ──────────────────► figures (text, Markdown, test report)
//! ```

mod bencher;
mod ff_bench;
mod figures;
mod github;
mod junit;
mod pull_request;
mod series;

pub use bencher::bencher;
pub use ff_bench::{ff_bench, ff_bench_reports};
pub(super) use figures::blocks as figure_blocks;
pub use figures::{figures_markdown, figures_text, junit_figures};
pub use github::github;
pub use junit::{junit, junit_stored};
pub use pull_request::{pull_request, pull_request_stored, stored_text};
pub use series::{junit_repeated, pull_request_repeated};

use super::format::share;
use crate::judge::{RunResult, Thresholds, arm_differences, metric_values};
use crate::scenario::MetricName;
use crate::stats::Estimate;

/// Why a result has no place in a tracker of figures.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Its figures must not be used.
    #[error("the run is {0}: its figures would stay in the tracker for good; run it again and export that")]
    Unusable(&'static str),
    /// It has no JSON form.
    #[error("the figures have no JSON form: {0}")]
    Json(#[from] serde_json::Error),
}

/// A figure that a tracker may have.
struct Tracked {
    /// What it is of: a variant, or `candidate less baseline`.
    of: String,
    /// The variants in it: one, or candidate and baseline.
    arms: Vec<String>,
    name: MetricName,
    /// In the metric's unit.
    value: f64,
    interval: Option<Estimate>,
    /// Whether the next run's may be held against it by a ratio.
    has_ratio: bool,
}

/// The figures of a result that a tracker may have: of each variant, and of what one takes more than another.
fn trackable(result: &RunResult) -> Result<Vec<Tracked>, ExportError> {
    usable(result)?;
    let of_arms = metric_values(result).into_iter().map(|one| Tracked {
        of: one.variant.clone(),
        arms: vec![one.variant],
        name: one.name,
        value: one.value,
        interval: one.interval,
        has_ratio: true,
    });
    let of_pairs = arm_differences(result).into_iter().map(|one| Tracked {
        of: one.pair(),
        has_ratio: one.has_ratio(),
        arms: vec![one.candidate, one.baseline],
        name: one.metric.into(),
        value: one.difference.estimate,
        interval: Some(one.difference),
    });
    Ok(of_arms.chain(of_pairs).collect())
}

/// Whether figures of a result may be exported at all.
fn usable(result: &RunResult) -> Result<(), ExportError> {
    super::words::not_usable(result.state()).map_or(Ok(()), |state| Err(ExportError::Unusable(state)))
}

/// The difference from which on a figure fails, as a cell of a table.
fn fails_beyond(thresholds: Option<Thresholds>) -> String {
    thresholds.map_or_else(|| "-".to_owned(), |thresholds| share(thresholds.fail))
}

/// Six significant digits: more would be noise, and would differ from one machine's arithmetic to another's.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests;
