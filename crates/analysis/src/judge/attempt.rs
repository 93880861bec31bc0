//! What stays on record of each run of a series, whatever came out of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::RunResult;
use super::service_level::{LevelState, recovery_levels, service_levels};
use crate::record::Warning;
use crate::scenario::{FaultKind, Metric, SloSection};
use crate::stats::Latencies;

/// One run of the series, whatever came out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// Its seed.
    pub seed: u64,
    /// Whether it passed all checks.
    pub valid: bool,
    /// Whether it was ended early, by a signal or by `[slo] abort`: it is on record, and left out of all
    /// estimates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Whether its own control passed.
    pub control_passed: Option<bool>,
    /// Median of the time for which replies were held back, where a longer network was simulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_rtt_us: Option<f64>,
    /// What a reader of the run should know, as the run's own report has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Whether its variants kept `[slo] response_p99`; empty without one, and where estimates leave the run out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_levels: Vec<AttemptLevel>,
    /// Whether all was as before in time after its faults, by `[slo] recovery`; empty as those are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_levels: Vec<AttemptRecovery>,
}

/// Whether a variant kept the service level in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptLevel {
    /// The variant.
    pub variant: String,
    /// What was held to it: that of the response time, in a closed loop of the service time, in a storm of the
    /// time to resume.
    pub metric: Metric,
    /// The bound in µs.
    pub bound_us: f64,
    /// Whether it was kept; `None` where nobody can tell.
    pub kept: Option<bool>,
}

/// Whether all was as before in time after a fault of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptRecovery {
    /// The fault's number, from 0.
    pub fault: u32,
    /// What was done.
    pub kind: FaultKind,
    /// The bound in seconds.
    pub bound_s: f64,
    /// Whether it was kept; `None` where nobody can tell.
    pub kept: Option<bool>,
}

/// What stays on record of a run.
pub(super) fn attempt(result: &RunResult) -> Attempt {
    let record = &result.record;
    let median = |given| Latencies::readable(given).map(|given| given.quantile_us(0.5));
    Attempt {
        started: record.started.clone(),
        seed: record.seed,
        valid: result.valid,
        partial: record.partial,
        control_passed: result.control.as_ref().map(|control| control.passed),
        added_rtt_us: record.added_rtt.as_ref().map(|added| median(&added.given).unwrap_or(added.asked_us)),
        warnings: result.warnings.clone(),
        service_levels: variants_held(result),
        recovery_levels: faults_held(result),
    }
}

/// What a run is held to; nothing is said of one that estimates leave out.
fn slo(result: &RunResult) -> Option<&SloSection> {
    result.record.scenario.slo.as_ref().filter(|_| result.is_usable())
}

fn variants_held(result: &RunResult) -> Vec<AttemptLevel> {
    let Some(bound) = slo(result).and_then(|slo| slo.response_p99) else { return Vec::new() };
    service_levels(result, bound.0)
        .map(|level| AttemptLevel {
            variant: level.variant.name.clone(),
            metric: level.clock.p99(),
            bound_us: level.bound_us,
            kept: match level.state {
                LevelState::Kept => Some(true),
                LevelState::Missed => Some(false),
                LevelState::Untold { .. } => None,
            },
        })
        .collect()
}

fn faults_held(result: &RunResult) -> Vec<AttemptRecovery> {
    let Some(bound) = slo(result).and_then(|slo| slo.recovery) else { return Vec::new() };
    recovery_levels(result, bound.0)
        .map(|level| AttemptRecovery {
            fault: level.recovery.fault,
            kind: level.kind,
            bound_s: bound.0.as_secs_f64(),
            kept: level.kept,
        })
        .collect()
}
