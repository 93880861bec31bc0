//! `run`: a scenario, from its file to the verdict.

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::{ClusterArgs, OutputArgs, OutputFormat, ScenarioArgs, load_scenario};
use super::exit::Exit;
use super::interrupt::second_signal;
use super::libraries::LibraryArgs;
use super::paths::check_trace;
use super::progress::Watch;
use super::repeat::repeat;
use super::result_dir::ResultDir;
use super::summary::SummaryArgs;
use super::sweep::SweepJobs;
use super::{calibration_store, print, say};
use crate::cluster::{self, ClusterRequest, Library};
use crate::load::{self, RunSetup};
use reclaim_analysis::judge::{self, MIN_RUNS, RunResult};
use reclaim_analysis::record::RunRecord;
use reclaim_analysis::report;
use reclaim_analysis::scenario::{Override, Scenario, ScenarioFile};

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Name of a shipped scenario (see `scenarios`), or path of a file
    pub scenario: String,
    /// Seed of everything random; a result names the one that it was made with
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Let the verdicts decide the exit code, as `[gate] enforce` in the scenario does
    #[arg(long)]
    gate: bool,
    /// Run this many times, each time with a seed of its own; every run is kept
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub repeat: u32,
    #[command(flatten)]
    changes: ScenarioArgs,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    summary: SummaryArgs,
}

/// What to run, decided and checked before a server is looked for.
pub(super) struct Job {
    pub file: ScenarioFile,
    pub scenario: Scenario,
    request: ClusterRequest,
    pub seed: u64,
    pub output: OutputArgs,
}

impl Job {
    fn of(args: &RunArgs) -> anyhow::Result<Self> {
        Self::with(args, &[])
    }

    /// The job with further changes to the scenario.
    pub fn with(args: &RunArgs, more: &[Override]) -> anyhow::Result<Self> {
        let mut changes = args.cluster.overrides();
        changes.extend(args.changes.overrides()?);
        changes.extend_from_slice(more);
        if args.gate {
            let (shown, key) = ("--gate".to_owned(), "gate.enforce".to_owned());
            changes.push(Override { shown, key, value: Some("true".to_owned()) });
        }
        let (file, scenario) = args.libraries.apply(load_scenario(&args.scenario, &changes)?)?;
        let request = args.cluster.request(&file, &scenario)?;
        for library in scenario.variants.iter().filter_map(|variant| variant.library.as_ref()) {
            Library::read(library)?;
        }
        check_trace(&scenario)?;
        let seed = args.seed.unwrap_or_else(fresh_seed);
        Ok(Self { file, scenario, request, seed, output: args.output.clone() })
    }
}

/// Runs the command.
pub async fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    args.summary.check()?;
    let done = runs(args).await;
    if let Err(error) = &done {
        args.summary.append_failure(error);
    }
    done
}

async fn runs(args: &RunArgs) -> anyhow::Result<Exit> {
    let job = Job::of(args)?;
    if let Some(section) = &job.file.sweep {
        return Box::pin(SweepJobs::of(args, section)?.run(job.seed)).await;
    }
    if args.repeat > 1 {
        let enforced = job.file.gate.enforce && job.scenario.compare.is_some();
        if enforced && (args.repeat as usize) < MIN_RUNS {
            bail!("--repeat {}: a verdict over several runs needs at least {MIN_RUNS} of them", args.repeat);
        }
        return repeat(&job, args.repeat, &args.summary).await;
    }
    let dir = ResultDir::create(&job.output.output, &job.scenario.name)?;
    let Some(result) = once(&job, job.seed, &dir).await? else { return Ok(Exit::Interrupted) };
    // Printed even where it cannot be stored: the run has cost its time.
    let stored = dir.store(&result);
    show(&result, job.output.format)?;
    stored?;
    args.summary.append(&report::ci::pull_request(&result))?;
    if !job.output.quiet {
        say(&format!("\nresult: {}", dir.path().display()));
    }
    Ok(Exit::of(&result))
}

/// One run of a series, in a directory of its own below the series': its result, stored, and that directory's name.
/// `None` where it was interrupted before anything was measured.
pub(super) async fn once_within(
    job: &Job,
    seed: u64,
    series: &ResultDir,
) -> anyhow::Result<Option<(RunResult, String)>> {
    let own = ResultDir::create(series.path(), &job.scenario.name)?;
    let done = once(job, seed, &own).await;
    if done.is_err() {
        series.remove_if_empty();
    }
    let Some(result) = done? else { return Ok(None) };
    own.store(&result)?;
    let name = own.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some((result, name)))
}

/// One run, from the first server to the verdicts; `None` where it was interrupted before anything was measured. A
/// directory that holds nothing then is removed.
pub(super) async fn once(job: &Job, seed: u64, dir: &ResultDir) -> anyhow::Result<Option<RunResult>> {
    let quiet = job.output.quiet;
    let watch = Watch::new(!quiet && !job.output.no_progress, quiet, dir);
    let cancel = CancellationToken::new();
    let measured = tokio::select! {
        measured = measure(job, seed, &watch, &cancel) => measured,
        second = second_signal(cancel.clone(), |text| watch.line(text)) => {
            watch.finish();
            second?;
            dir.remove_if_empty();
            return Ok(None);
        }
    };
    watch.finish();
    match measured {
        Ok(mut record) => {
            record.calibration = calibration_store::note(&record, &job.scenario, |text| watch.line(text));
            Ok(Some(judge::analyse_as(record, &job.scenario)))
        }
        Err(_) if cancel.is_cancelled() => {
            dir.remove_if_empty();
            watch.line("interrupted before anything was measured");
            Ok(None)
        }
        Err(error) => {
            dir.remove_if_empty();
            Err(error)
        }
    }
}

/// Opens the cluster, lets the load work on it, leaves the cluster as it was.
async fn measure(
    job: &Job,
    seed: u64,
    watch: &Watch<'_>,
    cancel: &CancellationToken,
) -> anyhow::Result<RunRecord> {
    let Job { file, scenario, request, .. } = job;
    let cluster = Rc::new(cluster::open(request, &|text| watch.line(text), cancel).await?);
    let setup = RunSetup { cluster: &cluster, scenario, file, seed, watch, cancel };
    let measured = load::run(setup).await;
    if let Err(error) = cluster.remove_library_if_added().await {
        watch.line(&format!("warning: the function library stays on the cluster: {error}"));
    }
    Ok(measured?)
}

fn show(result: &RunResult, format: OutputFormat) -> anyhow::Result<()> {
    match format {
        OutputFormat::Text => print(&report::text(result)),
        OutputFormat::Json => print(&report::json(result)?),
    }
}

/// A seed that differs from run to run and is short enough to be typed again.
pub(super) fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ (now.as_secs() & 0xffff_ffff)
}
