//! Formats finished results; computes no statistic.
//!
//! ```text
//! RunResult ─► run_report: what is said, in which order ─► text | markdown
//!         ├──► page: a file to look at, with pictures from chart
//!         ├──► hlog (its histograms), csv (seconds, blocks, samples)
//!         └──► ci: what other programs read
//! the types ──► reference: docs/ says what there is
//! ```

mod calibration;
mod capacity;
mod chart;
pub mod ci;
mod conditions;
mod csv_table;
mod document;
mod faults;
mod faults_met;
mod faults_repeated;
mod findings;
mod format;
mod generators;
mod hlog;
mod levels_repeated;
mod markdown;
mod own_arms;
mod page;
mod plain_text;
mod profile;
mod ramp;
mod redirects;
mod reference;
mod remarks_repeated;
mod run_csv;
mod run_report;
mod saving;
mod series;
mod series_file;
mod servers;
mod steps;
mod storm;
mod sweep;
mod sweep_answer;
mod sweep_csv;
mod sweep_file;
#[cfg(test)]
mod sweep_fixture;
mod sweep_lines;
mod text;
mod trend_words;
mod words;

use crate::judge::capacity::Capacity;
use crate::judge::{
    Calibration, Finding, Gate, NoTrend, NotComparable, Repeated, RunResult, RunState, Shortfall, Sweep,
    Trend,
};
use crate::scenario::TooFewForP99;
pub use plain_text::plain_text;
pub use text::wrapped;

pub mod html {
    //! Each kind of result as a page: one HTML file that loads nothing.

    #[cfg(any(test, feature = "fixtures"))]
    pub use super::page::{Sample, hour, samples};
    pub use super::page::{calibrations, capacities, compared, figures, history, runs, series, sweeps};
}

pub use hlog::{HlogError, hlog};
pub use reference::{result_reference, scenario_reference};
pub use run_csv::{csv_blocks, csv_strata, csv_timeline, not_for_use};
pub use series_file::{SERIES_SCHEMA, Series};
pub use sweep_file::{SWEEP_SCHEMA, SweepFile, SweepRun};

/// Tables for a terminal with so many columns; 100 where there is none. So it is with every text here.
pub fn text(result: &RunResult, columns: Option<u16>) -> String {
    text::render(&run_blocks(result), columns)
}

/// A run's report; that of a profile is of another kind.
fn run_blocks(result: &RunResult) -> Vec<document::Block> {
    match &result.profile {
        Some(profile) => profile::blocks(result, profile),
        None => run_report::blocks(result),
    }
}

/// A time in the unit that fits it, as reports have it.
pub fn time(us: f64) -> String {
    format::time_us(us)
}

/// A share in whole per cent.
pub fn percent(share: f64) -> String {
    format::rough(share)
}

/// What commands left behind that were to remove something and failed, without a full stop.
pub fn left_over(commands: u64) -> String {
    words::left_over(commands)
}

/// What a gate found, in one line without a full stop.
pub fn finding(finding: &Finding) -> String {
    findings::finding(finding)
}

/// Why two results are not held against each other, without a full stop: one difference in one line, several
/// below each other.
pub fn not_comparable(refused: &NotComparable) -> String {
    words::not_comparable(refused)
}

/// What a run could not answer and what it would take, in one line without a full stop.
pub fn shortfall(shortfall: &Shortfall) -> String {
    words::shortfall(shortfall)
}

/// Why a run's figures may not be used, in a word; `None` where they may.
pub fn not_usable(state: RunState) -> Option<&'static str> {
    words::not_usable(state)
}

/// Why a history has no trend to show, and what to do, in one line without a full stop.
pub fn no_trend(no_trend: &NoTrend<'_>) -> String {
    trend_words::no_trend(no_trend)
}

/// How long something will take, as roughly as anybody can know before: `65 s`, `2 min`, `2.5 h`.
pub fn length(seconds: f64) -> String {
    format::length(seconds)
}

/// What is wrong with the claims of a capacity search's probes, in one line without a full stop.
pub fn few_for_p99(few: &TooFewForP99) -> String {
    words::few_for_p99(few)
}

/// The same for a pull request or a wiki.
pub fn markdown(result: &RunResult) -> String {
    markdown::render(&run_blocks(result))
}

/// The runs of one scenario, for a terminal.
pub fn repeated_text(scenario: &str, repeated: &Repeated, gate: &Gate, columns: Option<u16>) -> String {
    text::render(&series::answered(scenario, repeated, gate), columns)
}

/// A scenario at several values of one key, for a terminal; 120 columns where there is none.
pub fn sweep_text(scenario: &str, sweep: &Sweep, columns: Option<u16>) -> String {
    text::render_wide(&sweep::blocks(scenario, sweep), columns)
}

/// The same for a wiki.
pub fn sweep_markdown(scenario: &str, sweep: &Sweep) -> String {
    markdown::render(&sweep::blocks(scenario, sweep))
}

/// What a sweep over a simulated network says of one whose round trips take so much longer than the measured
/// machine's.
pub fn network_prediction(sweep: &Sweep, rtt: std::time::Duration, columns: Option<u16>) -> String {
    text::render_wide(&sweep_lines::prediction(sweep, rtt), columns)
}

/// The points of a sweep for a plotting program: one line per value and variant.
pub fn sweep_csv(sweep: &Sweep) -> String {
    sweep_csv::csv(sweep)
}

/// Metrics over time, for a terminal.
pub fn trends_text(trends: &[Trend], columns: Option<u16>) -> String {
    text::render(&series::trends(trends), columns)
}

/// The same for a job's summary.
pub fn trends_markdown(trends: &[Trend]) -> String {
    markdown::render(&series::trends(trends))
}

/// A capacity search, for a terminal.
pub fn capacity_text(capacity: &Capacity, columns: Option<u16>) -> String {
    text::render(&capacity::blocks(capacity), columns)
}

/// The same for a pull request or a wiki.
pub fn capacity_markdown(capacity: &Capacity) -> String {
    markdown::render(&capacity::blocks(capacity))
}

/// The last probe of a search, as it goes on.
pub fn capacity_line(capacity: &Capacity) -> Option<String> {
    capacity::last(capacity)
}

/// Latency against throughput, one line per probe, with a header.
pub fn capacity_csv(capacity: &Capacity) -> String {
    capacity::csv(capacity)
}

/// The same as a picture (SVG), with the service level and the rate that was found; `None` without response
/// times.
pub fn capacity_svg(capacity: &Capacity) -> Option<String> {
    capacity::knee(capacity).map(|chart| chart.file())
}

/// What the generator can do, for a terminal.
pub fn calibration_text(calibration: &Calibration, columns: Option<u16>) -> String {
    text::render(&calibration::blocks(calibration), columns)
}

/// The same for a wiki.
pub fn calibration_markdown(calibration: &Calibration) -> String {
    markdown::render(&calibration::blocks(calibration))
}

/// A message as Markdown: what stands in it stays text, line by line.
pub fn markdown_message(text: &str) -> String {
    text.lines().map(markdown::escape).collect::<Vec<_>>().join("\n")
}

/// JSON schema of a result, made from the types.
pub fn schema() -> Result<String, serde_json::Error> {
    let schema = schemars::schema_for!(RunResult);
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// JSON schema of a capacity search, made from the types.
pub fn capacity_schema() -> Result<String, serde_json::Error> {
    let schema = schemars::schema_for!(Capacity);
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
