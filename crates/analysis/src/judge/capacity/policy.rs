//! How to search for a capacity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{CapacitySection, ScenarioFile};

/// How to search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityPolicy {
    /// Bound of the response time's 99th percentile.
    pub slo_us: f64,
    /// First rate, in claims per second.
    pub start_per_s: f64,
    /// Width of the bracket at the end, as a share of its lower end.
    pub resolution: f64,
    /// A rate that must be sustained; it is probed first.
    pub required_per_s: Option<f64>,
    /// Whether the levels are walked again.
    pub walk: bool,
    /// Claims in flight for the closed-loop curve; empty for none.
    pub concurrency: Vec<u32>,
    /// Share of a main thread that the sizing table plans with.
    pub utilisation: f64,
    /// Rates of the sizing table, in claims per second.
    pub targets_per_s: Vec<f64>,
    /// Half the width of the sustainable rate's interval, as a share of it, that is narrow enough.
    #[serde(default)]
    pub precision: f64,
    /// Probes that may be made to get there; none in searches of earlier versions.
    #[serde(default)]
    pub refinements: u32,
    /// Orders the second walk, and each round of refinement.
    pub seed: u64,
}

impl CapacityPolicy {
    /// What a scenario says. `None` without a service level.
    pub fn from_scenario(file: &ScenarioFile, seed: u64) -> Option<Self> {
        let CapacitySection {
            start_rate,
            resolution,
            utilisation,
            targets,
            concurrency,
            precision,
            refinements,
            ..
        } = file.capacity();
        Some(Self {
            slo_us: file.slo.as_ref()?.response_p99?.0.as_secs_f64() * 1e6,
            start_per_s: start_rate,
            resolution,
            required_per_s: None,
            walk: true,
            concurrency,
            utilisation,
            targets_per_s: targets,
            precision,
            refinements,
            seed,
        })
    }
}
