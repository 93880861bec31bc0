//! How much a calibration measures.

use std::time::Duration;

/// Requests in flight that are measured: the powers between one worker and a large fleet.
const IN_FLIGHT: [u32; 8] = [1, 8, 64, 256, 512, 1_024, 2_048, 4_096];
/// Rates of the open loop, in requests per second.
const RATES: [f64; 5] = [500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];
/// Connections that scenarios have to each primary unless they say otherwise.
const CONNECTIONS: [u16; 1] = [1];

/// One of the things to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Throughput and CPU by requests in flight.
    Levels,
    /// How late the pacer is.
    SendLag,
    /// What the client adds to a bare round trip.
    RoundTrip,
}

impl Part {
    /// What to show while it is measured.
    pub(super) fn doing(self) -> &'static str {
        match self {
            Self::Levels => "measuring throughput and CPU by requests in flight",
            Self::SendLag => "measuring how late the pacer is",
            Self::RoundTrip => "measuring the client against a bare socket",
        }
    }
}

/// What to measure, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationPlan {
    /// What is measured at all.
    pub parts: Vec<Part>,
    /// Requests in flight of the closed loop.
    pub in_flight: Vec<u32>,
    /// Connections, each number with each of the above. The open loop takes the first.
    pub connections: Vec<u16>,
    /// Turns of each level.
    pub rounds: u32,
    /// Length of one turn.
    pub turn: Duration,
    /// Rates of the open loop, in requests per second, each with each arrival process.
    pub rates: Vec<f64>,
    /// Length of the open loop at one rate.
    pub lag_time: Duration,
    /// Requests on each side of the round-trip comparison.
    pub round_trips: u32,
}

impl CalibrationPlan {
    /// About half a minute.
    pub fn full() -> Self {
        Self {
            parts: vec![Part::Levels, Part::SendLag, Part::RoundTrip],
            in_flight: IN_FLIGHT.to_vec(),
            connections: CONNECTIONS.to_vec(),
            rounds: 5,
            turn: Duration::from_millis(250),
            rates: RATES.to_vec(),
            lag_time: Duration::from_secs(2),
            round_trips: 5_000,
        }
    }

    /// A few seconds: the same levels and rates, each more briefly.
    pub fn quick() -> Self {
        Self {
            rounds: 3,
            turn: Duration::from_millis(60),
            lag_time: Duration::from_millis(500),
            round_trips: 1_000,
            ..Self::full()
        }
    }

    /// Whether it holds all that runs look for.
    pub(super) fn is_complete(&self) -> bool {
        let full = Self::full();
        full.parts.iter().all(|part| self.parts.contains(part))
            && full.in_flight.iter().all(|level| self.in_flight.contains(level))
            && full.rates.iter().all(|rate| self.rates.contains(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_covers_every_part_and_level_is_complete() {
        assert!(CalibrationPlan::full().is_complete() && CalibrationPlan::quick().is_complete());
        let narrowed = [
            CalibrationPlan { parts: vec![Part::Levels], ..CalibrationPlan::full() },
            CalibrationPlan { in_flight: vec![64], ..CalibrationPlan::full() },
            CalibrationPlan { rates: vec![500.0], ..CalibrationPlan::full() },
        ];
        assert!(narrowed.iter().all(|plan| !plan.is_complete()));
        let wider = CalibrationPlan {
            connections: vec![1, 64],
            in_flight: (1..=4_096).collect(),
            ..CalibrationPlan::full()
        };
        assert!(wider.is_complete());
    }
}
