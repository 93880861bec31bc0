//! Made-up results of many runs: a search, sweeps, a history.

use super::runs::{control_failed, single};
use crate::judge::capacity::simulated::{Simulated, policy};
use crate::judge::capacity::{Capacity, CapacityPlan, NextStep, ProbeLoad};
use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, Noise, SimulatedArm, record, scenario, spread};
use crate::judge::{self, HistoryEntry, RunResult, Sweep, Trend, analyse_as};
use crate::record::AddedRoundTrip;
use crate::scenario::VariantPath;
use crate::stats::Estimate;

pub(super) fn capacity() -> Capacity {
    let cluster = Simulated { noise: 0.02, ..Simulated::serving(2_000.0) };
    let mut policy = policy();
    (policy.concurrency, policy.refinements) = (vec![1, 2, 4, 8, 16, 32, 64], 6);
    policy.targets_per_s = vec![1_000.0, 5_000.0, 20_000.0];
    let first = cluster.run(ProbeLoad::Open { rate_per_s: 500.0 }, 1);
    let plan = CapacityPlan { scenario: first.record.scenario.clone(), seed: 1, policy, stopped: None };
    let mut probes = Vec::new();
    loop {
        let so_far = Capacity::conclude(plan.clone(), probes.clone(), Some(&first));
        match so_far.next {
            NextStep::Probe { offer, .. } if probes.len() < 120 => {
                probes.push(cluster.probe(offer, probes.len() as u64));
            }
            _ => return so_far,
        }
    }
}

/// Half a round trip fewer than the baseline's, whatever the network.
pub(super) fn sweep(key: &str, values: &[&str]) -> Sweep {
    let wanted: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let results: Vec<RunResult> = (0..values.len())
        .map(|n| {
            let added_us = [0.0, 250.0, 500.0, 1_000.0, 2_000.0][n.min(4)];
            let base = 200.0 + 2.0 * added_us;
            let hget = SimulatedArm { slower: (base + 40.0 + added_us) / base, ..HGET_LANE };
            let full = SimulatedArm {
                name: "full-grant",
                path: VariantPath::FullGrant,
                slower: (base - 20.0 - added_us).max(60.0) / base,
                cpu_us: 50.0,
            };
            let arms = [GRANT_LANE, hget, full];
            let mut record = record(&arms, 20 + n as u64);
            if key.contains("rtt") && added_us > 0.0 {
                record.added_rtt =
                    Some(AddedRoundTrip { asked_us: added_us, given: spread(500, added_us, 1) });
            }
            let mut result = analyse_as(record, &scenario(&arms));
            for comparison in &mut result.comparisons {
                comparison.baseline_value *= base / 200.0;
            }
            result
        })
        .collect();
    judge::sweep(key, &wanted, values.iter().copied().zip(&results))
}

/// The same, of which every control failed.
pub fn sweep_without_verdicts() -> Sweep {
    let values = ["0us", "250us", "500us", "1ms", "2ms"].map(str::to_owned);
    let failed = control_failed();
    judge::sweep("load.network.added_rtt", &values, values.iter().map(|value| (value.as_str(), &failed)))
}

pub(super) fn trends() -> Vec<Trend> {
    let mut noise = Noise::new(4);
    let first = HistoryEntry::from_result(&single());
    let entries: Vec<HistoryEntry> = (0..28u32)
        .map(|n| {
            let mut entry = first.clone();
            entry.started = format!("2026-01-{:02}T02:00:00Z", n + 1);
            entry.commit = format!("{:07x}", 0x1234 + n * 97);
            let factor = if n < 16 { 1.0 } else { 1.06 } * (0.008 * noise.normal()).exp();
            for value in entry.metrics.values_mut().filter(|value| value.unit == "us") {
                value.value *= factor;
                value.interval = value.interval.map(|i| Estimate {
                    estimate: i.estimate * factor,
                    low: i.low * factor,
                    high: i.high * factor,
                    ..i
                });
            }
            entry
        })
        .collect();
    ["grant-lane/service_p50", "grant-lane/response_p99", "grant-lane/throughput"]
        .into_iter()
        .filter_map(|metric| judge::trend(&entries, &entries[0].scenario, metric))
        .collect()
}
