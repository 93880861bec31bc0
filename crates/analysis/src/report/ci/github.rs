//! JSON for github-action-benchmark: `[{"name", "unit", "value", "range", "extra"}]`, one file for each
//! direction.

use serde::Serialize;

use super::super::format::{cores, primaries};
use super::super::servers;
use super::{ExportError, rounded, trackable};
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
/// `customBiggerIsBetter` the other. The action knows one direction per file.
pub fn github(result: &RunResult, direction: Direction) -> Result<String, ExportError> {
    let environment = &result.record.environment;
    let library_of = |variant: &str| {
        let library = result.record.library_of(variant);
        format!("library {} ({})", library.version, short_sha256(&library.sha256))
    };
    let place = |variant: &str| {
        let server = servers::of_arm(&result.record, variant);
        format!(
            "{}, {}, {}\n{}, {}",
            server.unwrap_or_else(|| format!("Valkey {}", environment.valkey.version)),
            primaries(environment.valkey.primaries),
            environment.valkey.provider,
            environment.host.cpu,
            cores(environment.host.cores)
        )
    };
    let points: Vec<Point> = trackable(result)?
        .into_iter()
        .filter(|metric| metric.name.metric.row().direction == direction)
        .map(|metric| Point {
            name: format!("{}/{}/{}", result.record.label(), metric.variant, metric.name),
            unit: metric.name.metric.row().unit.name(),
            value: rounded(metric.value),
            range: metric.interval.map(|interval| format!("± {}", rounded(interval.half_width()))),
            extra: format!("{}\n{}", library_of(&metric.variant), place(&metric.variant)),
        })
        .collect();
    Ok(serde_json::to_string_pretty(&points)? + "\n")
}
