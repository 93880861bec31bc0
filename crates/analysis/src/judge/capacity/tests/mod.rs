//! The search against clusters whose capacity is known.

mod boundary;
mod probes;
mod steps;

use super::simulated::{Simulated, plain};
use super::{Capacity, CapacityPlan, CapacityPolicy, Offer, Probe, ProbePurpose, ProbeVerdict, Step, search};

/// No search of these tests takes more.
const PATIENCE: usize = 120;

/// Answers the search's questions until it is done.
fn searched(
    policy: &CapacityPolicy,
    mut answer: impl FnMut(Offer, ProbePurpose, usize) -> Probe,
) -> Vec<Probe> {
    let mut probes = Vec::new();
    while let Step::Probe { offer, purpose } = search(&probes, policy).next {
        assert!(probes.len() < PATIENCE, "the search does not end");
        let probe = answer(offer, purpose, probes.len());
        assert_eq!(probe.offer, offer);
        probes.push(probe);
    }
    probes
}

/// A cluster that passes up to a rate.
fn sharp(capacity: f64) -> impl FnMut(Offer, ProbePurpose, usize) -> Probe {
    move |offer, _, _| plain(offer, verdict(offer, capacity))
}

fn verdict(offer: Offer, capacity: f64) -> ProbeVerdict {
    match offer {
        Offer::Open { rate_per_s } if rate_per_s > capacity => ProbeVerdict::Failed,
        _ => ProbeVerdict::Passed,
    }
}

fn plan(policy: CapacityPolicy) -> CapacityPlan {
    let run = Simulated::serving(1_000.0).run(Offer::Open { rate_per_s: 100.0 }, 1);
    CapacityPlan { scenario: run.record.scenario, seed: 1, policy, stopped: None }
}

fn concluded(policy: CapacityPolicy, probes: Vec<Probe>) -> Capacity {
    let first = Simulated::serving(1_000.0).run(Offer::Open { rate_per_s: 100.0 }, 1);
    Capacity::conclude(plan(policy), probes, Some(&first))
}
