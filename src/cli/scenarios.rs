//! `scenarios`: what is shipped, what a file says, whether it is right.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;

use super::cluster_args::ClusterArgs;
use super::completions::scenarios;
use super::exit::Exit;
use super::output::{COLUMNS, columns, print, say};
use super::scenario_args::{ScenarioArgs, check_surroundings, draft, scenario_text};
use reclaim_analysis::report::{few_for_p99, wrapped};
use reclaim_analysis::scenario::{self, SHIPPED};

/// Options of `scenarios`.
#[derive(Args, Clone, Debug)]
pub struct ScenariosArgs {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// List the shipped scenarios (the default)
    List,
    /// Print a scenario with its comments, to copy and change
    Show {
        /// Name of a shipped scenario, or path of a file
        #[arg(add = ArgValueCompleter::new(scenarios))]
        scenario: String,
    },
    /// Check a scenario and print it with every default filled in
    Check {
        /// Name of a shipped scenario, or path of a file
        #[arg(add = ArgValueCompleter::new(scenarios))]
        scenario: String,
        #[command(flatten)]
        changes: Box<ScenarioArgs>,
        #[command(flatten)]
        cluster: Box<ClusterArgs>,
    },
}

/// Runs the command.
pub fn run(args: &ScenariosArgs) -> anyhow::Result<Exit> {
    match args.command.as_ref().unwrap_or(&Command::List) {
        Command::List => print(&list()?)?,
        Command::Show { scenario } => print(&scenario_text(scenario)?.1)?,
        Command::Check { scenario, changes, cluster } => {
            let mut overrides = cluster.overrides()?;
            overrides.extend(changes.overrides()?);
            let checked = draft(scenario, overrides)?.check()?;
            cluster.request(&checked)?;
            check_surroundings(&checked)?;
            let file = checked.file();
            if let Some(few) = file.capacity().too_few_for_p99() {
                say(&format!("warning: {}", few_for_p99(&few)));
            }
            print(&file.to_toml()?)?;
        }
    }
    Ok(Exit::Pass)
}

fn list() -> anyhow::Result<String> {
    use std::fmt::Write as _;
    let columns = usize::from(columns().unwrap_or(COLUMNS));
    let width = SHIPPED.iter().map(|shipped| shipped.name.len()).max().unwrap_or_default();
    SHIPPED.iter().try_fold(String::new(), |mut text, shipped| {
        let scenario = scenario::parse(shipped.name, shipped.text)?;
        let line = format!("{:width$}  {}", shipped.name, scenario.summary);
        writeln!(text, "{}", wrapped(&line, &" ".repeat(width + 2), columns))?;
        Ok(text)
    })
}
