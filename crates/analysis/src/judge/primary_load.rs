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
    /// Share of the window that its main thread ran.
    pub busy: f64,
}
