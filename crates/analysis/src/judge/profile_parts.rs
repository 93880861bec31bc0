//! The parts of a function, from the sums that its library kept: the timers' share is taken out of each.

use crate::record::{CounterBlock, FunctionSums, Inside, RunRecord, TimerSums};

use super::arm_counts::arm_blocks;
use super::profile_result::ProfilePart;

/// Fewer calls than this, of a command per call of the function, are rounding.
pub(super) const SAME_COUNT: f64 = 1e-9;

/// Blocks of an arm whose library was read out.
pub(super) fn inside_blocks(record: &RunRecord, arm: usize) -> Vec<(&CounterBlock, &Inside)> {
    arm_blocks(record, arm).filter_map(|block| Some((block, block.inside.as_ref()?))).collect()
}

/// Every part that a function has.
pub(super) fn parts_of(sums: &FunctionSums) -> Vec<ProfilePart> {
    let commands = sums.commands.keys().map(|command| ProfilePart::Command { command: command.clone() });
    commands.chain([ProfilePart::Lua]).collect()
}

/// Calls of a command; `None` for Lua's own part.
pub(super) fn command_calls(sums: &FunctionSums, part: &ProfilePart) -> Option<u64> {
    match part {
        ProfilePart::Command { command } => Some(sums.commands.get(command).map_or(0, |sums| sums.calls)),
        ProfilePart::Lua => None,
    }
}

/// Microseconds of all calls of a function that a part took, the timers' share taken out.
pub(super) fn part_us(sums: &FunctionSums, part: &ProfilePart, timers: &TimerSums) -> f64 {
    match part {
        ProfilePart::Command { command } => sums
            .commands
            .get(command)
            .map_or(0.0, |sums| (sums.us as f64 - sums.calls as f64 * timers.shown_each_us()).max(0.0)),
        ProfilePart::Lua => {
            let commands: u64 = sums.commands.values().map(|sums| sums.us).sum();
            // The commands' timers as far as they do not show in the commands, and the function's own.
            let beside = sums.command_calls() as f64 * (timers.each_us() - timers.shown_each_us());
            let own = sums.entered as f64 * timers.shown_each_us();
            sums.us as f64 - commands as f64 - beside - own
        }
    }
}

/// Microseconds per call of the function, by the group of the block.
pub(super) fn part_series(
    blocks: &[(&CounterBlock, &Inside)],
    function: &str,
    part: &ProfilePart,
    timers: &TimerSums,
) -> Vec<(u32, f64)> {
    let of = |(block, inside): &(&CounterBlock, &Inside)| {
        let sums = inside.functions.get(function)?;
        Some((block.group, part_us(sums, part, timers) / sums.entered.max(1) as f64))
    };
    blocks.iter().filter_map(of).collect()
}

/// What the timers of one call of a function take, of those that it shows in its own time.
pub(super) fn timers_us(sums: &FunctionSums, timers: &TimerSums) -> f64 {
    sums.command_calls() as f64 / sums.entered.max(1) as f64 * timers.each_us() + timers.shown_each_us()
}
