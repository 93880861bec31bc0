//! From a record to conclusions. Pure: the same record and policy give the same verdicts.
//!
//! ```text
//! RunRecord ─► analyse: summary + validity + comparison ─► RunResult ─► gate ─► exit code
//! CalibrationRecord ─► assess: the generator's limits ─► Calibration, and a note on each run
//!                              instrumented arms ─► profile: the time inside the functions, call by call
//!                              two RunResults ─► stored: comparison with a baseline from another day
//!                              reports of another harness ─► figures: without intervals, so without a verdict
//!                              N RunResults   ─► repeat: one estimate over all attempts
//!                              a run per value ─► sweep: a curve
//!                              a climbing rate ─► ramp: step by step of its time
//!                              many nights    ─► history, trend: change points
//!                              many loads     ─► capacity: the next load, and in the end the highest sustained one
//! ```

mod analyse;
mod arm_counts;
mod arm_differences;
mod attempt;
mod beside_others;
mod calibration;
#[cfg(any(test, feature = "fixtures"))]
mod calibration_fixture;
mod calibration_of_run;
pub mod capacity;
mod clock;
mod comparable;
mod comparison;
mod comparison_result;
mod conclusion;
mod consequence;
mod control;
mod counter_rules;
mod curves;
mod exact_values;
#[cfg(any(test, feature = "fixtures"))]
pub mod fault_fixture;
mod figures;
#[cfg(any(test, feature = "fixtures"))]
pub mod figures_fixture;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
mod forecast;
mod gate;
mod generators;
mod headline;
mod headline_for_worker;
mod history;
#[cfg(any(test, feature = "fixtures"))]
pub mod history_fixture;
mod latency_summary;
mod metric_source;
#[cfg(any(test, feature = "fixtures"))]
pub mod network_fixture;
#[cfg(any(test, feature = "fixtures"))]
mod noise_fixture;
mod pair_agreement;
mod parts;
mod primary_load;
mod profile;
mod profile_change;
#[cfg(any(test, feature = "fixtures"))]
pub mod profile_fixture;
mod profile_parts;
mod profile_result;
#[cfg(test)]
mod profile_tests;
mod prospect;
mod ramp;
mod recovery;
mod recovery_result;
mod repeat;
mod repeat_recovery;
mod result;
#[cfg(any(test, feature = "fixtures"))]
pub mod ruler_fixture;
mod run_state;
mod runs_before;
mod saving;
mod send_lag;
#[cfg(any(test, feature = "fixtures"))]
pub mod server_fixture;
mod servers;
mod service_level;
mod setting_difference;
mod setting_keys;
mod shown_trends;
mod sizing;
#[cfg(any(test, feature = "fixtures"))]
pub mod spoilt_fixture;
mod stored;
mod stored_pairs;
mod stored_result;
mod stratum_sides;
mod summary;
mod sweep;
mod sweep_answer;
mod trend;
mod trust;
mod undecided;
mod unlike_before;
mod untimed;
mod validity;
mod values;
mod verdict;
mod worth_in_primaries;

pub use analyse::{analyse, analyse_as};
pub(crate) use arm_counts::{own_sides, wire_per_claim};
pub use arm_differences::{ArmDifference, arm_differences, is_of_two_arms};
pub use attempt::Attempt;
pub use calibration::{
    CALIBRATION_SCHEMA, Calibration, CalibrationProblem, CpuTrend, FLAT_FROM, LevelSummary, RoundTripSummary,
    SendLagSummary, assess,
};
pub use clock::Clock;
pub use comparable::{differences, place_differences};
pub use comparison_result::{
    Comparison, Control, ControlFailure, ExactMetric, RatioHalves, Verdict, WithRunsBefore,
};
pub use conclusion::{Cause, Conclusion, Finding, Gate};
pub use consequence::Consequence;
pub(crate) use control::CONTROL_LIMIT;
pub use control::CONTROLLED;
pub use curves::{QuantilePoint, Span, StratumRatio, quantile_curve, spans, stratum_ratios};
pub use figures::{
    ComparedFigure, FfBenchHost, FfBenchLatency, FfBenchReport, Figure, FigureComparison, FigurePlace,
    FigureSource, FiguresError, compare_figures,
};
pub use forecast::{Experience, Forecast, Shortfall, forecast};
pub use gate::{GatePolicy, GateRole, gate, gate_repeated, gate_role};
pub(crate) use gate::{error_findings, judged_exact};
pub use generators::{GeneratorLimit, GeneratorSummary, MOST_LATE_US};
pub(crate) use generators::{seconds_apart, uncalibrated};
pub use headline::StoredHeadline;
pub use headline_for_worker::{HeadlineSeen, SavedShare, headline_seen};
pub use history::{History, HistoryEntry, HistoryError, HistoryValue, SkippedLine, append, read};
pub use latency_summary::LatencySummary;
pub use pair_agreement::PairAgreement;
pub use parts::{ClaimPart, claim_parts};
pub use profile_result::{
    AddingUp, PROFILE_TOLERANCE, PartChange, Profile, ProfileChange, ProfileFinding, ProfilePart,
    ProfiledArm, ProfiledFunction, ProfiledPart,
};
pub use prospect::{CanAnswer, Prospect, prospect};
pub use ramp::{NoSteps, RampStep, StepQuantile, ramp_steps};
pub(crate) use recovery_result::RecoveryOutcome;
pub use recovery_result::{Before, Recovery, Untold};
pub use repeat::{AllowedOverRuns, MIN_RUNS, Repeated, RepeatedComparison, RepeatedDifference, repeat};
pub use repeat_recovery::{OverRuns, RepeatedRecovery};
pub use result::{RunResult, SCHEMA, ServerCost, StepSummary, VariantSummary, Worth, WorthRow};
pub use run_state::RunState;
pub use runs_before::note_runs_before;
pub use saving::{RepeatedSaving, SavedBy, Saving};
pub(crate) use service_level::{LevelState, RecoveryLevel, recovery_levels, service_levels};
pub use setting_difference::{NotComparable, Setting, SettingDifference};
pub use shown_trends::{NoTrend, shown_trends};
pub use stored::{StoredOptions, StoredRefusal, compare};
pub use stored_pairs::StoredPair;
pub use stored_result::{
    RunLabel, StoredComparison, StoredExact, StoredFailures, StoredMetric, StoredVerdict, Thresholds,
};
pub use sweep::{NoInterval, Sweep, SweepArm, SweepComparison, SweepLine, SweepPoint, sweep};
pub use sweep_answer::{NoLine, NoSweepVerdict, SweepVerdicts};
pub use trend::{LeftOut, RUNS_FOR_A_CHANGE, Trend, TrendChange, TrendPoint, trend};
pub use trust::{HistoryTrust, ProfileTrust, RunTrust, SeriesTrust, SideBySideTrust, SweepTrust, Trust};
pub use undecided::Undecided;
pub use unlike_before::unlike_before;
pub use untimed::WithoutTime;
pub use values::{MetricValue, metric_values};
pub(crate) use verdict::noise_band;
pub use worth_in_primaries::WorthMissing;
