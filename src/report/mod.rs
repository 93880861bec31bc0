//! Formats finished results; computes no statistic.
//!
//! ```text
//! RunResult ─► content: what is said, in which order ─► text | markdown
//!         ├──► json (the result itself), hlog (its histograms)
//!         └──► ci: what other programs read
//! ```

pub mod ci;
mod content;
mod document;
mod hlog;
mod markdown;
mod numbers;
mod series;
mod text;
mod words;

use crate::judge::{Gate, Repeated, RunResult, Trend};

pub use hlog::{HlogError, hlog};

/// Tables for a terminal of 100 columns.
pub fn text(result: &RunResult) -> String {
    text::render(&content::of(result))
}

/// The same for a pull request or a wiki.
pub fn markdown(result: &RunResult) -> String {
    markdown::render(&content::of(result))
}

/// The runs of one scenario, for a terminal.
pub fn repeated_text(scenario: &str, repeated: &Repeated, gate: &Gate) -> String {
    text::render(&series::repeated(scenario, repeated, gate))
}

/// The same for a pull request.
pub fn repeated_markdown(scenario: &str, repeated: &Repeated, gate: &Gate) -> String {
    markdown::render(&series::repeated(scenario, repeated, gate))
}

/// Metrics over time, for a terminal.
pub fn trends_text(trends: &[Trend]) -> String {
    text::render(&trends.iter().flat_map(series::trend).collect::<Vec<_>>())
}

/// The same for a job's summary.
pub fn trends_markdown(trends: &[Trend]) -> String {
    markdown::render(&trends.iter().flat_map(series::trend).collect::<Vec<_>>())
}

/// The result as it is stored.
pub fn json(result: &RunResult) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(result)? + "\n")
}

/// JSON schema of a result, made from the types.
pub fn schema() -> Result<String, serde_json::Error> {
    let schema = schemars::schema_for!(RunResult);
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
