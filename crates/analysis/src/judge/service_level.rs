//! Whether a run kept its scenario's service level.

use std::time::Duration;

use super::recovery::{Recovery, Untold};
use super::result::{RunResult, VariantSummary};
use crate::scenario::FaultKind;

/// One variant against the bound of its 99th percentile.
#[derive(Clone, Copy, Debug)]
pub struct ServiceLevel<'a> {
    /// The variant.
    pub variant: &'a VariantSummary,
    /// Its 99th percentile in µs: of the response time; in a closed loop, which has none, of the service
    /// time.
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

/// One fault against the time within which everything must be as before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveryLevel<'a> {
    /// How the run came through it.
    pub(crate) recovery: &'a Recovery,
    /// What it was.
    pub(crate) kind: FaultKind,
    /// Whether the bound was kept; `None` where nobody can tell.
    pub(crate) kept: Option<bool>,
    /// Why nobody can tell when all was as before.
    pub(crate) why: Option<Untold>,
}

/// Every fault that struck, against this bound.
pub(crate) fn recovery_levels(
    result: &RunResult,
    bound: Duration,
) -> impl Iterator<Item = RecoveryLevel<'_>> {
    let record = &result.record;
    let faults = record.injected.as_ref().map_or(&[][..], |injected| &injected.faults);
    let loaded_s = record.loaded_s();
    result.recoveries.iter().filter_map(move |recovery| {
        let fault = faults.get(recovery.fault as usize)?;
        let kind = fault.kind;
        let bound_s = bound.as_secs_f64();
        let why = recovery.untold();
        // What is as before only then is not seen to be.
        let seen_by = bound_s + recovery.before.map_or(0.0, |before| before.settling_s());
        let (kept, why) = match (why, recovery.recovered_s) {
            // With what was left of the one before it: no more than that.
            (None, Some(recovered_s)) if recovered_s <= bound_s => (Some(true), None),
            _ if recovery.with_earlier => (None, Some(Untold::EarlierFault)),
            (Some(Untold::NextFault), _) => {
                let noticed = recovery.next_struck_s.filter(|_| !recovery.nothing_failed);
                (noticed.is_some_and(|next_s| seen_by <= next_s).then_some(false), why)
            }
            (Some(_), _) => (recovery.failed_beyond(bound_s).then_some(false), why),
            (None, Some(_)) => (Some(false), None),
            // It has until then to come back, and the load may have ended before.
            (None, None) => ((fault.struck_s? + seen_by <= loaded_s).then_some(false), None),
        };
        Some(RecoveryLevel { recovery, kind, kept, why })
    })
}
