//! Made-up results of many runs: a search, sweeps, a history.

use super::runs::{control_failed, night};
use crate::judge::capacity::simulated::{Simulated, policy};
use crate::judge::capacity::{Capacity, CapacityPlan, NextStep, ProbeLoad};
use crate::judge::fixtures::{FULL_GRANT, GRANT_LANE, HGET_LANE, Noise, record, scenario};
use crate::judge::network_fixture::longer_round_trips;
use crate::judge::{self, HistoryEntry, RunResult, Sweep, Trend, analyse_as};
use crate::record::RunRecord;

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

/// Three variants, whose round trips take longer from value to value where the key is the simulated network's.
pub(super) fn sweep(key: &str, values: &[&str]) -> Sweep {
    sweep_but(key, values, |_, _| ())
}

/// The same of records that something was done to before they were judged, by their number from 0.
pub fn sweep_but(key: &str, values: &[&str], change: impl Fn(usize, &mut RunRecord)) -> Sweep {
    let wanted: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let arms = [GRANT_LANE, HGET_LANE, FULL_GRANT];
    let results: Vec<RunResult> = (0..values.len())
        .map(|n| {
            let added_us = [0.0, 250.0, 500.0, 1_000.0, 2_000.0][n.min(4)];
            let mut record = record(&arms, 20 + n as u64);
            if key.contains("rtt") && added_us > 0.0 {
                longer_round_trips(&mut record, added_us);
            }
            change(n, &mut record);
            analyse_as(record, &scenario(&arms))
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
    let entries: Vec<HistoryEntry> = (0..28u32)
        .map(|n| {
            let slower = if n < 16 { 1.0 } else { 1.06 } * (0.008 * noise.normal()).exp();
            HistoryEntry::from_result(&night(n, slower))
        })
        .collect();
    ["grant-lane/service_p50", "grant-lane/response_p99", "grant-lane/throughput"]
        .into_iter()
        .filter_map(|metric| judge::trend(&entries, &entries[0].scenario, metric))
        .collect()
}
