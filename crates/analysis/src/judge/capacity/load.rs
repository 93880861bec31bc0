//! The load of one probe.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a probe offers to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeLoad {
    /// A schedule.
    Open {
        /// Claims per second.
        rate_per_s: f64,
    },
    /// Workers that claim again as soon as they are done.
    Closed {
        /// How many.
        concurrency: u32,
    },
}

impl ProbeLoad {
    /// Claims per second of a schedule.
    pub fn rate_per_s(self) -> Option<f64> {
        match self {
            Self::Open { rate_per_s } => Some(rate_per_s),
            Self::Closed { .. } => None,
        }
    }
}
