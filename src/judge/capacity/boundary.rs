//! The sustainable rate with an interval: where the probes' strain reaches one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::{CONFIDENCE, Probe, ProbeVerdict};
use super::search::Offer;
use crate::stats::{Estimate, MIN_POINTS, TooFew, crossing};

/// Probes count within this factor of the bracket's ends.
const NEAR: f64 = 1.5;

/// Probes that the cluster itself must have failed.
const MIN_BEYOND: usize = 2;

/// The rate at which half of the probes would pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Boundary {
    /// In claims per second.
    pub rate_per_s: Estimate,
    /// Exponent of the rate in the strain there: with a small one the rate can be told only roughly.
    pub exponent: f64,
    /// Probes that it comes from.
    pub probes: u64,
}

impl Boundary {
    /// From the probes within [`NEAR`] of the bracket `(low, high)`, those of the second walk among them.
    ///
    /// A probe for which the generator or other programs were the limit says nothing about the cluster and is left out.
    pub(super) fn of(
        probes: &[Probe],
        (low, high): (f64, f64),
        slo_us: f64,
        seed: u64,
    ) -> Result<Self, TooFew> {
        let near = (low / NEAR * 0.999)..=(high * NEAR * 1.001);
        let runs: Vec<(f64, f64)> = probes
            .iter()
            .filter(|probe| matches!(probe.verdict, ProbeVerdict::Passed | ProbeVerdict::Failed))
            .filter_map(|probe| match probe.offer {
                Offer::Open { rate_per_s } if near.contains(&rate_per_s) => {
                    Some((rate_per_s, probe.strain(slo_us)?))
                }
                _ => None,
            })
            .collect();
        let beyond = runs.iter().filter(|(_, strain)| *strain > 1.0).count();
        if runs.len() >= MIN_POINTS && beyond < MIN_BEYOND {
            return Err(TooFew::samples(
                "undisturbed probes beyond the boundary",
                MIN_BEYOND as u64,
                beyond as u64,
            ));
        }
        let found = crossing(&runs, CONFIDENCE, seed)?;
        Ok(Self { rate_per_s: found.load, exponent: found.exponent, probes: runs.len() as u64 })
    }
}
