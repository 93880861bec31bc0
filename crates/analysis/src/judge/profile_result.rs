//! What a profile says, as results hold it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::Estimate;

/// Share of the server's time that the parts of a function may be apart from it.
pub const PROFILE_TOLERANCE: f64 = 0.1;

/// What the instrumented variants of a run show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// One per instrumented variant.
    pub arms: Vec<ProfiledArm>,
    /// Functions of another library beside those of the first one, part by part; empty where there is one.
    pub changes: Vec<ProfileChange>,
    /// Why its figures are to be doubted; empty where everything adds up.
    pub findings: Vec<ProfileFinding>,
}

/// One instrumented variant, with times per call of its functions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfiledArm {
    /// Its name.
    pub arm: String,
    /// The plain variant that it is compared with.
    pub plain: String,
    /// The functions that its claims called.
    pub functions: Vec<ProfiledFunction>,
    /// What one timer around a call takes, in microseconds.
    pub timer_us: f64,
    /// What the server takes around a function, for handing over keys, arguments and the reply, in
    /// microseconds per call: measured by calls of a function that does nothing.
    pub around_us: f64,
    /// Whether the parts add up to the server's own time for the function.
    pub instrumented: AddingUp,
    /// Whether they do so without the timers, to the plain library's.
    pub without_timers: AddingUp,
    /// What the instrumentation added to the server's time, in microseconds per call: median of the
    /// differences between neighbouring blocks.
    pub added_us: Option<Estimate>,
}

/// One function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfiledFunction {
    /// Its name, as FlowFabric has it.
    pub function: String,
    /// Calls that were profiled.
    pub calls: u64,
    /// Its time without timers, in microseconds per call.
    pub us: f64,
    /// What it is made of, the largest part first, Lua's own last.
    pub parts: Vec<ProfiledPart>,
    /// What its timers took, in microseconds per call; in no part.
    pub timers_us: f64,
    /// What the timers do not explain, in microseconds per call: in Lua's own part, whose interval is wider by it on
    /// either side. `None` in results of versions that did not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unexplained_us: Option<f64>,
}

impl ProfiledFunction {
    /// Timers of a call: the function's own, and one around each command.
    fn timers(&self) -> f64 {
        1.0 + self.parts.iter().filter_map(|part| part.calls).sum::<f64>()
    }
}

impl ProfiledArm {
    /// What the parts are apart from the plain library's time, in microseconds for each timer: so much more or less
    /// than was taken out for it each of them may take.
    pub(super) fn unexplained_per_timer_us(&self) -> f64 {
        let calls: u64 = self.functions.iter().map(|function| function.calls).sum();
        let timers: f64 =
            self.functions.iter().map(|function| function.calls as f64 * function.timers()).sum();
        let of_a_call = self.without_timers.short.abs() * self.without_timers.server_us;
        of_a_call * calls as f64 / timers.max(1.0)
    }

    /// With what the timers do not explain told of each function. Lua's own part is what is left over, so that it holds
    /// that.
    pub(super) fn with_unexplained(mut self) -> Self {
        let per_timer_us = self.unexplained_per_timer_us();
        for function in &mut self.functions {
            let unexplained_us = per_timer_us * function.timers();
            function.unexplained_us = Some(unexplained_us);
            for part in function.parts.iter_mut().filter(|part| part.part == ProfilePart::Lua) {
                part.interval = part.interval.map(|interval| interval.wider_by(unexplained_us));
            }
        }
        self
    }
}

/// A part of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfiledPart {
    /// What it is.
    #[serde(flatten)]
    pub part: ProfilePart,
    /// Calls per call of the function; `None` for Lua's own part.
    pub calls: Option<f64>,
    /// Time of one of them, in microseconds.
    pub each_us: Option<f64>,
    /// Time per call of the function, in microseconds.
    pub us: f64,
    /// Its interval, from the blocks; that of Lua's own part is wider by what the timers do not explain.
    pub interval: Option<Estimate>,
    /// Share of the function's time without timers.
    pub share: f64,
}

/// Parts against the server's own time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AddingUp {
    /// All parts together, in microseconds per call.
    pub parts_us: f64,
    /// The server's time (`usec` of `cmdstat_fcall`) per call: median of the blocks.
    pub server_us: f64,
    /// How far the parts fall short of it, as a share of it: median of the blocks. Negative where they are
    /// more.
    pub short: f64,
}

impl AddingUp {
    /// Whether they are near enough.
    pub fn holds(&self) -> bool {
        self.short.abs() <= PROFILE_TOLERANCE
    }
}

/// Why a profile is to be doubted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum ProfileFinding {
    /// There is no block to read it from.
    NothingMeasured {
        /// The instrumented variant.
        arm: String,
    },
    /// The parts, timers included, are not the server's time for the function.
    DoesNotAddUp {
        /// The instrumented variant.
        arm: String,
        /// By how much.
        sum: AddingUp,
    },
    /// Without the timers they are not the plain library's time.
    TimersExplainTooLittle {
        /// The instrumented variant.
        arm: String,
        /// By how much.
        sum: AddingUp,
    },
    /// The library counted other calls than the server did.
    CountsDisagree {
        /// The instrumented variant.
        arm: String,
        /// The command, in lower case.
        command: String,
        /// Per claim, as the library counted it.
        inside: f64,
        /// Per claim, as the server counted it beyond what was sent.
        server: f64,
    },
    /// Calls of a function that raised an error: what they did is counted, their time is not.
    Raised {
        /// The instrumented variant.
        arm: String,
        /// The function.
        function: String,
        /// How many.
        raised: u64,
    },
}

/// What a part of a function is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "part")]
pub enum ProfilePart {
    /// Calls of one command.
    Command {
        /// Its upper-case name.
        command: String,
    },
    /// What the function does itself, in Lua: what is left over of its time.
    Lua,
}

/// One part of a function, in two libraries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileChange {
    /// The function.
    pub function: String,
    /// The instrumented variant with the first library.
    pub base: String,
    /// The one with the other.
    pub candidate: String,
    /// The part.
    #[serde(flatten)]
    pub part: ProfilePart,
    /// Calls per call of the function; `None` for Lua's own part.
    pub base_calls: Option<f64>,
    /// The same of the candidate.
    pub candidate_calls: Option<f64>,
    /// Microseconds per call of the function.
    pub base_us: f64,
    /// The same of the candidate.
    pub candidate_us: f64,
    /// Candidate less base, with an interval that holds for all parts of the function together. Where one library calls
    /// more commands, that of Lua's own part is wider by what their timers may not explain.
    pub difference: Option<Estimate>,
    /// What that amounts to.
    pub change: PartChange,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartChange {
    /// It is called more often.
    MoreCalls,
    /// It is called less often.
    FewerCalls,
    /// As often, and it takes longer: beyond its interval and the noise threshold of the function's time.
    Dearer,
    /// As often, and it takes less.
    Cheaper,
    /// Nothing that this run can show.
    Same,
}
