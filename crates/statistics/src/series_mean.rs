//! Mean of a series in the order taken, with an interval that knows how far its values follow each other.

use super::estimate::{Estimate, TooFew, t_probability, t_quantile};
use super::log_value::{LogValue, finished, positive};
use super::neighbours::Neighbours;
use super::series::{effective_sample_size, mean, variance};

/// Blocks that a series must at least be worth.
pub(super) const MIN_BLOCKS: usize = 8;

/// Mean of a series such as claims per second, in the order taken, with an error that knows how far its
/// values follow each other: by runs of neighbours, and in a long series also by batches of about the root of
/// its length, which see slower drift.
pub fn mean_of_series(series: &[f64]) -> Result<LogValue, TooFew> {
    if series.len() < MIN_BLOCKS {
        return Err(TooFew::samples("values in the series", MIN_BLOCKS as u64, series.len() as u64));
    }
    let value = positive(mean(series))?;
    let (error, degrees) = error_of_mean(series);
    finished(value, error / value, degrees, "values in the series")
}

/// The mean of either half of a series in the order taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Halves {
    /// Of the first half.
    pub first: f64,
    /// Of the second half.
    pub second: f64,
    /// Probability of means so far apart where nothing changes (Welch's t, with errors that know how far values
    /// follow each other).
    pub p_value: f64,
}

/// Both halves of a series; `None` where it is too short or does not vary.
pub fn halves(series: &[f64]) -> Option<Halves> {
    let (first, second) = series.split_at(series.len() / 2);
    if first.len() < MIN_BLOCKS {
        return None;
    }
    let [(a, a_degrees), (b, b_degrees)] = [first, second].map(error_of_mean);
    let error = a.hypot(b);
    let degrees = error.powi(4) / (a.powi(4) / a_degrees + b.powi(4) / b_degrees);
    let (first, second) = (mean(first), mean(second));
    let p_value = t_probability((second - first) / error, degrees);
    (error > 0.0 && p_value.is_finite()).then_some(Halves { first, second, p_value })
}

/// The same of a series that may be of any sign, such as differences.
pub fn mean_in_order(series: &[f64], confidence: f64) -> Result<Estimate, TooFew> {
    if series.len() < MIN_BLOCKS {
        return Err(TooFew::samples("values in the series", MIN_BLOCKS as u64, series.len() as u64));
    }
    let (error, degrees) = error_of_mean(series);
    if error <= 0.0 {
        return Err(TooFew::constant("values in the series"));
    }
    let (estimate, reach) = (mean(series), t_quantile(f64::midpoint(1.0, confidence), degrees) * error);
    Ok(Estimate { estimate, low: estimate - reach, high: estimate + reach, confidence })
}

/// Standard error of the mean of a series in the order taken, and its degrees of freedom.
fn error_of_mean(series: &[f64]) -> (f64, f64) {
    let count = series.len() as f64;
    let neighbours = Neighbours::from_series(series);
    let batched = effective_sample_size(series).map_or(1.0, |size| (count / size).sqrt());
    let widening = neighbours.widening.max(batched).max(1.0);
    ((variance(series) / count).sqrt() * widening, neighbours.degrees.max(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::log_value::ratio_of;
    use super::*;
    use crate::random::{below, stream};

    #[test]
    fn halves_that_differ_are_told_and_ones_that_do_not_are_not() {
        let mut rng = stream(3, "halves");
        let mut noise = || (0..6).map(|_| f64::from(below(&mut rng, 1_000)) / 1_000.0 - 0.499_5).sum::<f64>();
        let mut alarms = 0;
        for _ in 0..1_000 {
            let still: Vec<f64> = (0..100).map(|_| noise()).collect();
            alarms += u32::from(halves(&still).unwrap().p_value < 0.01);
        }
        assert!(alarms <= 20, "{alarms} of 1,000 at p < 0.01");
        let falling: Vec<f64> = (0..100).map(|n| noise() - 0.04 * f64::from(n)).collect();
        let told = halves(&falling).unwrap();
        assert!(told.p_value < 0.001 && (told.second - told.first + 2.0).abs() < 0.6, "{told:?}");
        assert_eq!([halves(&falling[..12]), halves(&[1.0; 40])], [None; 2]);
    }

    /// Share of 95 % intervals that hold the true mean of values that follow each other.
    fn coverage(count: usize, persistence: f64) -> f64 {
        const TRIALS: u32 = 2_000;
        let mut rng = stream(7, "coverage");
        let mut noise = || (0..6).map(|_| f64::from(below(&mut rng, 1_000)) / 1_000.0 - 0.499_5).sum::<f64>();
        let mut held = 0;
        for _ in 0..TRIALS {
            let mut last = noise() / (1.0 - persistence * persistence).sqrt();
            let series: Vec<f64> = (0..count)
                .map(|_| {
                    last = persistence * last + noise();
                    100.0 + last
                })
                .collect();
            let interval = mean_of_series(&series).unwrap().estimate(0.95);
            held += u32::from(interval.contains(100.0));
        }
        f64::from(held) / f64::from(TRIALS)
    }

    #[test]
    fn the_interval_of_a_short_series_knows_that_its_values_follow_each_other() {
        // Twelve values do not tell how far they follow each other; two thirds of their intervals would hold
        // it if taken for independent.
        for (count, persistence, least) in [
            (12, 0.0, 0.93),
            (12, 0.3, 0.90),
            (12, 0.6, 0.84),
            (20, 0.0, 0.93),
            (20, 0.6, 0.88),
            (40, 0.3, 0.93),
            (63, 0.6, 0.92),
            (64, 0.6, 0.92),
            (400, 0.6, 0.93),
        ] {
            let coverage = coverage(count, persistence);
            assert!(coverage >= least && coverage < 0.985, "{count} values, {persistence}: {coverage}");
        }
    }

    #[test]
    fn a_mean_of_any_sign_has_the_interval_of_one_that_is_positive() {
        let series: Vec<f64> = (0..40).map(|n| 100.0 + f64::from((n * 7) % 5)).collect();
        let positive = mean_of_series(&series).unwrap().estimate(0.95);
        let signed = mean_in_order(&series, 0.95).unwrap();
        assert!((signed.estimate - positive.estimate).abs() < 1e-9);
        assert!((signed.half_width() / positive.half_width() - 1.0).abs() < 0.01, "{signed:?} {positive:?}");
        let around_zero: Vec<f64> = series.iter().map(|value| value - 102.0).collect();
        let shifted = mean_in_order(&around_zero, 0.95).unwrap();
        assert!((shifted.high - (signed.high - 102.0)).abs() < 1e-9 && shifted.contains(0.0));
        assert!(mean_in_order(&series[..7], 0.95).is_err());
    }

    #[test]
    fn too_short_and_constant_say_so() {
        assert!(matches!(mean_of_series(&[3.0; 7]), Err(TooFew::Samples { .. })));
        assert!(matches!(mean_of_series(&[3.0; 70]), Err(TooFew::Constant { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn anything_gives_numbers_or_a_reason(series in prop::collection::vec(0.0f64..1e6, 0..400)) {
            if let Ok(mean) = mean_in_order(&series, 0.95) {
                prop_assert!(mean.low <= mean.estimate && mean.estimate <= mean.high);
            }
            if let Ok(value) = mean_of_series(&series) {
                let ratio = ratio_of(&value, &value, 0.95);
                prop_assert!(ratio.low <= 1.0 && 1.0 <= ratio.high && !ratio.high.is_nan());
            }
        }
    }
}
