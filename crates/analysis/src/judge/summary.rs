//! Each arm in numbers: quantiles of its histograms, costs per claim.

use std::collections::BTreeMap;

use crate::record::{ArmRecord, CounterBlock, CounterDelta, RunRecord, Samples, StepRecord, WireTotals};
use crate::scenario::Mode;
use crate::stats::{CONFIDENCE, harrell_davis_interval};

use super::latency_summary::{LatencySummary, latency};
use super::result::{ServerCost, StepSummary, VariantSummary};

/// Calls that readings of the counters, connections and replication make besides claims: a few per window.
const HOUSEKEEPING: &[&str] = &[
    "auth", "client", "cluster", "command", "config", "hello", "info", "ping", "psync", "replconf", "select",
];

/// From so many per claim on, such a call is made by the claim, inside its function.
const HOUSEKEEPING_PER_CLAIM: f64 = 0.25;

/// Summaries of all arms.
pub(super) fn summarise(record: &RunRecord) -> Vec<VariantSummary> {
    (0..record.arms.len()).map(|arm| summarise_arm(record, arm)).collect()
}

fn summarise_arm(record: &RunRecord, index: usize) -> VariantSummary {
    let arm = &record.arms[index];
    let mut service_us = latency(&arm.service);
    if let Some(summary) = &mut service_us {
        summary.p50_interval = harrell_davis_interval(&arm_samples(record, index), 0.5, CONFIDENCE).ok();
    }
    let steps = steps(arm, service_us.as_ref());
    VariantSummary {
        service_us,
        response_us: latency(&arm.response),
        send_lag_us: latency(&arm.send_lag),
        resume_us: latency(&arm.resume),
        steps,
        ..without_latencies(record, index)
    }
}

fn without_latencies(record: &RunRecord, index: usize) -> VariantSummary {
    let arm = &record.arms[index];
    // Arms that are mixed claim by claim share one time; their counter blocks are theirs alone.
    let (claims, seconds) = arm_blocks(record, index)
        .filter(|_| record.arms.len() > 1)
        .map(CounterBlock::rate_parts)
        .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    let (claims, seconds) =
        if seconds > 0.0 { (claims, seconds) } else { (arm.outcomes.claimed as f64, arm.active_s) };
    let throughput_per_s = if seconds > 0.0 { claims / seconds } else { 0.0 };
    VariantSummary {
        name: arm.name.clone(),
        path: arm.path,
        outcomes: arm.outcomes.clone(),
        throughput_per_s,
        service_us: None,
        response_us: None,
        send_lag_us: None,
        resume_us: None,
        steps: Vec::new(),
        server: server_cost(record, index),
    }
}

fn steps(arm: &ArmRecord, service: Option<&LatencySummary>) -> Vec<StepSummary> {
    let sum = |times: &LatencySummary| times.mean * times.count as f64;
    let whole = service.map_or(0.0, sum);
    let timed = arm.steps.iter().filter_map(|step| Some((step, latency(&step.time)?)));
    let summary = |(step, time): (&StepRecord, LatencySummary)| StepSummary {
        title: step.title.clone(),
        share: sum(&time) / whole,
        time,
    };
    if whole > 0.0 { timed.map(summary).collect() } else { Vec::new() }
}

/// Service times of an arm over all strata but the control's, in microseconds, in the order taken.
pub(super) fn arm_samples(record: &RunRecord, arm: usize) -> Vec<f64> {
    record
        .strata
        .iter()
        .filter(|stratum| !stratum.control)
        .flat_map(|stratum| &stratum.sides)
        .filter(|side| side.arm as usize == arm)
        .flat_map(|side| side.service.iter_us())
        .collect()
}

/// Bare round trips of each stratum of the comparison, in microseconds; empty for one without.
pub(super) fn rulers(record: &RunRecord) -> impl Iterator<Item = Vec<f64>> + '_ {
    let strata = record.strata.iter().filter(|stratum| !stratum.control);
    strata.map(|stratum| stratum.ruler.iter().flat_map(Samples::iter_us).collect())
}

/// An arm's counter blocks.
pub(super) fn arm_blocks(record: &RunRecord, arm: usize) -> impl Iterator<Item = &CounterBlock> {
    let counts = move |block: &&CounterBlock| block.arm as usize == arm && block.claims > 0;
    record.blocks.iter().filter(counts)
}

/// Calls on the servers per claim of an arm that reached the function, by command.
pub(super) fn calls_per_claim(record: &RunRecord, arm: usize) -> BTreeMap<String, f64> {
    per_claim(record, arm, |counters| &counters.calls)
}

fn per_claim(
    record: &RunRecord,
    arm: usize,
    counts: fn(&CounterDelta) -> &BTreeMap<String, u64>,
) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::<String, f64>::new();
    let (counters, claims) = counters_of(record, arm);
    for (command, count) in counters.into_iter().flat_map(counts) {
        *sums.entry(command.clone()).or_default() += *count as f64 / claims;
    }
    sums.retain(|command, per_claim| {
        !HOUSEKEEPING.contains(&command.as_str()) || *per_claim >= HOUSEKEEPING_PER_CLAIM
    });
    sums
}

/// The servers' counters that belong to one arm alone, and the claims that they cover: its blocks; without any, the
/// whole window where nothing but this arm's claims was in it. Claims are those that reached the function, refused ones
/// included: the counters cannot tell them apart, and over the successful ones alone a run in which many fail would look
/// dear.
fn counters_of(record: &RunRecord, arm: usize) -> (Vec<&CounterDelta>, f64) {
    if record.server_figures_withheld() {
        return (Vec::new(), 0.0);
    }
    let blocks: Vec<_> = arm_blocks(record, arm).collect();
    let alone = record.arms.len() == 1 && record.scenario.load.mode == Mode::Staged;
    if !blocks.is_empty() || !alone {
        let claims: u64 = blocks.iter().map(|block| block.reached()).sum();
        return (blocks.into_iter().map(|block| &block.counters).collect(), claims as f64);
    }
    let counters: Vec<_> = record.primaries.iter().map(|primary| &primary.counters).collect();
    // One function call is one claim.
    let claims: u64 = counters.iter().filter_map(|counters| counters.sent.get("fcall")).sum();
    if claims == 0 { (Vec::new(), 0.0) } else { (counters, claims as f64) }
}

fn server_cost(record: &RunRecord, arm: usize) -> ServerCost {
    let (counters, claims) = counters_of(record, arm);
    let cpu: f64 = counters.iter().map(|counters| counters.main_thread_cpu_us).sum();
    let wire = |of: fn(&WireTotals) -> u64| wire_per_claim(&record.arms[arm], of).unwrap_or_default();
    ServerCost {
        main_thread_cpu_us_per_claim: (claims > 0.0).then(|| cpu / claims),
        commands_per_claim: per_claim(record, arm, |counters| &counters.sent),
        calls_per_claim: calls_per_claim(record, arm),
        round_trips_per_claim: wire(|w| w.round_trips),
        // The servers' view, as the result's fields are named: what the tool sends goes in there.
        bytes_in_per_claim: wire(|w| w.bytes_out),
        bytes_out_per_claim: wire(|w| w.bytes_in),
    }
}

/// A sum of the wire over the claims it was summed over, which are the successful ones; `None` without a claim.
pub(super) fn wire_per_claim(arm: &ArmRecord, of: fn(&WireTotals) -> u64) -> Option<f64> {
    (arm.wire.claims > 0).then(|| of(&arm.wire) as f64 / arm.wire.claims as f64)
}
