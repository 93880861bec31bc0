//! The runs of a sweep, and the curve through them.

use std::path::Path;

use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::StoreError;
use super::json::{Earlier, Format, bytes, document};
use super::layout::{self, PAGE, SWEEP, SWEEP_POINTS};
use super::result_dir::ResultDir;
use super::run::read_run;
use reclaim_analysis::judge::{self, RunResult, Sweep};
use reclaim_analysis::record::stream;
use reclaim_analysis::report;
use reclaim_analysis::scenario::SweepSection;

/// Value of [`SweepFile::schema`].
const SCHEMA: &str = "reclaim-bench/sweep-2";

/// `sweep.json`.
const FORMAT: Format = Format {
    now: SCHEMA,
    before: Some(Earlier { name: "reclaim-bench/sweep-1", upgrade: of_sweep_1 }),
    what: "a sweep",
};

/// `sweep.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepFile {
    schema: String,
    /// The scenario's name.
    pub scenario: String,
    seed: u64,
    /// In the order in which they were made.
    runs: Vec<SweepRun>,
    /// The curve; it follows from the runs.
    #[serde(flatten)]
    pub sweep: Sweep,
}

/// One run of a sweep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SweepRun {
    /// The key's value in it, as the scenario writes it.
    pub value: String,
    /// Its directory, beside `sweep.json`.
    pub dir: String,
}

impl SweepFile {
    /// What the runs come to so far. Each result has its value's place among the section's.
    pub fn conclude(
        section: &SweepSection,
        seed: u64,
        results: &[(usize, RunResult)],
        runs: &[SweepRun],
    ) -> Self {
        let names: Vec<String> = section.steps().into_iter().map(|step| step.name).collect();
        let scenario = results.first().map(|(_, result)| result.record.scenario.name.clone());
        Self {
            schema: SCHEMA.to_owned(),
            scenario: scenario.unwrap_or_default(),
            seed,
            runs: runs.to_vec(),
            sweep: drawn(&section.title(), &names, results),
        }
    }

    /// Reads a sweep, given as its directory or its `sweep.json`. The curve is drawn again from the runs' own results.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let (dir, file) = layout::parts(path, SWEEP);
        let stored: Self = document(&file, &FORMAT)?;
        let mut results = Vec::new();
        for SweepRun { value, dir: own } in &stored.runs {
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
        let ended_by = stored.sweep.ended_by.clone();
        let sweep = Sweep { ended_by, ..drawn(&stored.sweep.key, &stored.sweep.wanted, &results) };
        Ok(Self { sweep, ..stored })
    }
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

/// In the version before, runs stood there without their values, in the order that the seed draws. Points are drawn again
/// from the runs in any case.
fn of_sweep_1(json: &mut Value) {
    let (Some(seed), Some(wanted)) = (json["seed"].as_u64(), json["wanted"].as_array().cloned()) else {
        return;
    };
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.shuffle(&mut stream(seed, "sweep"));
    if let Some(runs) = json["runs"].as_array_mut() {
        for (run, at) in runs.iter_mut().zip(order) {
            *run = json!({ "value": wanted[at], "dir": run.clone() });
        }
    }
    json["points"] = json!([]);
}

/// The curve through the results, each with its value's place among those that were wanted.
fn drawn(key: &str, wanted: &[String], results: &[(usize, RunResult)]) -> Sweep {
    let mut sorted: Vec<_> = results.iter().collect();
    sorted.sort_by_key(|(at, _)| *at);
    judge::sweep(key, wanted, sorted.into_iter().map(|(at, result)| (wanted[*at].as_str(), result)))
}
