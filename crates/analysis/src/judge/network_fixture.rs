//! A made-up run over a longer network.

use std::time::Duration;

use crate::record::{AddedRoundTrip, LatencyHistogram, RunRecord, TICKS_PER_US};
use crate::scenario::{Extras, expected_cost};

/// Has every round trip of a run take so many microseconds longer: the times of its claims, those of its blocks,
/// and what it notes of the simulated network.
pub fn longer_round_trips(record: &mut RunRecord, us: f64) {
    let added_us: Vec<f64> = record
        .arms
        .iter()
        .map(|arm| us * f64::from(expected_cost(arm.path, Extras::default()).round_trips))
        .collect();
    let mut service = vec![LatencyHistogram::default(); added_us.len()];
    for stratum in &mut record.strata {
        for side in &mut stratum.sides {
            let arm = side.arm as usize;
            let ticks_more = (added_us[arm] * TICKS_PER_US) as u32;
            side.service.0.iter_mut().for_each(|ticks| *ticks += ticks_more);
            // The control's are in no arm's histogram.
            let own = side.service.iter_us().filter(|_| !stratum.control);
            own.for_each(|us| service[arm].record(Duration::from_secs_f64(us / 1e6)));
        }
    }
    let longer_by = |arm: usize, claims: u64| claims as f64 * added_us[arm] / 1e6;
    for block in &mut record.blocks {
        block.duration_s += longer_by(block.arm as usize, block.claims);
    }
    let all_added: f64 =
        record.arms.iter().enumerate().map(|(n, arm)| longer_by(n, arm.outcomes.claimed)).sum();
    for (arm, service) in record.arms.iter_mut().zip(&service) {
        arm.service = service.encode();
        arm.active_s += all_added;
    }
    // Around what it should be: a line over the medians goes by them.
    let mut given = LatencyHistogram::default();
    (96..=104).for_each(|percent| given.record(Duration::from_secs_f64(us * f64::from(percent) / 1e8)));
    record.added_rtt = Some(AddedRoundTrip { asked_us: us, given: given.encode() });
}
