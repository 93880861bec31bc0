//! The median of samples with an interval, by Harrell and Davis.

use statrs::function::beta::beta_reg;

use super::estimate::{Estimate, TooFew, normal_quantile};
use super::quantile::MIN_BEYOND;
use super::series::effective_sample_size;

/// Harrell-Davis weights further from the quantile than this many standard deviations are below 1e-14.
const WEIGHT_REACH: f64 = 8.0;

/// Quantile `q` by Harrell and Davis (1982), with its interval: a mean of the order statistics weighted by a
/// beta distribution, smoother than a single order statistic. `values` stand in the order taken.
///
/// The standard error is Maritz and Jarrett's, widened by what autocorrelation takes away from the sample
/// size.
pub fn harrell_davis_interval(values: &[f64], q: f64, confidence: f64) -> Result<Estimate, TooFew> {
    let needed = (MIN_BEYOND / q.min(1.0 - q).max(1e-6)).ceil();
    if (values.len() as f64) < needed {
        return Err(TooFew::samples("samples", needed as u64, values.len() as u64));
    }
    if values.iter().any(|v| !v.is_finite()) {
        return Err(TooFew::constant("values that are not finite"));
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some((estimate, second)) = moments(&sorted, q) else {
        return Err(TooFew::samples("samples", 1, 0));
    };
    let variance = (second - estimate * estimate).max(0.0);
    if variance <= f64::EPSILON * second.abs() {
        return Err(TooFew::constant("samples"));
    }
    // A quantile moves with the share of samples below it, so that series' autocorrelation is the one that
    // counts.
    let below: Vec<f64> = values.iter().map(|v| f64::from(u8::from(*v <= estimate))).collect();
    let inflation = effective_sample_size(&below).map_or(1.0, |ess| values.len() as f64 / ess);
    let reach = normal_quantile(f64::midpoint(1.0, confidence)) * (variance * inflation).sqrt();
    Ok(Estimate { estimate, low: estimate - reach, high: estimate + reach, confidence })
}

/// Weighted mean of the order statistics and of their squares.
fn moments(sorted: &[f64], q: f64) -> Option<(f64, f64)> {
    let n = sorted.len() as f64;
    match sorted {
        [] => return None,
        [one] => return Some((*one, one * one)),
        _ => {}
    }
    let (a, b) = ((n + 1.0) * q, (n + 1.0) * (1.0 - q));
    if a <= 0.0 || b <= 0.0 {
        let end = if a <= 0.0 { sorted[0] } else { sorted[sorted.len() - 1] };
        return Some((end, end * end));
    }
    let reach = WEIGHT_REACH * (q * (1.0 - q) / (n + 2.0)).sqrt() + 20.0 / n;
    let first = ((q - reach).max(0.0) * n).floor() as usize;
    let last = (((q + reach).min(1.0) * n).ceil() as usize).min(sorted.len());
    let (mut mean, mut second, mut total) = (0.0, 0.0, 0.0);
    let mut before = beta_reg(a, b, first as f64 / n);
    for (i, value) in sorted.iter().enumerate().take(last).skip(first) {
        let after = beta_reg(a, b, ((i + 1) as f64 / n).min(1.0));
        let weight = after - before;
        before = after;
        total += weight;
        mean += weight * value;
        second += weight * value * value;
    }
    Some((mean / total, second / total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harrell_davis_matches_worked_values() {
        // Three values, q = 0.5: weights are differences of I_x(2, 2) = 3x^2 - 2x^3 at thirds: 7/27, 13/27,
        // 7/27.
        let mean = |sorted: &[f64], q| moments(sorted, q).unwrap().0;
        let value = mean(&[1.0, 2.0, 6.0], 0.5);
        assert!((value - (7.0 + 26.0 + 42.0) / 27.0).abs() < 1e-12, "{value}");
        // Symmetric data: the median is the centre, whatever the size.
        let many: Vec<f64> = (0..=2000).map(f64::from).collect();
        assert!((mean(&many, 0.5) - 1000.0).abs() < 1e-6);
        assert!((mean(&many, 0.99) - 1980.0).abs() < 2.0);
    }

    #[test]
    fn an_interval_needs_samples_that_vary() {
        assert!(matches!(harrell_davis_interval(&[1.0; 4], 0.5, 0.95), Err(TooFew::Samples { .. })));
        assert!(matches!(harrell_davis_interval(&[1.0; 400], 0.5, 0.95), Err(TooFew::Constant { .. })));
        assert!(matches!(harrell_davis_interval(&[1.0; 100], 0.99, 0.95), Err(TooFew::Samples { .. })));
    }
}
