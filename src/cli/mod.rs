//! The command line: the only place that sees both sides of the record.

mod calibrate;
mod capacity;
mod changes;
mod clean;
mod cluster;
mod cluster_args;
mod compare;
mod completions;
mod environment;
mod events;
mod exit;
mod forecast;
mod generators;
#[cfg(feature = "live")]
mod live;
mod merge;
mod metrics;
mod one_run;
mod output;
mod profile;
mod progress_line;
mod report;
mod run;
mod scenario_args;
mod scenarios;
mod signals;
mod summary;
mod terminal;
mod trends;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::CompleteEnv;
use tokio::runtime::LocalOptions;

pub use exit::Exit;
use output::{columns, complain, print, print_bytes};

/// Measures FlowFabric's resumed-execution claim path on a real Valkey cluster.
///
/// Exit codes: 0 done; 1 regression or service level missed; 2 invalid run, infrastructure or usage;
/// 3 inconclusive; 130 interrupted (what was measured is kept and marked).
#[derive(Debug, Parser)]
#[command(name = "reclaim-bench", version, max_term_width = usize::from(MOST_COLUMNS))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Columns that help takes at most: long lines are hard to read.
const MOST_COLUMNS: u16 = 100;

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario: measure, judge, report
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<run::RunArgs>),
    /// Search the highest rate that keeps the service level: what limits it, and primaries for more
    #[command(after_help = CAPACITY_EXAMPLES)]
    Capacity(Box<capacity::CapacityArgs>),
    /// Compare stored results with each other, or follow them over time
    Compare(Box<compare::CompareArgs>),
    /// Put the parts of a run that several generators made together as one result
    Merge(Box<merge::MergeArgs>),
    /// Measure the generator itself: ceiling, send lag, cost of a request
    Calibrate(Box<calibrate::CalibrateArgs>),
    /// Look into the functions of the claim path: what each call inside them takes
    #[command(after_help = PROFILE_EXAMPLES)]
    Profile(Box<profile::ProfileArgs>),
    /// Format stored results
    Report(report::ReportArgs),
    /// List, show and check scenarios
    Scenarios(scenarios::ScenariosArgs),
    /// A local cluster that stays, for other tools
    Cluster(cluster::ClusterCommandArgs),
    /// Remove what an interrupted run left on a cluster
    Clean(Box<clean::CleanArgs>),
    /// Print what makes a shell complete commands, options and names of scenarios
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Write man pages, one for each command
    ManPages {
        /// Directory that gets them
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Keep cores from sleeping while standard input says so: 1 to start, 0 to stop, its end to leave
    #[command(name = crate::machine::KEEP_AWAKE, hide = true)]
    KeepAwake {
        /// Logical cores
        #[arg(value_delimiter = ',', required = true)]
        cores: Vec<u32>,
        /// Spin without the processor's pause hint, to compare
        #[arg(long)]
        without_hint: bool,
    },
    /// One of the generators of a run that `run --generators` has started; reads its task from standard input
    #[command(name = crate::campaign::GENERATOR, hide = true)]
    Generator(Box<generators::GeneratorArgs>),
    /// Print the JSON schema of result.json, or of capacity.json
    #[command(hide = true)]
    Schema {
        /// Of which
        #[arg(value_enum, default_value_t = Stored::Result)]
        of: Stored,
    },
    /// Print the reference of the scenario format, or of result.json, as docs/ has it
    #[command(hide = true)]
    Reference {
        /// Of which
        #[arg(value_enum)]
        of: Documented,
    },
}

/// A stored format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Stored {
    Result,
    Capacity,
}

/// What has a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Documented {
    Scenario,
    Result,
}

const RUN_EXAMPLES: &str = "Examples:
  reclaim-bench run lane-ab
  reclaim-bench run lane-ab --concurrency 64 --claims 45000 --set compare.noise_threshold=0.06
  reclaim-bench run library-duet --base-library origin/main:crates/ff-script/src/flowfabric.lua \
      --candidate-library crates/ff-script/src/flowfabric.lua --gate
  reclaim-bench run ./mine.toml --nodes 10.0.0.1:6379 --user bench --password-file secret
  reclaim-bench run lane-ab --concurrency 64 --claims 45000 --set compare.noise_threshold=0.06 \
      --generators 4";

const CAPACITY_EXAMPLES: &str = "Examples:
  reclaim-bench capacity capacity --within 10m
  reclaim-bench capacity capacity --require 5000 --no-usl --nodes 10.0.0.1:6379
  reclaim-bench capacity capacity --resume results/capacity-capacity-20260102T030405Z-a1b2c3";

const PROFILE_EXAMPLES: &str = "Examples:
  reclaim-bench profile
  reclaim-bench profile claim-paths
  reclaim-bench profile lane-ab --base-library origin/main:crates/ff-script/src/flowfabric.lua \
      --candidate-library crates/ff-script/src/flowfabric.lua";

/// Parses the arguments, runs the command, returns its exit code.
pub fn main() -> ExitCode {
    crate::machine::has_keep_awake();
    // A shell that asks what could come next wants nothing else.
    let asked = CompleteEnv::with_factory(Cli::command).var(environment::COMPLETE);
    match asked.try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref()) {
        Ok(false) => {}
        Ok(true) => return Exit::Pass.into(),
        Err(error) => error.exit(),
    }
    match dispatch(arguments().command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            complain(&error);
            Exit::Invalid.into()
        }
    }
}

/// Whether these are arguments that the tool takes, its name first; nothing is run. Public for the test of what
/// documents show alone: the program itself has no way to check without running, for with `--help` behind them
/// it would not look for arguments that are missing or exclude each other.
pub fn check_arguments(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<(), clap::Error> {
    Cli::try_parse_from(arguments).map(drop)
}

/// The arguments; help is as wide as reports are.
fn arguments() -> Cli {
    let command = match columns() {
        Some(columns) => Cli::command().term_width(usize::from(columns.min(MOST_COLUMNS))),
        None => Cli::command(),
    };
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

fn dispatch(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => on_one_thread(async move { run::run(&args).await }),
        Command::Capacity(args) => on_one_thread(async move { capacity::run(&args).await }),
        Command::Compare(args) => compare::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Calibrate(args) => on_one_thread(async move { calibrate::run(&args).await }),
        Command::Profile(args) => on_one_thread(async move { profile::run(&args).await }),
        Command::Report(args) => report::run(&args),
        Command::Scenarios(args) => scenarios::run(&args),
        Command::Cluster(args) => on_one_thread(async move { cluster::run(&args).await }),
        Command::Clean(args) => on_one_thread(async move { clean::run(&args).await }),
        Command::Completions { shell } => {
            print_bytes(&completions::registration(shell)?)?;
            Ok(Exit::Pass)
        }
        Command::ManPages { dir } => {
            completions::man_pages(Cli::command(), &dir)?;
            Ok(Exit::Pass)
        }
        Command::KeepAwake { cores, without_hint } => {
            crate::machine::keep_awake(&cores, !without_hint)?;
            Ok(Exit::Pass)
        }
        Command::Generator(args) => on_one_thread(async move { generators::generator(&args).await }),
        Command::Schema { of } => {
            print(&match of {
                Stored::Result => reclaim_analysis::report::schema()?,
                Stored::Capacity => reclaim_analysis::report::capacity_schema()?,
            })?;
            Ok(Exit::Pass)
        }
        Command::Reference { of } => {
            print(&match of {
                Documented::Scenario => reclaim_analysis::report::scenario_reference()?,
                Documented::Result => reclaim_analysis::report::result_reference(),
            })?;
            Ok(Exit::Pass)
        }
    }
}

/// Everything runs on one thread: the load needs no second one, and two that wake each other cost more than
/// they do.
///
/// And it runs as a task, not as the future that the runtime itself waits for: before that one is polled, the
/// runtime asks the kernel for events once more, which every reply would have to wait for.
fn on_one_thread(work: impl Future<Output = anyhow::Result<Exit>> + 'static) -> anyhow::Result<Exit> {
    enough_files(rustix::process::getrlimit(rustix::process::Resource::Nofile).current)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    match runtime.block_on(async { tokio::task::spawn_local(work).await }) {
        Ok(exit) => exit,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(error.into()),
        },
    }
}

/// Open files that the tool needs for itself; its connections come on top.
const FILES: u64 = 64;

/// The runtime would panic without.
fn enough_files(limit: Option<u64>) -> anyhow::Result<()> {
    match limit {
        Some(limit) if limit < FILES => anyhow::bail!(
            "this process may have {limit} files open, which is too few: raise the limit (`ulimit -n 1024`)"
        ),
        _ => Ok(()),
    }
}
