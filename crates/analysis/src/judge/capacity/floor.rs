//! What a claim takes at any rate, and whether the service level is too near to that.

use super::probe::{Probe, ProbeVerdict};

/// A service level is near what a claim takes at any rate if that is more than this share of it.
const NEAR_FLOOR: f64 = 0.25;

/// A service level that is near what a claim takes at any rate: where it is missed is decided by stalls of
/// the machine more than by the claims.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearFloor {
    /// Least 99th percentile of the response time among the probes that passed, in µs.
    pub floor_us: f64,
    /// Share of the level that this may be.
    pub share: f64,
    /// Lowest level that is not near it, in µs.
    pub level_us: f64,
}

impl NearFloor {
    /// `None` where the level is far enough above.
    pub(super) fn if_near(floor_us: f64, slo_us: f64) -> Option<Self> {
        let is_near = floor_us > NEAR_FLOOR * slo_us;
        is_near.then_some(Self { floor_us, share: NEAR_FLOOR, level_us: floor_us / NEAR_FLOOR })
    }
}

/// Least 99th percentile of the response time among the probes that passed.
pub(super) fn floor_us(probes: &[Probe]) -> Option<f64> {
    let passed = probes.iter().filter(|probe| probe.verdict == ProbeVerdict::Passed);
    passed.filter_map(|probe| Some(probe.response_p99_us?.estimate)).min_by(f64::total_cmp)
}
