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
    /// One container with all nodes; one for each where a fault cuts a server off.
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
    /// A ClaimGrant consumed by `ff_claim_execution`, for contrast, as FlowFabric's SDK does it: it reads the
    /// count of attempts first.
    FirstClaim,
    /// The same, the function alone.
    BareFirstClaim,
    /// A lease that was revoked or ran out is reclaimed by `ff_reclaim_execution`: a new attempt. What
    /// FlowFabric 0.12 and later calls a ReclaimGrant.
    LeaseReclaim,
    /// FlowFabric's SDK, `claim_from_resume_grant`: what a worker does that is handed the grant of a resume.
    /// Needs a build with the feature `sdk`.
    SdkResume,
    /// FlowFabric's SDK, `claim_from_grant` of an interrupted execution: what a worker does that a scheduler
    /// hands grants. The first claim that it tries is refused (`use_claim_resumed_execution`), then it
    /// resumes. Needs the feature `sdk`.
    SdkGrant,
    /// FlowFabric's SDK, `claim_from_reclaim_grant`: `lease-reclaim` as the SDK does it. Needs the feature
    /// `sdk`.
    SdkReclaim,
}

impl VariantPath {
    /// Whether it claims executions that were never claimed before.
    pub const fn is_first_claim(self) -> bool {
        matches!(self, Self::FirstClaim | Self::BareFirstClaim)
    }

    /// Whether it claims executions whose lease was lost, and starts a new attempt of them.
    pub const fn is_lease_reclaim(self) -> bool {
        matches!(self, Self::LeaseReclaim | Self::SdkReclaim)
    }

    /// Whether FlowFabric's SDK makes the claims, over its own client.
    pub const fn is_sdk(self) -> bool {
        matches!(self, Self::SdkResume | Self::SdkGrant | Self::SdkReclaim)
    }

    /// Whether it goes on with an interrupted attempt.
    pub const fn resumes(self) -> bool {
        !self.is_first_claim() && !self.is_lease_reclaim()
    }

    /// Keys and arguments that the function of the claim takes.
    pub const fn function_words(self) -> (usize, usize) {
        match self {
            Self::FirstClaim | Self::BareFirstClaim => (14, 12),
            Self::LeaseReclaim | Self::SdkReclaim => (14, 9),
            Self::Fused => (11, 11),
            Self::GrantLane
            | Self::HgetLane
            | Self::HmgetLane
            | Self::PipelinedLane
            | Self::FullGrant
            | Self::SdkResume
            | Self::SdkGrant => (11, 8),
        }
    }

    /// The function of the library that makes the claim.
    pub const fn function(self) -> &'static str {
        let all = self.functions();
        all[all.len() - 1]
    }

    /// All functions that a claim calls, the one that makes it last.
    pub const fn functions(self) -> &'static [&'static str] {
        match self {
            Self::FirstClaim | Self::BareFirstClaim => &["ff_claim_execution"],
            Self::LeaseReclaim | Self::SdkReclaim => &["ff_reclaim_execution"],
            Self::Fused => &["ff_issue_grant_and_claim"],
            Self::SdkGrant => &["ff_claim_execution", "ff_claim_resumed_execution"],
            Self::GrantLane
            | Self::HgetLane
            | Self::HmgetLane
            | Self::PipelinedLane
            | Self::FullGrant
            | Self::SdkResume => &["ff_claim_resumed_execution"],
        }
    }
}
