//! A run that was ended because it missed its service level hopelessly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where and when `[slo] abort` ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Aborted {
    /// `[slo] abort`, in microseconds.
    pub limit_us: f64,
    /// Seconds on end in which more than a hundredth of the claims took longer, or were not answered.
    pub seconds: u32,
    /// From the first claim until it was ended, in seconds.
    pub after_s: f64,
}
