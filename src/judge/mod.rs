//! From a record to conclusions. Pure: the same record and policy give the same verdicts.
//!
//! ```text
//! RunRecord ─► analyse: summary + validity + comparison ─► RunResult ─► gate ─► exit code
//!                              two RunResults ─► stored: comparison with a baseline from another day
//!                              N RunResults   ─► repeat: one estimate over all attempts
//!                              many nights    ─► history: trend and change points
//! ```

mod analyse;
mod comparable;
mod comparison;
#[cfg(test)]
pub(crate) mod fixtures;
mod gate;
mod history;
mod repeat;
mod result;
mod stored;
mod summary;
mod validity;
mod values;

pub use analyse::{analyse, analyse_as};
pub use comparable::{Difference, NotComparable, differences};
pub use gate::{Conclusion, Finding, Gate, GatePolicy, gate, gate_repeated};
pub use history::{
    History, HistoryEntry, HistoryError, HistoryValue, SkippedLine, Trend, TrendChange, TrendPoint, append,
    read, trend,
};
pub use repeat::{Attempt, Repeated, RepeatedComparison, repeat};
pub use result::{
    Comparison, Control, ExactMetric, LatencySummary, RunResult, SCHEMA, ServerCost, VariantSummary, Verdict,
};
pub use stored::{
    RunLabel, StoredComparison, StoredExact, StoredMetric, StoredOptions, StoredVerdict, Thresholds, compare,
};
pub use values::{MetricValue, metric_values};
