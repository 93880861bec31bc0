//! `calibrate`: what the generator itself can do on this machine.

use clap::{Args, ValueEnum};

use super::cluster_args::ClusterArgs;
use super::exit::Exit;
use super::output::{OutputArgs, OutputFormat, columns};
use super::scenario_args::fresh_seed;
use super::signals::with_signals;
use super::terminal::Terminal;
use crate::calibrate::{CalibrationPlan, Part};
use crate::campaign::{self, Watch as _};
use crate::cluster::ClusterRequest;
use crate::load::Progress as _;
use crate::store::{self, ResultDir};
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::Calibration;
use reclaim_analysis::report;
use reclaim_analysis::scenario::{Cores, MOST_CONNECTIONS, MachineSection, Placement};

/// Most requests in flight: twice the most that a calibration measures by itself.
const MOST_REQUESTS_IN_FLIGHT: i64 = 8_192;

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
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=MOST_REQUESTS_IN_FLIGHT))]
    in_flight: Vec<u32>,
    /// Connections to measure each of them with
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_CONNECTIONS)))]
    connections: Vec<u16>,
    /// Rates of the open loop to measure, per second [default: 500 to 10000]
    #[arg(long, value_name = "PER_SECOND", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rates: Vec<u32>,
    /// Where the generator's threads and the server run: apart, together, or free [default: apart where there
    /// are two cores]
    #[arg(long, value_name = "WHERE", value_parser = word::<Placement>)]
    placement: Option<Placement>,
    /// Whether cores are kept awake or may sleep: awake or free [default: awake where there are two cores]
    #[arg(long, value_name = "HOW", value_parser = word::<Cores>)]
    cores: Option<Cores>,
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
            announcement: Some(self.cluster.announcement("a calibration".to_owned())),
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

/// A word of the scenario format.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let value = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
    T::deserialize(value).map_err(|error| error.to_string())
}

/// Runs the command.
pub async fn run(args: &CalibrateArgs) -> anyhow::Result<Exit> {
    let (plan, request) = (args.plan(), args.request()?);
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let machine = MachineSection { placement: args.placement, cores: args.cores };
    let terminal = Terminal::new(&args.output)?;
    let dir = ResultDir::create(&args.output.output, "calibrate")?;
    let measured = with_signals(&terminal, &request.nodes, async |stop| {
        campaign::calibration(&plan, machine, &request, seed, &terminal, stop).await
    });
    let Some(calibration) = measured.await?? else { return Ok(Exit::Interrupted) };
    let stored = dir.store_calibration(&calibration);
    terminal.print(
        &args.output,
        &match args.output.format {
            OutputFormat::Text => report::calibration_text(&calibration, columns()),
            OutputFormat::Json => calibration.to_json_file()?,
        },
    )?;
    stored?;
    let exit = terminal.result(&dir, if calibration.valid { Exit::Pass } else { Exit::Invalid });
    if calibration.valid && calibration.record.complete {
        keep(&calibration, &terminal);
    }
    Ok(exit)
}

/// Runs look for it in the user's cache. Without one, the calibration still stands in its directory.
fn keep(calibration: &Calibration, terminal: &Terminal) {
    match store::keep_for_runs(calibration) {
        Ok(path) if !calibration.disturbed.is_empty() => {
            terminal.warn(&format!("kept for runs, marked as disturbed: {}", path.display()));
        }
        Ok(path) => terminal.note(&format!("kept for runs on this machine: {}", path.display())),
        Err(error) => terminal.warn(&format!("not kept for runs: {:#}", anyhow::Error::from(error))),
    }
}
