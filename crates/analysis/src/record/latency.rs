//! Latencies while they are recorded.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use super::{BadHistogram, Histogram};

/// A histogram of nanoseconds that grows as it must: it cannot saturate.
#[derive(Clone, Debug)]
pub struct LatencyHistogram(hdrhistogram::Histogram<u64>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        // Three digits are always valid.
        Self(hdrhistogram::Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are valid")))
    }
}

impl LatencyHistogram {
    /// Adds one value.
    pub fn record(&mut self, value: Duration) {
        self.0 += u64::try_from(value.as_nanos()).unwrap_or(u64::MAX / 2).max(1);
    }

    /// Adds the values of a stored one. Places are the same in all histograms of this tool, so nothing is
    /// lost by it.
    pub fn add(&mut self, stored: &Histogram) -> Result<(), BadHistogram> {
        let Some(values) = stored.decode()? else { return Ok(()) };
        self.0.add(values).map_err(|error| BadHistogram(format!("it cannot be added: {error}")))
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Value below which this share of the values lies, in microseconds; `None` when empty.
    pub fn quantile_us(&self, quantile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile) as f64 / 1_000.0)
    }

    /// Forgets all values and keeps the memory.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// The form that travels with a result.
    pub fn encode(&self) -> Histogram {
        if self.0.is_empty() {
            return Histogram(None);
        }
        let mut bytes = Vec::new();
        match V2DeflateSerializer::new().serialize(&self.0, &mut bytes) {
            Ok(_) => Histogram(Some(STANDARD.encode(bytes))),
            // Writing to memory fails only where the counts do not fit the format: not with 64-bit counts.
            Err(error) => unreachable!("histogram encoding: {error:?}"),
        }
    }
}
