//! When each claim of an open loop is due: computed ahead, from the seed alone.

use std::time::Duration;

use rand::RngExt as _;

use super::seed::stream;
use crate::scenario::Arrivals;

/// Offsets from the start of the window, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    offsets: Vec<Duration>,
}

impl Schedule {
    /// The first `count` arrivals of a process with this mean rate. `part` tells the windows of one run apart.
    pub fn new(arrivals: Arrivals, rate_per_sec: f64, count: usize, seed: u64, part: usize) -> Self {
        let offsets = match arrivals {
            Arrivals::Constant => (0..count).map(|n| seconds(n as f64 / rate_per_sec)).collect(),
            Arrivals::Poisson => {
                let mut rng = stream(seed, &format!("arrivals {part}"));
                let mut at = 0.0;
                (0..count)
                    .map(|_| {
                        // 1 - u lies in (0, 1]: the logarithm is finite.
                        at -= (1.0 - rng.random::<f64>()).ln() / rate_per_sec;
                        seconds(at)
                    })
                    .collect()
            }
            Arrivals::Burst { size, every } => (0..count).map(|n| every * (n as u32 / size.max(1))).collect(),
        };
        Self { offsets }
    }

    /// The offsets.
    pub fn offsets(&self) -> &[Duration] {
        &self.offsets
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_nanos((seconds * 1e9).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_arrivals_do_not_drift() {
        let schedule = Schedule::new(Arrivals::Constant, 3000.0, 300_001, 1, 0);
        assert_eq!(schedule.offsets()[300_000], Duration::from_secs(100));
    }

    #[test]
    fn poisson_keeps_the_rate_and_the_seed() {
        let make = |seed| Schedule::new(Arrivals::Poisson, 1000.0, 20_000, seed, 0);
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
        let schedule = make(7);
        let span = schedule.offsets().last().unwrap().as_secs_f64();
        // Standard deviation of the sum: sqrt(20,000) / 1,000 s = 0.14 s; five of them.
        assert!((span - 20.0).abs() < 0.7, "{span}");
        assert!(schedule.offsets().is_sorted());
        // Exponential gaps: the share above the mean is 1/e.
        let long = schedule.offsets().windows(2).filter(|w| w[0] + Duration::from_millis(1) < w[1]).count();
        assert!((long as f64 / 20_000.0 - (-1.0f64).exp()).abs() < 0.02, "{long}");
    }

    #[test]
    fn bursts_come_whole() {
        let arrivals = Arrivals::Burst { size: 3, every: Duration::from_secs(1) };
        let seconds: Vec<u64> =
            Schedule::new(arrivals, 3.0, 7, 1, 0).offsets().iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [0, 0, 0, 1, 1, 1, 2]);
    }
}
