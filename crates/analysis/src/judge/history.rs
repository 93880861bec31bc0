//! Many nights: one line per run, a trend per metric, and the night on which it moved.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Conditions;
use crate::scenario::MetricName;
use crate::stats::{Estimate, change_points};

use super::comparable::settings_digest;
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
    /// Seed: with the start it names the run.
    #[serde(default)]
    pub seed: u64,
    /// What was measured besides the scenario's name: a digest of all keys that matter to a comparison. Figures of
    /// different settings are never one trend.
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
            seed: record.seed,
            settings: settings_digest(result),
            machine: format!(
                "{}, {} cores{}; Valkey {}, {} primaries, {}{}{}",
                host.cpu,
                host.cores,
                arranged(record.environment.conditions.as_ref()),
                valkey.version,
                valkey.primaries,
                valkey.provider,
                if valkey.tls == Some(true) { ", TLS" } else { "" },
                if record.tool.debug_build { ", tool without optimisation" } else { "" }
            ),
            kernel: Some(host.kernel.clone()),
            valid: result.valid && !record.partial,
            metrics,
        }
    }
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
    fn machine_and_kernel(&self) -> (String, Option<String>) {
        let within = || {
            let (machine, servers) = self.machine.split_once("; ")?;
            let (machine, kernel) = machine.rsplit_once(" cores, ")?;
            Some((format!("{machine} cores; {servers}"), Some(kernel.to_owned())))
        };
        let own = || (self.machine.clone(), self.kernel.clone());
        if self.kernel.is_some() { own() } else { within().unwrap_or_else(own) }
    }

    /// The library that a `variant/metric` was measured with.
    fn library_of(&self, metric: &str) -> String {
        let variant = metric.split('/').next().unwrap_or_default();
        self.variant_libraries.get(variant).unwrap_or(&self.library_sha256).clone()
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
    let mut line = serde_json::to_vec(entry)?;
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

/// Reads a history. Lines that are no entries are reported, not fatal: the other nights are still worth reading.
pub fn read(file: impl BufRead) -> Result<History, HistoryError> {
    let mut history = History::default();
    for (index, line) in file.split(b'\n').enumerate() {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(entry) => history.entries.push(HistoryEntry::with_names_of_now(entry)),
            Err(error) => {
                let problem = error.to_string();
                history.skipped.push(SkippedLine { line: index as u64 + 1, problem });
            }
        }
    }
    Ok(history)
}

/// One metric over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// Scenario.
    pub scenario: String,
    /// `variant/metric`.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// The machine that all points are from: the latest entry's.
    pub machine: String,
    /// The nights, oldest first.
    pub points: Vec<TrendPoint>,
    /// Where the level moved.
    pub changes: Vec<TrendChange>,
    /// Runs of the scenario that are left out: invalid, from another machine, with other settings, or without the metric.
    pub left_out: u64,
}

/// One night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// Commit of the tool.
    pub commit: String,
    /// SHA-256 of the function library.
    pub library_sha256: String,
    /// The machine's kernel, where the line tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The value.
    pub value: f64,
    /// Its interval within the run.
    pub interval: Option<Estimate>,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendChange {
    /// Index of the first point at the new level.
    pub index: u64,
    /// Its start.
    pub started: String,
    /// Level before, a geometric mean.
    pub before: f64,
    /// Level after.
    pub after: f64,
}

/// The trend of `metric` (`variant/metric`) in `scenario`; `None` where no valid run has it.
pub fn trend(entries: &[HistoryEntry], scenario: &str, metric: &str) -> Option<Trend> {
    let mut runs: Vec<&HistoryEntry> =
        entries.iter().filter(|e| e.scenario == scenario && e.metrics.contains_key(metric)).collect();
    // RFC 3339 in UTC sorts as text.
    runs.sort_by(|a, b| a.started.cmp(&b.started));
    let latest = *runs.iter().rev().find(|run| run.valid)?;
    let ((machine, _), settings) = (latest.machine_and_kernel(), latest.settings.clone());
    let of_scenario = entries.iter().filter(|e| e.scenario == scenario).count();
    runs.retain(|run| run.valid && run.machine_and_kernel().0 == machine && run.settings == settings);
    let points: Vec<TrendPoint> = runs
        .iter()
        .map(|run| TrendPoint {
            started: run.started.clone(),
            commit: run.commit.clone(),
            library_sha256: run.library_of(metric),
            kernel: run.machine_and_kernel().1,
            value: run.metrics[metric].value,
            interval: run.metrics[metric].interval,
        })
        .collect();
    let logs: Vec<f64> = points.iter().map(|point| point.value.ln()).collect();
    let changes = change_points(&logs)
        .into_iter()
        .map(|change| TrendChange {
            index: change.index as u64,
            started: points[change.index].started.clone(),
            before: change.before.exp(),
            after: change.after.exp(),
        })
        .collect();
    Some(Trend {
        scenario: scenario.to_owned(),
        metric: metric.to_owned(),
        unit: runs[0].metrics[metric].unit.clone(),
        machine,
        left_out: (of_scenario - points.len()) as u64,
        points,
        changes,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, Noise, record, scenario};
    use super::*;

    fn night(number: usize, value: f64) -> HistoryEntry {
        let value = HistoryValue { unit: "us".into(), value, interval: None };
        HistoryEntry {
            variant_libraries: BTreeMap::new(),
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

    #[test]
    fn a_step_is_pointed_at_and_steady_nights_are_not() {
        let mut noise = Noise::new(4);
        let mut nights = |step: f64| -> Vec<HistoryEntry> {
            (0..28)
                .map(|n| night(n, 200.0 * if n < 16 { 1.0 } else { step } * (0.008 * noise.normal()).exp()))
                .collect()
        };
        for step in [1.06, 0.94] {
            let moved = trend(&nights(step), "lane-ab", "grant-lane/service_p50").unwrap();
            assert_eq!(moved.changes.len(), 1, "{:?}", moved.changes);
            assert!(moved.changes[0].index.abs_diff(16) <= 1);
            assert!((moved.changes[0].after / moved.changes[0].before - step).abs() < 0.01);
        }
        let steady = trend(&nights(1.0), "lane-ab", "grant-lane/service_p50").unwrap();
        assert_eq!((steady.changes.len(), steady.points.len(), steady.left_out), (0, 28, 0));
    }

    #[test]
    fn a_kernel_update_ends_no_trend_and_is_told() {
        let mut entries: Vec<_> = (0..10).map(|n| night(n, 200.0)).collect();
        for (n, entry) in entries.iter_mut().enumerate() {
            entry.machine = "Example CPU, 2 cores; Valkey 9.1.2, 3 primaries, local".into();
            entry.kernel = Some(if n < 8 { "Linux 6.1" } else { "Linux 6.2" }.into());
            if n < 4 {
                entry.machine = "Example CPU, 2 cores, Linux 6.0; Valkey 9.1.2, 3 primaries, local".into();
                entry.kernel = None;
            }
        }
        let trend = trend(&entries, "lane-ab", "grant-lane/service_p50").unwrap();
        assert_eq!((trend.points.len(), trend.left_out), (10, 0));
        let kernels: Vec<_> = trend.points.iter().filter_map(|point| point.kernel.as_deref()).collect();
        assert_eq!([kernels[3], kernels[4], kernels[9]], ["Linux 6.0", "Linux 6.1", "Linux 6.2"]);
        let text = crate::report::trends_text(&[trend], None);
        assert!(text.contains("from Linux 6.1 to Linux 6.2") && text.contains("from Linux 6.0 to"), "{text}");
    }

    #[test]
    fn invalid_runs_and_other_machines_are_left_out_and_counted() {
        let mut entries: Vec<_> = (0..10).map(|n| night(n, 200.0)).collect();
        entries[2].valid = false;
        entries[3].machine = "Other CPU".into();
        entries[4].scenario = "storm".into();
        let trend = trend(&entries, "lane-ab", "grant-lane/service_p50").unwrap();
        assert_eq!((trend.points.len(), trend.left_out), (7, 2));
        assert!(super::trend(&entries, "lane-ab", "grant-lane/throughput").is_none());
    }
}
