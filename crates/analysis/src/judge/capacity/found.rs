//! What `capacity.json` holds: what was asked, and what the probes came to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boundary::Boundary;
use super::drift::Drift;
use super::goes::Goes;
use super::limit::Limit;
use super::policy::CapacityPolicy;
use super::probe::Probe;
use super::search::{NextStep, ProbePurpose};
use super::usl::Usl;
use crate::json::{from_json, to_json_file};
use crate::judge::primary_load::PrimaryLoad;
use crate::judge::sizing::{SizingBasis, SizingRow};
use crate::record::{CalibrationNote, Environment, Tool};
use crate::scenario::ScenarioFile;
use crate::stats::TooFew;

/// Value of [`Capacity::schema`].
pub const CAPACITY_SCHEMA: &str = "reclaim-bench/capacity-1";

/// Why a search was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// Its time was used up.
    OutOfTime,
    /// The user.
    Interrupted,
}

/// What the probes come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchOutcome {
    /// The highest sustained rate is known within the resolution.
    Found,
    /// What gave out first was the generator or its machine: the cluster sustains at least this.
    LowerBound,
    /// The highest rate that can be offered is sustained.
    Unlimited,
    /// Not even the lowest rate that was tried is sustained.
    NothingSustained,
    /// The search is not over: the bracket so far.
    NotConverged,
    /// A probe could not be made validly.
    Invalid,
}

impl SearchOutcome {
    /// Whether a rate is known that can be planned with.
    pub(super) fn is_known(self) -> bool {
        matches!(self, Self::Found | Self::LowerBound | Self::Unlimited)
    }
}

/// Why a search has no table of primaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizingMissing {
    /// No rate is known that can be planned with.
    RateUnknown,
    /// The servers' CPU per claim at that rate is not known.
    CpuUnknown,
    /// One primary has all of a skewed population: how much of it is one partition's, which more primaries
    /// do not divide, does not show there.
    SkewOnOnePrimary,
}

/// A level that said something else the second time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedLevel {
    /// Claims per second.
    pub rate_per_s: f64,
    /// What the search found.
    pub first: bool,
    /// What the walk found.
    pub again: bool,
    /// Whether the level is an end of the bracket or within the interval of the rate, where a verdict may
    /// turn by chance.
    pub marginal: bool,
}

/// A rate that must be sustained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Required {
    /// Claims per second.
    pub rate_per_s: f64,
    /// Whether it is; `None` where that could not be found out.
    pub sustained: Option<bool>,
}

/// What a capacity is computed from, besides the probes: `capacity.json` keeps it, so that a report can be
/// made again and a search can go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityPlan {
    /// The scenario, without the load of a probe.
    pub scenario: ScenarioFile,
    /// Seed of every random stream.
    pub seed: u64,
    /// How to search.
    pub policy: CapacityPolicy,
    /// Why the search was ended, if it was.
    pub stopped: Option<Stopped>,
}

from_json!(CapacityPlan);

/// A finished or unfinished search, with all that follows from its probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// Always [`CAPACITY_SCHEMA`].
    pub schema: String,
    /// What was asked.
    #[serde(flatten)]
    pub plan: CapacityPlan,
    /// The tool that made the first probe.
    pub tool: Option<Tool>,
    /// All that made probes, in the order of the first of each; empty where one made all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Where the first probe ran.
    pub environment: Option<Environment>,
    /// How many generators made each probe together, where there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators: Option<u32>,
    /// What the generator can do on this machine, where it was calibrated: from the first probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationNote>,
    /// The goes that the search was made in; `None` where it was made in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes: Option<Goes>,
    /// What the probes come to.
    pub conclusion: SearchOutcome,
    /// Highest rate that was sustained, in claims per second.
    pub sustained_per_s: Option<f64>,
    /// Lowest rate that was not.
    pub failed_per_s: Option<f64>,
    /// The sustainable rate with its interval, where the search found one.
    pub boundary: Option<Boundary>,
    /// Why there is none.
    pub no_boundary: Option<TooFew>,
    /// What the rate is limited by, by the evidence of the probes that failed at [`Self::failed_per_s`].
    pub limit: Option<Limit>,
    /// Least 99th percentile of the response time among the probes that passed, in µs: what a claim takes
    /// here at any rate.
    pub floor_us: Option<f64>,
    /// The rate whose probes differed most in the servers' CPU per claim. The same work at the same rate: how
    /// much the machine's speed changed during the search, and the sustainable rate with it.
    pub drift: Option<Drift>,
    /// The required rate, where one was given.
    pub required: Option<Required>,
    /// Whether every level was walked again.
    pub walked_again: bool,
    /// Levels that said something else then.
    pub differences: Vec<ChangedLevel>,
    /// Every probe, in the order made.
    pub probes: Vec<Probe>,
    /// What each was for, in the same order; `None` for one that this search did not need.
    pub purposes: Vec<Option<ProbePurpose>>,
    /// Each primary at the found rate.
    pub balance: Vec<PrimaryLoad>,
    /// The closed-loop curve.
    pub usl: Option<Usl>,
    /// Why there is none.
    pub no_usl: Option<TooFew>,
    /// What the sizing table is computed from.
    pub sizing_basis: Option<SizingBasis>,
    /// Main-thread CPU per grant, measured beside it: the table does not contain it.
    pub grant_cpu_us: Option<f64>,
    /// Primaries for each target.
    pub sizing: Vec<SizingRow>,
    /// What comes next.
    pub next: NextStep,
}

to_json_file!(Capacity);
