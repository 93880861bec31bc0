//! The words that a scenario file and the validated scenario share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who runs the servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// External where nodes are given, else local, else a container.
    #[default]
    Auto,
    /// A running cluster, named by its nodes.
    External,
    /// Child processes on loopback.
    Local,
    /// One container with all nodes.
    Container,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::External, Self::Local, Self::Container];

    /// As written in scenarios, on the command line and in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::External => "external",
            Self::Local => "local",
            Self::Container => "container",
        }
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Order of staging and claiming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All grants are in stock before the window opens: claims only, the clean measurement.
    Staged,
    /// Interruptions, scanner and claims run together: the realistic mix.
    Churn,
    /// Everything is interrupted, then everything resumes at once; scanner and workers work it off.
    Storm,
}

/// The ways of doing a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VariantPath {
    /// Lane from the grant; reads the attempt index. What FlowFabric 0.15 ships.
    GrantLane,
    /// Lane by its own HGET. What carrying the lane avoids.
    HgetLane,
    /// Lane and attempt index by one HMGET.
    HmgetLane,
    /// Lane and attempt index by two HGETs in one pipeline.
    PipelinedLane,
    /// Lane and attempt index both carried: one round trip, the floor.
    FullGrant,
    /// `ff_issue_grant_and_claim`: no separate grant at all.
    Fused,
    /// A ClaimGrant consumed by `ff_claim_execution`, for contrast, as FlowFabric's SDK does it: it reads the count of
    /// attempts first.
    FirstClaim,
    /// The same, the function alone.
    BareFirstClaim,
}

impl VariantPath {
    /// Whether it claims executions that were never claimed before.
    pub const fn is_first_claim(self) -> bool {
        matches!(self, Self::FirstClaim | Self::BareFirstClaim)
    }
}
