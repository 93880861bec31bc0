//! From a record to conclusions. Pure: the same record and policy give the same verdicts.
//!
//! ```text
//! RunRecord ─► analyse: summary + validity + comparison ─► RunResult ─► gate ─► exit code
//! CalibrationRecord ─► assess: the generator's limits ─► Calibration, and a note on each run
//!                              two RunResults ─► stored: comparison with a baseline from another day
//!                              N RunResults   ─► repeat: one estimate over all attempts
//!                              a run per value ─► sweep: a curve
//!                              a climbing rate ─► ramp: step by step of its time
//!                              many nights    ─► history: trend and change points
//!                              many loads     ─► capacity: the next load, and in the end the highest sustained one
//! ```

mod analyse;
mod calibration;
pub mod capacity;
mod comparable;
mod comparison;
mod curves;
mod finding;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
mod forecast;
mod gate;
mod history;
mod latency_summary;
mod metric_source;
mod parts;
mod primary_load;
mod ramp;
mod repeat;
mod result;
mod service_level;
mod sizing;
mod stored;
mod summary;
mod sweep;
mod validity;
mod values;
mod worth;

pub use analyse::{analyse, analyse_as};
pub use calibration::{
    CALIBRATION_SCHEMA, Calibration, CpuTrend, FLAT_FROM, LevelSummary, RoundTripSummary, SendLagSummary,
    assess,
};
pub use comparable::{NotComparable, SettingDifference, differences};
pub(crate) use comparison::verdict;
pub use curves::{QuantilePoint, Span, StratumRatio, quantile_curve, spans, stratum_ratios};
pub use finding::{Cause, Conclusion, Finding, Gate};
pub use forecast::{Experience, Forecast, Shortfall, forecast};
pub use gate::{GatePolicy, Standing, gate, gate_repeated, standing};
pub(crate) use gate::{error_findings, judged_exact};
pub use history::{
    History, HistoryEntry, HistoryError, HistoryValue, SkippedLine, Trend, TrendChange, TrendPoint, append,
    read, trend,
};
pub use latency_summary::LatencySummary;
pub use parts::{ClaimPart, claim_parts};
pub use ramp::{NoSteps, RampStep, StepQuantile, ramp_steps};
pub use repeat::{Attempt, MIN_RUNS, Repeated, RepeatedComparison, repeat};
pub use result::{
    Comparison, Control, ControlFailure, ExactMetric, RunResult, SCHEMA, ServerCost, StepSummary,
    VariantSummary, Verdict, Worth, WorthRow,
};
pub(crate) use service_level::service_levels;
pub use stored::{
    RunLabel, StoredComparison, StoredExact, StoredMetric, StoredOptions, StoredVerdict, Thresholds, compare,
};
pub use sweep::{NoInterval, Sweep, SweepArm, SweepComparison, SweepLine, SweepPoint, sweep};
pub use values::{MetricValue, metric_values};
