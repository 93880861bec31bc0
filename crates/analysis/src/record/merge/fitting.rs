//! Whether records are the parts of one run, and have done the same.

use std::fmt::Debug;

use super::error::{MergeError, Tie};
use crate::record::{PartNote, RunRecord};
use crate::scenario::Mode;

/// The parts by their numbers: each of them once, and all of one run.
pub(super) fn ordered(mut parts: Vec<RunRecord>) -> Result<Vec<RunRecord>, MergeError> {
    if let Some(position) = parts.iter().position(|part| part.part.is_none()) {
        return Err(MergeError::NotAPart { position: position + 1 });
    }
    parts.sort_by_key(|part| note(part).number);
    let Some(first) = parts.first().map(note) else { return Err(MergeError::NoParts) };
    let (of, rendezvous) = (first.of, first.rendezvous.clone());
    for part in &parts {
        let PartNote { number, .. } = *note(part);
        let differs = |tie, own: &dyn ToString, other: &dyn ToString| {
            let (own, other) = (own.to_string(), other.to_string());
            MergeError::OtherRun { part: number, first: first.number, tie, own, other }
        };
        if note(part).rendezvous != rendezvous {
            return Err(differs(Tie::Rendezvous, &note(part).rendezvous, &rendezvous));
        }
        if note(part).of != of {
            return Err(differs(Tie::Parts, &note(part).of, &of));
        }
        if !(1..=of).contains(&number) {
            return Err(MergeError::NoSuchPart { part: number, of });
        }
    }
    for (part, number) in parts.iter().map(|part| note(part).number).zip(1u32..) {
        match part.cmp(&number) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => return Err(MergeError::Twice { part }),
            std::cmp::Ordering::Greater => return Err(MergeError::Missing { part: number, of }),
        }
    }
    if (parts.len() as u32) < of {
        return Err(MergeError::Missing { part: parts.len() as u32 + 1, of });
    }
    Ok(parts)
}

/// What a part says of itself; [`ordered`] has seen that each does.
pub(super) fn note(part: &RunRecord) -> &PartNote {
    part.part.as_ref().unwrap_or_else(|| unreachable!("every record given is a part"))
}

/// Refuses parts of different runs.
pub(super) fn one_run(parts: &[RunRecord]) -> Result<(), MergeError> {
    let tool = |part: &RunRecord| {
        let build = if part.tool.debug_build { ", without optimisation" } else { "" };
        format!("{} ({}{build})", part.tool.version, part.tool.commit)
    };
    tied(parts, Tie::Tool, tool)?;
    tied(parts, Tie::Seed, |part| part.seed.to_string())?;
    if let Some(n) = parts.iter().position(|part| part.scenario != parts[0].scenario) {
        let [own, other] =
            [&parts[n], &parts[0]].map(|part| format!("{}, with its options", part.scenario.name));
        return Err(MergeError::OtherRun { part: n as u32 + 1, first: 1, tie: Tie::Scenario, own, other });
    }
    tied(parts, Tie::Plan, |part| part.plan_sha256.clone())?;
    tied(parts, Tie::Library, |part| part.environment.library.sha256.clone())
}

fn tied(parts: &[RunRecord], tie: Tie, of: impl Fn(&RunRecord) -> String) -> Result<(), MergeError> {
    let other = of(&parts[0]);
    let differing = parts.iter().map(of).enumerate().find(|(_, own)| *own != other);
    match differing {
        None => Ok(()),
        Some((n, own)) => Err(MergeError::OtherRun { part: n as u32 + 1, first: 1, tie, own, other }),
    }
}

/// Refuses parts that have not done the same. What a run that was stopped had not come to yet may differ.
pub(super) fn same_shape(parts: &[RunRecord]) -> Result<(), MergeError> {
    if let Some(n) = parts.iter().position(|part| part.injected.is_some()) {
        return Err(MergeError::Faults { part: n as u32 + 1 });
    }
    let arm = |n: usize| parts[n].arms.iter().map(|arm| (&arm.name, arm.path, &arm.library, &arm.sdk));
    equal(parts, Tie::Variants, |n| arm(n).collect::<Vec<_>>())?;
    equal(parts, Tie::Schedule, |n| parts[n].offered.is_some())?;
    same(parts, Tie::Storm, |n| usize::from(parts[n].storm.is_some()))?;
    equal(parts, Tie::Network, |n| parts[n].added_rtt.as_ref().map(|added| added.asked_us))?;
    equal(parts, Tie::Clusters, |n| {
        parts[n].clusters.iter().map(|cluster| &cluster.arms).collect::<Vec<_>>()
    })?;
    let primaries = |n: usize| {
        let of = |primary: &crate::record::PrimaryRecord| (primary.cluster, primary.addr.clone());
        let mut all: Vec<_> = parts[n].primaries.iter().map(of).collect();
        all.sort();
        all
    };
    equal(parts, Tie::Primaries, primaries)?;
    same(parts, Tie::Windows, |n| note(&parts[n]).began_us.len())?;
    let strata = |n: usize| {
        let sides = |stratum: &crate::record::Stratum| {
            let arms: Vec<u32> = stratum.sides.iter().map(|side| side.arm).collect();
            (stratum.control, stratum.apart, arms)
        };
        parts[n].strata.iter().map(sides).collect::<Vec<_>>()
    };
    if go_round(parts) {
        // Each has as many as it came to.
        common_begin(parts, Tie::Strata, strata)?;
    } else {
        begin_alike(parts, Tie::Strata, strata)?;
    }
    let blocks = |n: usize| parts[n].blocks.iter().map(|block| (block.group, block.arm)).collect::<Vec<_>>();
    begin_alike(parts, Tie::Blocks, blocks)
}

/// Whether executions went round in the run, or were a storm: no claim was planned before.
pub(super) fn go_round(parts: &[RunRecord]) -> bool {
    parts[0].scenario.load.mode != Mode::Staged
}

/// Refuses parts that differ in a number, unless some were stopped before the others.
pub(super) fn same(parts: &[RunRecord], tie: Tie, of: impl Fn(usize) -> usize) -> Result<(), MergeError> {
    if parts.iter().any(|part| part.partial) { Ok(()) } else { equal(parts, tie, of) }
}

fn equal<T: PartialEq + Debug>(
    parts: &[RunRecord],
    tie: Tie,
    of: impl Fn(usize) -> T,
) -> Result<(), MergeError> {
    let first = of(0);
    match (1..parts.len()).map(|n| (n, of(n))).find(|(_, own)| *own != first) {
        None => Ok(()),
        Some((n, own)) => Err(differs(n, tie, &own, &first)),
    }
}

/// Refuses lists that differ; where a run was stopped, in what both have.
fn begin_alike<T: PartialEq + Debug>(
    parts: &[RunRecord],
    tie: Tie,
    of: impl Fn(usize) -> Vec<T>,
) -> Result<(), MergeError> {
    same(parts, tie, |n| of(n).len())?;
    common_begin(parts, tie, of)
}

/// Refuses lists that differ within their shared prefix.
fn common_begin<T: PartialEq + Debug>(
    parts: &[RunRecord],
    tie: Tie,
    of: impl Fn(usize) -> Vec<T>,
) -> Result<(), MergeError> {
    // The first of the longest: what only some parts have must fit among these as well.
    let Some(longest) = (0..parts.len()).rev().max_by_key(|n| of(*n).len()) else { return Ok(()) };
    let all = of(longest);
    for n in 0..parts.len() {
        if let Some((own, other)) = of(n).iter().zip(&all).find(|(own, other)| own != other) {
            return Err(differs(n, tie, own, other));
        }
    }
    Ok(())
}

fn differs(n: usize, tie: Tie, own: &impl Debug, other: &impl Debug) -> MergeError {
    let (own, other) = (format!("{own:?}"), format!("{other:?}"));
    MergeError::OtherShape { part: n as u32 + 1, tie, own, other }
}
