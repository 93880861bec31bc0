//! `[compare]`: which variants are held against which, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;

/// `[compare]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompareSection {
    /// Name of the arm that the others are compared with. Default: the first variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Groups of claims in which the arms are mixed at random. Where each arm has blocks of its own, groups
    /// of one block of each arm: at most so many, as far as the claims go. As many claims say more in many
    /// blocks than in long ones.
    pub strata: u32,
    /// Groups in which both sides are the baseline, where `control` is "own": what noise alone does. Default:
    /// as many as `strata`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_strata: Option<u32>,
    /// Blocks of one arm each, per arm, around which the servers' counters are read.
    pub counter_blocks: u32,
    /// Claims in one such block.
    pub block_claims: u32,
    /// Metrics that are judged.
    pub metrics: Vec<String>,
    /// Differences smaller than this share are noise.
    pub noise_threshold: f64,
    /// Confidence of every interval.
    pub confidence: f64,
    /// Whether the arms take turns claim by claim or in blocks of one arm alone.
    #[serde(skip_serializing_if = "MixingForm::is_auto")]
    pub mixing: MixingForm,
    /// Where the control's claims come from.
    #[serde(skip_serializing_if = "ControlForm::is_own")]
    pub control: ControlForm,
}

impl CompareSection {
    /// Strata of a control that has its own.
    pub fn own_control_strata(&self) -> u32 {
        self.control_strata.unwrap_or(self.strata)
    }
}

impl Default for CompareSection {
    fn default() -> Self {
        Self {
            baseline: None,
            strata: 100,
            control_strata: None,
            counter_blocks: 20,
            block_claims: 250,
            metrics: [Metric::ServiceP50, Metric::ServiceP99, Metric::ServerCpu]
                .map(|metric| metric.name().to_owned())
                .to_vec(),
            noise_threshold: 0.02,
            confidence: 0.95,
            mixing: MixingForm::Auto,
            control: ControlForm::Own,
        }
    }
}

/// `compare.mixing`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MixingForm {
    /// Claim by claim where claims do not queue, else in blocks.
    #[default]
    Auto,
    /// Claim by claim: what the machine does, it does to all arms alike. Only where claims do not queue.
    Claims,
    /// In blocks of one arm alone, in random order, with a drain between them.
    Blocks,
}

impl MixingForm {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` gives a reference")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// `compare.control`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlForm {
    /// Strata of its own with the baseline on both sides, `control_strata` of them. Blocks never have them.
    #[default]
    Own,
    /// The baseline's claims of every stratum are dealt to two sides: compared with each other they are the
    /// control, and together they are the baseline. No claim is made for the control alone; `control_strata`
    /// does not count. Blocks, and arms that are processes or clusters of their own (`sdk`, `server`), have a
    /// second one of the baseline instead, with as many claims.
    Shared,
}

impl ControlForm {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` gives a reference")]
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}
