//! `calibrate`: what the generator itself can do on this machine.

use std::rc::Rc;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use super::args::{ClusterArgs, OutputArgs, OutputFormat};
use super::exit::Exit;
use super::interrupt::second_signal;
use super::progress::Watch;
use super::result_dir::ResultDir;
use super::run::fresh_seed;
use super::{calibration_store, print, say};
use crate::calibrate::{CalibrateError, CalibrateSetup, CalibrationPlan, Part, calibrate};
use crate::cluster::{self, ClusterError, ClusterRequest};
use reclaim_analysis::judge::{self, Calibration};
use reclaim_analysis::record::CalibrationRecord;
use reclaim_analysis::report;

/// Most requests in flight: far beyond what a scenario may ask for on one connection.
const MOST_IN_FLIGHT: i64 = 8_192;

/// Options of `calibrate`.
#[derive(Args, Clone, Debug)]
pub struct CalibrateArgs {
    /// Take a few seconds instead of about half a minute
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given again. A narrowed calibration is not kept for runs
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<PartName>,
    /// Requests in flight to measure [default: 1 to 4096]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=MOST_IN_FLIGHT))]
    in_flight: Vec<u32>,
    /// Connections to measure each of them with
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    connections: Vec<u16>,
    /// Rates of the open loop to measure, per second [default: 500 to 10000]
    #[arg(long, value_name = "PER_SECOND", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rates: Vec<u32>,
    /// Seed of the random orders
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// `--only`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PartName {
    /// Throughput and CPU by requests in flight
    Levels,
    /// How late the open loop's clock is
    SendLag,
    /// What the client adds to a bare round trip
    RoundTrip,
}

impl CalibrateArgs {
    fn plan(&self) -> CalibrationPlan {
        let mut plan = if self.quick { CalibrationPlan::quick() } else { CalibrationPlan::full() };
        if !self.only.is_empty() {
            plan.parts = self.only.iter().map(|&part| part.into()).collect();
        }
        if !self.in_flight.is_empty() {
            plan.in_flight.clone_from(&self.in_flight);
        }
        if !self.rates.is_empty() {
            plan.rates = self.rates.iter().map(|&rate| rate.into()).collect();
        }
        plan.connections.clone_from(&self.connections);
        plan
    }

    /// One primary is enough; of more, the first one answers.
    fn request(&self) -> anyhow::Result<ClusterRequest> {
        let request = self.cluster.request_alone()?;
        Ok(ClusterRequest {
            primaries: self.cluster.primaries.unwrap_or(1),
            replicas: self.cluster.replicas.unwrap_or(0),
            ..request
        })
    }
}

impl From<PartName> for Part {
    fn from(name: PartName) -> Self {
        match name {
            PartName::Levels => Self::Levels,
            PartName::SendLag => Self::SendLag,
            PartName::RoundTrip => Self::RoundTrip,
        }
    }
}

/// Runs the command.
pub async fn run(args: &CalibrateArgs) -> anyhow::Result<Exit> {
    let (plan, request) = (args.plan(), args.request()?);
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let dir = ResultDir::create(&args.output.output, "calibrate")?;
    let Some(record) = measured(args, &plan, &request, seed, &dir).await? else {
        return Ok(Exit::Interrupted);
    };
    let calibration = judge::assess(record);
    let stored = dir.store_calibration(&calibration);
    show(&calibration, args.output.format)?;
    stored?;
    if !args.output.quiet {
        say(&format!("\nresult: {}", dir.path().display()));
    }
    if !calibration.valid {
        return Ok(Exit::Invalid);
    }
    if calibration.record.complete {
        keep(&calibration, args.output.quiet);
    }
    Ok(Exit::Pass)
}

/// Runs look for it in the user's cache. Without one, the calibration still stands in its directory.
fn keep(calibration: &Calibration, quiet: bool) {
    match calibration_store::save(calibration) {
        Ok(path) if !calibration.disturbed.is_empty() => {
            say(&format!("warning: kept for runs, marked as disturbed: {}", path.display()));
        }
        Ok(path) if !quiet => say(&format!("kept for runs on this machine: {}", path.display())),
        Ok(_) => {}
        Err(error) => say(&format!("warning: not kept for runs: {error:#}")),
    }
}

/// `None` where it was interrupted. A directory that holds nothing then is removed.
async fn measured(
    args: &CalibrateArgs,
    plan: &CalibrationPlan,
    request: &ClusterRequest,
    seed: u64,
    dir: &ResultDir,
) -> anyhow::Result<Option<CalibrationRecord>> {
    let quiet = args.output.quiet;
    let watch = Watch::new(!quiet && !args.output.no_progress, quiet, dir);
    let cancel = CancellationToken::new();
    let ended = tokio::select! {
        ended = measure(plan, request, seed, &watch, &cancel) => ended,
        second = second_signal(cancel.clone(), |text| watch.line(text)) => {
            second?;
            Err(CalibrateError::Cancelled)
        }
    };
    watch.finish();
    if ended.is_err() {
        dir.remove_if_empty();
    }
    match ended {
        Err(CalibrateError::Cancelled | CalibrateError::Cluster(ClusterError::Cancelled)) => Ok(None),
        ended => Ok(Some(ended?)),
    }
}

async fn measure(
    plan: &CalibrationPlan,
    request: &ClusterRequest,
    seed: u64,
    watch: &Watch<'_>,
    cancel: &CancellationToken,
) -> Result<CalibrationRecord, CalibrateError> {
    let notify = |text: &str| watch.line(text);
    let cluster = Rc::new(cluster::open(request, &notify, cancel).await?);
    let setup = CalibrateSetup { cluster: &cluster, plan, seed, notify: &notify, cancel };
    let measured = calibrate(setup).await;
    if let Err(error) = cluster.remove_library_if_added().await {
        watch.line(&format!("warning: the function library stays on the cluster: {error}"));
    }
    measured
}

fn show(calibration: &Calibration, format: OutputFormat) -> anyhow::Result<()> {
    match format {
        OutputFormat::Text => print(&report::calibration_text(calibration)),
        OutputFormat::Json => print(&(serde_json::to_string_pretty(calibration)? + "\n")),
    }
}
