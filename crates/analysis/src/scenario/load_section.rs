//! `[load]`: how claims are offered.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choices::Mode;
use super::duration::HumanDuration;

/// Claims that a closed loop may have in flight.
pub(super) const IN_FLIGHT: RangeInclusive<u32> = 1..=65_536;

/// `[load]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSection {
    /// Stock first, or everything together.
    pub mode: Mode,
    /// Closed or open loop.
    pub model: ModelForm,
    /// Closed loop: claims in flight. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Open loop: claims per second over all primaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Open loop: spacing of the claims. Default `"constant"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalsForm>,
    /// Connections to each primary.
    pub connections: u16,
    /// Length of the window in claims over all arms; control strata and counter blocks come on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<u64>,
    /// Length of the window in time. Either this or `claims`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<HumanDuration>,
    /// Claims before the window that are not recorded.
    pub warmup: u64,
    /// Longest wait for one reply.
    pub timeout: HumanDuration,
    /// Workers that race for each grant.
    pub contenders: u16,
    /// Whether each claim is followed by the reads of the task's context that the SDK makes.
    pub task_context: bool,
    /// What lies between the worker and the cluster.
    pub network: NetworkSection,
}

impl LoadSection {
    /// Claims in flight of a closed loop.
    pub fn in_flight(&self) -> u32 {
        self.concurrency.unwrap_or(1)
    }
}

impl Default for LoadSection {
    fn default() -> Self {
        Self {
            mode: Mode::Staged,
            model: ModelForm::Closed,
            concurrency: None,
            rate: None,
            arrivals: None,
            connections: 1,
            claims: None,
            duration: None,
            warmup: 0,
            timeout: HumanDuration::from_secs(5),
            contenders: 1,
            task_context: false,
            network: NetworkSection::default(),
        }
    }
}

/// `load.model`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelForm {
    /// A fixed number of workers, each claiming again as soon as it is done.
    Closed,
    /// A schedule decides, whatever the cluster does.
    Open,
}

/// `load.arrivals`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalsForm {
    /// Evenly spaced.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// `{ burst = { size = 500, every = "1s" } }`
    Burst(BurstForm),
    /// `{ ramp = { from = 100.0, over = "30s" } }`: evenly spaced, faster and faster up to `load.rate`.
    Ramp(RampForm),
    /// `{ trace = "arrivals.txt" }`: a file with one time per line, as seconds or RFC 3339 in UTC, replayed
    /// with its own gaps. Its path is relative to the scenario's file; set by an option, to the current
    /// directory.
    Trace(String),
}

/// `load.arrivals.ramp`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RampForm {
    /// Claims per second at the start.
    pub from: f64,
    /// Time until `load.rate` is reached; from then on that stays.
    pub over: HumanDuration,
}

/// `load.arrivals.burst`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurstForm {
    /// Claims per burst.
    pub size: u32,
    /// From burst to burst.
    pub every: HumanDuration,
}

/// `[load.network]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    /// Simulated extra time per round trip; marked in every result.
    pub added_rtt: HumanDuration,
}
