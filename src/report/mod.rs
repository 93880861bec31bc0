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
mod text;
mod words;

use crate::judge::RunResult;

pub use hlog::{HlogError, hlog};

/// Tables for a terminal of 100 columns.
pub fn text(result: &RunResult) -> String {
    text::render(&content::of(result))
}

/// The same for a pull request or a wiki.
pub fn markdown(result: &RunResult) -> String {
    markdown::render(&content::of(result))
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
