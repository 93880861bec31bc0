//! The command line: the only place that sees both sides of the record.

mod args;
mod clean;
mod cluster;
mod compare;
mod exit;
mod interrupt;
mod libraries;
mod progress;
mod repeat;
mod report;
mod result_dir;
mod run;
mod scenarios;
mod summary;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use exit::Exit;

/// Measures FlowFabric's resumed-execution claim path on a real Valkey cluster.
///
/// Exit codes: 0 done; 1 regression or service level missed; 2 invalid run, infrastructure or usage;
/// 3 inconclusive; 130 interrupted (what was measured is kept and marked).
#[derive(Debug, Parser)]
#[command(name = "reclaim-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario: measure, judge, report
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<run::RunArgs>),
    /// Compare stored results with each other, or follow them over time
    Compare(Box<compare::CompareArgs>),
    /// Format stored results
    Report(report::ReportArgs),
    /// List, show and check scenarios
    Scenarios(scenarios::ScenariosArgs),
    /// A local cluster that stays, for other tools
    Cluster(cluster::ClusterCommandArgs),
    /// Remove what an interrupted run left on a cluster
    Clean(Box<clean::CleanArgs>),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the JSON schema of result.json
    #[command(hide = true)]
    Schema,
}

const RUN_EXAMPLES: &str = "Examples:
  reclaim-bench run lane-ab
  reclaim-bench run lane-ab --concurrency 64 --set population.lanes=16
  reclaim-bench run library-duet --base-library origin/main:lua/flowfabric.lua \
      --candidate-library lua/flowfabric.lua --gate
  reclaim-bench run ./mine.toml --nodes 10.0.0.1:6379 --user bench --password-file secret";

/// Parses the arguments, runs the command, returns its exit code.
pub fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            complain(&error);
            Exit::Invalid.into()
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => on_one_thread(run::run(&args)),
        Command::Compare(args) => compare::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Scenarios(args) => scenarios::run(&args),
        Command::Cluster(args) => on_one_thread(cluster::run(&args)),
        Command::Clean(args) => on_one_thread(clean::run(&args)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "reclaim-bench", &mut script);
            print_bytes(&script)?;
            Ok(Exit::Pass)
        }
        Command::Schema => {
            print(&crate::report::schema()?)?;
            Ok(Exit::Pass)
        }
    }
}

/// Everything runs on one thread: the load needs no second one, and two that wake each other cost more than they do.
fn on_one_thread(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(text.as_bytes())
}

/// Writes to standard output. A reader that has gone (`| head`) is no error.
fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn complain(error: &anyhow::Error) {
    say(&format!("error: {error:#}"));
}

/// Writes a line to standard error.
fn say(text: &str) {
    // Nobody may be listening any more; the exit code says it still.
    drop(writeln!(std::io::stderr(), "{text}"));
}
