//! `[capacity]`: how the search for the highest sustainable rate goes about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;

/// `[capacity]`: only the command of that name reads it; without the section its defaults hold.
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
            claims: 10_000,
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

/// Claims of a probe that a 99th percentile can be judged by: 100 of them lie beyond it.
const ENOUGH_FOR_P99: u64 = 10_000;

impl CapacitySection {
    /// What is wrong with the number of claims for a 99th percentile, in words, if anything is.
    pub fn few_beyond_p99(&self) -> Option<String> {
        (self.claims < ENOUGH_FOR_P99).then(|| {
            format!(
                "capacity.claims = {} leaves {} claims of a probe beyond the 99th percentile, and 100 are wanted: use \
                 {ENOUGH_FOR_P99} or more",
                self.claims,
                self.claims / 100
            )
        })
    }
}
