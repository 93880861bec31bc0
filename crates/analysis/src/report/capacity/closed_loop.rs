//! The closed loop of a capacity search: what each number of claims in flight brought.

use super::words::ms;
use crate::judge::capacity::{Capacity, Probe, ProbeLoad, ProbeVerdict, Reason};
use crate::report::document::Block;
use crate::report::format::{count, figure, maybe, rough};

/// The probes by their claims in flight, and the law that is fitted to them.
pub(super) fn blocks(capacity: &Capacity) -> Vec<Block> {
    let rows: Vec<Vec<String>> = capacity
        .probes
        .iter()
        .filter_map(|probe| {
            let ProbeLoad::Closed { concurrency } = probe.offer else { return None };
            let fitted = capacity.usl.map(|usl| usl.throughput_per_s(f64::from(concurrency)));
            // One that was made again stands beside the second.
            let invalid = if probe.verdict == ProbeVerdict::Invalid { " (invalid)" } else { "" };
            Some(vec![
                count(u64::from(concurrency)) + invalid,
                figure(probe.achieved_per_s),
                maybe(fitted),
                probe.service_p50_us.map_or_else(|| "-".into(), ms),
                probe.service_p99_us.map_or_else(|| "-".into(), ms),
                probe.busiest_primary().map_or_else(|| "-".into(), rough),
            ])
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::figures(
        "Closed loop: claims in flight (service times in ms)",
        vec!["in flight", "claims/s", "fitted", "p50", "p99", "busiest primary"],
        rows,
    )];
    blocks.extend(of_the_generator(capacity).map(Block::Line));
    blocks.extend(failed(capacity).map(Block::Line));
    blocks.extend(of_a_smaller_load(capacity).map(Block::Line));
    blocks.extend(beside_others(capacity).map(Block::Line));
    blocks.extend(law(capacity).map(Block::Line));
    blocks
}

/// The loads whose claims per second the generator decided.
fn of_the_generator(capacity: &Capacity) -> Option<String> {
    closed_loads(capacity, Probe::is_of_the_generator).map(|loads| {
        format!(
            "With {loads} in flight the generator had no time to spare: those claims per second are its own, and the law goes without \
             them. Use several generators (--generators)."
        )
    })
}

/// The loads at which too many claims came to nothing.
fn failed(capacity: &Capacity) -> Option<String> {
    let errors = |reason: &Reason| matches!(reason, Reason::Errors { .. });
    let concerned = |probe: &Probe| probe.verdict == ProbeVerdict::Failed && probe.reasons.iter().any(errors);
    closed_loads(capacity, concerned).map(|loads| {
        format!(
            "With {loads} in flight claims came to nothing: those claims per second are of the ones that succeeded, and the law goes \
             without them."
        )
    })
}

/// The loads that were smaller for a part of the window, for all or one of several generators made no claims then.
fn of_a_smaller_load(capacity: &Capacity) -> Option<String> {
    closed_loads(capacity, Probe::is_of_a_smaller_load).map(|loads| {
        format!(
            "With {loads} in flight nothing was claimed for a part of the window, by all or by one of several generators, or one was done \
             before the others: those claims per second are of fewer in flight, and the law goes without them. Give each generator as \
             many, on machines that are alike (capacity.concurrency in multiples of the generators), or measure for longer \
             (capacity.curve_claims)."
        )
    })
}

/// The loads that other programs had a part in: the law is through them as well.
fn beside_others(capacity: &Capacity) -> Option<String> {
    let concerned = |probe: &Probe| probe.beside_others && probe.is_of_the_cluster();
    let law = if capacity.usl.is_some() { ", and the law goes through them" } else { "" };
    closed_loads(capacity, concerned).map(|loads| {
        format!(
            "With {loads} in flight other programs ran beside the probe: those claims per second may be fewer than the cluster's{law}. \
             Search again on a quiet machine."
        )
    })
}

/// Claims in flight of the closed loads of which that holds.
fn closed_loads(capacity: &Capacity, holds: impl Fn(&Probe) -> bool) -> Option<String> {
    let loads: Vec<String> = capacity
        .probes
        .iter()
        .filter(|probe| holds(probe))
        .filter_map(|probe| match probe.offer {
            ProbeLoad::Closed { concurrency } => Some(count(u64::from(concurrency))),
            ProbeLoad::Open { .. } => None,
        })
        .collect();
    (!loads.is_empty()).then(|| loads.join(", "))
}

/// The Universal Scalability Law through the probes, or why there is none.
fn law(capacity: &Capacity) -> Option<String> {
    let Some(usl) = &capacity.usl else {
        return capacity.no_usl.as_ref().map(|reason| format!("No Universal Scalability Law: {reason}."));
    };
    let peak = match usl.peak {
        Some(peak) => format!(
            "the most at {} in flight, {} claims per second",
            figure(peak),
            figure(usl.throughput_per_s(peak))
        ),
        None => "no peak: it levels off".into(),
    };
    let poor = usl.misfit().map_or_else(String::new, |off| {
        format!(" The points do not have this shape: one is off by {}.", rough(off))
    });
    Some(format!(
        "Universal Scalability Law: {} claims per second alone, contention {:.4}, coherency {:.6}; {peak}.{poor}",
        figure(usl.alone_per_s),
        usl.contention,
        usl.coherency
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::capacity::CapacityPlan;
    use crate::judge::capacity::simulated::{Simulated, plain, policy};
    use crate::record::InvalidReason;

    /// Lines below the table of closed loops with 2, 4 and so on in flight, which failed for these reasons.
    fn lines(failed: Vec<Reason>) -> Vec<String> {
        let first = Simulated::serving(2_000.0).run(ProbeLoad::Open { rate_per_s: 500.0 }, 1);
        let scenario = first.record.scenario.clone();
        let plan = CapacityPlan { scenario, seed: 1, policy: policy(), stopped: None };
        let loads = (1..).map(|n| ProbeLoad::Closed { concurrency: 2 * n });
        let probe = |(reason, offer): (Reason, ProbeLoad)| Probe {
            reasons: vec![reason],
            ..plain(offer, ProbeVerdict::Failed)
        };
        let probes = failed.into_iter().zip(loads).map(probe).collect();
        let line = |block: Block| if let Block::Line(text) = block { Some(text) } else { None };
        blocks(&Capacity::conclude(plan, probes, Some(&first))).into_iter().filter_map(line).collect()
    }

    #[test]
    fn a_load_that_was_measured_again_stands_beside_the_one_that_counts() {
        let first = Simulated::serving(2_000.0).run(ProbeLoad::Open { rate_per_s: 500.0 }, 1);
        let scenario = first.record.scenario.clone();
        let plan = CapacityPlan { scenario, seed: 1, policy: policy(), stopped: None };
        let probe = |verdict| plain(ProbeLoad::Closed { concurrency: 16 }, verdict);
        let probes = vec![probe(ProbeVerdict::Invalid), probe(ProbeVerdict::Passed)];
        let all = blocks(&Capacity::conclude(plan, probes, Some(&first)));
        let Some(Block::Table { rows, .. }) = all.first() else { panic!("no table") };
        assert_eq!([&rows[0][0], &rows[1][0]], ["16 (invalid)", "16"]);
    }

    #[test]
    fn loads_that_are_left_out_are_named_each_with_its_reason() {
        let early = InvalidReason::DoneEarly { part: 2, share: 0.3, limit: 0.2 };
        let failed = vec![Reason::Errors { errors: 9, claims: 100 }, Reason::Invalid { why: early }];
        let said = lines(failed);
        assert!(said[0].starts_with("With 2 in flight claims came to nothing"), "{said:?}");
        let missing = "With 4 in flight nothing was claimed for a part of the window, by all or by one of several generators";
        assert!(said[1].starts_with(missing) && said[1].contains("the law goes without them"), "{said:?}");
    }
}
