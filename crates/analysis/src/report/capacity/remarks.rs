//! What to keep in mind of a capacity search.

use super::words::ms;
use crate::judge::capacity::{Capacity, Drift, Limit, NextStep, ProbePurpose, SearchOutcome, SizingMissing};
use crate::report::document::Block;
use crate::report::format::{count, figure, rough, share, time_us};
use crate::report::words::{UNSEEN_ON_ONE_PRIMARY, few_for_p99};

/// What is to be said where the interval stayed wider than wanted.
fn precision(capacity: &Capacity) -> Option<String> {
    let (policy, boundary) = (&capacity.plan.policy, capacity.boundary.as_ref());
    let made = capacity.purposes.iter().filter(|purpose| **purpose == Some(ProbePurpose::Refine)).count();
    let enough = boundary.is_some_and(|boundary| boundary.is_within(policy.precision));
    if enough || made == 0 || capacity.next != NextStep::Done {
        return None;
    }
    let Some(boundary) = boundary else {
        return Some(format!(
            "{} probes beside the bracket did not show where the level is met either.",
            count(made as u64)
        ));
    };
    Some(format!(
        "the rate is known to {} either way after {} probes made for that, and {} was wanted. To go on: --resume with \
         --set capacity.refinements={}.",
        rough(boundary.half_width()),
        count(made as u64),
        share(policy.precision),
        2 * policy.refinements
    ))
}

/// What a reader should keep in mind.
pub(super) fn block(capacity: &Capacity) -> Option<Block> {
    let mut items = Vec::new();
    if capacity.shares_machine() {
        items.push(
            "generator and servers share a machine: the rate is that of both together, and the closed loop's coherency \
             measures the machine. Use --nodes for a cluster elsewhere."
                .to_owned(),
        );
    }
    let few = capacity.plan.scenario.capacity().too_few_for_p99();
    items.extend(few.map(|few| format!("{}.", few_for_p99(&few))));
    if let Some(drift) = capacity.drift.filter(Drift::is_notable) {
        items.push(format!(
            "at {} claims per second a claim cost the servers {} at one time and {} at another: the machine's speed \
             changed during the search, and at another time the rate is another, by about as much.",
            figure(drift.rate_per_s),
            time_us(drift.least_us),
            time_us(drift.most_us),
        ));
    }
    if let Some(near) = capacity.near_floor() {
        items.push(format!(
            "even the fastest probe's p99 was {} ms, more than {} of the level: stalls of the machine decide where it is \
             missed, more than the claims do. A level of {} ms or more can be told closely.",
            ms(near.floor_us),
            share(near.share),
            ms(near.level_us),
        ));
    }
    items.extend(sizing_remarks(capacity));
    if capacity.tool.as_ref().is_some_and(|tool| tool.debug_build) {
        items.push(super::super::words::warning(&crate::record::Warning::DebugBuild));
    }
    items.extend(precision(capacity));
    if capacity.boundary.is_some_and(|boundary| boundary.at_edge) {
        items.push(
            "an end of the interval is the lowest or highest rate that was tried there: it may lie further out."
                .to_owned(),
        );
    }
    items.extend(left_unsearched(capacity));
    (!items.is_empty()).then(|| Block::List { heading: "Keep in mind".into(), items })
}

/// What the table of primaries leaves out.
fn sizing_remarks(capacity: &Capacity) -> Vec<String> {
    let mut items = Vec::new();
    items.extend(capacity.sizing_missing().and_then(no_sizing));
    if let Some(part) = capacity.sizing_basis.map(|basis| basis.concentrated).filter(|part| *part > 0.0) {
        items.push(format!(
            "one partition has {} of all claims more than its share, by what the busiest primary had or by the population's \
             skew. The table takes that for what more primaries do not divide.",
            rough(part)
        ));
    }
    if let Some(Limit::ServersOnSharedCores { cores, .. } | Limit::ServersOnTheirCores { cores, .. }) =
        &capacity.limit
    {
        items.push(format!(
            "the table of primaries takes a core for each main thread, and asks for CPU alone: here {cores} cores were \
             short before any main thread was."
        ));
    }
    items
}

/// Why there is no table of primaries, where the rest of the report does not show it.
fn no_sizing(missing: SizingMissing) -> Option<String> {
    match missing {
        SizingMissing::RateUnknown | SizingMissing::CpuUnknown => None,
        SizingMissing::SkewOnOnePrimary => {
            Some(format!("there is no table of primaries: {UNSEEN_ON_ONE_PRIMARY}. Search on two or more."))
        }
    }
}

/// Where the search was stopped after the rate was found: what it would have gone on with.
fn left_unsearched(capacity: &Capacity) -> Option<String> {
    let (NextStep::Probe { purpose, .. }, SearchOutcome::Found | SearchOutcome::LowerBound) =
        (capacity.next, capacity.conclusion)
    else {
        return None;
    };
    let missing = match purpose {
        ProbePurpose::Curve => "the closed-loop curve is not complete",
        ProbePurpose::Refine => "its interval would become narrower (go on with --resume)",
        _ => "not every level was walked again",
    };
    Some(format!("the search was stopped after the rate was found: {missing}."))
}
