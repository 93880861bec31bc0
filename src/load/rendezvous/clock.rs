//! The clock that all generators have in common: that of the server on which they meet.

use tokio::time::Instant;

use super::error::MeetingError;
use crate::flowfabric::{ReadServerTime, call};
use crate::valkey::Wire;
use reclaim_analysis::record::WireCost;

/// Readings of which the quickest counts.
const SAMPLES: u32 = 9;

/// A server's clock, as seen from here. Each end is wrong by half a round trip at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerClock {
    here: Instant,
    server_us: i64,
}

impl ServerClock {
    /// Reads it a few times and keeps the quickest, taken for the middle of its round trip.
    pub async fn read(wire: &Wire) -> Result<Self, MeetingError> {
        let mut best: Option<(std::time::Duration, Self)> = None;
        for _ in 0..SAMPLES {
            let sent = Instant::now();
            let read = call(wire, &ReadServerTime, &mut WireCost::default()).await;
            let server_us = read.map_err(|error| MeetingError::Server(error.to_string()))?;
            let took = sent.elapsed();
            if best.is_none_or(|(least, _)| took < least) {
                best = Some((took, Self { here: sent + took / 2, server_us }));
            }
        }
        // There is at least one.
        Ok(best.map_or(Self { here: Instant::now(), server_us: 0 }, |(_, clock)| clock))
    }

    /// The server's time at some moment, in microseconds since the epoch.
    pub fn at(&self, moment: Instant) -> i64 {
        let after = moment.saturating_duration_since(self.here).as_micros() as i64;
        let before = self.here.saturating_duration_since(moment).as_micros() as i64;
        self.server_us + after - before
    }

    /// The moment at which the server has this time.
    pub fn moment(&self, server_us: i64) -> Instant {
        let away = std::time::Duration::from_micros(server_us.abs_diff(self.server_us));
        if server_us >= self.server_us {
            self.here + away
        } else {
            self.here.checked_sub(away).unwrap_or(self.here)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_times_lead_to_each_other() {
        let clock = ServerClock { here: Instant::now(), server_us: 1_000_000_000 };
        for us in [999_999_000, 1_000_000_000, 1_000_123_456] {
            assert_eq!(clock.at(clock.moment(us)), us);
        }
    }
}
