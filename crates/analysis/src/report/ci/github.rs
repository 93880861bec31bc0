//! JSON for github-action-benchmark: `[{"name", "unit", "value", "range", "extra"}]`, one file for each
//! direction.

use serde::Serialize;

use super::super::format::{cores, primaries};
use super::super::servers;
use super::{ExportError, Tracked, rounded, trackable};
use crate::judge::RunResult;
use crate::record::short_sha256;
use crate::scenario::Direction;

#[derive(Serialize)]
struct Point {
    name: String,
    unit: &'static str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    extra: String,
}

/// The figures of one direction: `customSmallerIsBetter` takes [`Direction::LowerIsBetter`],
/// `customBiggerIsBetter` the other. The action knows one direction per file. What a candidate takes more than
/// its baseline has the direction of its metric, and is left out where its interval is not above zero: the
/// action judges a value by its ratio to the one before, which means nothing of what may be none or less.
pub fn github(result: &RunResult, direction: Direction) -> Result<String, ExportError> {
    let is_shown = |figure: &Tracked| figure.has_ratio && figure.name.metric.row().direction == direction;
    let points: Vec<Point> = trackable(result)?
        .into_iter()
        .filter(is_shown)
        .map(|figure| Point {
            name: format!("{}/{}/{}", result.record.label(), figure.of, figure.name),
            unit: figure.name.metric.row().unit.name(),
            value: rounded(figure.value),
            range: figure.interval.map(|interval| format!("± {}", rounded(interval.half_width()))),
            extra: extra(result, &figure.arms),
        })
        .collect();
    Ok(serde_json::to_string_pretty(&points)? + "\n")
}

/// With which library and where: said once of arms that share it, else of one against the other.
fn extra(result: &RunResult, arms: &[String]) -> String {
    let (record, environment) = (&result.record, &result.record.environment);
    let library = |arm: &str| {
        let library = record.library_of(arm);
        format!("library {} ({})", library.version, short_sha256(&library.sha256))
    };
    let server = |arm: &str| {
        servers::of_arm(record, arm).unwrap_or_else(|| format!("Valkey {}", environment.valkey.version))
    };
    let of_all = |say: &dyn Fn(&str) -> String| {
        let mut said: Vec<String> = arms.iter().map(|arm| say(arm)).collect();
        said.dedup();
        said.join(" against ")
    };
    format!(
        "{}\n{}, {}, {}\n{}, {}",
        of_all(&library),
        of_all(&server),
        primaries(environment.valkey.primaries),
        environment.valkey.provider,
        environment.host.cpu,
        cores(environment.host.cores)
    )
}
