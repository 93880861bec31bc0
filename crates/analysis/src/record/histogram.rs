//! A histogram as records hold it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An HdrHistogram (V2, deflated, base64) of values in nanoseconds with three significant digits; `None` when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Histogram(pub Option<String>);

impl Histogram {
    /// Whether there is no value in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
