//! A histogram as records hold it, and how it is read.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::Deserializer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An HdrHistogram (V2, deflated, base64) of values in nanoseconds with three significant digits; `None` when
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Histogram(pub Option<String>);

/// A stored histogram that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a histogram of the result is damaged ({0}); make the result again or take the original file")]
pub struct BadHistogram(pub String);

impl Histogram {
    /// Whether there is no value in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Its values; `None` where there are none.
    pub(crate) fn decode(&self) -> Result<Option<hdrhistogram::Histogram<u64>>, BadHistogram> {
        let Some(text) = &self.0 else { return Ok(None) };
        let bytes = STANDARD.decode(text).map_err(|e| BadHistogram(format!("base64: {e}")))?;
        let plain = bounded(&bytes)?;
        let inner: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut plain.as_slice())
            .map_err(|e| BadHistogram(format!("HdrHistogram: {e:?}")))?;
        Ok((!inner.is_empty()).then_some(inner))
    }
}

/// Bytes that a histogram of three digits over all 64-bit values can have at most: 56,320 counts of up to
/// nine bytes.
const LARGEST: u64 = 1 << 20;
/// First four bytes of the packed and of the plain form (HdrHistogram's V2).
const PACKED: [u8; 4] = [0x1c, 0x84, 0x93, 0x14];
const PLAIN: [u8; 4] = [0x1c, 0x84, 0x93, 0x13];
/// Bytes of the plain form before its counts: the cookie, their length, the offset, the digits and three
/// numbers.
const HEADER: usize = 40;
/// Significant digits that this tool records with.
const DIGITS: u32 = 3;

/// The plain form, in which every size is one that the bytes can hold: the decoder takes memory for what the
/// file claims.
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
        let read = |bytes: Vec<u8>| Histogram(Some(STANDARD.encode(bytes))).decode();
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
}
