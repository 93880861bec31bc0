//! How much strata that follow each other resemble each other, and what an interval has to make of it.
//!
//! The effect itself drifts with the machine, so that neighbouring strata agree better than distant ones:
//! resampled one by one they would promise an interval that the next hour does not keep. So their differences
//! are resampled in runs of neighbours as well, and the interval is as much wider as the mean of those varies
//! more.
//!
//! The length of a run follows the data: the one that Politis and White (2004, corrected by Patton, Politis
//! and White 2009) derive for resampling runs of a circle, for the autocorrelation that the differences show,
//! and never less than the cube root of their number (twice that where neighbours resemble each other), since
//! 100 differences cannot tell an autocorrelation of 0.2 from none. What runs of that length still miss, the
//! resemblance across their seams, is added by the ratio that a series of the same autocorrelation has.
//! tests/simulated shows the coverage.

use super::series::{autocorrelation, mean};

/// Runs that a series is divided into at least: with fewer, neither resampling nor flipping them says
/// anything.
const MIN_NEIGHBOUR_RUNS: usize = 8;

/// Larger estimates of the autocorrelation are cut to this: no series of such a length can tell them apart.
const STRONGEST: f64 = 0.9;

/// Smallest widening: neighbours that differ more than distant values do not justify a much narrower
/// interval. Independent values come this far by chance.
const NARROWEST: f64 = 0.8;

/// Where neighbours resemble each other, a run has at least this many times the cube root of the series'
/// length.
const RESEMBLING: f64 = 2.0;

/// Degrees of freedom that one run is worth where neighbours do not resemble each other: for independent
/// values overlapping runs give half as many again as runs that are laid end to end.
const OVERLAP: f64 = 1.5;

/// What a series in the order taken says about its neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neighbours {
    /// Neighbours that are resampled together.
    pub run: usize,
    /// Standard error of the series' mean, from its runs, over the one that independent values would have.
    pub widening: f64,
    /// Degrees of freedom of that standard error.
    pub degrees: f64,
    /// Whether the neighbours' autocorrelation exceeds the standard error that it has for independent values.
    pub resemble: bool,
}

impl Neighbours {
    /// Of a series in the order taken.
    pub(super) fn from_series(series: &[f64]) -> Self {
        let n = series.len() as f64;
        let persistence = persistence(series);
        let resemble = persistence > 1.0 / n.sqrt();
        let shortest = if resemble { RESEMBLING * n.cbrt() } else { n.cbrt() };
        let wanted = optimal_run(persistence, n).max(shortest).round() as usize;
        let run = wanted.min(series.len() / MIN_NEIGHBOUR_RUNS).max(1);
        let runs = n / run as f64;
        let missed = (1.0 + persistence) / (1.0 - persistence) / seen_by_runs(persistence, run);
        let overlap = if resemble || run == 1 { 1.0 } else { OVERLAP };
        let degrees = overlap * runs - 1.0;
        let seen = variance_of_runs(series, run) / variance_of_runs(series, 1);
        let widening = (seen * missed * runs / (runs - 1.0)).sqrt();
        Self {
            run,
            widening: if widening.is_finite() { widening.max(NARROWEST) } else { 1.0 },
            degrees,
            resemble,
        }
    }

    /// Neighbours whose signs are flipped together.
    pub(super) fn flipped_together(&self) -> usize {
        if self.resemble { self.run } else { 1 }
    }
}

/// Variance of the mean of as many values, resampled without end in runs of `run` neighbours from the series
/// closed to a circle.
fn variance_of_runs(series: &[f64], run: usize) -> f64 {
    let n = series.len();
    let centre = mean(series);
    let mut sum: f64 = series[..run.min(n)].iter().map(|value| value - centre).sum();
    let mut squares = 0.0;
    for first in 0..n {
        squares += sum * sum;
        sum += series[(first + run) % n] - series[first];
    }
    squares / (n * n * run) as f64
}

/// Lag-1 autocorrelation, corrected for the bias that an estimated mean gives it; 0 where it is negative,
/// because neighbours that differ more than distant values do not justify a narrower interval.
fn persistence(series: &[f64]) -> f64 {
    let n = series.len() as f64;
    let Some(lag_one) = autocorrelation(series, 1).filter(|_| n > 4.0) else { return 0.0 };
    let unbiased = (n * lag_one + 1.0) / (n - 3.0);
    // What one standard error explains is no resemblance.
    if series.len() < 2 * MIN_NEIGHBOUR_RUNS && unbiased < 1.0 / n.sqrt() {
        0.0
    } else {
        unbiased.clamp(0.0, STRONGEST)
    }
}

/// Politis and White's length for the variance of a mean: (2 G² / D)^(1/3) n^(1/3), with G and D of an
/// autoregression of first order.
fn optimal_run(persistence: f64, n: f64) -> f64 {
    let ratio = 2.0 * persistence / (1.0 - persistence * persistence);
    (1.5 * ratio * ratio * n).cbrt()
}

/// Variance of the mean of a run over that of as many independent values, for an autoregression of first
/// order.
fn seen_by_runs(persistence: f64, run: usize) -> f64 {
    let length = run as f64;
    let mut power = 1.0;
    let pairs = (1..run).map(|lag| {
        power *= persistence;
        2.0 * (1.0 - lag as f64 / length) * power
    });
    1.0 + pairs.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{below, stream};

    fn autoregressive(n: usize, phi: f64, seed: u64) -> Vec<f64> {
        let mut rng = stream(seed, "ar");
        let mut last = 0.0;
        (0..n)
            .map(|_| {
                let noise: f64 = (0..6).map(|_| f64::from(below(&mut rng, 1_000)) / 1_000.0 - 0.5).sum();
                last = phi * last + noise;
                last
            })
            .collect()
    }

    #[test]
    fn runs_grow_with_the_resemblance_and_the_number_of_strata() {
        let run = |n, phi| Neighbours::from_series(&autoregressive(n, phi, 1)).run;
        assert_eq!(run(4_000, 0.0), 16, "the cube root, where nothing resembles anything");
        assert!(run(4_000, 0.9) > run(4_000, 0.7) && run(4_000, 0.7) > run(4_000, 0.0));
        assert!(run(100, 0.0) <= run(100, 0.5));
        assert!(run(100, 0.95) <= 100 / MIN_NEIGHBOUR_RUNS);
        assert_eq!(run(8, 0.9), 1);
    }

    #[test]
    fn the_standard_error_of_a_drifting_series_is_widened_to_what_it_is() {
        let series = autoregressive(2_000, 0.5, 3);
        let neighbours = Neighbours::from_series(&series);
        // Independent values would have a third of the variance: (1 + 0.5) / (1 - 0.5) = 3.
        assert!((neighbours.widening - 3.0f64.sqrt()).abs() < 0.2, "{neighbours:?}");
        let seen = seen_by_runs(persistence(&series), neighbours.run);
        assert!(seen > 2.4 && seen < 3.2, "{seen}");
        assert!((seen_by_runs(0.5, 1) - 1.0).abs() < 1e-12);
        let independent = Neighbours::from_series(&autoregressive(2_000, 0.0, 3));
        assert!((independent.widening - 1.0).abs() < 0.2, "{independent:?}");
        assert_eq!((independent.flipped_together(), neighbours.flipped_together()), (1, neighbours.run));
    }

    #[test]
    fn neighbours_that_differ_more_than_others_narrow_nothing() {
        let alternating: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!(persistence(&alternating).abs() < 1e-12);
        assert!((Neighbours::from_series(&alternating).widening - NARROWEST).abs() < 1e-12);
        assert!((Neighbours::from_series(&[1.0; 40]).widening - 1.0).abs() < 1e-12);
    }
}
