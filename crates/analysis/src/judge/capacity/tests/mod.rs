//! The search against clusters whose capacity is known.

mod boundary;
mod limits;
mod probes;
mod steps;

use super::simulated::{Simulated, plain};
use super::{
    Capacity, CapacityPlan, CapacityPolicy, NextStep, Probe, ProbeLoad, ProbePurpose, ProbeVerdict, search,
};

/// No search of these tests takes more.
const PATIENCE: usize = 120;

/// Answers the search's questions until it is done.
fn searched(
    policy: &CapacityPolicy,
    mut answer: impl FnMut(ProbeLoad, ProbePurpose, usize) -> Probe,
) -> Vec<Probe> {
    let mut probes = Vec::new();
    while let NextStep::Probe { offer, purpose } = search(&probes, policy).next {
        assert!(probes.len() < PATIENCE, "the search does not end");
        let probe = answer(offer, purpose, probes.len());
        assert_eq!(probe.offer, offer);
        probes.push(probe);
    }
    probes
}

/// A cluster that passes up to a rate.
fn sharp(capacity: f64) -> impl FnMut(ProbeLoad, ProbePurpose, usize) -> Probe {
    move |offer, _, _| plain(offer, verdict(offer, capacity))
}

fn verdict(offer: ProbeLoad, capacity: f64) -> ProbeVerdict {
    match offer {
        ProbeLoad::Open { rate_per_s } if rate_per_s > capacity => ProbeVerdict::Failed,
        _ => ProbeVerdict::Passed,
    }
}

fn plan(policy: CapacityPolicy) -> CapacityPlan {
    let run = Simulated::serving(1_000.0).run(ProbeLoad::Open { rate_per_s: 100.0 }, 1);
    CapacityPlan { scenario: run.record.scenario, seed: 1, policy, stopped: None }
}

fn concluded(policy: CapacityPolicy, probes: Vec<Probe>) -> Capacity {
    let first = Simulated::serving(1_000.0).run(ProbeLoad::Open { rate_per_s: 100.0 }, 1);
    Capacity::conclude(plan(policy), probes, Some(&first))
}
