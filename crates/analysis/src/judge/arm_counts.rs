//! What a record has of one arm: samples, counter blocks, commands and wire per claim.

use std::collections::BTreeMap;

use crate::record::{ArmRecord, CounterBlock, CounterDelta, RunRecord, Samples, WireTotals};
use crate::scenario::Mode;

/// Calls that readings of the counters, connections and replication make besides claims: a few per window.
const HOUSEKEEPING: &[&str] = &[
    "auth", "client", "cluster", "command", "config", "hello", "info", "ping", "psync", "replconf", "select",
];

/// From so many per claim on, such a call is made by the claim, inside its function.
const HOUSEKEEPING_PER_CLAIM: f64 = 0.25;

/// How many of an arm's sides in a stratum are its own: in a server duet the baseline's second one is the
/// control's, on another cluster.
pub(crate) fn own_sides(record: &RunRecord) -> usize {
    if record.is_server_duet() { 1 } else { usize::MAX }
}

/// Service times of an arm over all strata but the control's, in microseconds, in the order taken.
pub(super) fn arm_samples(record: &RunRecord, arm: usize) -> Vec<f64> {
    let sides = own_sides(record);
    let compared = record.strata.iter().filter(|stratum| !stratum.control);
    compared
        .flat_map(|stratum| stratum.sides.iter().filter(|side| side.arm as usize == arm).take(sides))
        .flat_map(|side| side.service.iter_us())
        .collect()
}

/// Bare round trips of each stratum of the comparison, in microseconds; empty for one without.
pub(super) fn rulers(record: &RunRecord) -> impl Iterator<Item = Vec<f64>> + '_ {
    let strata = record.strata.iter().filter(|stratum| !stratum.control);
    strata.map(|stratum| stratum.ruler.iter().flat_map(Samples::iter_us).collect())
}

/// An arm's counter blocks, without those that a control made on a cluster of its own.
pub(super) fn arm_blocks(record: &RunRecord, arm: usize) -> impl Iterator<Item = &CounterBlock> {
    let counts =
        move |block: &&CounterBlock| block.arm as usize == arm && block.claims > 0 && !block.on_control;
    record.blocks.iter().filter(counts)
}

/// Calls on the servers per claim of an arm that reached the function, by command.
pub(super) fn calls_per_claim(record: &RunRecord, arm: usize) -> BTreeMap<String, f64> {
    per_claim(record, arm, |counters| &counters.calls)
}

/// As many of them as the tool sent itself; the others were called inside functions.
pub(super) fn sent_per_claim(record: &RunRecord, arm: usize) -> BTreeMap<String, f64> {
    per_claim(record, arm, |counters| &counters.sent)
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

/// The servers' counters that belong to one arm alone, and the claims that they cover: its blocks; without
/// any, the whole window where nothing but this arm's claims was in it. Claims are those that reached the
/// function, refused ones included: the counters cannot tell them apart, and over the successful ones alone a
/// run in which many fail would look dear.
pub(super) fn counters_of(record: &RunRecord, arm: usize) -> (Vec<&CounterDelta>, f64) {
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
    let calls: u64 = counters.iter().filter_map(|counters| counters.sent.get("fcall")).sum();
    // One function call is one claim, unless its worker tries another function first.
    let claims = calls / record.arms[arm].path.functions().len() as u64;
    if claims == 0 { (Vec::new(), 0.0) } else { (counters, claims as f64) }
}

/// A sum of the wire over the claims it was summed over, which are the successful ones; `None` without a
/// claim, and where a worker of its own makes the claims: what it sends the servers alone count.
pub(crate) fn wire_per_claim(arm: &ArmRecord, of: fn(&WireTotals) -> u64) -> Option<f64> {
    (arm.wire.claims > 0 && arm.sdk.is_none()).then(|| of(&arm.wire) as f64 / arm.wire.claims as f64)
}
