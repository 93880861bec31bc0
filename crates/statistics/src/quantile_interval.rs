//! A quantile such as p99 of one run's samples, with an interval that knows that slow claims come together.

use super::estimate::TooFew;
use super::log_value::{LogValue, finished, positive};
use super::pooled::Pooled;
use super::quantile::MIN_BEYOND;
use super::series::variance;
use super::series_mean::MIN_BLOCKS;
use crate::random::{below, stream};

/// Resamples of the block bootstrap: it only has to give a standard error.
const ERROR_RESAMPLES: usize = 999;

/// Quantile `q` of samples in the order taken, with an error from resampling blocks of √n neighbours, so that
/// runs of slow claims stay together.
pub fn block_quantile(samples: &[f64], q: f64, seed: u64) -> Result<LogValue, TooFew> {
    let needed = ((MIN_BEYOND / q.min(1.0 - q).max(1e-6)).ceil() as usize).max(MIN_BLOCKS * MIN_BLOCKS);
    if samples.len() < needed {
        return Err(TooFew::samples("samples", needed as u64, samples.len() as u64));
    }
    let blocks = samples.chunks_exact(samples.len().isqrt());
    let count = blocks.len();
    let pooled = Pooled::new(blocks, q);
    let value = positive(pooled.quantile(&vec![1; count]))?;
    let mut rng = stream(seed, "blocks");
    let mut weights = vec![0u32; count];
    let mut logs = Vec::with_capacity(ERROR_RESAMPLES);
    for _ in 0..ERROR_RESAMPLES {
        weights.fill(0);
        for _ in 0..count {
            weights[below(&mut rng, count as u32) as usize] += 1;
        }
        logs.push(positive(pooled.quantile(&weights))?.ln());
    }
    // Resampling n blocks shows (n - 1) / n of their variance.
    let count = count as f64;
    finished(value, (variance(&logs) * count / (count - 1.0)).sqrt(), count - 1.0, "samples")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::log_value::ratio_of;
    use super::*;

    #[test]
    fn a_ratio_of_two_series_holds_the_planted_one() {
        let mut rng = stream(1, "t");
        let mut series = |factor: f64| -> Vec<f64> {
            (0..4_000).map(|_| factor * (200.0 + f64::from(below(&mut rng, 500)) / 10.0)).collect()
        };
        let (a, b) = (series(1.0), series(1.1));
        let (a, b) = (block_quantile(&a, 0.5, 1).unwrap(), block_quantile(&b, 0.5, 2).unwrap());
        let ratio = ratio_of(&a, &b, 0.95);
        assert!(ratio.contains(1.1) && ratio.half_width() < 0.02, "{ratio:?}");
        assert!(a.estimate(0.95).contains(a.value));
    }

    #[test]
    fn too_little_and_constant_say_so() {
        assert!(matches!(block_quantile(&[1.0; 10], 0.5, 1), Err(TooFew::Samples { .. })));
        assert!(matches!(block_quantile(&[1.0; 400], 0.99, 1), Err(TooFew::Samples { .. })));
        assert!(matches!(block_quantile(&[1.0; 600], 0.5, 1), Err(TooFew::Constant { .. })));
        assert!(matches!(block_quantile(&[0.0; 600], 0.5, 1), Err(TooFew::Constant { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn anything_gives_numbers_or_a_reason(series in prop::collection::vec(0.0f64..1e6, 0..400)) {
            if let Ok(value) = block_quantile(&series, 0.5, 1) {
                let ratio = ratio_of(&value, &value, 0.95);
                prop_assert!(ratio.low <= 1.0 && 1.0 <= ratio.high && !ratio.high.is_nan());
            }
        }
    }
}
