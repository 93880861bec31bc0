//! The finished values of one run: what `result.json` holds and every report formats.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{FromJson, to_json_file};
use crate::record::{InvalidReason, Outcomes, RunRecord, Warning};
use crate::scenario::{Metric, VariantPath};

pub use super::comparison_result::{
    Comparison, Control, ControlFailure, ExactMetric, RatioHalves, Verdict, WithRunsBefore,
};
use super::generators::GeneratorSummary;
use super::latency_summary::LatencySummary;
use super::metric_source::other_definitions;
use super::profile_result::Profile;
use super::recovery_result::Recovery;
use super::sizing::{SizingBasis, SizingRow};

/// Value of [`RunResult::schema`].
pub const SCHEMA: &str = "reclaim-bench/1";

/// A run with all that follows from it. `record` alone is measured; everything else is computed from it and
/// can be computed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Whether the numbers may be used.
    pub valid: bool,
    /// Why not, first things first.
    pub invalid_reasons: Vec<InvalidReason>,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
    /// One per arm, in the scenario's order.
    pub variants: Vec<VariantSummary>,
    /// Baseline against each other arm, metric by metric.
    pub comparisons: Vec<Comparison>,
    /// Metrics that do not vary, compared for equality.
    pub exact: Vec<ExactMetric>,
    /// Baseline against itself.
    pub control: Option<Control>,
    /// Primaries that each arm needs at a few rates, from its server CPU; empty where that is not known, and
    /// in results of versions that did not compute it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worth: Vec<Worth>,
    /// How the run came through each fault (`[[fault]]`); empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<Recovery>,
    /// Where the time inside the functions goes, where variants were instrumented (`reclaim-bench profile`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Each generator in numbers, where several made the run; empty where one did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generator_summaries: Vec<GeneratorSummary>,
    /// What was measured.
    #[serde(flatten)]
    pub record: RunRecord,
}

to_json_file!(RunResult);

impl FromJson for RunResult {
    fn from_json(text: &str) -> serde_json::Result<Self> {
        let mut result: Self = serde_json::from_str(text)?;
        result.leave_out_other_definitions();
        Ok(result)
    }
}

impl RunResult {
    /// Takes out what an earlier version concluded from figures that were something else then. What is
    /// measured stays as it is.
    fn leave_out_other_definitions(&mut self) {
        for warning in other_definitions(&self.record) {
            let metric = match warning {
                Warning::OtherDefinition { metric } => metric,
                Warning::MainThreadTimes { .. } => Metric::ServerCpu,
                _ => continue,
            };
            self.comparisons.retain(|comparison| comparison.metric != metric);
            if metric == Metric::ServerCpu {
                self.worth.clear();
                let costs = self.variants.iter_mut().map(|variant| &mut variant.server);
                costs.for_each(|cost| cost.main_thread_cpu_us_per_claim = None);
            }
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

/// One arm in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VariantSummary {
    /// Name.
    pub name: String,
    /// Way of claiming.
    pub path: VariantPath,
    /// How its claims ended.
    pub outcomes: Outcomes,
    /// Successful claims per second of the time in which the arm was active. Where workers of their own make
    /// the claims (`arms[].sdk`) the pipe to them is in that time: it is no rate of theirs, and reports leave
    /// it out.
    pub throughput_per_s: f64,
    /// done - sent.
    pub service_us: Option<LatencySummary>,
    /// done - scheduled (open loop).
    pub response_us: Option<LatencySummary>,
    /// sent - scheduled (open loop).
    pub send_lag_us: Option<LatencySummary>,
    /// Signal sent to lease held (churn).
    pub resume_us: Option<LatencySummary>,
    /// Each round trip of a claim, in order; empty where they were not timed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepSummary>,
    /// Per claim, on the servers and the wire.
    pub server: ServerCost,
}

/// One of the round trips that a claim makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepSummary {
    /// What is sent and waited for.
    pub title: String,
    /// From encoding the request until its reply is read.
    pub time: LatencySummary,
    /// Its part of the time of all claims. What is missing to 1 is the client's own work between round trips.
    pub share: f64,
}

/// What one claim costs. Figures of the servers' counters are over the claims that reached the claiming
/// function (one `FCALL` each), whatever it answered: a run in which many claims are refused shows the mean
/// of both kinds. Figures of the wire are over successful claims alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerCost {
    /// Main-thread CPU of the servers in microseconds, from the counter blocks (`INFO cpu`), over the claims
    /// that reached the function; `None` where the arms were never apart.
    pub main_thread_cpu_us_per_claim: Option<f64>,
    /// Commands that the worker sends, by name, over the claims that reached the function; empty in an SDK
    /// duet, where nobody but the servers count them ([`Self::calls_per_claim`]).
    pub commands_per_claim: BTreeMap<String, f64>,
    /// All calls that the servers counted, commands inside functions included, over the claims that reached
    /// the function.
    pub calls_per_claim: BTreeMap<String, f64>,
    /// Waits for an answer, successful claims only; `null` in an SDK duet, where nobody outside the worker
    /// sees them.
    pub round_trips_per_claim: Option<f64>,
    /// Request bytes, successful claims only; `null` where FlowFabric's SDK makes the claims, whose bytes
    /// nobody counts.
    pub bytes_in_per_claim: Option<f64>,
    /// Reply bytes, the same.
    pub bytes_out_per_claim: Option<f64>,
}

/// Primaries that one variant needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worth {
    /// The variant.
    pub name: String,
    /// What it is computed from.
    pub basis: SizingBasis,
    /// A row for each rate.
    pub rows: Vec<WorthRow>,
}

/// One rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorthRow {
    /// Primaries for the measured CPU per claim.
    #[serde(flatten)]
    pub sizing: SizingRow,
    /// For the lower end of its interval.
    pub fewest: Option<u32>,
    /// For the upper end.
    pub most: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::ToJsonFile as _;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::record::SteadyPart;
    use crate::scenario::ModelForm;

    #[test]
    fn what_was_concluded_from_another_definition_is_left_out_where_a_result_is_read() {
        let mut stored = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        stored.comparisons.retain(|comparison| comparison.metric != Metric::Throughput);
        let of_rates = Comparison { metric: Metric::Throughput, ..stored.comparisons[0].clone() };
        stored.comparisons.push(of_rates);
        let read = |result: &RunResult| RunResult::from_json(&result.to_json_file().unwrap()).unwrap();
        let (comparisons, same) = (stored.comparisons.len(), read(&stored));
        assert_eq!((same.comparisons.len(), same.warnings.len()), (comparisons, stored.warnings.len()));
        assert!(same.own_rate_per_s(0).is_some());
        stored.record.scenario.load.model = ModelForm::Open;
        stored.record.blocks[0].steady = Some(SteadyPart { claims: 150, duration_s: 0.03 });
        let other = read(&stored);
        assert_eq!((other.comparisons.len(), other.own_rate_per_s(0)), (comparisons - 1, None));
        assert!(other.comparisons.iter().all(|comparison| comparison.metric != Metric::Throughput));
        let told = Warning::OtherDefinition { metric: Metric::Throughput };
        assert_eq!(other.warnings.iter().filter(|warning| **warning == told).count(), 1);
        assert_eq!(read(&other).warnings, other.warnings, "it is told once");
    }

    #[test]
    fn cpu_of_main_threads_that_poll_is_left_out_of_stored_results_too() {
        let stored = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        let read = |version: &str| {
            let mut stored = stored.clone();
            stored.record.environment.valkey.io_threads = 4;
            stored.record.environment.valkey.version = version.to_owned();
            let read = RunResult::from_json(&stored.to_json_file().unwrap()).unwrap();
            let judged = read.comparisons.iter().any(|comparison| comparison.metric == Metric::ServerCpu);
            (judged, read.variants[0].server.main_thread_cpu_us_per_claim.is_some())
        };
        assert!(stored.comparisons.iter().any(|comparison| comparison.metric == Metric::ServerCpu));
        assert_eq!([read("9.1.2"), read("8.1.3")], [(true, true), (false, false)]);
    }
}
