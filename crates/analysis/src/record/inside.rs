//! What an instrumented function library counted and timed itself: the sums of one stretch of claims.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sums that instrumented libraries kept, over all primaries. Their clock is `os.clock`: CPU time of the
/// server's process, in whole microseconds, so that single calls are coarse and sums are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inside {
    /// By function, under the names that FlowFabric gives.
    pub functions: BTreeMap<String, FunctionSums>,
    /// What the timers themselves take, measured when the sums were read.
    pub timers: TimerSums,
    /// Calls of a function that does nothing, with keys, arguments and a reply like those of a claim: what
    /// the server takes for handing them over, by its own clock. Measured when the sums were read.
    #[serde(default)]
    pub entering: CommandSums,
}

/// One function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionSums {
    /// Times that it was called.
    pub entered: u64,
    /// Times that it returned; the others raised an error, and their time is missing.
    pub left: u64,
    /// From entering to leaving, in microseconds.
    pub us: u64,
    /// The commands that it called, by upper-case name.
    pub commands: BTreeMap<String, CommandSums>,
}

/// One command, called by one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandSums {
    /// Times that it was called.
    pub calls: u64,
    /// From calling it until its reply was there, in microseconds; a part of a timer is in it.
    pub us: u64,
}

/// Timers around a call of nothing, next to such calls without timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimerSums {
    /// Calls of either kind.
    pub calls: u64,
    /// All calls without timers, in microseconds.
    pub bare_us: u64,
    /// All calls with timers.
    pub timed_us: u64,
    /// What the timers showed for them.
    pub shown_us: u64,
}

impl FunctionSums {
    /// Calls of all commands.
    pub fn command_calls(&self) -> u64 {
        self.commands.values().map(|sums| sums.calls).sum()
    }
}

impl CommandSums {
    /// Microseconds of one call; 0 without one.
    pub fn each_us(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.us as f64 / self.calls as f64 }
    }

    fn add(&mut self, more: &Self) {
        self.calls += more.calls;
        self.us += more.us;
    }
}

impl TimerSums {
    /// What a timed call takes longer than the same call without, in microseconds.
    pub fn each_us(&self) -> f64 {
        self.per_call(self.timed_us)
    }

    /// As much of it as the timer shows as part of the call.
    pub fn shown_each_us(&self) -> f64 {
        self.per_call(self.shown_us)
    }

    fn per_call(&self, us: u64) -> f64 {
        if self.calls == 0 { 0.0 } else { us.saturating_sub(self.bare_us) as f64 / self.calls as f64 }
    }

    fn add(&mut self, more: &Self) {
        self.calls += more.calls;
        self.bare_us += more.bare_us;
        self.timed_us += more.timed_us;
        self.shown_us += more.shown_us;
    }
}

impl Inside {
    /// All of these as one.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|one| sum.add(one));
        sum
    }

    /// Adds the sums of another primary, or of another stretch.
    pub fn add(&mut self, more: &Self) {
        for (name, more) in &more.functions {
            let sums = self.functions.entry(name.clone()).or_default();
            sums.entered += more.entered;
            sums.left += more.left;
            sums.us += more.us;
            for (command, more) in &more.commands {
                sums.commands.entry(command.clone()).or_default().add(more);
            }
        }
        self.timers.add(&more.timers);
        self.entering.add(&more.entering);
    }

    /// What was added since `earlier`; functions that were not called since are left out. The timers and
    /// empty calls of both readings count. `None` where a sum has become smaller: the library was loaded
    /// anew.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        let mut functions = BTreeMap::new();
        for (name, later) in &self.functions {
            let before = earlier.functions.get(name).cloned().unwrap_or_default();
            let mut commands = BTreeMap::new();
            for (command, sums) in &later.commands {
                let before = before.commands.get(command).copied().unwrap_or_default();
                let calls = sums.calls.checked_sub(before.calls)?;
                let us = sums.us.checked_sub(before.us)?;
                if calls > 0 {
                    commands.insert(command.clone(), CommandSums { calls, us });
                }
            }
            let sums = FunctionSums {
                entered: later.entered.checked_sub(before.entered)?,
                left: later.left.checked_sub(before.left)?,
                us: later.us.checked_sub(before.us)?,
                commands,
            };
            if sums.entered > 0 {
                functions.insert(name.clone(), sums);
            }
        }
        let mut timers = self.timers;
        timers.add(&earlier.timers);
        let mut entering = self.entering;
        entering.add(&earlier.entering);
        Some(Self { functions, timers, entering })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(entered: u64, calls: u64, us: u64) -> Inside {
        let commands = BTreeMap::from([("HSET".to_owned(), CommandSums { calls, us })]);
        let function = FunctionSums { entered, left: entered, us: 2 * us, commands };
        let timers = TimerSums { calls: 1_000, bare_us: 20, timed_us: 1_320, shown_us: 670 };
        let entering = CommandSums { calls: 100, us: 500 };
        Inside { functions: BTreeMap::from([("ff_a".to_owned(), function)]), timers, entering }
    }

    #[test]
    fn a_stretch_is_what_was_added_in_it() {
        let stretch = sums(30, 90, 400).since(&sums(10, 30, 100)).unwrap();
        let function = &stretch.functions["ff_a"];
        assert_eq!((function.entered, function.left, function.us), (20, 20, 600));
        assert_eq!(function.commands["HSET"], CommandSums { calls: 60, us: 300 });
        assert_eq!((stretch.timers.calls, stretch.entering), (2_000, CommandSums { calls: 200, us: 1_000 }));
        assert!((stretch.entering.each_us() - 5.0).abs() < 1e-9);
        assert!(
            (stretch.timers.each_us() - 1.3).abs() < 1e-9
                && (stretch.timers.shown_each_us() - 0.65).abs() < 1e-9
        );
        assert!(sums(10, 30, 100).since(&sums(10, 30, 100)).unwrap().functions.is_empty());
        assert_eq!(sums(10, 30, 100).since(&sums(11, 30, 100)), None, "loaded anew");
    }

    #[test]
    fn primaries_add_up() {
        let mut all = sums(1, 3, 10);
        all.add(&sums(2, 6, 20));
        assert_eq!(all.functions, sums(3, 9, 30).functions);
        assert_eq!(TimerSums::default().each_us().to_bits(), 0);
    }
}
