//! Benchmark and load-testing suite for FlowFabric's resumed-execution claim path.
//!
//! ```text
//! scenario ─► cluster ─► workload ─► claim ─► load ─► RunRecord ─► stats ─► judge ─► report
//!  (TOML)    (Valkey)   (interrupt,  (recipes)        (the waist)
//!                        scanner)
//! ```
//!
//! What stands behind the record, and the scenario that asks for it, is the crate [`reclaim_analysis`]: no
//! sockets, no threads, no clocks, so every statistic, verdict and report can be made again from a stored
//! result. This crate produces records: it may use tokio, redis and clocks. [`calibrate`] puts the load
//! before a function that does nothing, to know the generator's own limits. [`campaign`] makes one run or
//! many and has them judged, [`store`] holds what they came to; [`cli`] is arguments, output and exit codes.

pub mod calibrate;
pub mod campaign;
pub mod claim;
pub mod cli;
pub mod cluster;
pub mod flowfabric;
pub mod load;
pub mod machine;
pub mod store;
pub mod valkey;
pub mod workload;

/// The harness of the pure crate's hostile inputs, for what is read here.
#[cfg(test)]
#[path = "../crates/analysis/tests/hostile/harness.rs"]
mod hostile;
