//! `run`: a scenario, from its file to the verdict.

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::{ClusterArgs, OutputArgs, OutputFormat, ScenarioArgs, load_scenario};
use super::exit::Exit;
use super::interrupt::second_signal;
use super::libraries::LibraryArgs;
use super::print;
use super::progress::Watch;
use super::result_dir::ResultDir;
use crate::cluster::{self, ClusterRequest};
use crate::judge::{self, RunResult};
use crate::load::{self, RunSetup};
use crate::measure::RunRecord;
use crate::report;
use crate::scenario::{Scenario, ScenarioFile};

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Name of a shipped scenario (see `scenarios`), or path of a file
    pub scenario: String,
    /// Seed of everything random; a result names the one that it was made with
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    changes: ScenarioArgs,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub async fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let mut changes = args.cluster.overrides();
    changes.extend(args.changes.overrides()?);
    let (file, scenario) = args.libraries.apply(load_scenario(&args.scenario, &changes)?)?;
    let request = args.cluster.request(&file, &scenario)?;
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let dir = ResultDir::create(&args.output.output, &scenario.name)?;
    let quiet = args.output.quiet;
    let watch = Watch::new(!quiet && !args.output.no_progress, quiet, &dir);
    let cancel = CancellationToken::new();
    let measured = tokio::select! {
        measured = measure(&request, &scenario, &file, seed, &watch, &cancel) => measured,
        second = second_signal(cancel.clone(), |text| watch.line(text)) => {
            watch.finish();
            second?;
            dir.remove_if_empty();
            return Ok(Exit::Interrupted);
        }
    };
    watch.finish();
    let record = match measured {
        Ok(record) => record,
        Err(_) if cancel.is_cancelled() => {
            dir.remove_if_empty();
            watch.line("interrupted before anything was measured");
            return Ok(Exit::Interrupted);
        }
        Err(error) => {
            dir.remove_if_empty();
            return Err(error);
        }
    };
    let result = judge::analyse_as(record, &scenario);
    // Printed even where it cannot be stored: the run has cost its time.
    let stored = dir.store(&result);
    show(&result, args.output.format)?;
    stored?;
    watch.line(&format!("\nresult: {}", dir.path().display()));
    Ok(Exit::of(&result))
}

/// Opens the cluster, lets the load work on it, leaves the cluster as it was.
async fn measure(
    request: &ClusterRequest,
    scenario: &Scenario,
    file: &ScenarioFile,
    seed: u64,
    watch: &Watch<'_>,
    cancel: &CancellationToken,
) -> anyhow::Result<RunRecord> {
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
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ (now.as_secs() & 0xffff_ffff)
}
