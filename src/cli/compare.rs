//! `compare`: stored results against each other, or night after night.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::output::{columns, print, say};
use super::summary::SummaryArgs;
use super::trends::{name_skipped, trends};
use crate::store::{Comparable, append_to_history, read_comparable, read_run};
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::{
    self, FfBenchReport, FiguresError, HistoryEntry, NotComparable, RunResult, StoredOptions, StoredRefusal,
    Thresholds,
};
use reclaim_analysis::report;
use reclaim_analysis::scenario::{GateSection, Metric};

/// Options of `compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// BASE and CANDIDATE: result directories, or their result.json, or reports of FlowFabric's own
    /// benchmarks (`<scenario>-<sha>.json`, `report --format ff-bench`). With --history: runs to append
    #[arg(value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// How to show what comes out
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Compare results that measured different things all the same; the differences are named
    #[arg(long, conflicts_with = "history")]
    allow_different: bool,
    /// Show metrics that no threshold is set for as well
    #[arg(long, conflicts_with = "history")]
    all: bool,
    #[command(flatten)]
    thresholds: ThresholdArgs,
    /// Append the results to this file (one line each) and show how its metrics moved
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Metric of the trend, as VARIANT/METRIC, or as "VARIANT less VARIANT/METRIC"; may be given again [default:
    /// service p50 of every variant, and by how much they differ in it, in µs and in round trips]
    #[arg(long, value_name = "METRIC", requires = "history")]
    metric: Vec<String>,
    #[command(flatten)]
    summary: SummaryArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal
    Text,
    /// For a pull request
    Markdown,
    /// A page to look at: one file with charts, which loads nothing
    Html,
    /// The comparison itself
    Json,
    /// `JUnit` XML, one test case per verdict
    Junit,
}

/// Thresholds as shares (0.1 is 10 %); the candidate's scenario decides where none is given.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Thresholds")]
struct ThresholdArgs {
    /// Loss of throughput that warns
    #[arg(long, value_name = "SHARE", value_parser = share)]
    throughput_warn: Option<f64>,
    /// Loss of throughput that fails
    #[arg(long, value_name = "SHARE", value_parser = share)]
    throughput_fail: Option<f64>,
    /// Rise of the 99th percentile that warns
    #[arg(long, value_name = "SHARE", value_parser = share)]
    p99_warn: Option<f64>,
    /// Rise of the 99th percentile that fails
    #[arg(long, value_name = "SHARE", value_parser = share)]
    p99_fail: Option<f64>,
}

/// Runs the command.
pub fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    match (&args.history, args.results.as_slice()) {
        (Some(history), results) => nights(args, history, results),
        (None, [base, candidate]) => two(args, base, candidate),
        (None, results) => {
            bail!("compare needs two results, BASE and CANDIDATE, or --history FILE; {} given", results.len())
        }
    }
}

fn two(args: &CompareArgs, base: &Path, candidate: &Path) -> anyhow::Result<Exit> {
    let (base, candidate) = (read_comparable(base)?, read_comparable(candidate)?);
    let (Comparable::Run(base), Comparable::Run(candidate)) = (&base, &candidate) else {
        return without_intervals(args, &base, &candidate);
    };
    let compared = judge::compare(base, candidate, &args.options(&candidate.record.scenario.gate)?).map_err(
        |error| match error {
            StoredRefusal::Different(them) => or_anyway(&them),
            StoredRefusal::Unusable { .. } => error.into(),
        },
    )?;
    args.summary.append(&report::ci::pull_request_stored(&compared, args.all))?;
    print(&match args.format {
        Format::Text => report::ci::stored_text(&compared, args.all, columns()),
        Format::Markdown => report::ci::pull_request_stored(&compared, args.all),
        Format::Html => report::html::compared(&compared, base, candidate),
        Format::Json => compared.to_json_file()?,
        Format::Junit => report::ci::junit_stored(&compared),
    })?;
    Ok(compared.conclusion.into())
}

/// What is not comparable, and how it is compared all the same.
fn or_anyway(refused: &NotComparable) -> anyhow::Error {
    let refused = report::not_comparable(refused);
    let between = if refused.contains('\n') { "\n" } else { " " };
    anyhow!("{refused}{between}(--allow-different compares anyway)")
}

/// Where one side is a report of FlowFabric's benchmarks, the other is taken as one too: no verdict comes of
/// it.
fn without_intervals(args: &CompareArgs, base: &Comparable, candidate: &Comparable) -> anyhow::Result<Exit> {
    let gate = match (candidate, base) {
        (Comparable::Run(run), _) | (_, Comparable::Run(run)) => run.record.scenario.gate.clone(),
        (Comparable::Figures(_), Comparable::Figures(_)) => GateSection::default(),
    };
    let compared = judge::compare_figures(&figures(base)?, &figures(candidate)?, &args.options(&gate)?)
        .map_err(|error| match error {
            FiguresError::Different(them) => or_anyway(&them),
            FiguresError::NothingInCommon { .. } => error.into(),
        })?;
    args.summary.append(&report::ci::figures_markdown(&compared))?;
    print(&match args.format {
        Format::Text => report::ci::figures_text(&compared, columns()),
        Format::Markdown => report::ci::figures_markdown(&compared),
        Format::Html => report::html::figures(&compared),
        Format::Json => compared.to_json_file()?,
        Format::Junit => report::ci::junit_figures(&compared),
    })?;
    Ok(compared.conclusion.into())
}

/// A side as the other harness would have written it.
fn figures(side: &Comparable) -> anyhow::Result<Vec<FfBenchReport>> {
    match side {
        Comparable::Figures(reports) => Ok(reports.clone()),
        Comparable::Run(run) => of_run(run),
    }
}

fn of_run(run: &RunResult) -> anyhow::Result<Vec<FfBenchReport>> {
    if let Some(state) = report::not_usable(run.state()) {
        bail!(
            "the run of {} from {} is {state}: its figures are not compared",
            run.record.label(),
            run.record.started
        );
    }
    Ok(report::ci::ff_bench_reports(run)?)
}

/// Every result is read before the first one is appended: a damaged one must not leave half of them in the
/// file.
fn nights(args: &CompareArgs, path: &Path, results: &[PathBuf]) -> anyhow::Result<Exit> {
    let mut entries = Vec::new();
    for path in results {
        match read_run(path) {
            Ok(result) => entries.push(HistoryEntry::from_result(&result)),
            // `nightly/*` names what else is there too; a damaged run is no such thing.
            Err(error) if error.is_no_run() => say(&format!("left out: {error}")),
            Err(error) => return Err(error.into()),
        }
    }
    let history = append_to_history(path, entries)?;
    name_skipped(path, &history);
    let trends = trends(&history.entries, &args.metric, &[Metric::ServiceP50])?;
    args.summary.append(&report::trends_markdown(&trends))?;
    print(&match args.format {
        Format::Text => report::trends_text(&trends, columns()),
        Format::Markdown => report::trends_markdown(&trends),
        Format::Html => report::html::history(&trends),
        Format::Json => trends.to_json_file()?,
        Format::Junit => bail!("--format junit is for verdicts; a trend has none"),
    })?;
    Ok(Exit::Pass)
}

impl CompareArgs {
    /// What the scenario's gate says, and the options over it.
    fn options(&self, gate: &GateSection) -> anyhow::Result<StoredOptions> {
        let policy = StoredOptions::from_gate_section(gate);
        Ok(StoredOptions { allow_differences: self.allow_different, ..self.thresholds.over(&policy)? })
    }
}

impl ThresholdArgs {
    fn over(&self, options: &StoredOptions) -> anyhow::Result<StoredOptions> {
        let pair = |given: [Option<f64>; 2], default: Thresholds, name: &str| {
            let fail = given[1].unwrap_or(default.fail);
            // A failing threshold below the default warning leaves nothing to warn of.
            let warn = given[0].unwrap_or(default.warn.min(fail));
            if warn > fail {
                bail!("--{name}-warn {warn} lies beyond --{name}-fail {fail}: what fails would never warn");
            }
            Ok(Thresholds { warn, fail })
        };
        Ok(StoredOptions {
            throughput: pair([self.throughput_warn, self.throughput_fail], options.throughput, "throughput")?,
            p99: pair([self.p99_warn, self.p99_fail], options.p99, "p99")?,
            ..options.clone()
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("a share lies between 0 and 1: write 0.1 for 10 %".into()),
    }
}
