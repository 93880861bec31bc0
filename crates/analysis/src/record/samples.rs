//! Single service times in the order they were taken, packed for a JSON file.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Resolution of a sample: a tenth of a microsecond. 32 bits of it last for seven minutes.
pub const TICKS_PER_US: f64 = 10.0;

/// Samples of one side of a stratum that a file may unpack to: more than a window can hold, and 64 MiB.
const MOST: u64 = 1 << 24;

/// Durations in ticks of 0.1 µs. In JSON: base64 of the little-endian 32-bit values, deflated by zlib.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples(pub Vec<u32>);

impl Samples {
    /// Appends a duration, saturating at 429 s.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(u32::try_from(duration.as_nanos() / 100).unwrap_or(u32::MAX));
    }

    /// The samples in microseconds.
    pub fn iter_us(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().map(|&ticks| f64::from(ticks) / TICKS_PER_US)
    }
}

impl Serialize for Samples {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        for ticks in &self.0 {
            encoder.write_all(&ticks.to_le_bytes()).map_err(serde::ser::Error::custom)?;
        }
        let bytes = encoder.finish().map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Samples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let packed = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(packed.as_slice())
            .take(4 * MOST + 1)
            .read_to_end(&mut bytes)
            .map_err(serde::de::Error::custom)?;
        if bytes.len() as u64 > 4 * MOST {
            return Err(serde::de::Error::custom(format!("samples unpack to more than {MOST} values")));
        }
        let (words, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(serde::de::Error::custom("samples are cut off: not a multiple of four bytes"));
        }
        Ok(Self(words.iter().map(|word| u32::from_le_bytes(*word)).collect()))
    }
}

impl JsonSchema for Samples {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Samples".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "zlib-deflated little-endian u32 values in units of 0.1 us, in the order taken"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_json() {
        let mut samples = Samples::default();
        for us in [0, 1, 227, 4_000_000] {
            samples.push(Duration::from_micros(us));
        }
        let text = serde_json::to_string(&samples).unwrap();
        let back: Samples = serde_json::from_str(&text).unwrap();
        assert_eq!(back, samples);
        assert_eq!(back.iter_us().collect::<Vec<_>>(), [0.0, 1.0, 227.0, 4_000_000.0]);
    }
}
