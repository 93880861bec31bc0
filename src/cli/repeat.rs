//! `run --repeat`: one scenario several times, every run on record, one answer.

use std::path::Path;

use anyhow::{Context as _, bail};
use rand_chacha::rand_core::Rng as _;
use serde::{Deserialize, Serialize};

use super::args::OutputFormat;
use super::exit::Exit;
use super::result_dir::{self, ResultDir, SERIES};
use super::run::{Job, once_within};
use super::summary::SummaryArgs;
use super::{print, say};
use reclaim_analysis::judge::{self, Gate, GatePolicy, Repeated, RunResult};
use reclaim_analysis::record::stream;
use reclaim_analysis::report;

/// Value of [`Series::schema`].
const SCHEMA: &str = "reclaim-bench/repeat-1";

/// `repeat.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct Series {
    schema: String,
    /// The scenario's name.
    pub scenario: String,
    seed: u64,
    /// Runs that were asked for; fewer are there where the series was interrupted.
    wanted: u32,
    /// Directories of the runs, beside this file.
    runs: Vec<String>,
    /// What all runs come to; it follows from them, as does the rest.
    pub gate: Gate,
    /// The estimates over all runs.
    #[serde(flatten)]
    pub repeated: Repeated,
}

/// Runs the job `wanted` times. Each run has its own servers, seed and directory, and none is made again for what it
/// found. What the series has come to is written after every run, so that a crash keeps it.
pub(super) async fn repeat(job: &Job, wanted: u32, summary: &SummaryArgs) -> anyhow::Result<Exit> {
    let name = &job.scenario.name;
    let dir = ResultDir::create(&job.output.output, &format!("{name}-repeat"))?;
    let mut results: Vec<RunResult> = Vec::new();
    let mut runs = Vec::new();
    let mut interrupted = false;
    for n in 0..wanted {
        if !job.output.quiet {
            say(&format!("run {} of {wanted}", n + 1));
        }
        let Some((result, own)) = once_within(job, seed_of(job.seed, n), &dir).await? else {
            interrupted = true;
            break;
        };
        runs.push(own);
        interrupted = result.record.partial;
        results.push(result);
        let series = Series::of(job, wanted, &results, &runs);
        dir.store_series(&series, &series.markdown())?;
        if interrupted {
            break;
        }
    }
    if results.is_empty() {
        dir.remove_if_empty();
        return Ok(Exit::Interrupted);
    }
    let series = Series::of(job, wanted, &results, &runs);
    print(&match job.output.format {
        OutputFormat::Text => report::repeated_text(name, &series.repeated, &series.gate),
        OutputFormat::Json => serde_json::to_string_pretty(&series)? + "\n",
    })?;
    summary.append(&series.markdown())?;
    if !job.output.quiet {
        say(&format!("\nresult: {}", dir.path().display()));
    }
    Ok(if interrupted { Exit::Interrupted } else { series.gate.conclusion.into() })
}

impl Series {
    fn of(job: &Job, wanted: u32, results: &[RunResult], runs: &[String]) -> Self {
        let (repeated, gate) = concluded(results, &GatePolicy::from_scenario(&job.file));
        Self {
            schema: SCHEMA.to_owned(),
            scenario: job.scenario.name.clone(),
            seed: job.seed,
            wanted,
            runs: runs.to_vec(),
            gate,
            repeated,
        }
    }

    /// Reads a series, given as its directory or its `repeat.json`. What it concludes comes from the runs' own
    /// results.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let (dir, file) = result_dir::parts(path, SERIES);
        let stored: Self = result_dir::document(&file, SCHEMA, "a series of runs")?;
        let read = |own: &String| {
            result_dir::read(&dir.join(own))
                .with_context(|| format!("the run {own} of the series cannot be had"))
        };
        let results = stored.runs.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        let Some(first) = results.first() else { bail!("{} is damaged: it names no run", file.display()) };
        let (repeated, gate) = concluded(&results, &GatePolicy::from_scenario(&first.record.scenario));
        Ok(Self { gate, repeated, ..stored })
    }

    fn markdown(&self) -> String {
        report::repeated_markdown(&self.scenario, &self.repeated, &self.gate)
    }
}

fn concluded(results: &[RunResult], policy: &GatePolicy) -> (Repeated, Gate) {
    let repeated = judge::repeat(results);
    let gate = judge::gate_repeated(results, &repeated, policy);
    (repeated, gate)
}

/// The first run has the seed as given, so that a series begins with the run that a single one would have been.
fn seed_of(seed: u64, n: u32) -> u64 {
    // As short as a seed that the tool chooses itself.
    if n == 0 { seed } else { u64::from(stream(seed, &format!("run {n}")).next_u32()) }
}
