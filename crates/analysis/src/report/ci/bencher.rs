//! Bencher Metric Format: `{"benchmark": {"measure": {"value", "lower_value", "upper_value"}}}`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ExportError, rounded, trackable};
use crate::judge::RunResult;

#[derive(Serialize)]
struct Measure {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// Benchmark `scenario/variant`, measure by metric name, values in the metric's unit; intervals as lower and
/// upper value. Two variants that were compared are a benchmark of their own, `scenario/candidate less
/// baseline`, whose values may be negative.
pub fn bencher(result: &RunResult) -> Result<String, ExportError> {
    let mut benchmarks = BTreeMap::<String, BTreeMap<String, Measure>>::new();
    for figure in trackable(result)? {
        let benchmark = format!("{}/{}", result.record.label(), figure.of);
        let measure = Measure {
            value: rounded(figure.value),
            lower_value: figure.interval.map(|interval| rounded(interval.low)),
            upper_value: figure.interval.map(|interval| rounded(interval.high)),
        };
        benchmarks.entry(benchmark).or_default().insert(figure.name.to_string(), measure);
    }
    Ok(serde_json::to_string_pretty(&benchmarks)? + "\n")
}
