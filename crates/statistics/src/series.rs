//! Series in the order taken: neighbours resemble each other, so n samples say less than n independent ones.

use super::estimate::{Estimate, TooFew, t_probability, t_quantile};

/// Fewest batches that [`effective_sample_size`] works with.
const MIN_BATCHES: usize = 8;

/// Values that [`mser`] leaves in the series: on fewer, its statistic is chance.
const MSER_TAIL: usize = 10;

/// Lag-`lag` autocorrelation; `None` for a series that is too short or constant.
pub fn autocorrelation(series: &[f64], lag: usize) -> Option<f64> {
    if series.len() < lag + 2 {
        return None;
    }
    let mean = mean(series);
    let variance: f64 = series.iter().map(|v| (v - mean).powi(2)).sum();
    if !(variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let covariance: f64 = series.iter().zip(&series[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum();
    Some(covariance / variance)
}

/// How many independent samples the mean of `series` is worth, by batch means with batches of about √n:
/// between 1 and n. `None` for a series that is too short (64) or constant.
pub fn effective_sample_size(series: &[f64]) -> Option<f64> {
    let n = series.len();
    let batch = n.isqrt();
    if batch < MIN_BATCHES {
        return None;
    }
    let batch_means: Vec<f64> = series.chunks_exact(batch).map(mean).collect();
    let (single, batched) = (variance(series), variance(&batch_means));
    if !(single > 0.0 && single.is_finite()) {
        return None;
    }
    let size = n as f64;
    // Batches that agree better than chance are chance: never more than n.
    Some((size * single / (batch as f64 * batched)).clamp(1.0, size))
}

/// Where the warm-up ends by MSER (White 1997): the cut that makes the standard error of what is left
/// smallest, in batches of `batch` values (MSER-5: 5). Returns the number of values to leave out; `None`
/// where there is too little.
///
/// A cut past half of the series means that it never settled.
pub fn mser(series: &[f64], batch: usize) -> Option<usize> {
    let means: Vec<f64> = series.chunks_exact(batch.max(1)).map(mean).collect();
    if means.len() < 2 * MSER_TAIL {
        return None;
    }
    // Sums over the tail, from the end: each cut costs one addition.
    let centre = mean(&means);
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (cut, value) in means.iter().map(|v| v - centre).enumerate().rev() {
        sum += value;
        squares += value * value;
        let left = (means.len() - cut) as f64;
        let statistic = (squares - sum * sum / left).max(0.0) / (left * left);
        if means.len() - cut >= MSER_TAIL && statistic <= best.0 {
            best = (statistic, cut);
        }
    }
    Some(best.1 * batch.max(1))
}

/// Mean of independent values with Student's interval.
pub fn mean_with_interval(values: &[f64], confidence: f64) -> Result<Estimate, TooFew> {
    around_mean(values, confidence, |n| 1.0 / n)
}

/// Probability that independent values have a mean at least this far from zero although the truth is zero
/// (Student's t); `None` for fewer than two. For values that do not vary it is 1 if all are zero, else 0.
pub fn mean_is_zero(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let (mean, error) = (mean(values), (variance(values) / n).sqrt());
    if error > 0.0 {
        return Some(t_probability(mean / error, n - 1.0));
    }
    Some(if mean == 0.0 { 1.0 } else { 0.0 })
}

/// The mean of independent values, with an interval for something whose variance is `times(n)` that of one of
/// them.
pub(super) fn around_mean(
    values: &[f64],
    confidence: f64,
    times: impl Fn(f64) -> f64,
) -> Result<Estimate, TooFew> {
    if values.len() < 2 {
        return Err(TooFew::samples("values", 2, values.len() as u64));
    }
    let (estimate, spread) = (mean(values), variance(values));
    if !(spread > 0.0 && spread.is_finite()) {
        return Err(TooFew::constant("values"));
    }
    let n = values.len() as f64;
    let reach = t_quantile(f64::midpoint(1.0, confidence), n - 1.0) * (spread * times(n)).sqrt();
    Ok(Estimate { estimate, low: estimate - reach, high: estimate + reach, confidence })
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Sample variance; zero for fewer than two values.
pub(super) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len().saturating_sub(1).max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{below, stream};

    fn noise(seed: u64, n: usize) -> Vec<f64> {
        let mut rng = stream(seed, "noise");
        (0..n)
            .map(|_| (0..4).map(|_| f64::from(below(&mut rng, 1_000))).sum::<f64>() / 4_000.0 - 0.5)
            .collect()
    }

    fn ar1(seed: u64, n: usize, phi: f64) -> Vec<f64> {
        let mut last = 0.0;
        noise(seed, n)
            .into_iter()
            .map(|e| {
                last = phi * last + e;
                last
            })
            .collect()
    }

    #[test]
    fn a_mean_is_as_far_from_zero_as_students_table_says() {
        // t = 1 / (1 / sqrt(5)) = 2.2361 with four degrees of freedom.
        let p = mean_is_zero(&[0.0, 0.0, 1.0, 2.0, 2.0]).unwrap();
        assert!((p - 0.0890).abs() < 1e-4, "{p}");
        assert_eq!(mean_is_zero(&[0.0, 0.0, 1.0, 2.0, 2.0].map(|v: f64| -v)), Some(p));
        assert_eq!([&[0.0; 3][..], &[0.5; 3], &[0.5]].map(mean_is_zero), [Some(1.0), Some(0.0), None]);
    }

    #[test]
    fn effective_size_of_ar1_is_the_textbook_share() {
        // n (1 - phi) / (1 + phi) = 0.43 n for phi = 0.4; independent samples keep nearly all.
        let share = |phi: f64| {
            let runs: Vec<f64> = (0..20)
                .map(|seed| effective_sample_size(&ar1(seed, 10_000, phi)).unwrap() / 10_000.0)
                .collect();
            mean(&runs)
        };
        let dependent = share(0.4);
        assert!((0.33..0.55).contains(&dependent), "{dependent}");
        assert!(share(0.0) > 0.75);
        assert!((autocorrelation(&ar1(1, 10_000, 0.4), 1).unwrap() - 0.4).abs() < 0.05);
    }

    #[test]
    fn warm_up_is_cut_and_a_steady_series_is_not() {
        let steady = noise(3, 2_000);
        assert!(mser(&steady, 5).unwrap() < 500);
        let warming: Vec<f64> = steady
            .iter()
            .enumerate()
            .map(|(i, v)| v + if i < 300 { 3.0 - i as f64 / 100.0 } else { 0.0 })
            .collect();
        let cut = mser(&warming, 5).unwrap();
        assert!((200..600).contains(&cut), "{cut}");
        let late: Vec<f64> =
            steady.iter().enumerate().map(|(i, v)| v + f64::from(u8::from(i < 1_400)) * 5.0).collect();
        assert!(mser(&late, 5).unwrap() > 1_000);
    }

    proptest! {
        #[test]
        fn anything_gives_a_number_in_range_or_none(series in prop::collection::vec(-1e9f64..1e9, 0..300)) {
            if let Some(ess) = effective_sample_size(&series) {
                prop_assert!((1.0..=series.len() as f64).contains(&ess));
            }
            if let Some(cut) = mser(&series, 5) {
                prop_assert!(cut < series.len());
            }
            if let Some(r) = autocorrelation(&series, 1) {
                prop_assert!(r.is_finite());
            }
        }
    }
}
