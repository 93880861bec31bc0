//! What one primary did in a probe.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One primary in the window of a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrimaryLoad {
    /// Its address.
    pub addr: String,
    /// Flow partitions that it serves.
    pub partitions: u32,
    /// Claims planned on it.
    pub claims: u64,
    /// Share of the window that its main thread ran; `None` where it is not known, or where main threads poll while they
    /// wait, so that all of them run all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<f64>,
}
