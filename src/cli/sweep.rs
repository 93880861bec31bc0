//! `run` of a scenario with a `[sweep]`: one run for each value of a key, and the curve through them.

use anyhow::bail;
use rand::seq::SliceRandom as _;
use serde::Serialize;

use super::args::OutputFormat;
use super::exit::Exit;
use super::result_dir::ResultDir;
use super::run::{Job, RunArgs, once_within};
use super::{print, say};
use crate::judge::{self, RunResult, Sweep};
use crate::load::stream;
use crate::report;
use crate::scenario::{Override, SweepSection};

/// Value of [`Curve::schema`].
const SCHEMA: &str = "reclaim-bench/sweep-1";

/// `sweep.json`.
#[derive(Serialize)]
struct Curve<'a> {
    schema: &'static str,
    scenario: &'a str,
    seed: u64,
    /// Directories of the runs, beside this file, in the order in which they were made.
    runs: &'a [String],
    #[serde(flatten)]
    sweep: Sweep,
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
            runs.push(own);
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
        let curve = self.curve(seed, &results, &runs);
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

    fn curve<'a>(&'a self, seed: u64, results: &[(usize, RunResult)], runs: &'a [String]) -> Curve<'a> {
        let mut sorted: Vec<_> = results.iter().collect();
        sorted.sort_by_key(|(at, _)| *at);
        let points = sorted.into_iter().map(|(at, result)| (self.section.values[*at].as_str(), result));
        Curve {
            schema: SCHEMA,
            scenario: &self.jobs[0].scenario.name,
            seed,
            runs,
            sweep: judge::sweep(&self.section.key, &self.section.values, points),
        }
    }

    /// After every run, so that a crash keeps what is there.
    fn store(
        &self,
        dir: &ResultDir,
        seed: u64,
        results: &[(usize, RunResult)],
        runs: &[String],
    ) -> anyhow::Result<()> {
        let curve = self.curve(seed, results, runs);
        let name = curve.scenario;
        dir.store_sweep(&curve, &report::sweep_markdown(name, &curve.sweep), &report::sweep_csv(&curve.sweep))
    }
}
