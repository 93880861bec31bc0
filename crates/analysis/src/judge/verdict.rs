//! What counts as noise, and the verdict rule that follows from it.

use std::cmp::Ordering;

use crate::scenario::Direction;
use crate::stats::Estimate;

use super::result::Verdict;

/// Ratios within are noise: swapping the sides of a comparison swaps the ends of the band.
pub(crate) fn noise_band(threshold: f64) -> [f64; 2] {
    [1.0 / (1.0 + threshold), 1.0 + threshold]
}

/// Ratios that are less than a share of the base away from it, as people state losses and rises: "a throughput
/// that fell by more than 10 %". Its ends are no reciprocals, so that swapping the sides of a comparison gives
/// another band; those of two stored results are base and candidate, and never swapped.
pub(super) fn band_of_base(share: f64) -> [f64; 2] {
    [1.0 - share, 1.0 + share]
}

/// A ratio against that end of a band beyond which things are worse: greater is worse.
pub(super) fn against_worse_end(ratio: f64, direction: Direction, [low, high]: [f64; 2]) -> Option<Ordering> {
    match direction {
        Direction::LowerIsBetter => ratio.partial_cmp(&high),
        Direction::HigherIsBetter => low.partial_cmp(&ratio),
    }
}

/// Whether it lies beyond that end.
pub(super) fn is_worse(ratio: f64, direction: Direction, band: [f64; 2]) -> bool {
    against_worse_end(ratio, direction, band) == Some(Ordering::Greater)
}

/// The ends of an interval: the best value in it, and the worst.
pub(super) fn best_and_worst(ratio: &Estimate, direction: Direction) -> [f64; 2] {
    match direction {
        Direction::LowerIsBetter => [ratio.low, ratio.high],
        Direction::HigherIsBetter => [ratio.high, ratio.low],
    }
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
    let band @ [low, high] = noise_band(threshold);
    let [best, _] = best_and_worst(ratio, direction);
    if is_worse(best, direction, band) {
        Verdict::Regression
    } else if ratio.low > high || ratio.high < low {
        Verdict::Improvement
    } else if ratio.low > low && ratio.high < high {
        Verdict::NoChange
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_is_up_for_what_is_to_be_low_and_down_for_what_is_to_be_high() {
        let (low, high) = (Direction::LowerIsBetter, Direction::HigherIsBetter);
        let of = |ratio: f64, band: [f64; 2]| [low, high].map(|direction| is_worse(ratio, direction, band));
        for band in [noise_band(0.1), band_of_base(0.1)] {
            assert_eq!(
                [1.2, 1.0, 0.8].map(|ratio| of(ratio, band)),
                [[true, false], [false; 2], [false, true]]
            );
        }
        // A tenth less of the base is less than what a tenth more is taken back by.
        assert_eq!([noise_band(0.1), band_of_base(0.1)].map(|band| of(0.905, band)[1]), [true, false]);
        assert!(!is_worse(f64::NAN, low, noise_band(0.1)) && !is_worse(f64::NAN, high, noise_band(0.1)));
        let ratio = Estimate { estimate: 1.0, low: 0.9, high: 1.2, confidence: 0.95 };
        assert_eq!([low, high].map(|direction| best_and_worst(&ratio, direction)), [[0.9, 1.2], [1.2, 0.9]]);
    }
}
