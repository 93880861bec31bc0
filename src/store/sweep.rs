//! The runs of a sweep, and the curve through them.

use std::path::Path;

use serde_json::{Value, json};

use super::error::StoreError;
use super::file_names::{self, PAGE, SWEEP, SWEEP_POINTS};
use super::json::{Earlier, Format, bytes, document};
use super::result_dir::ResultDir;
use super::run_files::read_run;
use reclaim_analysis::record::sweep_order;
use reclaim_analysis::report::{self, SWEEP_SCHEMA, SweepFile, SweepRun};

/// `sweep.json`.
const FORMAT: Format = Format {
    now: SWEEP_SCHEMA,
    before: Some(Earlier { name: "reclaim-bench/sweep-1", upgrade: of_sweep_1 }),
    what: "a sweep",
};

/// Reads a sweep, given as its directory or its `sweep.json`. The curve is drawn again from the runs' own
/// results.
pub fn read_sweep(path: &Path) -> Result<SweepFile, StoreError> {
    let (dir, file) = file_names::parts(path, SWEEP);
    let stored: SweepFile = document(&file, &FORMAT)?;
    let mut results = Vec::new();
    for SweepRun { value, dir: own } in stored.runs() {
        let Some(at) = stored.sweep.wanted.iter().position(|wanted| wanted == value) else {
            return Err(StoreError::Contradictory {
                path: file,
                what: format!("it names a run of {value}, which is none of its values"),
            });
        };
        let result = read_run(&dir.join(own)).map_err(|source| StoreError::Part {
            of: format!("the run of {} = {value}", stored.sweep.key),
            source: Box::new(source),
        })?;
        results.push((at, result));
    }
    Ok(stored.with_results(&results))
}

impl ResultDir {
    /// Replaces what a sweep has come to so far.
    pub fn store_sweep(&self, file: &SweepFile) -> Result<(), StoreError> {
        let json = bytes(SWEEP, file)?;
        self.put_summary(&report::sweep_markdown(&file.scenario, &file.sweep))?;
        self.put(PAGE, report::html::sweeps(&[(&file.scenario, &file.sweep)]).as_bytes())?;
        self.put(SWEEP_POINTS, report::sweep_csv(&file.sweep).as_bytes())?;
        self.put(SWEEP, &json)
    }
}

/// In the version before, runs stood there without their values, in the order that the seed draws. Points are
/// drawn again from the runs in any case.
fn of_sweep_1(json: &mut Value) {
    let (Some(seed), Some(wanted)) = (json["seed"].as_u64(), json["wanted"].as_array().cloned()) else {
        return;
    };
    if let Some(runs) = json["runs"].as_array_mut() {
        for (run, at) in runs.iter_mut().zip(sweep_order(seed, wanted.len())) {
            *run = json!({ "value": wanted[at], "dir": run.clone() });
        }
    }
    json["points"] = json!([]);
}
