//! Service times of two arms beside each other, stratum by stratum.

use crate::record::{RunRecord, Stratum};

use super::arm_counts::own_sides;

/// Service times in microseconds: baseline and candidate of one stratum.
pub(super) type SidePair = (Vec<f64>, Vec<f64>);

/// Both arms' samples of each stratum in which they were compared.
pub(super) fn stratum_pairs(record: &RunRecord, baseline: usize, candidate: usize) -> Vec<SidePair> {
    let compared = record.strata.iter().filter(|stratum| !stratum.control);
    compared.map(|stratum| compared_sides(record, stratum, baseline, candidate)).collect()
}

/// Both arms' samples of one stratum in which they were compared. An arm with two sides has all of them, as
/// far as they are its own.
pub(super) fn compared_sides(
    record: &RunRecord,
    stratum: &Stratum,
    baseline: usize,
    candidate: usize,
) -> SidePair {
    let of = |arm: usize| -> Vec<f64> {
        let sides = stratum.sides.iter().filter(|side| side.arm as usize == arm).take(own_sides(record));
        sides.flat_map(|side| side.service.iter_us()).collect()
    };
    (of(baseline), of(candidate))
}

/// The same as statistics take it.
pub(super) fn borrowed(pairs: &[SidePair]) -> Vec<(&[f64], &[f64])> {
    pairs.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect()
}
