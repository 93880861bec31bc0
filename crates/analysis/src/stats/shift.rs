//! Where in the distribution two arms differ: one difference per decile, as a description.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Estimate;
use super::estimate::TooFew;
use super::paired::paired_quantile;

/// Candidate over baseline at one decile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecileShift {
    /// 0.1 to 0.9.
    pub quantile: f64,
    /// The baseline's value, in the samples' unit.
    pub baseline: f64,
    /// Candidate over baseline.
    pub ratio: Estimate,
}

/// The nine decile ratios over paired strata. Intervals are for each decile alone: a description, no test.
pub fn decile_shift(
    pairs: &[(&[f64], &[f64])],
    confidence: f64,
    seed: u64,
) -> Result<Vec<DecileShift>, TooFew> {
    (1..=9)
        .map(|decile| {
            let quantile = f64::from(decile) / 10.0;
            let effect = paired_quantile(pairs, quantile, seed)?;
            Ok(DecileShift { quantile, baseline: effect.baseline, ratio: effect.ratio(confidence) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_tail_shows_in_the_upper_deciles_only() {
        let base: Vec<Vec<f64>> =
            (0..30).map(|s| (0..50).map(|i| 100.0 + f64::from((i * 37 + s * 11) % 97)).collect()).collect();
        let slower: Vec<Vec<f64>> = base
            .iter()
            .map(|side| side.iter().map(|v| if *v > 160.0 { v * 1.2 } else { *v }).collect())
            .collect();
        // The other arm sees another order of the same population, as in a run.
        let pairs: Vec<_> = base
            .iter()
            .zip(slower.iter().cycle().skip(7))
            .map(|(a, b)| (a.as_slice(), b.as_slice()))
            .collect();
        let shift = decile_shift(&pairs, 0.95, 1).unwrap();
        assert_eq!(shift.len(), 9);
        assert!(shift[1].ratio.contains(1.0), "{:?}", shift[1]);
        assert!(shift[8].ratio.low > 1.1, "{:?}", shift[8]);
        assert!(decile_shift(&pairs[..2], 0.95, 1).is_err());
    }
}
