//! Figures without intervals: a report of FlowFabric's own benchmarks (`benches/harness` there) against
//! another one, or against a run of ours. Such a file holds three quantiles and a throughput, and nothing
//! that says how far the next run would be from them. So no verdict here is certain: the conclusion is always
//! [`Conclusion::Inconclusive`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::conclusion::Conclusion;
use super::setting_difference::{Differences, Machine, NotComparable, Setting, SettingDifference};
use super::setting_keys::settings_of;
use super::stored::StoredOptions;
use super::stored_result::Thresholds;
use super::verdict::{band_of_base, is_worse};
use crate::json::{from_json, to_json_file};
use crate::scenario::Direction;

/// One report, as `<scenario>-<sha>.json` has it. Fields of later versions are skipped when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FfBenchReport {
    /// What was measured.
    pub scenario: String,
    /// Which system: `flowfabric`, or one that it is compared with.
    pub system: String,
    /// Commit of the harness.
    pub git_sha: String,
    /// Version of the server, or `unknown`.
    pub valkey_version: String,
    /// The machine.
    pub host: FfBenchHost,
    /// Whether the server was a cluster.
    pub cluster: bool,
    /// When, to the second.
    pub timestamp_utc: String,
    /// The harness' own settings.
    pub config: Value,
    /// Operations per second.
    pub throughput_ops_per_sec: f64,
    /// Latency in milliseconds; zeros without a sample.
    pub latency_ms: FfBenchLatency,
    /// What the format has no place for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

from_json!(FfBenchReport);

/// The machine of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FfBenchHost {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that the harness could use.
    pub cores: u64,
    /// Memory in whole GiB.
    pub mem_gb: u64,
}

/// Quantiles of a report, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FfBenchLatency {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// One of the four figures of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Operations per second.
    Throughput,
    /// Median latency.
    LatencyP50,
    /// 95th percentile of it.
    LatencyP95,
    /// 99th percentile of it.
    LatencyP99,
}

impl Figure {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::LatencyP50, Self::LatencyP95, Self::LatencyP99, Self::Throughput];

    /// As in JSON and test reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP95 => "latency_p95",
            Self::LatencyP99 => "latency_p99",
        }
    }

    /// Its value: operations per second, or milliseconds.
    fn of(self, report: &FfBenchReport) -> f64 {
        let latency = &report.latency_ms;
        match self {
            Self::Throughput => report.throughput_ops_per_sec,
            Self::LatencyP50 => latency.p50,
            Self::LatencyP95 => latency.p95,
            Self::LatencyP99 => latency.p99,
        }
    }

    /// Which way is better.
    pub fn direction(self) -> Direction {
        match self {
            Self::Throughput => Direction::HigherIsBetter,
            Self::LatencyP50 | Self::LatencyP95 | Self::LatencyP99 => Direction::LowerIsBetter,
        }
    }

    /// Those of stored results.
    fn thresholds(self, options: &StoredOptions) -> Option<Thresholds> {
        match self {
            Self::Throughput => Some(options.throughput),
            Self::LatencyP99 => Some(options.p99),
            Self::LatencyP50 | Self::LatencyP95 => None,
        }
    }
}

/// Where a figure alone stands; how certain that is, nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FigurePlace {
    /// Worse by more than the failing threshold.
    BeyondFail,
    /// Worse by more than the warning threshold.
    BeyondWarn,
    /// Within the thresholds, or better.
    Within,
    /// There is no ratio: one side has no such figure.
    Missing,
    /// No threshold is set for it.
    NotHeld,
}

/// One figure in both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedFigure {
    /// The report's scenario, by its name in the base.
    pub scenario: String,
    /// Which figure.
    pub figure: Figure,
    /// Its unit: `ms` or `ops/s`.
    pub unit: String,
    /// The base's value.
    pub base_value: f64,
    /// The candidate's value.
    pub candidate_value: f64,
    /// Candidate over base, without an interval; `None` unless both are positive.
    pub ratio: Option<f64>,
    /// Its thresholds, if it has some.
    pub thresholds: Option<Thresholds>,
    /// Where it stands.
    pub place: FigurePlace,
}

/// Where the figures of a side come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureSource {
    /// Scenarios, in the file's order.
    pub scenarios: Vec<String>,
    /// The system that was measured.
    pub system: String,
    /// When.
    pub started: String,
    /// Commit of the harness.
    pub commit: String,
    /// What its reports say besides, each with its scenario's name where there are several.
    pub notes: Vec<String>,
}

/// Two sides, figure by figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FigureComparison {
    /// What it is compared with.
    pub base: FigureSource,
    /// What is compared.
    pub candidate: FigureSource,
    /// All that differs between the two besides the figures.
    pub differences: Vec<SettingDifference>,
    /// Scenario by scenario.
    pub figures: Vec<ComparedFigure>,
    /// Always inconclusive: see the module.
    pub conclusion: Conclusion,
}

to_json_file!(FigureComparison);

/// Why figures are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FiguresError {
    /// They measured different things; the options can allow that.
    #[error(transparent)]
    Different(NotComparable),
    /// No scenario is in both.
    #[error("the two have no scenario in common: {base} against {candidate}")]
    NothingInCommon {
        /// Names in the base.
        base: String,
        /// Names in the candidate.
        candidate: String,
    },
}

/// Compares what two files say; refuses those that measured different things, unless the options allow it.
/// Reports are matched by their scenario; one alone on each side is matched whatever it is called, and the
/// name is a difference.
pub fn compare_figures(
    base: &[FfBenchReport],
    candidate: &[FfBenchReport],
    options: &StoredOptions,
) -> Result<FigureComparison, FiguresError> {
    let pairs = pairs(base, candidate)?;
    let mut differences = Vec::new();
    for (base, candidate) in &pairs {
        for difference in report_differences(base, candidate) {
            if !differences.contains(&difference) {
                differences.push(difference);
            }
        }
    }
    differences.extend(alone(base, candidate, &pairs));
    differences.sort_by_key(|difference| !difference.forbids);
    let forbidding: Vec<_> = differences.iter().filter(|difference| difference.forbids).cloned().collect();
    if !options.allow_differences && !forbidding.is_empty() {
        return Err(FiguresError::Different(NotComparable(forbidding)));
    }
    let figures = pairs.iter().flat_map(|(base, candidate)| {
        Figure::ALL.map(|figure| compared(figure, base, candidate, figure.thresholds(options)))
    });
    Ok(FigureComparison {
        base: source(base),
        candidate: source(candidate),
        differences,
        figures: figures.collect(),
        conclusion: Conclusion::Inconclusive,
    })
}

type Pair<'a> = (&'a FfBenchReport, &'a FfBenchReport);

fn pairs<'a>(
    base: &'a [FfBenchReport],
    candidate: &'a [FfBenchReport],
) -> Result<Vec<Pair<'a>>, FiguresError> {
    if let ([base], [candidate]) = (base, candidate) {
        return Ok(vec![(base, candidate)]);
    }
    let partner = |one: &FfBenchReport| candidate.iter().find(|other| other.scenario == one.scenario);
    let pairs: Vec<_> = base.iter().filter_map(|one| Some((one, partner(one)?))).collect();
    if pairs.is_empty() {
        let names = |reports| source(reports).scenarios.join(", ");
        return Err(FiguresError::NothingInCommon { base: names(base), candidate: names(candidate) });
    }
    Ok(pairs)
}

/// Reports that only one side has.
fn alone(base: &[FfBenchReport], candidate: &[FfBenchReport], pairs: &[Pair<'_>]) -> Vec<SettingDifference> {
    let difference = |report: &FfBenchReport, base: &str, candidate: &str| SettingDifference {
        what: Setting::Report(report.scenario.clone()),
        base: base.to_owned(),
        candidate: candidate.to_owned(),
        forbids: false,
    };
    let of_base = base.iter().filter(|one| !pairs.iter().any(|(paired, _)| std::ptr::eq(*paired, *one)));
    let of_candidate =
        candidate.iter().filter(|one| !pairs.iter().any(|(_, paired)| std::ptr::eq(*paired, *one)));
    of_base
        .map(|one| difference(one, "there", "missing"))
        .chain(of_candidate.map(|one| difference(one, "missing", "there")))
        .collect()
}

fn compared(
    figure: Figure,
    base: &FfBenchReport,
    candidate: &FfBenchReport,
    thresholds: Option<Thresholds>,
) -> ComparedFigure {
    let (base_value, candidate_value) = (figure.of(base), figure.of(candidate));
    let both = base_value > 0.0 && candidate_value > 0.0;
    let ratio = Some(candidate_value / base_value).filter(|ratio| both && ratio.is_finite());
    let place = match (ratio, thresholds) {
        (None, _) => FigurePlace::Missing,
        (_, None) => FigurePlace::NotHeld,
        (Some(ratio), Some(thresholds)) => place(ratio, figure.direction(), thresholds),
    };
    ComparedFigure {
        scenario: base.scenario.clone(),
        figure,
        unit: if figure == Figure::Throughput { "ops/s" } else { "ms" }.to_owned(),
        base_value,
        candidate_value,
        ratio,
        thresholds,
        place,
    }
}

fn place(ratio: f64, direction: Direction, thresholds: Thresholds) -> FigurePlace {
    let beyond = |share: f64| is_worse(ratio, direction, band_of_base(share));
    if beyond(thresholds.fail) {
        FigurePlace::BeyondFail
    } else if beyond(thresholds.warn) {
        FigurePlace::BeyondWarn
    } else {
        FigurePlace::Within
    }
}

fn source(reports: &[FfBenchReport]) -> FigureSource {
    let first = |of: fn(&FfBenchReport) -> &String| reports.first().map(of).cloned().unwrap_or_default();
    FigureSource {
        scenarios: reports.iter().map(|report| report.scenario.clone()).collect(),
        system: first(|report| &report.system),
        started: first(|report| &report.timestamp_utc),
        commit: first(|report| &report.git_sha),
        notes: reports
            .iter()
            .filter_map(|report| {
                let notes = report.notes.as_ref()?;
                Some(if reports.len() == 1 { notes.clone() } else { format!("{}: {notes}", report.scenario) })
            })
            .collect(),
    }
}

/// What differs between two reports; the harness' commit alone does not forbid the comparison.
fn report_differences(base: &FfBenchReport, candidate: &FfBenchReport) -> Vec<SettingDifference> {
    let mut found = Differences::default();
    let sides = [base, candidate];
    found.compare(Setting::ReportScenario, sides.map(|side| side.scenario.clone()), true);
    found.part("system", sides.map(|side| side.system.clone()), true);
    let memory = |host: &FfBenchHost| format!("{} GiB", host.mem_gb);
    let hosts = sides.map(|side| &side.host);
    found.machine(hosts.map(|h| Machine { cpu: &h.cpu, cores: h.cores, memory: memory(h) }));
    found.part("valkey version", sides.map(|side| side.valkey_version.clone()), true);
    let servers = |cluster| if cluster { "a cluster" } else { "one server" };
    found.part("servers", sides.map(|side| servers(side.cluster).to_owned()), true);
    found.part("harness commit", sides.map(|side| side.git_sha.clone()), false);
    let [base_keys, candidate_keys] = sides.map(|side| settings_of(&side.config));
    let keys: BTreeSet<&String> = base_keys.keys().chain(candidate_keys.keys()).collect();
    let shared = base_keys.keys().any(|key| candidate_keys.contains_key(key));
    if !shared && !keys.is_empty() {
        let count = |keys: &BTreeMap<String, String>| format!("{} keys, none of the other's", keys.len());
        let each = [count(&base_keys), format!("{} keys", candidate_keys.len())];
        found.compare(Setting::Config, each, true);
        return found.0;
    }
    for key in keys {
        let of = |keys: &BTreeMap<String, String>| keys.get(key).cloned().unwrap_or("nothing".to_owned());
        found.compare(Setting::ConfigKey(key.clone()), [of(&base_keys), of(&candidate_keys)], true);
    }
    found.0
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
