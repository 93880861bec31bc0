//! What `calibrate` measures: the generator itself, in front of a function that does nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Conditions, GeneratorUse, Histogram, Host, Samples, Tool, ValkeyInfo};
use crate::scenario::ArrivalsForm;

/// All that a calibration measured, and nothing that was concluded from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRecord {
    /// The tool that was measured.
    pub tool: Tool,
    /// The machine that it ran on.
    pub host: Host,
    /// The servers.
    pub valkey: ValkeyInfo,
    /// The primary that answered.
    pub primary: String,
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// From start to end, in seconds.
    pub duration_s: f64,
    /// Seed of every random order.
    pub seed: u64,
    /// Whether every part was measured at the usual levels. A narrower one is no measure for runs.
    pub complete: bool,
    /// Closed loop: one entry per number of requests in flight and of connections.
    pub levels: Vec<LevelRecord>,
    /// Open loop: one entry per rate and arrival process.
    pub send_lag: Vec<SendLagRecord>,
    /// One request in flight, next to the same bytes on a bare socket. `None` where it was left out, or where
    /// the connection is encrypted.
    pub round_trip: Option<RoundTripRecord>,
    /// Requests sent, warm-up and bare socket included.
    pub sent: u64,
    /// Calls of functions that the primary counted over the same time.
    pub counted: u64,
    /// Requests without the expected reply.
    pub failed: u64,
    /// Where threads ran, and whether cores slept; `None` in calibrations of versions that left both to the
    /// system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    /// CPU used while all of it was measured; `None` in calibrations of versions that did not keep it.
    #[serde(default)]
    pub generator: Option<GeneratorUse>,
}

/// Why a calibration's figures are not those of a quiet machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "disturbance")]
pub enum Disturbance {
    /// Other programs ran.
    OthersBusy {
        /// Share of all cores that neither the tool nor its servers used.
        share: f64,
    },
    /// The host of the virtual machine ran something else.
    CoresStolen {
        /// Share of all cores.
        share: f64,
    },
    /// Turns of the same level came out differently.
    RoundsDiffer {
        /// Fastest turn less slowest turn, over the middle one: the middle level's.
        spread: f64,
    },
}

/// A closed loop with a fixed number of requests in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelRecord {
    /// Requests in flight: virtual workers, each with one.
    pub in_flight: u32,
    /// Connections that they share.
    pub connections: u16,
    /// The level's turns; all levels take one in each round, in random order.
    pub rounds: Vec<LevelRound>,
    /// done - sent over all rounds.
    pub service: Histogram,
}

/// One turn of a level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelRound {
    /// Requests made.
    pub requests: u64,
    /// Time that they took.
    pub seconds: f64,
    /// CPU of the generator's thread in that time.
    pub client_cpu_s: f64,
}

/// An open loop at a fixed rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendLagRecord {
    /// Arrival process.
    pub arrivals: ArrivalsForm,
    /// Rate of the schedule.
    pub rate_per_sec: f64,
    /// Requests made.
    pub requests: u64,
    /// Time that they took.
    pub seconds: f64,
    /// sent - scheduled.
    pub send_lag: Histogram,
}

/// The same request through the generator's client and on a bare socket, in random order, one in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTripRecord {
    /// done - sent through the client.
    pub client: Samples,
    /// Bytes written to reply read on a blocking socket of the same thread.
    pub bare: Samples,
}

/// What a calibration says about a run's generator, as far as it bears on that run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationNote {
    /// When the calibration was made, RFC 3339 in UTC.
    pub measured: String,
    /// Requests in flight that the next two figures hold for: the calibrated number nearest to the run's. In
    /// an open loop, the number with the highest throughput.
    pub in_flight: u32,
    /// Requests per second that the generator reached with a function that does nothing, on the calibrated
    /// number of connections nearest to the run's.
    pub ceiling_per_sec: f64,
    /// CPU of the generator's thread for one of these requests.
    pub client_cpu_us_per_request: f64,
    /// Median round trip through the client minus that on a bare socket, one request in flight.
    pub round_trip_overhead_us: Option<f64>,
    /// Send lag of the pacer at the calibrated rate nearest to the run's; `None` in a closed loop, for a
    /// recorded trace, and where that rate was not kept or is more than four times as high or as low.
    pub send_lag: Option<CalibratedLag>,
    /// What disturbed the calibration: the generator can do more than it says, and be less late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disturbed: Vec<Disturbance>,
}

/// How late the pacer is at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibratedLag {
    /// Requests per second.
    pub rate_per_sec: f64,
    /// 99th percentile of the send lag.
    pub p99_us: f64,
}
