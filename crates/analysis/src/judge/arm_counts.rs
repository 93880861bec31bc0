//! What a record has of one arm: samples, counter blocks, commands and wire per claim.

use std::collections::BTreeMap;

use crate::record::{ArmRecord, CounterBlock, CounterDelta, RunRecord, Samples, WireTotals};
use crate::scenario::{Metric, Mode};

/// Calls that readings of the counters, connections and replication make besides claims: a few per window.
const HOUSEKEEPING: &[&str] = &[
    "auth", "client", "cluster", "command", "config", "hello", "info", "ping", "psync", "replconf", "select",
];

/// From this many calls per claim on, such a command is taken to be called by the claim, inside its function.
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

/// The arm's blocks that a metric is formed of: for most metrics all of them. For claims per second, blocks
/// are timed over their steady part; where some have one, a block without has another rate, for its time
/// includes its start and end.
pub(super) fn blocks_of_metric(
    record: &RunRecord,
    arm: usize,
    metric: Metric,
) -> impl Iterator<Item = &CounterBlock> {
    let by_parts = metric == Metric::Throughput && has_steady_parts(record);
    arm_blocks(record, arm).filter(move |block| !by_parts || block.steady.is_some())
}

/// Blocks without a rate (no steady part, although others have one), and all blocks. Only blocks in which
/// claims succeeded are counted.
pub(super) fn blocks_without_rate(record: &RunRecord) -> [u64; 2] {
    let with_claims = || record.blocks.iter().filter(|block| block.claims > 0);
    let without = with_claims().filter(|block| block.steady.is_none()).count() as u64;
    let left_out = if has_steady_parts(record) { without } else { 0 };
    [left_out, with_claims().count() as u64]
}

fn has_steady_parts(record: &RunRecord) -> bool {
    record.blocks.iter().any(|block| block.steady.is_some())
}

/// Calls on the servers per claim of an arm that reached the function, by command.
pub(super) fn calls_per_claim(record: &RunRecord, arm: usize) -> BTreeMap<String, f64> {
    per_claim(record, arm, |counters| &counters.calls)
}

/// Calls per claim that the tool sent itself; all others were made inside functions.
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
    // As of blocks. Without the tool's own count nobody knows which calls were claims.
    let calls = CounterDelta::function_calls(counters.iter().copied()).unwrap_or_default();
    // One function call is one claim, unless its worker tries another function first.
    let claims = calls / record.arms[arm].path.functions().len() as u64;
    if claims == 0 { (Vec::new(), 0.0) } else { (counters, claims as f64) }
}

/// A sum of the wire over the claims it was summed over, which are the successful ones; `None` without a
/// claim, and where a worker of its own makes the claims: what it sends the servers alone count.
pub(crate) fn wire_per_claim(arm: &ArmRecord, of: fn(&WireTotals) -> u64) -> Option<f64> {
    (arm.wire.claims > 0 && arm.sdk.is_none()).then(|| of(&arm.wire) as f64 / arm.wire.claims as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::record::{SteadyPart, Warning};

    /// Twice as fast in its steady part as over the whole block.
    fn steady(block: &CounterBlock) -> SteadyPart {
        SteadyPart { claims: block.claims, duration_s: block.duration_s / 2.0 }
    }

    /// The servers counted all that reached them, so each of those claims costs as much as if nothing was lost.
    #[test]
    fn a_command_that_never_left_is_no_claim_of_a_block_and_none_of_an_arm_alone() {
        let mut alone = record(&[GRANT_LANE], 1);
        let cpu_us = |record: &RunRecord| {
            analyse(record.clone()).unwrap().variants[0].server.main_thread_cpu_us_per_claim.unwrap()
        };
        let whole = cpu_us(&alone);
        let counters = &mut alone.primaries[0].counters;
        let counted = counters.calls["fcall"];
        *counters.sent.get_mut("fcall").unwrap() += 7;
        let block = CounterBlock { claims: counted, counters: counters.clone(), ..CounterBlock::default() };
        assert_eq!(block.reached(), counted);
        assert_eq!(counters_of(&alone, 0).1 as u64, counted);
        assert!((cpu_us(&alone) - whole).abs() < 1e-9, "{} and {whole}", cpu_us(&alone));
        assert!((calls_per_claim(&alone, 0)["fcall"] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_block_without_a_steady_part_among_others_is_in_no_rate_and_counted() {
        let of = |without: &[usize]| {
            let mut run = record(&[GRANT_LANE, HGET_LANE], 1);
            for (number, block) in run.blocks.iter_mut().enumerate() {
                block.steady = Some(steady(block)).filter(|_| !without.contains(&number));
            }
            let result = analyse(run).unwrap();
            let told = result.warnings.iter().find_map(|warning| match warning {
                Warning::BlocksWithoutRate { blocks, of } => Some([*blocks, *of]),
                _ => None,
            });
            (result.own_rate_per_s(0).unwrap(), told)
        };
        let (all, none) = (of(&[]), of(&(0..24).collect::<Vec<usize>>()));
        assert_eq!((all.1, none.1), (None, None));
        assert!((all.0 / none.0 - 2.0).abs() < 1e-9, "each is one definition: {all:?} {none:?}");
        let (rate, told) = of(&[0, 2, 5]);
        assert_eq!(told, Some([3, 24]));
        assert!(
            (rate / all.0 - 1.0).abs() < 0.01,
            "{rate} is of blocks that were counted otherwise: {all:?}"
        );
    }
}
