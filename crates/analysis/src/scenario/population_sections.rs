//! `[population]`, `[interruption]` and `[grant]`: what there is to claim.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;

/// `[population]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PopulationSection {
    /// Executions to create.
    pub executions: u32,
    /// Lanes that they are spread over.
    pub lanes: u16,
    /// Flow partitions that they are spread over.
    pub partitions: PartitionsForm,
    /// How evenly.
    pub skew: SkewForm,
    /// How evenly they are spread over the lanes.
    pub lane_skew: SkewForm,
    /// Size of each input payload.
    pub payload_bytes: u32,
}

impl Default for PopulationSection {
    fn default() -> Self {
        Self {
            executions: 4_000,
            lanes: 4,
            partitions: PartitionsForm::Word(PartitionsWord::Published),
            skew: SkewForm::Uniform,
            lane_skew: SkewForm::Uniform,
            payload_bytes: 256,
        }
    }
}

/// `"published"`, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "\"published\" or a whole number of partitions")]
pub enum PartitionsForm {
    /// What the deployment publishes in `ff:config:partitions`, else FlowFabric's default.
    Word(PartitionsWord),
    /// This many; for clusters that the tool owns.
    Count(u16),
}

impl PopulationSection {
    /// Zipf's exponent, where some partitions have more executions than others.
    pub fn skew_exponent(&self) -> Option<f64> {
        match self.skew {
            SkewForm::Uniform => None,
            SkewForm::Zipf(exponent) => Some(exponent),
        }
    }
}

/// Words that stand for a number of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartitionsWord {
    /// What the deployment publishes in `ff:config:partitions`, else FlowFabric's default.
    Published,
}

/// How evenly executions are spread: `"uniform"`, or `{ zipf = 1.1 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkewForm {
    /// Sizes differ by at most one.
    Uniform,
    /// Zipf with this exponent, over 0 and at most 5.
    Zipf(f64),
}

/// `[interruption]`: at least one of them is positive; what the section leaves out is zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InterruptionSection {
    /// Suspended, then a signal satisfies the condition.
    #[serde(default)]
    pub signal: f64,
    /// Suspended, then the suspension times out into a resume.
    #[serde(default)]
    pub timeout: f64,
    /// Suspended, then an operator resumes.
    #[serde(default)]
    pub operator: f64,
    /// Delayed, then promoted.
    #[serde(default)]
    pub delay: f64,
}

impl Default for InterruptionSection {
    /// Signals only. A section that is there starts from zero instead, so that it says all there is.
    fn default() -> Self {
        Self { signal: 1.0, timeout: 0.0, operator: 0.0, delay: 0.0 }
    }
}

/// `[grant]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrantSection {
    /// Time to live of a grant.
    pub ttl: HumanDuration,
    /// Share of the grants, 0 to 1, that nobody claims before they expire; they are claimed too late.
    pub unconsumed: f64,
    /// Lease that a claim asks for.
    pub lease_ttl: HumanDuration,
    /// Pause of the reclaim scanner between two scans of one primary, in churn.
    pub scan_interval: HumanDuration,
}

impl Default for GrantSection {
    fn default() -> Self {
        Self {
            ttl: HumanDuration::from_secs(600),
            unconsumed: 0.0,
            lease_ttl: HumanDuration::from_secs(600),
            scan_interval: HumanDuration::from_millis(10),
        }
    }
}
