//! The profile of one library beside that of another: which part of a function became dearer.

use std::collections::BTreeMap;

use crate::record::{CounterBlock, FunctionSums, Inside, RunRecord};
use crate::stats::{Estimate, mean_in_order};

use super::profile_parts::{SAME_COUNT, command_calls, inside_blocks, part_series, parts_of};
use super::profile_result::{PartChange, ProfileChange, ProfilePart, ProfiledArm};

/// Chance that any part of a function is marked without reason.
const ERROR: f64 = 0.05;

/// Every part of every function that two libraries have in common. The first instrumented arm with a path is
/// the base of the others with that path.
pub(super) fn changes(
    record: &RunRecord,
    pairs: &[(usize, usize)],
    profiled: &[ProfiledArm],
) -> Vec<ProfileChange> {
    let path = |arm: usize| record.arms[arm].path;
    let mut changes = Vec::new();
    for (n, &(candidate, _)) in pairs.iter().enumerate() {
        let Some(&(base, _)) = pairs[..n].iter().find(|(base, _)| path(*base) == path(candidate)) else {
            continue;
        };
        let sides = [base, candidate].map(|arm| Side::from_record(record, arm, profiled));
        let functions =
            sides[0].all.functions.keys().filter(|name| sides[1].all.functions.contains_key(*name));
        for function in functions {
            changes.extend(of_function(record, [base, candidate], &sides, function));
        }
    }
    changes
}

/// One arm's blocks, in the order of their groups.
struct Side<'a> {
    blocks: Vec<(&'a CounterBlock, &'a Inside)>,
    all: Inside,
    unexplained_per_timer_us: f64,
}

impl<'a> Side<'a> {
    fn from_record(record: &'a RunRecord, arm: usize, profiled: &[ProfiledArm]) -> Self {
        let mut blocks = inside_blocks(record, arm);
        blocks.sort_by_key(|(block, _)| block.group);
        let all = Inside::sum(blocks.iter().map(|(_, inside)| *inside));
        let own = profiled.iter().find(|one| one.arm == record.arms[arm].name);
        let unexplained_per_timer_us = own.map_or(0.0, ProfiledArm::unexplained_per_timer_us);
        Self { blocks, all, unexplained_per_timer_us }
    }

    fn series(&self, function: &str, part: &ProfilePart) -> BTreeMap<u32, f64> {
        part_series(&self.blocks, function, part, &self.all.timers).into_iter().collect()
    }
}

fn of_function(
    record: &RunRecord,
    arms: [usize; 2],
    sides: &[Side<'_>; 2],
    function: &str,
) -> Vec<ProfileChange> {
    let sums: [&FunctionSums; 2] = [0, 1].map(|n| &sides[n].all.functions[function]);
    let mut parts = parts_of(sums[0]);
    parts.extend(parts_of(sums[1]).into_iter().filter(|part| !parts_of(sums[0]).contains(part)));
    let threshold = record.scenario.noise_threshold();
    let confidence = 1.0 - ERROR / parts.len() as f64;
    let mean = |series: &BTreeMap<u32, f64>| series.values().sum::<f64>() / series.len().max(1) as f64;
    let all: Vec<_> = parts.iter().map(|part| [0, 1].map(|n| sides[n].series(function, part))).collect();
    let whole_us: f64 = all.iter().map(|[base, _]| mean(base)).sum();
    let unexplained_us = unexplained(sides, sums);
    parts
        .into_iter()
        .zip(all)
        .map(|(part, [base, candidate])| {
            let differences: Vec<f64> =
                base.iter().filter_map(|(group, base)| Some(candidate.get(group)? - base)).collect();
            let of_blocks = mean_in_order(&differences, confidence).ok();
            let beyond_blocks_us = if part == ProfilePart::Lua { unexplained_us } else { 0.0 };
            let difference = of_blocks.map(|difference| difference.wider_by(beyond_blocks_us));
            let [base_calls, candidate_calls] =
                sums.map(|sums| command_calls(sums, &part).map(|calls| calls as f64 / sums.entered as f64));
            ProfileChange {
                function: function.to_owned(),
                base: record.arms[arms[0]].name.clone(),
                candidate: record.arms[arms[1]].name.clone(),
                change: change([base_calls, candidate_calls], difference, threshold * whole_us),
                part,
                base_calls,
                candidate_calls,
                base_us: mean(&base),
                candidate_us: mean(&candidate),
                difference,
            }
        })
        .collect()
}

/// What the timers of the calls that one of two libraries makes and the other does not may take beyond what was taken
/// out for them, in microseconds per call. Those that both make say the same of both.
fn unexplained(sides: &[Side<'_>; 2], sums: [&FunctionSums; 2]) -> f64 {
    let [base, candidate] = sums.map(|sums| sums.command_calls() as f64 / sums.entered.max(1) as f64);
    let [one, other] = [0, 1].map(|n| sides[n].unexplained_per_timer_us);
    one.max(other) * (candidate - base).abs()
}

fn change([base, candidate]: [Option<f64>; 2], difference: Option<Estimate>, noise_us: f64) -> PartChange {
    let more = candidate.unwrap_or(0.0) - base.unwrap_or(0.0);
    if more > SAME_COUNT {
        return PartChange::MoreCalls;
    }
    if more < -SAME_COUNT {
        return PartChange::FewerCalls;
    }
    match difference {
        Some(difference) if difference.low > 0.0 && difference.estimate > noise_us => PartChange::Dearer,
        Some(difference) if difference.high < 0.0 && -difference.estimate > noise_us => PartChange::Cheaper,
        _ => PartChange::Same,
    }
}
