//! The window of a made-up run, second by second: as many claims as its record has.

use crate::judge::fixtures::Noise;
use crate::record::{ArmRecord, Histogram, Outcomes, RunRecord, TimelinePoint, WindowTotals};
use crate::stats::Latencies;

/// Has the claims of a record be made within so long a window, by its end all of them.
pub(super) fn lasting(record: &mut RunRecord, active_s: f64) {
    let mut noise = Noise::new(9);
    let outcomes = counted(record);
    let seconds = active_s.ceil() as u32;
    let part_s = active_s - f64::from(seconds - 1);
    let weights: Vec<f64> = (1..=seconds)
        .map(|second| (0.02 * noise.normal()).exp() * if second == seconds { part_s } else { 1.0 })
        .collect();
    let claimed = shared(outcomes.claimed, &weights);
    let errors = shared(outcomes.sent() - outcomes.claimed, &weights);
    let mut stock = outcomes.claimed;
    let typical = typical_us(record);
    record.timeline = (0..seconds as usize)
        .map(|n| {
            stock -= claimed[n];
            let [p50_us, p99_us, response_p50_us, response_p99_us, send_lag_p99_us] =
                typical.map(|us| us.map(|us| us * (0.05 * noise.normal()).exp()));
            TimelinePoint {
                t_s: (n + 1) as f64,
                part_s: Some(part_s).filter(|part_s| n + 1 == seconds as usize && *part_s < 1.0),
                claimed: claimed[n],
                errors: errors[n],
                p50_us,
                p99_us,
                response_p50_us,
                response_p99_us,
                send_lag_p99_us,
                tool_resident_bytes: Some(20 << 20),
                stock,
                primary_cpu: (0..record.environment.valkey.primaries)
                    .map(|n| 0.2 + 0.03 * f64::from(n) + 0.01 * noise.normal())
                    .collect(),
                ..TimelinePoint::default()
            }
        })
        .collect();
    // What blocks took, arms that are mixed did not share.
    let blocks_s: f64 = record.blocks.iter().map(|block| block.duration_s).sum();
    record.arms.iter_mut().for_each(|arm| arm.active_s = active_s - blocks_s);
    record.duration_s = active_s + 2.5;
    record.window = Some(WindowTotals { active_s, outcomes, ..WindowTotals::default() });
}

/// All claims of a record: those of its arms, of the control and of the blocks.
pub fn counted(record: &RunRecord) -> Outcomes {
    let mut all = Outcomes::default();
    record.arms.iter().for_each(|arm| all.add(&arm.outcomes));
    let control = record.strata.iter().filter(|stratum| stratum.control).flat_map(|stratum| &stratum.sides);
    all.claimed += control.map(|side| side.service.0.len() as u64).sum::<u64>();
    all.claimed += record.blocks.iter().map(|block| block.claims).sum::<u64>();
    all
}

/// So many things by weight, each of them in one part.
fn shared(all: u64, weights: &[f64]) -> Vec<u64> {
    let (whole, mut weight, mut given) = (weights.iter().sum::<f64>(), 0.0, 0);
    let mut parts = Vec::with_capacity(weights.len());
    for own in weights {
        weight += own;
        let until = ((all as f64 * weight / whole).round() as u64).min(all);
        parts.push(until - given);
        given = until;
    }
    parts
}

/// The quantiles of a second as the whole window has them, on average over the arms that have such times:
/// median and 99th percentile of service and of response, 99th percentile of the send lag.
fn typical_us(record: &RunRecord) -> [Option<f64>; 5] {
    let of = |clock: fn(&ArmRecord) -> &Histogram, quantile: f64| {
        let times = record.arms.iter().filter_map(|arm| Latencies::readable(clock(arm)));
        let each: Vec<f64> = times.map(|times| times.quantile_us(quantile)).collect();
        (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
    };
    [
        of(|arm| &arm.service, 0.5),
        of(|arm| &arm.service, 0.99),
        of(|arm| &arm.response, 0.5),
        of(|arm| &arm.response, 0.99),
        of(|arm| &arm.send_lag, 0.99),
    ]
}
