//! How the claims of an open loop are spaced.

use std::path::PathBuf;
use std::time::Duration;

/// Arrival process of an open loop.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// Evenly spaced.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// `size` at once, every `every`.
    Burst {
        /// Claims per burst.
        size: u32,
        /// From burst to burst.
        every: Duration,
    },
    /// Evenly spaced, faster and faster up to the model's rate, which then stays.
    Ramp {
        /// Claims per second at the start.
        from_per_sec: f64,
        /// Time until the model's rate is reached.
        over: Duration,
    },
    /// The gaps of a recorded trace; the model's rate has no meaning.
    Trace {
        /// File with one time per line.
        file: PathBuf,
    },
}

impl Arrivals {
    /// Arrivals in a time from the start, at this rate. Of a trace only its file knows.
    pub fn count_within(&self, rate_per_sec: f64, time: Duration) -> u64 {
        let seconds = time.as_secs_f64();
        match self {
            Self::Constant | Self::Poisson | Self::Trace { .. } => (seconds * rate_per_sec).round() as u64,
            Self::Burst { size, every } => (seconds / every.as_secs_f64()).ceil() as u64 * u64::from(*size),
            Self::Ramp { from_per_sec, over } => {
                Ramp::new(*from_per_sec, rate_per_sec, *over).count_until(seconds).round() as u64
            }
        }
    }
}

/// A rate that climbs evenly from one value to another and stays there. Rates per second, times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    from: f64,
    to: f64,
    over: f64,
}

impl Ramp {
    /// From one rate to another, both positive, over a positive time.
    pub fn new(from_per_sec: f64, to_per_sec: f64, over: Duration) -> Self {
        Self { from: from_per_sec, to: to_per_sec, over: over.as_secs_f64() }
    }

    /// Arrivals until a time: the integral of the rate.
    pub fn count_until(&self, time: f64) -> f64 {
        let climbing = time.min(self.over);
        let slope = (self.to - self.from) / self.over;
        climbing * (self.from + slope * climbing / 2.0) + (time - climbing) * self.to
    }

    /// When the n-th arrival (from 0) comes: the inverse of that.
    pub fn time_of(&self, n: f64) -> f64 {
        let climbed = self.count_until(self.over);
        if n >= climbed {
            return self.over + (n - climbed) / self.to;
        }
        let slope = (self.to - self.from) / self.over;
        // The root of slope/2 t^2 + from t - n, written so that a gentle slope loses no digits.
        2.0 * n / (self.from + (self.from * self.from + 2.0 * slope * n).sqrt())
    }
}
