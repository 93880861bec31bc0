//! `[capacity]`: how the search for the highest sustainable rate goes about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;
use super::p99::P99_ONE_IN;

/// Claims beyond a 99th percentile that it can be judged by.
const BEYOND_P99: u64 = 100;

/// Claims that a probe needs for that.
const ENOUGH_FOR_P99: u64 = P99_ONE_IN * BEYOND_P99;

/// `[capacity]`: of it a run reads `targets` and `utilisation` alone; without the section its defaults hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CapacitySection {
    /// First rate offered, in claims per second.
    pub start_rate: f64,
    /// Fewest claims of one probe. A 99th percentile wants 100 of them beyond it.
    pub claims: u64,
    /// Shortest window of one probe.
    pub window: HumanDuration,
    /// Share by which the lowest rate that failed may exceed the highest one that passed.
    pub resolution: f64,
    /// Share of a primary's main thread that the sizing table plans with.
    pub utilisation: f64,
    /// Rates that the sizing table shows, in claims per second.
    pub targets: Vec<f64>,
    /// Claims in flight at each point of the closed-loop curve, ascending.
    pub concurrency: Vec<u32>,
    /// Claims of one point of the closed-loop curve.
    pub curve_claims: u64,
    /// Half the width of the sustainable rate's 95 % interval, as a share of the rate, that ends the search.
    pub precision: f64,
    /// Most probes that are made to get there, rounded up to rounds of six. With 0 the interval is what the
    /// search left.
    pub refinements: u32,
}

impl Default for CapacitySection {
    fn default() -> Self {
        Self {
            start_rate: 500.0,
            claims: ENOUGH_FOR_P99,
            window: HumanDuration::from_secs(2),
            resolution: 0.05,
            utilisation: 0.6,
            targets: vec![1_000.0, 5_000.0, 20_000.0],
            concurrency: vec![1, 2, 4, 8, 16, 32, 64],
            curve_claims: 4_000,
            precision: 0.05,
            refinements: 36,
        }
    }
}

impl CapacitySection {
    /// Whether the claims of a probe are too few for its 99th percentile.
    pub fn too_few_for_p99(&self) -> Option<TooFewForP99> {
        (self.claims < ENOUGH_FOR_P99).then_some(TooFewForP99 {
            claims: self.claims,
            beyond: self.claims / 100,
            wanted_beyond: BEYOND_P99,
            enough: ENOUGH_FOR_P99,
        })
    }
}

/// Too few claims of a probe to judge its 99th percentile by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewForP99 {
    /// What `capacity.claims` says.
    pub claims: u64,
    /// How many of these claims lie beyond the percentile.
    pub beyond: u64,
    /// How many should lie there.
    pub wanted_beyond: u64,
    /// Claims that a probe needs for that.
    pub enough: u64,
}
