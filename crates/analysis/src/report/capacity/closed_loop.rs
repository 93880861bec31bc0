//! The closed loop of a capacity search: what each number of claims in flight brought.

use super::words::ms;
use crate::judge::capacity::{Capacity, Probe, ProbeLoad, ProbeVerdict};
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
            Some(vec![
                count(u64::from(concurrency)),
                figure(probe.achieved_per_s),
                maybe(fitted),
                probe.service_p50_us.map_or_else(|| "-".into(), ms),
                probe.service_p99_us.map_or_else(|| "-".into(), ms),
                probe.busiest().map_or_else(|| "-".into(), |primary| rough(primary.busy)),
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
    closed_loads(capacity, |probe| probe.verdict == ProbeVerdict::Failed).map(|loads| {
        format!(
            "With {loads} in flight claims came to nothing: those claims per second are of the ones that succeeded, and the law goes \
             without them."
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
