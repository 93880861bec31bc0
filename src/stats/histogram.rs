//! Quantiles of recorded histograms. Histograms are merged, percentiles never averaged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::Deserializer;

use crate::measure::Histogram;

const NS_PER_US: f64 = 1_000.0;

/// A stored histogram that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a histogram of the result is damaged ({0}); make the result again or take the original file")]
pub struct BadHistogram(String);

/// A decoded histogram of latencies; values come out in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies {
    inner: Hdr<u64>,
}

impl Latencies {
    /// Decodes a record's histogram; `None` where it is empty.
    pub fn decode(histogram: &Histogram) -> Result<Option<Self>, BadHistogram> {
        let Some(text) = &histogram.0 else { return Ok(None) };
        let bytes = STANDARD.decode(text).map_err(|e| BadHistogram(format!("base64: {e}")))?;
        let inner: Hdr<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|e| BadHistogram(format!("HdrHistogram: {e:?}")))?;
        Ok((!inner.is_empty()).then_some(Self { inner }))
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
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

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
    fn nothing_is_none_and_damage_is_an_error() {
        assert!(Latencies::decode(&Histogram(None)).unwrap().is_none());
        assert!(Latencies::decode(&encoded([])).unwrap().is_none());
        assert!(Latencies::decode(&Histogram(Some("AAAA".into()))).is_err());
        assert!(Latencies::decode(&Histogram(Some("%".into()))).is_err());
    }
}
