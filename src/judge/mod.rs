//! From a record to conclusions. Pure: the same record and policy give the same verdicts.
//!
//! ```text
//! RunRecord ─► analyse: summary + validity + comparison ─► RunResult ─► gate ─► exit code
//!                              two RunResults ─► stored: comparison with a baseline from another day
//!                              N RunResults   ─► repeat: one estimate over all attempts
//!                              many nights    ─► history: trend and change points
//! ```

mod analyse;
mod comparison;
#[cfg(test)]
pub(crate) mod fixtures;
mod result;
mod summary;
mod validity;

pub use analyse::analyse_as;
pub use result::{
    Comparison, Control, ExactMetric, LatencySummary, RunResult, SCHEMA, ServerCost, VariantSummary, Verdict,
};
