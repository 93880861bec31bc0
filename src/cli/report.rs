//! `report`: stored results, formatted again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::output::{columns, print, print_bytes, say};
use super::trends::{name_skipped, trends};
use crate::store::{
    Kind, StoreError, StoredCapacity, read_calibration, read_history, read_run, read_series, read_sweep,
};
use reclaim_analysis::json::{ToJsonFile, pretty_list};
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::report::{self, Series, SweepFile};
use reclaim_analysis::scenario::{Direction, Metric};

/// Metrics of each variant that are shown of a history, where a run has them.
const SHOWN: [Metric; 5] =
    [Metric::ServiceP50, Metric::ServiceP99, Metric::ResponseP99, Metric::Throughput, Metric::ServerCpu];

/// Options of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Result directories, or their result.json; or directories of sweeps, of series (--repeat), of
    /// calibrations, or of capacity searches; or histories (compare --history): several of one kind
    #[arg(required = true, value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// How to show them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Of a sweep over a simulated network: what its line says of a network whose round trips take so much
    /// longer than the measured machine's, such as 0.5ms
    #[arg(long, value_name = "TIME", value_parser = rtt)]
    network_rtt: Option<Duration>,
}

/// A round-trip time with its unit; fractions are understood.
fn rtt(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: write it like 0.5ms or 500us");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err(wrong()),
    };
    let seconds = number.trim().parse::<f64>().map_err(|_| wrong())? * scale;
    if (0.0..=10.0).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err(wrong()) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal
    Text,
    /// For a pull request or a wiki
    Markdown,
    /// A page to look at: one file with charts, which loads nothing
    Html,
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
    /// As FlowFabric's own benchmarks write it: one report, or a list with one for each variant
    FfBench,
    /// The window second by second, as comma-separated values
    CsvTimeline,
    /// The counter blocks, as comma-separated values
    CsvBlocks,
    /// Every sample of the strata, as comma-separated values
    CsvStrata,
}

/// Runs the command. Reads every result before it prints the first one.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let kind = one_kind(&args.results)?;
    if args.network_rtt.is_some() && (kind != Kind::Sweep || args.format != Format::Text) {
        bail!(
            "--network-rtt is for the text of a sweep, {} holds {}",
            args.results[0].display(),
            kind.what()
        );
    }
    match kind {
        Kind::Run => return runs(args),
        Kind::History => show(
            args,
            kind,
            |path| {
                let history = read_history(path)?;
                name_skipped(path, &history);
                trends(&history.entries, &[], &SHOWN)
            },
            |trends| [report::trends_text(trends, columns()), report::trends_markdown(trends)],
            |histories| report::html::history(&histories.concat()),
        )?,
        Kind::Capacity => show(
            args,
            kind,
            |path| Ok(StoredCapacity::read(path)?.conclude()),
            |capacity| [report::capacity_text(capacity, columns()), report::capacity_markdown(capacity)],
            |searches| report::html::capacities(&searches.iter().collect::<Vec<_>>()),
        )?,
        Kind::Sweep => show(
            args,
            kind,
            |path| Ok(read_sweep(path)?),
            |SweepFile { scenario, sweep, .. }| {
                let predicted = args.network_rtt.map(|rtt| report::network_prediction(sweep, rtt, columns()));
                let text = report::sweep_text(scenario, sweep, columns())
                    + &predicted.map_or_else(String::new, |text| format!("\n{text}"));
                [text, report::sweep_markdown(scenario, sweep)]
            },
            |files| {
                let sweeps: Vec<_> = files.iter().map(|file| (file.scenario.as_str(), &file.sweep)).collect();
                report::html::sweeps(&sweeps)
            },
        )?,
        Kind::Series => series(args)?,
        Kind::Calibration => show(
            args,
            kind,
            |path| Ok(read_calibration(path)?),
            |calibration| {
                [report::calibration_text(calibration, columns()), report::calibration_markdown(calibration)]
            },
            |calibrations| report::html::calibrations(&calibrations.iter().collect::<Vec<_>>()),
        )?,
    }
    Ok(Exit::Pass)
}

/// Series of runs, which build servers have forms for as well.
fn series(args: &ReportArgs) -> anyhow::Result<()> {
    let one = |form: fn(&Series) -> String| match args.results.as_slice() {
        [one] => print(&form(&read_series(one)?)),
        several => bail!("this format holds one series, {} are given", several.len()),
    };
    match args.format {
        Format::Junit => return one(Series::junit),
        Format::PullRequest => return one(Series::pull_request),
        _ => {}
    }
    show(
        args,
        Kind::Series,
        |path| Ok(read_series(path)?),
        |series| {
            let Series { scenario, repeated, gate, .. } = series;
            [report::repeated_text(scenario, repeated, gate, columns()), series.markdown()]
        },
        |files| {
            let all = files.iter().map(|one| (one.scenario.as_str(), &one.repeated, &one.gate));
            report::html::series(&all.collect::<Vec<_>>())
        },
    )
}

/// The kind of all paths; those of several kinds make no report together.
fn one_kind(paths: &[PathBuf]) -> anyhow::Result<Kind> {
    // What is not there is of no kind: it would be taken for a run.
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        return Err(StoreError::NotThere(missing.clone()).into());
    }
    let (first, kind) = (&paths[0], Kind::at(&paths[0]));
    match paths.iter().find(|path| Kind::at(path) != kind) {
        None => Ok(kind),
        Some(other) => bail!(
            "{} holds {}, {} holds {}: report each kind by itself",
            first.display(),
            kind.what(),
            other.display(),
            Kind::at(other).what()
        ),
    }
}

/// What is made of several runs, concluded again from what is stored. `texts` gives text and Markdown of
/// each, `page` one page of all.
fn show<T: ToJsonFile>(
    args: &ReportArgs,
    kind: Kind,
    read: impl Fn(&Path) -> anyhow::Result<T>,
    texts: impl Fn(&T) -> [String; 2],
    page: impl Fn(&[T]) -> String,
) -> anyhow::Result<()> {
    if !matches!(args.format, Format::Text | Format::Markdown | Format::Html | Format::Json) {
        bail!("the formats of {} are {}", kind.what(), kind.formats());
    }
    let stored = args.results.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let all = |n: usize| stored.iter().map(|one| texts(one)[n].clone()).collect::<Vec<_>>().join("\n");
    match (args.format, stored.as_slice()) {
        (Format::Text, _) => print(&all(0)),
        (Format::Markdown, _) => print(&all(1)),
        (Format::Html, several) => print(&page(several)),
        (_, [one]) => print(&one.to_json_file()?),
        (_, several) => print(&pretty_list(several)?),
    }
}

/// Single runs.
fn runs(args: &ReportArgs) -> anyhow::Result<Exit> {
    let results = args.results.iter().map(|path| read_run(path)).collect::<Result<Vec<_>, _>>()?;
    let one = || match results.as_slice() {
        [one] => Ok(one),
        several => Err(anyhow!("this format holds one result, {} are given", several.len())),
    };
    match args.format {
        Format::Text => print(
            &results.iter().map(|result| report::text(result, columns())).collect::<Vec<_>>().join("\n"),
        )?,
        Format::Markdown => print(&results.iter().map(report::markdown).collect::<Vec<_>>().join("\n"))?,
        Format::Html => print(&report::html::runs(&results.iter().collect::<Vec<_>>()))?,
        Format::Json => match results.as_slice() {
            [one] => print(&one.to_json_file()?)?,
            several => print(&pretty_list(several)?)?,
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
        Format::FfBench => print(&report::ci::ff_bench(one()?)?)?,
        Format::CsvTimeline => print_csv(one()?, report::csv_timeline)?,
        Format::CsvBlocks => print_csv(one()?, report::csv_blocks)?,
        Format::CsvStrata => print_csv(one()?, report::csv_strata)?,
    }
    Ok(Exit::Pass)
}

/// A run as CSV, which has no place to say that its figures must not be used.
fn print_csv(result: &RunResult, csv: fn(&RunResult) -> String) -> anyhow::Result<()> {
    if let Some(caution) = report::not_for_use(result) {
        say(&caution);
    }
    print(&csv(result))
}
