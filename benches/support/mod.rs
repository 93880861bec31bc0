//! What the benchmarks, the instruction counts and their tests share: one set of named inputs, one floor.
//!
//! Every target includes this module whole and uses its own part of it.
#![allow(dead_code, reason = "each target that includes this module uses a part of it")]

pub mod cases;
pub mod claims;
pub mod cpu_time;
pub mod estimates;
pub mod floor;
pub mod inputs;
pub mod parser;

use std::time::Duration;

use cpu_time::ThreadCpuTime;
use criterion::Criterion;
use reclaim_bench::flowfabric::ReclaimGrant;

/// Criterion as the benchmarks of pure code use it; command-line options override.
///
/// Pooled inputs settle quickly: half a second to warm up and two to measure keep a whole target under four
/// minutes without `--quick`. A change below a tenth is not called one: that is what code which did not
/// change showed on a shared two-core machine (results/reference/microbench/README.md).
pub fn criterion() -> Criterion<ThreadCpuTime> {
    Criterion::default()
        .with_measurement(ThreadCpuTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .noise_threshold(0.1)
        .configure_from_args()
}

/// A grant as JSON, the form in which a producer hands it on.
///
/// # Panics
/// Never: a grant has string keys only.
pub fn grant_to_wire(grant: &ReclaimGrant) -> String {
    serde_json::to_string(grant).expect("a grant is plain data")
}
