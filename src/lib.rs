//! Benchmark and load-testing suite for FlowFabric's resumed-execution claim path.
//!
//! ```text
//! scenario ─► cluster ─► workload ─► claim ─► measure ─► RunRecord ─► stats ─► judge ─► report
//!  (TOML)    (Valkey)   (interrupt,  (variants) (recorders) (the waist)        (gate,     (text, md,
//!                        scanner)    ▲                                          capacity)  json, CI)
//!                                    └── load (schedule, pacer, driver)
//! ```
//!
//! [`calibrate`] puts the load before a function that does nothing, to know the generator's own limits.
//!
//! Arrows point one way. Left of [`measure::RunRecord`] the code may use tokio, redis and clocks; right of it
//! nothing does, so every statistic, verdict and report can be made again from a stored result.
//! [`cli`] alone sees both sides.

pub mod calibrate;
pub mod claim;
pub mod cli;
pub mod cluster;
pub mod flowfabric;
pub mod judge;
pub mod load;
pub mod measure;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod workload;
