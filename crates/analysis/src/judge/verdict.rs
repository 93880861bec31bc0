//! What counts as noise, and the verdict rule that follows from it.

use crate::scenario::Direction;
use crate::stats::Estimate;

use super::result::Verdict;

/// Ratios within are noise: swapping the sides of a comparison swaps the ends of the band.
pub(crate) fn noise_band(threshold: f64) -> [f64; 2] {
    [1.0 / (1.0 + threshold), 1.0 + threshold]
}

/// Whether both ratios lie within the noise, or both beyond the same end of it.
pub(crate) fn on_one_side(ratios: [f64; 2], threshold: f64) -> bool {
    let [low, high] = noise_band(threshold);
    let [one, other] = ratios.map(|ratio| (ratio > high, ratio < low));
    one == other
}

/// The rule: a change only if the whole interval lies beyond the noise threshold, none only if all of it lies
/// within.
pub(super) fn verdict(ratio: &Estimate, direction: Direction, threshold: f64) -> Verdict {
    let [low, high] = noise_band(threshold);
    let (lower, higher) = match direction {
        Direction::LowerIsBetter => (Verdict::Improvement, Verdict::Regression),
        Direction::HigherIsBetter => (Verdict::Regression, Verdict::Improvement),
    };
    if ratio.low > high {
        higher
    } else if ratio.high < low {
        lower
    } else if ratio.low > low && ratio.high < high {
        Verdict::NoChange
    } else {
        Verdict::Inconclusive
    }
}
