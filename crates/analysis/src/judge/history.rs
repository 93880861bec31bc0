//! Many nights: one line per run, in a file that only grows.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{ToJsonLine as _, to_json_line};
use crate::record::{ClusterRecord, Conditions, RunRecord};
use crate::scenario::{Metric, MetricName, Provider};
use crate::stats::Estimate;

use super::arm_differences::{arm_differences, arms_of};
use super::comparable::{generator_machines, quota, sdk_and_digest, somebodys_cluster};
use super::result::RunResult;
use super::setting_keys::settings_digest;
use super::values::metric_values;

/// One run: a line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// Scenario.
    pub scenario: String,
    /// Commit of the tool.
    pub commit: String,
    /// SHA-256 of the function library.
    pub library_sha256: String,
    /// SHA-256 of each variant's own library, in a library duet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variant_libraries: BTreeMap<String, String>,
    /// What each variant's worker was built against, in an SDK duet: version and digest, such as `0.15.0
    /// (1f2e3d4c5b6a)`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variant_sdks: BTreeMap<String, String>,
    /// Seed: with the start it names the run.
    #[serde(default)]
    pub seed: u64,
    /// What was measured besides the scenario's name: a digest of all keys that matter to a comparison.
    /// Figures of different settings are never one trend.
    #[serde(default)]
    pub settings: String,
    /// Machine and servers in one line; figures of different machines are never one trend.
    pub machine: String,
    /// The machine's kernel. Lines of versions that did not tell it apart have it in `machine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Addresses of the primaries of a cluster that others run; `None` for the tool's own, and in lines of
    /// versions that did not tell. After a failover, or where a slot has moved, they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Whether the run was valid. Invalid runs are kept, and left out of trends.
    pub valid: bool,
    /// `variant/metric` and its value; `candidate less baseline/metric` and what the one takes more than the
    /// other, where the run's control does not forbid it. Lines of versions that did not tell have none.
    pub metrics: BTreeMap<String, HistoryValue>,
}

/// A metric's value on one night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryValue {
    /// Its unit.
    pub unit: String,
    /// The value.
    pub value: f64,
    /// Its interval within the run.
    pub interval: Option<Estimate>,
}

impl HistoryEntry {
    /// The line for a result.
    pub fn from_result(result: &RunResult) -> Self {
        let record = &result.record;
        let (host, valkey) = (&record.environment.host, &record.environment.valkey);
        Self {
            started: record.started.clone(),
            scenario: record.label(),
            commit: record.tool.commit.clone(),
            library_sha256: record.environment.library.sha256.clone(),
            variant_libraries: record
                .arms
                .iter()
                .filter_map(|arm| Some((arm.name.clone(), arm.library.as_ref()?.sha256.clone())))
                .collect(),
            variant_sdks: record
                .arms
                .iter()
                .filter_map(|arm| Some((arm.name.clone(), sdk_and_digest(arm.sdk.as_ref()?))))
                .collect(),
            seed: record.seed,
            settings: settings_digest(result),
            machine: format!(
                "{}, {} cores{}; Valkey {}, {} primaries, {}{}{}{}",
                host.cpu,
                host.cores,
                arranged(record.environment.conditions.as_ref()),
                versions(record),
                valkey.primaries,
                valkey.provider,
                if valkey.tls == Some(true) { ", TLS" } else { "" },
                if record.tool.debug_build { ", tool without optimisation" } else { "" },
                unusual(record)
            ),
            kernel: Some(host.kernel.clone()),
            cluster: somebodys_cluster(record),
            valid: result.is_usable(),
            metrics: metrics(result),
        }
    }
}

/// Every metric of each variant, and what one variant takes more than another.
fn metrics(result: &RunResult) -> BTreeMap<String, HistoryValue> {
    let of = |metric: Metric, value: f64, interval: Option<Estimate>| HistoryValue {
        unit: metric.row().unit.name().to_owned(),
        value,
        interval,
    };
    let of_arms = metric_values(result)
        .into_iter()
        .map(|m| (format!("{}/{}", m.variant, m.name), of(m.name.metric, m.value, m.interval)));
    let of_pairs = arm_differences(result).into_iter().map(|more| {
        let value = of(more.metric, more.difference.estimate, Some(more.difference));
        (format!("{}/{}", more.pair(), more.metric), value)
    });
    of_arms.chain(of_pairs).collect()
}

/// The servers' version; in a server duet those of all arms, for a trend is of one pair.
fn versions(record: &RunRecord) -> String {
    if !record.is_server_duet() {
        return record.environment.valkey.version.clone();
    }
    let arms = record.clusters.iter().filter(|cluster| !cluster.is_control());
    let version = |cluster: &ClusterRecord| {
        format!("{} of {}", cluster.settings().join(" "), record.cluster_name(cluster))
    };
    arms.map(version).collect::<Vec<_>>().join(" and ")
}

/// FlowFabric's default number of flow partitions: that of a deployment that publishes none.
const FLOWFABRICS_OWN: u32 = 256;

/// Of the pinned build, and of most histories: others are named.
const USUAL_ALLOCATOR: &str = "libc";

/// Further settings that forbid a comparison, named only where they are not the usual ones: lines of earlier
/// versions do not name them at all.
fn unusual(record: &RunRecord) -> String {
    let (host, valkey) = (&record.environment.host, &record.environment.valkey);
    let external = valkey.provider == Provider::External;
    let elsewhere = external.then_some(valkey.replicas);
    let scheduled = record.generator.and_then(|generator| generator.real_time);
    [
        quota(host).map(|cores| format!("CPU quota of {cores}")),
        (record.generators.len() > 1).then(|| format!("{} generators", record.generators.len())),
        generator_machines(record).map(|machines| format!("theirs: {machines}")),
        // Of a server duet it stands with each side's version.
        (!record.is_server_duet() && !valkey.allocator.starts_with(USUAL_ALLOCATOR))
            .then(|| valkey.allocator.clone()),
        (valkey.io_threads > 1).then(|| format!("{} io-threads", valkey.io_threads)),
        elsewhere.filter(|replicas| *replicas > 0).map(|replicas| format!("{replicas} replicas")),
        (external && valkey.same_machine).then(|| "on the generator's machine".to_owned()),
        (valkey.partitions != FLOWFABRICS_OWN).then(|| format!("{} partitions", valkey.partitions)),
        (scheduled == Some(false)).then(|| "generator without real-time priority".to_owned()),
    ]
    .into_iter()
    .flatten()
    .fold(String::new(), |text, one| text + ", " + &one)
}

/// How threads and cores were arranged; nothing where they were left alone, as versions before did.
fn arranged(conditions: Option<&Conditions>) -> String {
    let (of, left_alone) = (Conditions::comparable(conditions), Conditions::comparable(None));
    let differing = of.into_iter().zip(left_alone).filter(|(of, alone)| of != alone);
    differing.fold(String::new(), |text, ((what, of), _)| text + ", " + what + " " + &of)
}

impl History {
    /// Adds a run, once. What it was while it was made is none of the entries any more.
    pub fn add(&mut self, entry: HistoryEntry) {
        if self.entries.iter().any(|known| entry.adds_nothing_to(known)) {
            return;
        }
        self.entries.retain(|known| !known.is_same_run(&entry));
        self.entries.push(entry);
    }
}

impl HistoryEntry {
    /// Whether both are one run.
    pub fn is_same_run(&self, other: &Self) -> bool {
        // Floats that went through text may differ in their last digit, so the values are not compared.
        let name =
            |entry: &Self| (entry.started.clone(), entry.scenario.clone(), entry.seed, entry.commit.clone());
        name(self) == name(other)
    }

    /// Whether it says no more than one that is known: it is the same run, and was no worse then. A run that is
    /// read while it is made has no figures that may be used, and has them once it has ended.
    pub fn adds_nothing_to(&self, known: &Self) -> bool {
        self.is_same_run(known) && (known.valid || !self.valid)
    }

    /// Lines of earlier versions have metrics under their names of then.
    fn with_names_of_now(self) -> Self {
        let renamed = |(key, value): (String, HistoryValue)| {
            let now = key
                .split_once('/')
                .and_then(|(variant, name)| Some(format!("{variant}/{}", name.parse::<MetricName>().ok()?)));
            (now.unwrap_or(key), value)
        };
        Self { metrics: self.metrics.into_iter().map(renamed).collect(), ..self }
    }

    /// Machine and kernel; the older lines have the one within the other.
    pub(super) fn machine_and_kernel(&self) -> (String, Option<String>) {
        let within = || {
            let (machine, servers) = self.machine.split_once("; ")?;
            let (machine, kernel) = machine.rsplit_once(" cores, ")?;
            Some((format!("{machine} cores; {servers}"), Some(kernel.to_owned())))
        };
        let own = || (self.machine.clone(), self.kernel.clone());
        if self.kernel.is_some() { own() } else { within().unwrap_or_else(own) }
    }

    /// The library that a metric was measured with. Of a difference between arms that is the candidate's; the
    /// second one is the baseline's, where that is another.
    pub(super) fn libraries_of(&self, metric: &str) -> (String, Option<String>) {
        let of = |arm: &str| self.variant_libraries.get(arm).unwrap_or(&self.library_sha256).clone();
        let (arm, baseline) = arms_of(metric);
        let own = of(arm);
        let other = baseline.map(of).filter(|other| *other != own);
        (own, other)
    }

    /// The SDK that the worker of a metric was built against, of a difference between arms both where they are
    /// not the same; `None` where there was none of its own.
    pub(super) fn sdk_of(&self, metric: &str) -> Option<String> {
        let of = |arm: &str| self.variant_sdks.get(arm);
        let (arm, baseline) = arms_of(metric);
        match (of(arm), baseline.map(of)) {
            (own, Some(other)) if own != other => {
                let [own, other] = [own, other].map(|sdk| sdk.map_or("none", String::as_str));
                Some(format!("{own} against {other}"))
            }
            (own, _) => own.cloned(),
        }
    }
}

/// A history that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file.
    #[error("the history cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// An entry that has no JSON form.
    #[error("the run has no JSON form: {0}")]
    Entry(#[from] serde_json::Error),
}

/// A line that is no entry: a torn write, or another file's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedLine {
    /// Counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

to_json_line!(HistoryEntry);

/// What a history file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The runs, in the order written.
    pub entries: Vec<HistoryEntry>,
    /// Lines that could not be read; never dropped silently.
    pub skipped: Vec<SkippedLine>,
}

/// Appends one run. A last line that a crash cut off is ended first, so that only that line is lost.
pub fn append(file: &mut (impl Read + Write + Seek), entry: &HistoryEntry) -> Result<(), HistoryError> {
    let mut line = entry.to_json_line()?.into_bytes();
    line.push(b'\n');
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.insert(0, b'\n');
        }
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(&line)?;
    Ok(file.flush()?)
}

/// Reads a history. Lines that are no entries are reported, not fatal: the other nights are still worth
/// reading.
pub fn read(file: impl BufRead) -> Result<History, HistoryError> {
    let mut history = History::default();
    for (index, line) in file.split(b'\n').enumerate() {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match entry_of(&line) {
            Ok(entry) => history.add(HistoryEntry::with_names_of_now(entry)),
            Err(error) => {
                let problem = error.to_string();
                history.skipped.push(SkippedLine { line: index as u64 + 1, problem });
            }
        }
    }
    Ok(history)
}

/// Not generic over the file, so that serde's code is made here and not where the file is opened.
fn entry_of(line: &[u8]) -> serde_json::Result<HistoryEntry> {
    serde_json::from_slice(line)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
