//! The sustainable rate with an interval: where the probes' strain reaches one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::{Probe, ProbeVerdict};
use crate::stats::{CONFIDENCE, Estimate, MIN_POINTS, TooFew, crossing, crossing_load};

/// Probes count within this factor of the bracket's ends; within the second one, if the line through those
/// does not reach the level between them: a machine that was faster while the bracket was found leaves none
/// on one side of it.
const NEAR: [f64; 2] = [1.5, 2.0];

/// Probes that the cluster itself must have failed.
const MIN_PROBES_BEYOND: usize = 2;

/// The rate at which half of the probes would pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Boundary {
    /// In claims per second.
    pub rate_per_s: Estimate,
    /// Exponent of the rate in the strain there: with a small one the rate can be told only roughly.
    pub exponent: f64,
    /// Probes that it comes from.
    pub probes: u64,
    /// Whether an end of the interval is the lowest or highest rate that was tried near it: it may lie
    /// further out.
    #[serde(default)]
    pub at_edge: bool,
}

impl Boundary {
    /// Whether half of the interval's width is known to be at most this share of the rate.
    pub fn is_within(&self, precision: f64) -> bool {
        !self.at_edge && self.half_width() <= precision
    }

    /// The fitted strain at a rate: one at the boundary.
    pub fn strain_at(&self, rate_per_s: f64) -> f64 {
        (rate_per_s / self.rate_per_s.estimate).powf(self.exponent)
    }

    /// Half of the interval's width, as a share of the rate.
    pub fn half_width(&self) -> f64 {
        self.rate_per_s.half_width() / self.rate_per_s.estimate
    }

    /// From the probes within [`NEAR`] of the bracket `(low, high)` and of the rate itself, those of the
    /// second walk and of refinement among them.
    ///
    /// A probe for which the generator or other programs were the limit says nothing about the cluster and is
    /// left out.
    pub(super) fn through(
        probes: &[&Probe],
        ends: (f64, f64),
        slo_us: f64,
        seed: u64,
    ) -> Result<Self, TooFew> {
        let within = |near: f64| {
            let ends = around(probes, near, ends, slo_us)?.1;
            let runs = near_runs(probes, near, ends, slo_us)?;
            let found = crossing(&runs, CONFIDENCE, seed)?;
            Ok(Self {
                rate_per_s: found.load,
                exponent: found.exponent,
                probes: runs.len() as u64,
                at_edge: found.at_edge,
            })
        };
        let [near, wider] = NEAR;
        match within(near) {
            Ok(found) if !found.at_edge => Ok(found),
            first => match within(wider) {
                Ok(found) if !found.at_edge || first.is_err() => Ok(found),
                _ => first,
            },
        }
    }

    /// Its rate alone, in a fraction of the time.
    pub(super) fn rate(probes: &[&Probe], ends: (f64, f64), slo_us: f64) -> Result<f64, TooFew> {
        let [near, wider] = NEAR.map(|near| move || Ok(around(probes, near, ends, slo_us)?.0));
        near().or_else(|why| wider().map_err(|_: TooFew| why))
    }
}

/// A rate from the probes around the bracket, and what to look around once it is known: refinement stands
/// around it, which need not be within the bracket.
fn around(
    probes: &[&Probe],
    near: f64,
    (low, high): (f64, f64),
    slo_us: f64,
) -> Result<(f64, (f64, f64)), TooFew> {
    let rate = crossing_load(&near_runs(probes, near, (low, high), slo_us)?)?;
    Ok((rate, (low.min(rate), high.max(rate))))
}

/// Rates and strains.
fn near_runs(
    probes: &[&Probe],
    near: f64,
    (low, high): (f64, f64),
    slo_us: f64,
) -> Result<Vec<(f64, f64)>, TooFew> {
    let near = (low / near * 0.999)..=(high * near * 1.001);
    let runs: Vec<(f64, f64)> = probes
        .iter()
        .filter(|probe| matches!(probe.verdict, ProbeVerdict::Passed | ProbeVerdict::Failed))
        .filter_map(|probe| {
            let rate = probe.offer.rate_per_s().filter(|rate| near.contains(rate))?;
            Some((rate, probe.strain(slo_us)?))
        })
        .collect();
    let beyond = runs.iter().filter(|(_, strain)| *strain > 1.0).count();
    if runs.len() >= MIN_POINTS && beyond < MIN_PROBES_BEYOND {
        return Err(TooFew::samples(
            "undisturbed probes beyond the boundary",
            MIN_PROBES_BEYOND as u64,
            beyond as u64,
        ));
    }
    Ok(runs)
}
