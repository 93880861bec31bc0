//! Quantiles of recorded histograms. Histograms are merged, percentiles never averaged.

use std::cmp::Ordering;

use hdrhistogram::Histogram as Hdr;
use statrs::distribution::{Binomial, DiscreteCDF as _};

use reclaim_statistics::{CONFIDENCE, Estimate, LogValue, TooFew, normal_quantile};

use crate::record::{BadHistogram, Histogram};

const NS_PER_US: f64 = 1_000.0;

/// A histogram has forgotten the order of its values. Neighbouring requests correlate with about 0.4, which
/// makes n of them worth n / 2.33 independent ones: (1 + 0.4) / (1 - 0.4).
const INFLATION: f64 = 1.4 / 0.6;

/// Chance on either side of what an interval here holds, and of a quantile's place beside a bound.
const CHANCE: f64 = (1.0 - CONFIDENCE) / 2.0;

/// A decoded histogram of latencies; values come out in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies {
    inner: Hdr<u64>,
}

impl Latencies {
    /// Decodes a record's histogram; `None` where it is empty.
    pub fn decode(histogram: &Histogram) -> Result<Option<Self>, BadHistogram> {
        Ok(histogram.decode()?.map(|inner| Self { inner }))
    }

    /// The same, `None` also where it cannot be read: for what is drawn from a result, which `judge` has made
    /// invalid then ([`InvalidReason::DamagedHistogram`](crate::record::InvalidReason::DamagedHistogram)).
    pub fn readable(histogram: &Histogram) -> Option<Self> {
        Self::decode(histogram).unwrap_or_default()
    }

    /// Adds the values of another histogram.
    pub fn merge(&mut self, other: &Self) -> Result<(), BadHistogram> {
        self.inner.auto(true);
        self.inner.add(&other.inner).map_err(|e| BadHistogram(format!("merge: {e}")))
    }

    /// Values in it; at least one.
    pub fn count(&self) -> u64 {
        self.inner.len()
    }

    /// Quantile `q` (0 to 1), in microseconds.
    pub fn quantile_us(&self, q: f64) -> f64 {
        self.inner.value_at_quantile(q) as f64 / NS_PER_US
    }

    /// Quantile `q` in microseconds if `later` unknown values are larger than all recorded ones; `None` if it
    /// falls among them.
    pub fn quantile_with_later_us(&self, q: f64, later: u64) -> Option<f64> {
        let at = q * (self.count() + later) as f64 / self.count() as f64;
        (at <= 1.0).then(|| self.quantile_us(at))
    }

    /// Quantile `q` in microseconds, from the one to the other of the order statistics around it. Beside a tail
    /// these lie at very unlike distances from it: whatever is held against a bound is held against these.
    pub fn quantile_interval(&self, q: f64) -> Result<Estimate, TooFew> {
        let normal = normal_quantile(1.0 - CHANCE);
        let reach = normal * (q * (1.0 - q) * INFLATION / self.count() as f64).sqrt();
        if q - reach <= 0.0 || q + reach >= 1.0 {
            let needed = INFLATION * normal.powi(2) * (1.0 - q).max(q) / (1.0 - q).min(q);
            return Err(TooFew::samples("values in the histogram", needed.ceil() as u64, self.count()));
        }
        let [low, estimate, high] = [q - reach, q, q + reach].map(|at| self.quantile_us(at));
        if low < high {
            Ok(Estimate { estimate, low, high, confidence: CONFIDENCE })
        } else {
            Err(TooFew::constant("values in the histogram"))
        }
    }

    /// Quantile `q` in microseconds with one error for both sides, for comparisons: that of the side on which its
    /// interval reaches further.
    pub fn log_quantile(&self, q: f64) -> Result<LogValue, TooFew> {
        let Estimate { estimate: value, low, high, .. } = self.quantile_interval(q)?;
        let log_error = (high / value).ln().max((value / low).ln()) / normal_quantile(1.0 - CHANCE);
        if value > 0.0 && log_error.is_finite() && log_error > 0.0 {
            Ok(LogValue { value, log_error, degrees: self.count() as f64 })
        } else {
            Err(TooFew::constant("values in the histogram"))
        }
    }

    /// Values above this many microseconds, as exactly as the digits say.
    pub fn above(&self, us: f64) -> u64 {
        let at = (us * NS_PER_US).max(0.0) as u64;
        self.count() - self.inner.count_between(0, at.min(self.inner.high()))
    }

    /// On which side of the bound quantile `q` lies, judged by how many values exceed it; `None` where that
    /// number may be chance (binomial, either side by itself). Says less than an interval of the quantile,
    /// but needs fewer values. `earlier` and `later` are the numbers of further values below and above the
    /// bound.
    pub fn quantile_against(&self, q: f64, bound_us: f64, (earlier, later): (u64, u64)) -> Option<Ordering> {
        let worth = |values: u64| values as f64 / INFLATION;
        let all = worth(self.count() + earlier + later).floor() as u64;
        let above = worth(self.above(bound_us) + later);
        let at_the_bound = Binomial::new(1.0 - q, all).ok()?;
        let (fewest, most) = (above.floor() as u64, above.ceil() as u64);
        if at_the_bound.cdf(most) <= CHANCE {
            Some(Ordering::Less)
        } else if fewest > 0 && at_the_bound.sf(fewest - 1) <= CHANCE {
            Some(Ordering::Greater)
        } else {
            None
        }
    }

    /// Mean, in microseconds.
    pub fn mean_us(&self) -> f64 {
        self.inner.mean() / NS_PER_US
    }

    /// Largest value, in microseconds.
    pub fn max_us(&self) -> f64 {
        self.inner.max() as f64 / NS_PER_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
    use rand::RngExt as _;

    use crate::record::stream;

    fn encoded(values_ns: impl IntoIterator<Item = u64>) -> Histogram {
        let mut hdr = Hdr::<u64>::new(3).unwrap();
        for value in values_ns {
            hdr.record(value).unwrap();
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&hdr, &mut bytes).unwrap();
        Histogram(Some(STANDARD.encode(bytes)))
    }

    #[test]
    fn values_come_back_in_microseconds_and_merge() {
        let mut low = Latencies::decode(&encoded((1..=100).map(|i| i * 1_000))).unwrap().unwrap();
        assert!((low.quantile_us(0.5) - 50.0).abs() < 0.1);
        assert!((low.mean_us() - 50.5).abs() < 0.1);
        let high = Latencies::decode(&encoded([5_000_000_000])).unwrap().unwrap();
        low.merge(&high).unwrap();
        assert_eq!(low.count(), 101);
        assert!((low.max_us() - 5_000_000.0).abs() < 5_000.0);
    }

    #[test]
    fn a_quantile_has_an_error_or_a_reason() {
        let spread = Latencies::decode(&encoded((1..=10_000).map(|i| 100_000 + i * 10))).unwrap().unwrap();
        let p50 = spread.log_quantile(0.5).unwrap();
        assert!((p50.value - 150.0).abs() < 0.5 && p50.log_error < 0.01, "{p50:?}");
        let few = Latencies::decode(&encoded([1_000, 2_000])).unwrap().unwrap();
        assert!(matches!(few.log_quantile(0.5), Err(TooFew::Samples { .. })));
        let same = Latencies::decode(&encoded([5_000; 500])).unwrap().unwrap();
        assert!(matches!(same.log_quantile(0.5), Err(TooFew::Constant { .. })));
    }

    /// The code took the square root of high / low for either side.
    #[test]
    fn an_interval_beside_a_stall_ends_where_the_order_statistics_do() {
        // The last 95 of 10,000 waited for a stall of 95 ms, the others took 1 to 2.2 ms.
        let body = (0..9_905).map(|i| 1_000_000 + i * 1_200_000 / 9_905);
        let stalled = (1..=95).map(|ms| 1_000_000 * ms);
        let times = Latencies::decode(&encoded(body.chain(stalled))).unwrap().unwrap();
        let p99 = times.quantile_interval(0.99).unwrap();
        assert!((p99.estimate / 2_199.0 - 1.0).abs() < 0.01 && p99.low > 2_150.0, "{p99:?}");
        assert!((p99.high / 25_000.0 - 1.0).abs() < 0.05, "{p99:?}");
        let compared = times.log_quantile(0.99).unwrap().estimate(CONFIDENCE);
        assert!(compared.high > 0.99 * p99.high && compared.low < p99.low, "{compared:?}");
    }

    #[test]
    fn an_interval_without_a_tail_is_that_of_one_error() {
        let even = Latencies::decode(&encoded((1..=10_000).map(|i| 100_000 + i * 10))).unwrap().unwrap();
        let (p50, compared) = (even.quantile_interval(0.5).unwrap(), even.log_quantile(0.5).unwrap());
        let compared = compared.estimate(CONFIDENCE);
        let ends = [(p50.low, compared.low), (p50.estimate, compared.estimate), (p50.high, compared.high)];
        assert!(ends.iter().all(|(one, other)| (one / other - 1.0).abs() < 0.002), "{ends:?}");
        let both = (p50.high / p50.low).sqrt();
        assert!((p50.high / (both * p50.estimate) - 1.0).abs() < 0.002, "{p50:?}");
    }

    /// Eleven in a thousand are stalled, so that p99 is 10.6 ms; in a fourth of all samples there are fewer than ten,
    /// and p99 seems to be 2.2 ms. With one error for both sides 144 to 168 of 200 intervals held it.
    #[test]
    fn intervals_beside_stalls_hold_the_true_quantile() {
        let mut rng = stream(7, "stalls");
        let truth_us = 2_200.0 + (1.0 - 10.0 / 11.0) * 92_800.0;
        let holding = (0..200).filter(|_| {
            let mut inner = Hdr::<u64>::new(3).unwrap();
            for _ in 0..5_000 {
                let us = if rng.random::<f64>() < 0.011 {
                    2_200.0 + 92_800.0 * rng.random::<f64>()
                } else {
                    1_000.0 + 1_200.0 * rng.random::<f64>()
                };
                inner.record((us * NS_PER_US) as u64).unwrap();
            }
            Latencies { inner }.quantile_interval(0.99).unwrap().contains(truth_us)
        });
        assert!(holding.count() >= 190);
    }

    #[test]
    fn values_that_are_known_to_be_larger_alone_move_a_quantile() {
        let all = Latencies::decode(&encoded((1..=1_000).map(|i| i * 1_000))).unwrap().unwrap();
        let p99 = |later: u64| all.quantile_with_later_us(0.99, later);
        assert_eq!(p99(0), Some(all.quantile_us(0.99)));
        assert!(p99(5).unwrap() > p99(0).unwrap() && p99(10).unwrap() <= all.max_us());
        assert_eq!(p99(11), None, "it is one of those");
        let against = |further| all.quantile_against(0.99, 2_000.0, further);
        assert_eq!(against((0, 0)), Some(Ordering::Less));
        assert_eq!((against((0, 1_000)), against((99_000, 1_000))), (Some(Ordering::Greater), None));
    }

    #[test]
    fn nothing_is_none_and_damage_is_an_error() {
        assert!(Latencies::decode(&Histogram(None)).unwrap().is_none());
        assert!(Latencies::decode(&encoded([])).unwrap().is_none());
        assert!(Latencies::decode(&Histogram(Some("AAAA".into()))).is_err());
        assert!(Latencies::decode(&Histogram(Some("%".into()))).is_err());
    }
}
