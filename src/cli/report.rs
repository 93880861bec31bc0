//! `report`: stored results, formatted again.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};

use super::capacity_dir::{StoredCapacity, is_capacity};
use super::exit::Exit;
use super::{print, print_bytes, result_dir};
use crate::measure::Direction;
use crate::report;

/// Options of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Result directories, or their result.json; directories of capacity searches
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
    if args.results.iter().any(|path| is_capacity(path)) {
        return capacities(args);
    }
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

/// Capacity searches, computed again from their probes.
fn capacities(args: &ReportArgs) -> anyhow::Result<Exit> {
    let searches = args
        .results
        .iter()
        .map(|path| {
            if is_capacity(path) {
                Ok(StoredCapacity::read(path)?.conclude())
            } else {
                Err(anyhow!("{} is no capacity search: report it by itself", path.display()))
            }
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    match args.format {
        Format::Text => print(&searches.iter().map(report::capacity_text).collect::<Vec<_>>().join("\n"))?,
        Format::Markdown => {
            print(&searches.iter().map(report::capacity_markdown).collect::<Vec<_>>().join("\n"))?;
        }
        Format::Json => match searches.as_slice() {
            [one] => print(&report::capacity_json(one)?)?,
            several => print(&(serde_json::to_string_pretty(several)? + "\n"))?,
        },
        _ => bail!("a capacity search has the formats text, markdown and json; its curve is in curve.csv"),
    }
    Ok(Exit::Pass)
}
