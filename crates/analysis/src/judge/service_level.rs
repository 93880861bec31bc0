//! Whether a run kept its scenario's service level.

use std::time::Duration;

use super::result::{RunResult, VariantSummary};

/// One variant against the bound of its 99th percentile.
#[derive(Clone, Copy, Debug)]
pub struct ServiceLevel<'a> {
    /// The variant.
    pub variant: &'a VariantSummary,
    /// Its 99th percentile in µs: of the response time; in a closed loop, which has none, of the service time.
    pub p99_us: f64,
    /// The bound in µs.
    pub bound_us: f64,
}

impl ServiceLevel<'_> {
    /// Whether the bound was kept.
    pub fn kept(&self) -> bool {
        self.p99_us <= self.bound_us
    }
}

/// Every variant with a successful claim, against this bound.
pub(crate) fn service_levels(result: &RunResult, bound: Duration) -> impl Iterator<Item = ServiceLevel<'_>> {
    let bound_us = bound.as_secs_f64() * 1e6;
    result.variants.iter().filter_map(move |variant| {
        let p99_us = variant.response_us.or(variant.service_us)?.p99;
        Some(ServiceLevel { variant, p99_us, bound_us })
    })
}
