//! Made-up times: one seed, one noise.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::record::{Histogram, LatencyHistogram};

/// A noise source: log-normal service times around 200 us with a spread of 12 %.
pub struct Noise(ChaCha8Rng);

impl Noise {
    /// The same noise for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Nearly normal: the sum of twelve uniforms.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| f64::from(self.0.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0
    }

    /// One time of a claim that takes so many times the baseline's.
    pub(super) fn service(&mut self, slower: f64) -> Duration {
        Duration::from_secs_f64(200e-6 * slower * (0.12 * self.normal()).exp())
    }
}

/// So many log-normal times around a median in microseconds, spread by 30 %.
pub fn spread(count: u64, median_us: f64, seed: u64) -> Histogram {
    let mut noise = Noise::new(seed);
    let mut histogram = LatencyHistogram::default();
    for _ in 0..count {
        histogram.record(Duration::from_secs_f64(median_us * (0.3 * noise.normal()).exp() / 1e6));
    }
    histogram.encode()
}
