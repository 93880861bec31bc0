//! A record of a profile whose parts are known.

use std::collections::BTreeMap;

use super::fixtures::{GRANT_LANE, SimulatedArm, record};
use crate::record::{CommandSums, CounterBlock, FunctionSums, Inside, RunRecord, TimerSums};

/// The function that the fixture's claims call.
pub const FUNCTION: &str = "ff_claim_resumed_execution";

/// Microseconds of one timer, and as much of it as shows.
pub const TIMER_US: f64 = 1.0;
const SHOWN_US: f64 = 0.5;
const TIMED_CALLS: u64 = 1_000;

/// What the server takes around the function itself, in microseconds.
const AROUND_US: f64 = 2.0;

/// Commands of a claim with calls and microseconds each, and Lua's own microseconds.
#[derive(Clone, Debug)]
pub struct Truth {
    /// By upper-case name.
    pub commands: BTreeMap<&'static str, (u64, f64)>,
    /// Per claim.
    pub lua_us: f64,
}

impl Default for Truth {
    /// 20 µs of calls and 30 µs of Lua.
    fn default() -> Self {
        Self { commands: BTreeMap::from([("HSET", (3, 4.0)), ("ZREM", (1, 8.0))]), lua_us: 30.0 }
    }
}

impl Truth {
    fn calls(&self) -> u64 {
        self.commands.values().map(|(calls, _)| calls).sum()
    }

    /// The function's microseconds without timers.
    pub fn us(&self) -> f64 {
        self.lua_us + self.commands.values().map(|(calls, us)| *calls as f64 * us).sum::<f64>()
    }

    /// What instrumentation adds to a claim.
    pub fn added_us(&self) -> f64 {
        (self.calls() + 1) as f64 * TIMER_US
    }

    /// What an instrumented library would have counted over `claims`, a little more or less in each block.
    fn inside(&self, claims: u64, sway: f64) -> Inside {
        let sum = |us: f64| (us * claims as f64 * sway).round() as u64;
        let commands = self.commands.iter().map(|(command, (calls, us))| {
            let us = sum(*calls as f64 * (us + SHOWN_US));
            ((*command).to_owned(), CommandSums { calls: calls * claims, us })
        });
        let shown = self.us() + self.calls() as f64 * TIMER_US + SHOWN_US;
        let function =
            FunctionSums { entered: claims, left: claims, us: sum(shown), commands: commands.collect() };
        let timers = TimerSums {
            calls: TIMED_CALLS,
            bare_us: 20,
            timed_us: 20 + (TIMER_US * TIMED_CALLS as f64) as u64,
            shown_us: 20 + (SHOWN_US * TIMED_CALLS as f64) as u64,
        };
        let entering = CommandSums { calls: 100, us: (100.0 * AROUND_US) as u64 };
        Inside { functions: BTreeMap::from([(FUNCTION.to_owned(), function)]), timers, entering }
    }

    /// One block of claims as it would be.
    fn fill(&self, block: &mut CounterBlock, instrumented: bool) {
        let sway = 1.0 + 0.004 * (f64::from(block.group % 5) - 2.0);
        block.counters.calls.retain(|command, _| !["hset", "zrem"].contains(&command.as_str()));
        for (command, (calls, _)) in &self.commands {
            *block.counters.calls.entry(command.to_ascii_lowercase()).or_default() += calls * block.claims;
        }
        let added = if instrumented { self.added_us() } else { 0.0 };
        block.counters.fcall_us = ((self.us() + AROUND_US + added) * sway * block.claims as f64) as u64;
        block.inside = instrumented.then(|| self.inside(block.claims, sway));
    }
}

/// A record in which each of these libraries was profiled: arms `plain` and `inside`, and with a second one
/// `candidate` and `candidate-inside`.
pub fn profiled(truths: &[Truth]) -> RunRecord {
    let arm = |name: &'static str, slower: f64| SimulatedArm { name, slower, ..GRANT_LANE };
    let arms = [arm("plain", 1.0), arm("inside", 1.05), arm("candidate", 1.0), arm("candidate-inside", 1.05)];
    let mut record = record(&arms[..2 * truths.len()], 1);
    for (n, variant) in record.scenario.variants.iter_mut().enumerate() {
        variant.instrumented = n % 2 == 1;
        variant.library = Some(["published", "./candidate.lua"][n / 2].to_owned());
    }
    for block in &mut record.blocks {
        let arm = block.arm as usize;
        truths[arm / 2].fill(block, arm % 2 == 1);
    }
    record
}
