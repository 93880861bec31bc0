//! Where the time inside the functions goes: from what instrumented libraries counted to parts that add up.
//!
//! ```text
//! counter blocks of an instrumented arm ─► each command called, Lua's own part, the timers ─┐
//!        the server's time for FCALL ─────────────────────────────────────────────────────┼► do they add up?
//! counter blocks of its plain arm ─► the server's time for FCALL ─► what instrumentation added ┘
//! ```

use std::collections::BTreeMap;

use crate::record::{CounterBlock, Inside, RunRecord};
use crate::scenario::plain_of;
use crate::stats::{CONFIDENCE, harrell_davis_interval, mean_in_order, median};

use super::arm_counts::{arm_blocks, calls_per_claim, sent_per_claim};
use super::profile_change::changes;
use super::profile_parts::{
    SAME_COUNT, command_calls, inside_blocks, part_series, part_us, parts_of, timers_us,
};
use super::profile_result::{
    AddingUp, Profile, ProfileFinding, ProfilePart, ProfiledArm, ProfiledFunction, ProfiledPart,
};

/// What the instrumented arms of a record show; `None` without one.
pub(super) fn profile(record: &RunRecord) -> Option<Profile> {
    let variants = &record.scenario.variants;
    let pairs: Vec<_> =
        (0..record.arms.len()).filter_map(|arm| Some((arm, plain_of(variants, arm)?))).collect();
    if pairs.is_empty() {
        return None;
    }
    let mut findings = Vec::new();
    let arms = pairs.iter().filter_map(|&(arm, plain)| {
        let sides = InstrumentedPair::from_record(record, arm, plain);
        if sides.is_none() {
            findings.push(ProfileFinding::NothingMeasured { arm: record.arms[arm].name.clone() });
        }
        let sides = sides?;
        let profiled = sides.profiled();
        findings.extend(sides.findings(&profiled));
        Some(profiled)
    });
    let arms: Vec<_> = arms.collect();
    Some(Profile { changes: changes(record, &pairs, &arms), arms, findings })
}

/// Blocks of an instrumented arm and of its plain one.
struct InstrumentedPair<'a> {
    record: &'a RunRecord,
    arm: usize,
    plain: usize,
    blocks: Vec<(&'a CounterBlock, &'a Inside)>,
    all: Inside,
}

impl<'a> InstrumentedPair<'a> {
    fn from_record(record: &'a RunRecord, arm: usize, plain: usize) -> Option<Self> {
        let blocks = inside_blocks(record, arm);
        let all = Inside::sum(blocks.iter().map(|(_, inside)| *inside));
        (!all.functions.is_empty()).then_some(Self { record, arm, plain, blocks, all })
    }

    fn profiled(&self) -> ProfiledArm {
        let timers = &self.all.timers;
        let name = |arm: usize| self.record.arms[arm].name.clone();
        let functions: Vec<_> = self.all.functions.keys().map(|function| self.function(function)).collect();
        let [server, plain] = [self.arm, self.plain].map(|arm| server_times(self.record, arm));
        let of_block = |inside: &Inside, with: bool| {
            let us = inside.functions.values().map(|sums| {
                let own = if with { 0.0 } else { timers_us(sums, timers) * sums.entered as f64 };
                sums.us as f64 - own
            });
            let calls: u64 = inside.functions.values().map(|sums| sums.entered).sum();
            us.sum::<f64>() / calls.max(1) as f64
        };
        let around_us = self.all.entering.each_us();
        let parts = |with: bool| -> BTreeMap<u32, f64> {
            let of = |(block, inside): &(&CounterBlock, &Inside)| {
                (block.group, of_block(inside, with) + around_us)
            };
            self.blocks.iter().map(of).collect()
        };
        let differences: Vec<f64> =
            of_one_group(&server, &plain).map(|(with, without)| with - without).collect();
        ProfiledArm {
            arm: name(self.arm),
            plain: name(self.plain),
            functions,
            timer_us: timers.each_us(),
            around_us,
            without_timers: adding_up(&parts(false), &plain),
            instrumented: adding_up(&parts(true), &server),
            added_us: harrell_davis_interval(&differences, 0.5, CONFIDENCE).ok(),
        }
        .with_unexplained()
    }

    fn function(&self, function: &str) -> ProfiledFunction {
        let (sums, timers) = (&self.all.functions[function], &self.all.timers);
        let calls = sums.entered as f64;
        let us = sums.us as f64 / calls - timers_us(sums, timers);
        let series = |part: &ProfilePart| -> Vec<f64> {
            part_series(&self.blocks, function, part, timers).into_iter().map(|(_, us)| us).collect()
        };
        let mut parts: Vec<ProfiledPart> = parts_of(sums)
            .into_iter()
            .map(|part| {
                let of = part_us(sums, &part, timers) / calls;
                let each = command_calls(sums, &part).map(|n| n as f64 / calls);
                ProfiledPart {
                    calls: each,
                    each_us: each.map(|calls| of / calls),
                    us: of,
                    interval: mean_in_order(&series(&part), CONFIDENCE).ok(),
                    share: of / us,
                    part,
                }
            })
            .collect();
        parts.sort_by(|a, b| {
            (a.part == ProfilePart::Lua).cmp(&(b.part == ProfilePart::Lua)).then(b.us.total_cmp(&a.us))
        });
        ProfiledFunction {
            function: function.to_owned(),
            calls: sums.entered,
            us,
            parts,
            timers_us: timers_us(sums, timers),
            // Known once the whole is held against the plain library.
            unexplained_us: None,
        }
    }

    fn findings(&self, profiled: &ProfiledArm) -> Vec<ProfileFinding> {
        let arm = || profiled.arm.clone();
        let mut findings = Vec::new();
        let (with, without) = (profiled.instrumented, profiled.without_timers);
        if !with.holds() {
            findings.push(ProfileFinding::DoesNotAddUp { arm: arm(), sum: with });
        }
        if !without.holds() {
            findings.push(ProfileFinding::TimersExplainTooLittle { arm: arm(), sum: without });
        }
        for (function, sums) in &self.all.functions {
            let raised = sums.entered - sums.left.min(sums.entered);
            if raised > 0 {
                findings.push(ProfileFinding::Raised { arm: arm(), function: function.clone(), raised });
            }
        }
        let (inside, server) = (self.counted_inside(), self.counted_by_server());
        let mut commands: Vec<_> = inside.keys().chain(server.keys()).collect();
        commands.sort();
        commands.dedup();
        findings.extend(commands.into_iter().filter_map(|command| {
            let [inside, server] =
                [&inside, &server].map(|counts| counts.get(command).copied().unwrap_or(0.0));
            let apart = (inside - server).abs() > SAME_COUNT;
            apart.then(|| ProfileFinding::CountsDisagree {
                arm: arm(),
                command: command.clone(),
                inside,
                server,
            })
        }));
        findings
    }

    /// Calls of each command per claim, as the library has them.
    fn counted_inside(&self) -> BTreeMap<String, f64> {
        let claims: u64 = self.blocks.iter().map(|(block, _)| block.reached()).sum();
        let mut counts = BTreeMap::new();
        for (command, sums) in self.all.functions.values().flat_map(|sums| &sums.commands) {
            *counts.entry(command.to_ascii_lowercase()).or_insert(0.0) += sums.calls as f64 / claims as f64;
        }
        counts
    }

    /// The same as the server has them: what it counted and nobody sent.
    fn counted_by_server(&self) -> BTreeMap<String, f64> {
        let sent = sent_per_claim(self.record, self.arm);
        let mut counts = BTreeMap::new();
        for (command, calls) in calls_per_claim(self.record, self.arm) {
            let inside = calls - sent.get(&command).copied().unwrap_or(0.0);
            let name = command.split('|').next().unwrap_or(&command).to_owned();
            *counts.entry(name).or_insert(0.0) += inside;
        }
        counts.retain(|_, calls: &mut f64| calls.abs() > SAME_COUNT);
        counts
    }
}

/// The server's microseconds per `FCALL` of an arm, by the group of the block.
fn server_times(record: &RunRecord, arm: usize) -> BTreeMap<u32, f64> {
    let of = |block: &CounterBlock| {
        let calls = block.counters.calls.get("fcall").copied().filter(|calls| *calls > 0)?;
        Some((block.group, block.counters.fcall_us as f64 / calls as f64))
    };
    arm_blocks(record, arm).filter_map(of).collect()
}

/// What two say of the same groups. A block of either may lack what the other has.
fn of_one_group<'a>(
    one: &'a BTreeMap<u32, f64>,
    other: &'a BTreeMap<u32, f64>,
) -> impl Iterator<Item = (f64, f64)> + 'a {
    one.iter().filter_map(|(group, value)| Some((*value, *other.get(group)?)))
}

/// Medians: a block in which the server waited for a core shows in its clock and not in that of the parts.
fn adding_up(parts: &BTreeMap<u32, f64>, server: &BTreeMap<u32, f64>) -> AddingUp {
    let short: Vec<f64> = of_one_group(parts, server).map(|(parts, server)| 1.0 - parts / server).collect();
    let middle = |of: &BTreeMap<u32, f64>| median(&of.values().copied().collect::<Vec<_>>()).unwrap_or(0.0);
    AddingUp {
        parts_us: middle(parts),
        server_us: middle(server),
        // Without the server's time nothing adds up.
        short: median(&short).filter(|short| short.is_finite()).unwrap_or(1.0),
    }
}
