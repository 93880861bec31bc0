//! `run` of a scenario with a `[sweep]`: one run for each value of a key, and the curve through them.

use std::path::Path;

use anyhow::{Context as _, bail};
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::args::OutputFormat;
use super::exit::Exit;
use super::result_dir::{self, ResultDir, SWEEP};
use super::run::{Job, RunArgs, once_within};
use super::{print, say};
use reclaim_analysis::judge::{self, RunResult, Sweep};
use reclaim_analysis::record::stream;
use reclaim_analysis::report;
use reclaim_analysis::scenario::{Override, SweepSection};

/// Value of [`SweepFile::schema`].
const SCHEMA: &str = "reclaim-bench/sweep-2";

/// `sweep.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct SweepFile {
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
#[derive(Clone, Serialize, Deserialize)]
struct SweepRun {
    /// The key's value in it, as the scenario writes it.
    value: String,
    /// Its directory, beside `sweep.json`.
    dir: String,
}

impl SweepFile {
    /// Reads a sweep, given as its directory or its `sweep.json`. The curve is drawn again from the runs' own results.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let (dir, file) = result_dir::parts(path, SWEEP);
        let stored: Self = result_dir::document(&file, SCHEMA, "a sweep")?;
        let mut results = Vec::new();
        for SweepRun { value, dir: own } in &stored.runs {
            let Some(at) = stored.sweep.wanted.iter().position(|wanted| wanted == value) else {
                bail!(
                    "{} is damaged: it names a run of {value}, which is none of its values",
                    file.display()
                );
            };
            let result = result_dir::read(&dir.join(own))
                .with_context(|| format!("the run of {} = {value} cannot be had", stored.sweep.key))?;
            results.push((at, result));
        }
        Ok(Self { sweep: drawn(&stored.sweep.key, &stored.sweep.wanted, &results), ..stored })
    }
}

/// The curve through the results, each with its value's place among those that were wanted.
fn drawn(key: &str, wanted: &[String], results: &[(usize, RunResult)]) -> Sweep {
    let mut sorted: Vec<_> = results.iter().collect();
    sorted.sort_by_key(|(at, _)| *at);
    judge::sweep(key, wanted, sorted.into_iter().map(|(at, result)| (wanted[*at].as_str(), result)))
}

/// The runs of a sweep, each a job that has been checked.
pub(super) struct SweepJobs {
    section: SweepSection,
    jobs: Vec<Job>,
}

impl SweepJobs {
    /// Checks every value before the first run begins.
    pub fn of(args: &RunArgs, section: &SweepSection) -> anyhow::Result<Self> {
        if args.repeat > 1 {
            bail!("--repeat {}: the scenario has a [sweep]; take the one or the other", args.repeat);
        }
        let jobs = section.values.iter().map(|value| {
            let shown = format!("sweep {}={value}", section.key);
            let point = [
                Override { shown: String::new(), key: "sweep".to_owned(), value: None },
                Override { shown, key: section.key.clone(), value: Some(value.clone()) },
            ];
            Job::with(args, &point)
        });
        Ok(Self { section: section.clone(), jobs: jobs.collect::<anyhow::Result<_>>()? })
    }

    /// Runs them in an order that the seed draws, so that a machine that drifts does not draw the curve.
    pub async fn run(&self, seed: u64) -> anyhow::Result<Exit> {
        let (name, output) = (&self.jobs[0].scenario.name, &self.jobs[0].output);
        let dir = ResultDir::create(&output.output, &format!("{name}-sweep"))?;
        let mut order: Vec<usize> = (0..self.jobs.len()).collect();
        order.shuffle(&mut stream(seed, "sweep"));
        let mut results: Vec<(usize, RunResult)> = Vec::new();
        let mut runs = Vec::new();
        let mut interrupted = false;
        for (made, &at) in order.iter().enumerate() {
            if !output.quiet {
                let (key, value) = (&self.section.key, &self.section.values[at]);
                say(&format!("run {} of {}: {key} = {value}", made + 1, order.len()));
            }
            let Some((result, own)) = once_within(&self.jobs[at], seed, &dir).await? else {
                interrupted = true;
                break;
            };
            runs.push(SweepRun { value: self.section.values[at].clone(), dir: own });
            interrupted = result.record.partial;
            results.push((at, result));
            self.store(&dir, seed, &results, &runs)?;
            if interrupted {
                break;
            }
        }
        if results.is_empty() {
            dir.remove_if_empty();
            return Ok(Exit::Interrupted);
        }
        let curve = self.file(seed, &results, &runs);
        print(&match output.format {
            OutputFormat::Text => report::sweep_text(name, &curve.sweep),
            OutputFormat::Json => serde_json::to_string_pretty(&curve)? + "\n",
        })?;
        if !output.quiet {
            say(&format!("\nresult: {}", dir.path().display()));
        }
        Ok(match (interrupted, curve.sweep.points.iter().all(|point| point.valid)) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::Pass,
            (false, false) => Exit::Invalid,
        })
    }

    fn file(&self, seed: u64, results: &[(usize, RunResult)], runs: &[SweepRun]) -> SweepFile {
        SweepFile {
            schema: SCHEMA.to_owned(),
            scenario: self.jobs[0].scenario.name.clone(),
            seed,
            runs: runs.to_vec(),
            sweep: drawn(&self.section.key, &self.section.values, results),
        }
    }

    /// After every run, so that a crash keeps what is there.
    fn store(
        &self,
        dir: &ResultDir,
        seed: u64,
        results: &[(usize, RunResult)],
        runs: &[SweepRun],
    ) -> anyhow::Result<()> {
        let file = self.file(seed, results, runs);
        let (markdown, csv) =
            (report::sweep_markdown(&file.scenario, &file.sweep), report::sweep_csv(&file.sweep));
        dir.store_sweep(&file, &markdown, &csv)
    }
}
