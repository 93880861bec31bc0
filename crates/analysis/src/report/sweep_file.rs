//! The runs of a sweep and the curve through them, as they are stored.

use serde::{Deserialize, Serialize};

use crate::json::{from_json, to_json_file};
use crate::judge::{self, RunResult, Sweep};
use crate::scenario::SweepSection;

/// What `sweep.json` says of itself.
pub const SWEEP_SCHEMA: &str = "reclaim-bench/sweep-2";

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

to_json_file!(SweepFile);
from_json!(SweepFile);

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
            schema: SWEEP_SCHEMA.to_owned(),
            scenario: scenario.unwrap_or_default(),
            seed,
            runs: runs.to_vec(),
            sweep: drawn(&section.title(), &names, results),
        }
    }

    /// Its runs, in the order in which they were made.
    pub fn runs(&self) -> &[SweepRun] {
        &self.runs
    }

    /// Draws the curve again from the runs' own results, each with its value's place among those that were
    /// wanted.
    #[must_use]
    pub fn with_results(self, results: &[(usize, RunResult)]) -> Self {
        let ended_by = self.sweep.ended_by.clone();
        let sweep = Sweep { ended_by, ..drawn(&self.sweep.key, &self.sweep.wanted, results) };
        Self { sweep, ..self }
    }
}

/// The curve through the results, each with its value's place among those that were wanted.
fn drawn(key: &str, wanted: &[String], results: &[(usize, RunResult)]) -> Sweep {
    let mut sorted: Vec<_> = results.iter().collect();
    sorted.sort_by_key(|(at, _)| *at);
    judge::sweep(key, wanted, sorted.into_iter().map(|(at, result)| (wanted[*at].as_str(), result)))
}
