//! Quantiles of recorded histograms. Histograms are merged, percentiles never averaged.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::Deserializer;

use crate::record::Histogram;

use super::estimate::{TooFew, normal_quantile};
use super::unpaired::LogValue;

const NS_PER_US: f64 = 1_000.0;

/// A histogram has forgotten the order of its values. Neighbouring requests correlate with about 0.4, which makes n of
/// them worth n / 2.33 independent ones: (1 + 0.4) / (1 - 0.4).
const INFLATION: f64 = 1.4 / 0.6;

/// A stored histogram that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a histogram of the result is damaged ({0}); make the result again or take the original file")]
pub struct BadHistogram(pub String);

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
        let plain = bounded(&bytes)?;
        let inner: Hdr<u64> = Deserializer::new()
            .deserialize(&mut plain.as_slice())
            .map_err(|e| BadHistogram(format!("HdrHistogram: {e:?}")))?;
        Ok((!inner.is_empty()).then_some(Self { inner }))
    }

    /// The same, `None` also where it cannot be read: for what is drawn from a result, which `judge` has made invalid then
    /// ([`Fault::DamagedHistogram`](crate::record::Fault::DamagedHistogram)).
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

    /// Quantile `q` in microseconds, with an error from the order statistics around it.
    pub fn log_quantile(&self, q: f64) -> Result<LogValue, TooFew> {
        let n = self.count() as f64;
        let reach = normal_quantile(0.975) * (q * (1.0 - q) * INFLATION / n).sqrt();
        let (low, high) = (self.quantile_us(q - reach), self.quantile_us(q + reach));
        if q - reach <= 0.0 || q + reach >= 1.0 {
            let needed = INFLATION * normal_quantile(0.975).powi(2) * (1.0 - q).max(q) / (1.0 - q).min(q);
            return Err(TooFew::samples("values in the histogram", needed.ceil() as u64, self.count()));
        }
        let value = self.quantile_us(q);
        let log_error = (high / low).ln() / (2.0 * normal_quantile(0.975));
        if value > 0.0 && log_error.is_finite() && log_error > 0.0 {
            Ok(LogValue { value, log_error, degrees: n })
        } else {
            Err(TooFew::constant("values in the histogram"))
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

/// Bytes that a histogram of three digits over all 64-bit values can have at most: 56,320 counts of up to nine bytes.
const LARGEST: u64 = 1 << 20;
/// First four bytes of the packed and of the plain form (HdrHistogram's V2).
const PACKED: [u8; 4] = [0x1c, 0x84, 0x93, 0x14];
const PLAIN: [u8; 4] = [0x1c, 0x84, 0x93, 0x13];
/// Bytes of the plain form before its counts: the cookie, their length, the offset, the digits and three numbers.
const HEADER: usize = 40;
/// Significant digits that this tool records with.
const DIGITS: u32 = 3;

/// The plain form, in which every size is one that the bytes can hold: the decoder takes memory for what the file claims.
fn bounded(bytes: &[u8]) -> Result<Vec<u8>, BadHistogram> {
    let damaged = |what: &str| BadHistogram(what.to_owned());
    let plain = match bytes.split_first_chunk::<4>() {
        Some((cookie, rest)) if *cookie == PACKED => {
            let packed = rest.get(4..).ok_or_else(|| damaged("it is cut off"))?;
            let mut plain = Vec::new();
            ZlibDecoder::new(packed)
                .take(LARGEST)
                .read_to_end(&mut plain)
                .map_err(|e| BadHistogram(format!("zlib: {e}")))?;
            plain
        }
        _ => bytes.to_vec(),
    };
    if !plain.starts_with(&PLAIN) || plain.len() < HEADER {
        return Err(damaged("it is no HdrHistogram"));
    }
    let word = |at: usize| u32::from_be_bytes([plain[at], plain[at + 1], plain[at + 2], plain[at + 3]]);
    if word(4) as usize > plain.len() - HEADER || word(12) > DIGITS {
        return Err(damaged("it claims more than it holds"));
    }
    Ok(plain)
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
    fn a_quantile_has_an_error_or_a_reason() {
        let spread = Latencies::decode(&encoded((1..=10_000).map(|i| 100_000 + i * 10))).unwrap().unwrap();
        let p50 = spread.log_quantile(0.5).unwrap();
        assert!((p50.value - 150.0).abs() < 0.5 && p50.log_error < 0.01, "{p50:?}");
        let few = Latencies::decode(&encoded([1_000, 2_000])).unwrap().unwrap();
        assert!(matches!(few.log_quantile(0.5), Err(TooFew::Samples { .. })));
        let same = Latencies::decode(&encoded([5_000; 500])).unwrap().unwrap();
        assert!(matches!(same.log_quantile(0.5), Err(TooFew::Constant { .. })));
    }

    #[test]
    fn a_histogram_that_claims_more_than_it_holds_is_damaged() {
        use std::io::Write as _;
        let plain = |length: u32, digits: u32| {
            let mut bytes = PLAIN.to_vec();
            for word in [length, 0, digits] {
                bytes.extend(word.to_be_bytes());
            }
            bytes.extend(1u64.to_be_bytes());
            bytes.extend(u64::MAX.to_be_bytes());
            bytes.extend(1f64.to_be_bytes());
            bytes
        };
        let packed = |bytes: &[u8]| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            let body = encoder.finish().unwrap();
            [&PACKED[..], &(body.len() as u32).to_be_bytes(), &body].concat()
        };
        let read = |bytes: Vec<u8>| Latencies::decode(&Histogram(Some(STANDARD.encode(bytes))));
        assert!(read(packed(&plain(0, 3))).unwrap().is_none(), "the header alone is an empty histogram");
        for claims_much in
            [plain(u32::MAX, 3), packed(&plain(u32::MAX, 3)), packed(&plain(1, 3)), plain(0, 5)]
        {
            let refusal = read(claims_much).unwrap_err().to_string();
            assert!(refusal.contains("claims more than it holds"), "{refusal}");
        }
        let bomb = [plain(1 << 30, 3), vec![0; 64 << 20]].concat();
        assert!(read(packed(&bomb)).is_err());
    }

    #[test]
    fn nothing_is_none_and_damage_is_an_error() {
        assert!(Latencies::decode(&Histogram(None)).unwrap().is_none());
        assert!(Latencies::decode(&encoded([])).unwrap().is_none());
        assert!(Latencies::decode(&Histogram(Some("AAAA".into()))).is_err());
        assert!(Latencies::decode(&Histogram(Some("%".into()))).is_err());
    }
}
