//! `report`: stored results, formatted again.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::{print, print_bytes, result_dir};
use crate::measure::Direction;
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
    /// Short, with the verdicts first: a comment on a pull request
    PullRequest,
    /// Bencher Metric Format
    Bmf,
    /// github-action-benchmark, customSmallerIsBetter: times, CPU, calls
    Github,
    /// github-action-benchmark, customBiggerIsBetter: throughput
    GithubBigger,
    /// `JUnit` XML, one test case per verdict
    Junit,
}

/// Runs the command. Reads every result before it prints the first one.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let results =
        args.results.iter().map(|path| result_dir::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let one = || match results.as_slice() {
        [one] => Ok(one),
        several => Err(anyhow!("this format holds one result, {} are given", several.len())),
    };
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
        Format::PullRequest => print(&report::ci::pull_request(one()?))?,
        Format::Bmf => print(&report::ci::bencher(one()?)?)?,
        Format::Github => print(&report::ci::github(one()?, Direction::LowerIsBetter)?)?,
        Format::GithubBigger => print(&report::ci::github(one()?, Direction::HigherIsBetter)?)?,
        Format::Junit => print(&report::ci::junit(one()?))?,
    }
    Ok(Exit::Pass)
}
