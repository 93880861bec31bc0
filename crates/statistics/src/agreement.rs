//! Several estimates of one thing: do they agree as well as their own intervals promise, and what will the
//! next one be?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::estimate::{Estimate, TooFew, normal_quantile};
use super::series::around_mean;

/// How well estimates of one thing agree: Cochran's Q.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// Probability of estimates at least as far apart as these if their own intervals held all that varies.
    pub p_value: f64,
    /// Standard deviation of what differs between them beyond their own errors (`DerSimonian` and Laird);
    /// zero where they agree. On the scale of the estimates.
    pub beyond: f64,
}

/// Probability below which estimates are said to differ by more than their intervals allow.
const DISAGREE: f64 = 0.05;

impl Agreement {
    /// What differs between estimates of a logarithm beyond their own errors, as a share of the quantity itself;
    /// `None` where they agree.
    pub fn disagreement(&self) -> Option<f64> {
        (self.p_value <= DISAGREE).then(|| self.beyond.exp_m1())
    }
}

/// Of estimates with their standard errors; `None` for fewer than two, or where an error is not positive.
pub fn agreement(estimates: &[(f64, f64)]) -> Option<Agreement> {
    let sound = |&(value, error): &(f64, f64)| value.is_finite() && error.is_finite() && error > 0.0;
    if estimates.len() < 2 || !estimates.iter().all(sound) {
        return None;
    }
    let weights = || estimates.iter().map(|(_, error)| error.powi(-2));
    let total: f64 = weights().sum();
    let centre =
        estimates.iter().zip(weights()).map(|((value, _), weight)| weight * value).sum::<f64>() / total;
    let q: f64 =
        estimates.iter().zip(weights()).map(|((value, _), weight)| weight * (value - centre).powi(2)).sum();
    let degrees = estimates.len() as f64 - 1.0;
    let scale = total - weights().map(|weight| weight * weight).sum::<f64>() / total;
    Some(Agreement {
        p_value: ChiSquared::new(degrees).map_or(1.0, |known| known.sf(q)),
        beyond: ((q - degrees) / scale).max(0.0).sqrt(),
    })
}

/// Standard error on the logarithmic scale that an interval of a ratio was made from.
pub fn log_error_of(ratio: &Estimate) -> f64 {
    (ratio.high / ratio.low).ln() / 2.0 / normal_quantile(f64::midpoint(1.0, ratio.confidence))
}

/// Where the next of a row of independent values lies: wider than the interval of their mean, by what one
/// value varies.
pub fn next_value(values: &[f64], confidence: f64) -> Result<Estimate, TooFew> {
    around_mean(values, confidence, |n| 1.0 + 1.0 / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{below, stream};

    fn normals(seed: u64, n: usize) -> Vec<f64> {
        let mut rng = stream(seed, "normals");
        (0..n).map(|_| (0..12).map(|_| f64::from(below(&mut rng, 10_000)) / 1e4).sum::<f64>() - 6.0).collect()
    }

    #[test]
    fn runs_that_their_intervals_explain_agree_and_others_do_not() {
        let alarms = |drift: f64| {
            let differ = |seed: &u64| {
                let draws = normals(*seed, 16);
                let runs: Vec<_> =
                    draws.chunks(2).map(|d| (0.1 + drift * d[0] + 0.01 * d[1], 0.01)).collect();
                agreement(&runs).unwrap().p_value <= 0.05
            };
            (0..400).filter(differ).count()
        };
        let (none, some) = (alarms(0.0), alarms(0.03));
        assert!((8..=32).contains(&none), "{none} of 400 alarms for nothing");
        assert!(some >= 390, "{some} of 400 found");
    }

    #[test]
    fn what_differs_beyond_the_errors_has_its_size() {
        let draws = normals(1, 4_000);
        let runs: Vec<_> = draws.chunks(2).map(|d| (0.03 * d[0] + 0.01 * d[1], 0.01)).collect();
        assert!((agreement(&runs).unwrap().beyond / 0.03 - 1.0).abs() < 0.05);
        assert_eq!(agreement(&[(1.0, 0.1), (1.0, 0.1)]), Some(Agreement { p_value: 1.0, beyond: 0.0 }));
        assert_eq!(agreement(&[(1.0, 0.1)]), None);
        assert_eq!(agreement(&[(1.0, 0.1), (1.0, 0.0)]), None);
    }

    #[test]
    fn the_next_value_lies_where_it_is_said_to() {
        let inside = (0..1_000)
            .filter(|&seed| {
                let draws = normals(seed, 6);
                next_value(&draws[..5], 0.95).unwrap().contains(draws[5])
            })
            .count();
        assert!((930..=970).contains(&inside), "{inside} of 1,000");
        assert!(next_value(&[1.0], 0.95).is_err() && next_value(&[1.0, 1.0], 0.95).is_err());
    }

    #[test]
    fn an_interval_gives_its_error_back() {
        let ratio = Estimate {
            estimate: 1.2,
            low: 1.2 * (-0.0196f64).exp(),
            high: 1.2 * 0.0196f64.exp(),
            confidence: 0.95,
        };
        assert!((log_error_of(&ratio) - 0.01).abs() < 1e-4);
    }
}
