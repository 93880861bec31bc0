//! From a record to conclusions. Pure: the same record and policy give the same verdicts.

mod result;

pub use result::{
    Comparison, Control, ExactMetric, LatencySummary, RunResult, SCHEMA, ServerCost, VariantSummary, Verdict,
};
