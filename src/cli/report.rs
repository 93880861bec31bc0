//! `report`: stored results, formatted again.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::{print, print_bytes, result_dir};
use crate::report;

/// Options of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Result directories, or their result.json
    #[arg(required = true, value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// How to show them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal
    Text,
    /// For a pull request or a wiki
    Markdown,
    /// The result itself; several become a list
    Json,
    /// HdrHistogram log, one line per variant and clock
    Hlog,
}

/// Runs the command. Reads every result before it prints the first one.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let results =
        args.results.iter().map(|path| result_dir::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    match args.format {
        Format::Text => print(&results.iter().map(report::text).collect::<Vec<_>>().join("\n"))?,
        Format::Markdown => print(&results.iter().map(report::markdown).collect::<Vec<_>>().join("\n"))?,
        Format::Json => match results.as_slice() {
            [one] => print(&report::json(one)?)?,
            several => print(&(serde_json::to_string_pretty(several)? + "\n"))?,
        },
        Format::Hlog => {
            for result in &results {
                print_bytes(&report::hlog(result)?)?;
            }
        }
    }
    Ok(Exit::Pass)
}
