//! Many nights: one line per run, in a file that only grows.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{ToJsonLine as _, to_json_line};
use crate::record::{ClusterRecord, Conditions, RunRecord};
use crate::scenario::{MetricName, Provider};
use crate::stats::Estimate;

use super::comparable::{generator_machines, quota, sdk_and_digest, settings_digest};
use super::result::RunResult;
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
    /// Whether the run was valid. Invalid runs are kept, and left out of trends.
    pub valid: bool,
    /// `variant/metric` and its value.
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
        let metrics = metric_values(result)
            .into_iter()
            .map(|m| {
                let value = HistoryValue {
                    unit: m.name.metric.row().unit.name().to_owned(),
                    value: m.value,
                    interval: m.interval,
                };
                (format!("{}/{}", m.variant, m.name), value)
            })
            .collect();
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
            valid: result.is_usable(),
            metrics,
        }
    }
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

/// FlowFabric's own number of flow partitions: a deployment that publishes none has so many.
const FLOWFABRICS_OWN: u32 = 256;

/// Of the pinned build, and of most histories: others are named.
const USUAL_ALLOCATOR: &str = "libc";

/// What forbids a comparison beside that, where it is not as it usually is: lines of earlier versions do not
/// name it.
fn unusual(record: &RunRecord) -> String {
    let (host, valkey) = (&record.environment.host, &record.environment.valkey);
    let external = valkey.provider == Provider::External.as_str();
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

impl HistoryEntry {
    /// Whether both are one run.
    pub fn is_same_run(&self, other: &Self) -> bool {
        // Floats that went through text may differ in their last digit, so the values are not compared.
        let name =
            |entry: &Self| (entry.started.clone(), entry.scenario.clone(), entry.seed, entry.commit.clone());
        name(self) == name(other)
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

    /// The library that a `variant/metric` was measured with.
    pub(super) fn library_of(&self, metric: &str) -> String {
        self.variant_libraries.get(variant(metric)).unwrap_or(&self.library_sha256).clone()
    }

    /// The SDK that the worker of a `variant/metric` was built against; `None` where it had none of its own.
    pub(super) fn sdk_of(&self, metric: &str) -> Option<String> {
        self.variant_sdks.get(variant(metric)).cloned()
    }
}

/// The variant of a `variant/metric`.
fn variant(metric: &str) -> &str {
    metric.split('/').next().unwrap_or_default()
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
            Ok(entry) => history.entries.push(HistoryEntry::with_names_of_now(entry)),
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

/// A run of such a night in January.
#[cfg(test)]
pub(super) fn night(number: usize, value: f64) -> HistoryEntry {
    let value = HistoryValue { unit: "us".into(), value, interval: None };
    HistoryEntry {
        variant_libraries: BTreeMap::new(),
        variant_sdks: BTreeMap::new(),
        seed: 1,
        settings: String::new(),
        started: format!("2026-01-{:02}T02:00:00Z", number + 1),
        scenario: "lane-ab".into(),
        commit: "0123456".into(),
        library_sha256: "ab".repeat(32),
        machine: "Example CPU".into(),
        kernel: None,
        valid: true,
        metrics: BTreeMap::from([("grant-lane/service_p50".into(), value)]),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, generator, record, scenario};
    use super::super::trend::trend;
    use super::*;
    use crate::record::{GeneratorUse, SdkInfo};

    #[test]
    fn runs_are_appended_and_read_back() {
        let result = analyse_as(record(&[GRANT_LANE], 1), &scenario(&[GRANT_LANE]));
        let entry = HistoryEntry::from_result(&result);
        assert!(entry.metrics["grant-lane/service_p50"].interval.is_some());
        assert!(entry.metrics.contains_key("grant-lane/calls.hget"));
        let mut file = Cursor::new(Vec::new());
        append(&mut file, &entry).unwrap();
        append(&mut file, &night(3, 200.0)).unwrap();
        let history = read(Cursor::new(file.into_inner())).unwrap();
        assert_eq!(history, History { entries: vec![entry, night(3, 200.0)], skipped: vec![] });
    }

    /// What `compare` refuses is no trend.
    #[test]
    fn a_night_under_other_conditions_is_another_machine() {
        let machine = |change: &dyn Fn(&mut RunRecord)| {
            let mut record = record(&[GRANT_LANE], 1);
            change(&mut record);
            HistoryEntry::from_result(&analyse_as(record, &scenario(&[GRANT_LANE]))).machine
        };
        let usual = machine(&|_| ());
        assert!(
            machine(&|r| r.environment.host.quota_us_per_s = Some(1_500_000))
                .ends_with(", CPU quota of 1.50 cores")
        );
        assert!(machine(&|r| r.environment.valkey.io_threads = 4).ends_with(", 4 io-threads"));
        assert!(machine(&|r| r.environment.valkey.partitions = 64).ends_with(", 64 partitions"));
        assert!(
            machine(&|r| r.environment.valkey.allocator = "jemalloc-5.3.0".into())
                .ends_with(", jemalloc-5.3.0")
        );
        // Two on this machine, or one of them on another.
        let generators = |boot: &str| {
            machine(&|r| {
                r.generators = vec![generator(1), generator(2)];
                r.generators[0].host.boot = Some("a".into());
                r.generators[1].host.boot = Some(boot.to_owned());
            })
        };
        assert!(generators("a").ends_with(", 2 generators"), "{}", generators("a"));
        let apart = generators("b");
        assert!(
            apart.contains(", 2 generators, theirs: ") && apart.matches(" cores and ").count() == 2,
            "{apart}"
        );
        let with_priority = |real_time| {
            machine(&|r| r.generator = Some(GeneratorUse { real_time, ..GeneratorUse::default() }))
        };
        assert!(with_priority(Some(false)).ends_with(", generator without real-time priority"));
        assert_eq!([with_priority(None), with_priority(Some(true))], [usual.clone(), usual.clone()]);
        let replicated = |provider: &str| {
            machine(&|r| {
                r.environment.valkey.replicas = 1;
                r.environment.valkey.provider = provider.to_owned();
            })
        };
        assert!(replicated("external").contains(", 1 replicas, on the generator's machine"));
        // Those of servers of our own are a key of the scenario.
        assert!(!replicated("local").contains("replicas") && !usual.contains("quota"));
    }

    #[test]
    fn a_night_of_an_sdk_duet_says_which_sdk_it_was() {
        let mut record = record(&[GRANT_LANE], 1);
        record.arms[0].sdk = Some(SdkInfo {
            source: "origin/main:crates/ff-sdk".into(),
            version: "0.15.0".into(),
            commit: None,
            sha256: "cd".repeat(32),
            compiler: "rustc 1".into(),
        });
        let arm = record.arms[0].name.clone();
        let entry = HistoryEntry::from_result(&analyse_as(record, &scenario(&[GRANT_LANE])));
        let metric = format!("{arm}/service_p50");
        let seen = trend(std::slice::from_ref(&entry), &entry.scenario, &metric).unwrap();
        assert_eq!(seen.points[0].sdk.as_deref(), Some("0.15.0 (cdcdcdcdcdcd)"));
    }

    #[test]
    fn a_torn_line_costs_one_run_and_is_reported() {
        let mut file = Cursor::new(Vec::new());
        append(&mut file, &night(0, 200.0)).unwrap();
        append(&mut file, &night(1, 201.0)).unwrap();
        let mut bytes = file.into_inner();
        bytes.truncate(bytes.len() - 30);
        let torn = read(Cursor::new(bytes.clone())).unwrap();
        assert_eq!((torn.entries.len(), torn.skipped[0].line), (1, 2));
        let mut file = Cursor::new(bytes);
        append(&mut file, &night(2, 202.0)).unwrap();
        let history = read(Cursor::new(file.into_inner())).unwrap();
        assert_eq!(history.entries, [night(0, 200.0), night(2, 202.0)]);
        assert_eq!(history.skipped.len(), 1);
    }
}
