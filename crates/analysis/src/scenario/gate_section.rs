//! `[gate]` and `[slo]`: what makes the command fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;

/// `[gate]`: what makes the command fail. The thresholds are for a comparison with a stored result, as
/// shares; FlowFabric's own are the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateSection {
    /// Whether the verdicts of the run decide its exit code (1 for a regression, 3 for an inconclusive
    /// metric). Off, a run that answers its question is a success whatever the answer is.
    pub enforce: bool,
    /// Loss of throughput that warns.
    pub throughput_warn: f64,
    /// Loss of throughput that fails.
    pub throughput_fail: f64,
    /// Rise of the 99th percentile that warns.
    pub p99_warn: f64,
    /// Rise of the 99th percentile that fails.
    pub p99_fail: f64,
    /// Share of a variant's claims that may fail; beyond it the run is invalid.
    #[serde(skip_serializing_if = "is_usual_failed")]
    pub failed: f64,
}

impl Default for GateSection {
    fn default() -> Self {
        Self {
            enforce: false,
            throughput_warn: 0.05,
            throughput_fail: 0.10,
            p99_warn: 0.10,
            p99_fail: 0.20,
            failed: 0.5,
        }
    }
}

/// Results of before the key do not have it, and those of now only where it is set.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_usual_failed(failed: &f64) -> bool {
    failed.total_cmp(&GateSection::default().failed).is_eq()
}

/// `[slo]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SloSection {
    /// Bound of the response time's 99th percentile; of the service time's in a closed loop, where nothing is due,
    /// and of the time to resume in a storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_p99: Option<HumanDuration>,
    /// Where the level is hopelessly missed: once more than a hundredth of the claims took longer than this,
    /// or were not answered, in each of five seconds on end, the run is ended. It fails then, whatever the
    /// gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<HumanDuration>,
    /// Time after a `[[fault]]` within which response time and rate must be what they were before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<HumanDuration>,
}
