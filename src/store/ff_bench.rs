//! Reports of FlowFabric's own benchmarks: they are not ours, and `compare` takes them beside ours.

use std::path::Path;

use serde_json::Value;

use super::error::StoreError;
use super::json::{is_of_ff_bench, text};
use super::run_files::read_run;
use reclaim_analysis::json::FromJson as _;
use reclaim_analysis::judge::{FfBenchReport, RunResult};

/// What two sides of a comparison can be.
pub enum Comparable {
    /// A run, with its samples.
    Run(Box<RunResult>),
    /// Figures alone: at least one report.
    Figures(Vec<FfBenchReport>),
}

/// Reads a stored run, or a file with one report of FlowFabric's benchmarks or a list of them.
pub fn read_comparable(path: &Path) -> Result<Comparable, StoreError> {
    if path.is_file()
        && let Ok(json) = serde_json::from_str::<Value>(&text(path)?)
        && is_of_ff_bench(&json)
    {
        return figures(path, &json).map(Comparable::Figures);
    }
    read_run(path).map(|run| Comparable::Run(Box::new(run)))
}

fn figures(path: &Path, json: &Value) -> Result<Vec<FfBenchReport>, StoreError> {
    let reports = match json {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let typed = reports.iter().map(FfBenchReport::from_json_value).collect::<Result<_, _>>();
    typed.map_err(|source| StoreError::Damaged { path: path.to_owned(), source })
}
