//! A metric over many nights, and the night on which its level moved.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arm_differences::is_of_two_arms;
use super::history::HistoryEntry;
use crate::json::to_json_file;
use crate::stats::{Estimate, MIN_SEGMENT, change_points};

/// One metric over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// Scenario.
    pub scenario: String,
    /// `variant/metric`, or `candidate less baseline/metric`.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// The machine that all points are from: the latest entry's.
    pub machine: String,
    /// The nights, oldest first.
    pub points: Vec<TrendPoint>,
    /// Where the level moved.
    pub changes: Vec<TrendChange>,
    /// Runs of the scenario that are left out.
    pub left_out: u64,
    /// Why: each run by the first reason that holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out_because: BTreeMap<LeftOut, u64>,
    /// Runs of other scenarios in the same history: their figures are never one trend with these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_scenarios: BTreeMap<String, u64>,
}

to_json_file!(Vec<Trend>);

impl Trend {
    /// Whether it is of what one arm takes more than another. That may be nothing, or less: its levels are
    /// held against each other by their difference, and not as a ratio.
    pub fn is_of_two_arms(&self) -> bool {
        is_of_two_arms(&self.metric)
    }

    /// Whether it has fewer runs than it takes to see a level move.
    pub fn has_too_few_runs(&self) -> bool {
        self.points.len() < RUNS_FOR_A_CHANGE
    }
}

/// Why a run of the scenario is no point of its trend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// It is invalid, or was interrupted.
    Invalid,
    /// It has no such metric; of a difference between arms also one whose control forbids it.
    WithoutMetric,
    /// It was made with other settings than the latest run.
    OtherSettings,
    /// It was made on another machine than the latest run, or that machine was arranged otherwise.
    OtherMachine,
    /// It was made against a cluster of other people's at other addresses than the latest run's.
    OtherCluster,
}

/// Runs that it takes before a change of level can be seen at all.
pub const RUNS_FOR_A_CHANGE: usize = 2 * MIN_SEGMENT;

/// One night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// Commit of the tool.
    pub commit: String,
    /// SHA-256 of the function library; of a difference between arms, of the candidate's.
    pub library_sha256: String,
    /// Of the baseline's, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_library_sha256: Option<String>,
    /// What the variant's worker was built against, version and digest, in an SDK duet; of a difference
    /// between arms both, where they are not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<String>,
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
    /// Level before: a geometric mean, of a difference between arms an arithmetic one.
    pub before: f64,
    /// Level after.
    pub after: f64,
}

/// The trend of `metric` (`variant/metric`, `candidate less baseline/metric`) in `scenario`; `None` where no valid run has it.
pub fn trend(entries: &[HistoryEntry], scenario: &str, metric: &str) -> Option<Trend> {
    let mut runs: Vec<&HistoryEntry> =
        entries.iter().filter(|e| e.scenario == scenario && e.metrics.contains_key(metric)).collect();
    // RFC 3339 in UTC sorts as text.
    runs.sort_by(|a, b| a.started.cmp(&b.started));
    let latest = *runs.iter().rev().find(|run| run.valid)?;
    let ((machine, _), settings) = (latest.machine_and_kernel(), latest.settings.clone());
    let why = |run: &HistoryEntry| match run {
        run if !run.valid => Some(LeftOut::Invalid),
        run if !run.metrics.contains_key(metric) => Some(LeftOut::WithoutMetric),
        run if run.settings != settings => Some(LeftOut::OtherSettings),
        run if run.machine_and_kernel().0 != machine => Some(LeftOut::OtherMachine),
        // Lines of versions that did not tell which cluster it was are not held to one.
        run if run.cluster.as_ref().zip(latest.cluster.as_ref()).is_some_and(|(one, other)| one != other) => {
            Some(LeftOut::OtherCluster)
        }
        _ => None,
    };
    let (mut left_out_because, mut other_scenarios) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries {
        if entry.scenario != scenario {
            *other_scenarios.entry(entry.scenario.clone()).or_default() += 1;
        } else if let Some(reason) = why(entry) {
            *left_out_because.entry(reason).or_default() += 1;
        }
    }
    runs.retain(|run| why(run).is_none());
    let points: Vec<TrendPoint> = runs.iter().map(|run| TrendPoint::from_entry(run, metric)).collect();
    let changes = level_changes(&points, is_of_two_arms(metric));
    Some(Trend {
        scenario: scenario.to_owned(),
        metric: metric.to_owned(),
        unit: runs[0].metrics[metric].unit.clone(),
        machine,
        left_out: left_out_because.values().sum(),
        left_out_because,
        other_scenarios,
        points,
        changes,
    })
}

impl TrendPoint {
    fn from_entry(run: &HistoryEntry, metric: &str) -> Self {
        let (library_sha256, baseline_library_sha256) = run.libraries_of(metric);
        Self {
            started: run.started.clone(),
            commit: run.commit.clone(),
            library_sha256,
            baseline_library_sha256,
            sdk: run.sdk_of(metric),
            kernel: run.machine_and_kernel().1,
            value: run.metrics[metric].value,
            interval: run.metrics[metric].interval,
        }
    }
}

/// Of an arm's figures ratios matter: their levels are means of logarithms. A difference between arms may be
/// zero, or below, and has no logarithm then: its levels are means of the values themselves.
fn level_changes(points: &[TrendPoint], is_difference: bool) -> Vec<TrendChange> {
    let scaled = |value: f64| if is_difference { value } else { value.ln() };
    let level = |mean: f64| if is_difference { mean } else { mean.exp() };
    let series: Vec<f64> = points.iter().map(|point| scaled(point.value)).collect();
    change_points(&series)
        .into_iter()
        .map(|change| TrendChange {
            index: change.index as u64,
            started: points[change.index].started.clone(),
            before: level(change.before),
            after: level(change.after),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Noise;
    use super::super::history_fixture::night;
    use super::*;

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

    /// A ratio of what may be nothing, or less, means nothing.
    #[test]
    fn what_one_arm_takes_more_moves_by_an_amount() {
        let key = "hget-lane less grant-lane/service_p50";
        let mut noise = Noise::new(4);
        let mut nights = |step: f64| -> Vec<HistoryEntry> {
            let one = |n: usize| {
                let level = if n < 16 { -2.0 } else { step - 2.0 };
                let mut entry = night(n, level + 0.3 * noise.normal());
                let value = entry.metrics.remove("grant-lane/service_p50").unwrap();
                entry.metrics.insert(key.to_owned(), value);
                entry
            };
            (0..28).map(one).collect()
        };
        for step in [5.0, -5.0] {
            let moved = trend(&nights(step), "lane-ab", key).unwrap();
            assert_eq!(moved.changes.len(), 1, "{:?}", moved.changes);
            let change = &moved.changes[0];
            assert!(moved.is_of_two_arms() && change.index.abs_diff(16) <= 1);
            assert!((change.before + 2.0).abs() < 0.4, "{change:?}");
            assert!((change.after - change.before - step).abs() < 0.5, "{change:?}");
            let text = crate::report::trends_text(std::slice::from_ref(&moved), None);
            assert!(text.contains(" µs at ") && !text.contains(" % at "), "{text}");
            let page = crate::report::html::history(&[moved]);
            assert!(page.contains(" µs at ") && !page.contains(" % at "), "{page}");
        }
        let steady = trend(&nights(0.0), "lane-ab", key).unwrap();
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
        // Lines 5 to 9 were made against clusters that others run; the first of them does not say which.
        for (n, address) in
            [(6, "10.0.0.1:6379"), (7, "10.0.0.2:6379"), (8, "10.0.0.2:6379"), (9, "10.0.0.2:6379")]
        {
            entries[n].cluster = Some(address.to_owned());
        }
        let trend = trend(&entries, "lane-ab", "grant-lane/service_p50").unwrap();
        assert_eq!((trend.points.len(), trend.left_out), (6, 3));
        let because = [(LeftOut::Invalid, 1), (LeftOut::OtherMachine, 1), (LeftOut::OtherCluster, 1)];
        assert_eq!(trend.left_out_because, BTreeMap::from(because));
        assert_eq!(trend.other_scenarios, BTreeMap::from([("storm".to_owned(), 1)]));
        let text = crate::report::trends_text(&[trend.clone(), trend], None);
        for said in
            ["no part of it: 1 run of storm", "left out: 1 invalid or interrupted, 1 from another machine"]
        {
            assert_eq!(text.matches(said).count(), 1, "once for all metrics: {text}");
        }
        assert!(text.contains("6 runs: a change of level is seen from 8 on"), "{text}");
        assert!(super::trend(&entries, "lane-ab", "grant-lane/throughput").is_none());
    }
}
