//! What a calibration says: where the generator's limits are, and whether to believe it.

use serde::{Deserialize, Serialize};

use crate::json::{from_json, to_json_file};
use crate::record::{
    CalibrationRecord, Disturbance, LevelRecord, OTHERS_DISTURB_A_CALIBRATION, RoundTripRecord, STOLEN,
    SendLagRecord,
};
use crate::scenario::ArrivalsForm;
use crate::stats::{CONFIDENCE, Estimate, Latencies, harrell_davis_interval, median};

use super::latency_summary::{LatencySummary, latency};

/// Value of [`Calibration::schema`].
pub const CALIBRATION_SCHEMA: &str = "reclaim-bench/calibration-1";

/// Fastest less slowest turn of a level, over the middle one, before a calibration is marked.
const ROUNDS_DIFFER: f64 = 0.5;

/// From this number of virtual workers on, CPU per request is expected not to grow. Fewer keep the thread
/// asleep most of the time, and every request pays for waking it.
pub const FLAT_FROM: u32 = 8;

/// `calibration.json`. `record` alone is measured; everything else is computed from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Always [`CALIBRATION_SCHEMA`].
    pub schema: String,
    /// Whether the figures may be used.
    pub valid: bool,
    /// Why not.
    pub problems: Vec<CalibrationProblem>,
    /// What disturbed it: valid figures, of a machine that had other things to do. Calibrations of versions
    /// that did not look for it have none.
    #[serde(default)]
    pub disturbed: Vec<Disturbance>,
    /// Highest throughput of all levels, in requests per second.
    pub ceiling_per_sec: Option<f64>,
    /// The levels in numbers, in the record's order.
    pub level_summaries: Vec<LevelSummary>,
    /// CPU per request by virtual workers, one entry per number of connections.
    pub cpu: Vec<CpuTrend>,
    /// The pacer in numbers, in the record's order.
    pub send_lag_summaries: Vec<SendLagSummary>,
    /// The client against the bare socket.
    pub round_trip_summary: Option<RoundTripSummary>,
    /// What was measured.
    #[serde(flatten)]
    pub record: CalibrationRecord,
}

to_json_file!(Calibration);
from_json!(Calibration);

/// Why a calibration's figures must not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "problem")]
pub enum CalibrationProblem {
    /// The server counted other calls of functions than were sent: somebody else used it.
    CallsDisagree {
        /// Its address.
        primary: String,
        /// Calls that were sent.
        sent: u64,
        /// Calls that it counted.
        counted: u64,
    },
    /// Requests had no answer.
    Unanswered {
        /// How many.
        requests: u64,
    },
    /// A histogram of the record cannot be read.
    DamagedHistogram {
        /// What is wrong with it.
        detail: String,
    },
    /// In words, as versions before told it. Nothing is lost where they are read: they follow from the
    /// record.
    #[serde(untagged)]
    InWords(String),
}

/// One level of the closed loop. Medians over its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelSummary {
    /// Requests in flight.
    pub in_flight: u32,
    /// Connections that they share.
    pub connections: u16,
    /// Requests per second.
    pub per_sec: f64,
    /// CPU of the generator's thread per request, in microseconds.
    pub client_cpu_us: f64,
    /// Share of the time in which the generator's thread ran. Well below 1, the server was the limit.
    pub client_share: f64,
    /// done - sent.
    pub service_us: Option<LatencySummary>,
}

/// CPU per request from [`FLAT_FROM`] virtual workers to the largest number of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CpuTrend {
    /// Connections.
    pub connections: u16,
    /// Smallest number of workers looked at.
    pub from: u32,
    /// Largest number.
    pub to: u32,
    /// Most expensive level over the cheapest: 1 is flat.
    pub spread: f64,
    /// Most expensive level over the one with the fewest workers: above 1, CPU grows with workers.
    pub growth: f64,
}

/// The pacer at one rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendLagSummary {
    /// Arrival process.
    pub arrivals: ArrivalsForm,
    /// Rate of the schedule, in requests per second.
    pub rate_per_sec: f64,
    /// Rate that came of it.
    pub achieved_per_sec: f64,
    /// sent - scheduled.
    pub send_lag_us: Option<LatencySummary>,
}

/// One request in flight: medians and their difference, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTripSummary {
    /// Through the client.
    pub client_p50_us: Estimate,
    /// On a bare socket.
    pub bare_p50_us: Estimate,
    /// What the client adds.
    pub overhead_us: Estimate,
}

/// Draws every conclusion from a calibration's record.
pub fn assess(record: CalibrationRecord) -> Calibration {
    let mut problems = Vec::new();
    if record.sent != record.counted {
        problems.push(CalibrationProblem::CallsDisagree {
            primary: record.primary.clone(),
            sent: record.sent,
            counted: record.counted,
        });
    }
    if record.failed > 0 {
        problems.push(CalibrationProblem::Unanswered { requests: record.failed });
    }
    let histograms = record.levels.iter().map(|level| &level.service);
    let histograms = histograms.chain(record.send_lag.iter().map(|cell| &cell.send_lag));
    let damaged = histograms.filter_map(|packed| Latencies::decode(packed).err());
    problems.extend(damaged.map(|bad| CalibrationProblem::DamagedHistogram { detail: bad.0 }));
    let level_summaries: Vec<_> = record.levels.iter().filter_map(summarise).collect();
    let send_lag_summaries = record.send_lag.iter().map(lag).collect();
    Calibration {
        schema: CALIBRATION_SCHEMA.to_owned(),
        valid: problems.is_empty(),
        disturbed: disturbances(&record),
        ceiling_per_sec: level_summaries.iter().map(|level| level.per_sec).max_by(f64::total_cmp),
        cpu: cpu(&level_summaries),
        level_summaries,
        send_lag_summaries,
        round_trip_summary: record.round_trip.as_ref().and_then(round_trip),
        problems,
        record,
    }
}

/// What else went on while the generator was measured. Figures of a busy machine are true of that machine at
/// that time, so they are marked and not thrown away.
fn disturbances(record: &CalibrationRecord) -> Vec<Disturbance> {
    let others =
        record.generator.and_then(|used| used.others_share(record.host.cores, record.valkey.same_machine));
    let spread = spread(&record.levels);
    let busy = others
        .filter(|share| *share > OTHERS_DISTURB_A_CALIBRATION)
        .map(|share| Disturbance::OthersBusy { share });
    let stolen = record
        .generator
        .and_then(|used| used.stolen_share(record.host.cores))
        .filter(|share| *share > STOLEN)
        .map(|share| Disturbance::CoresStolen { share });
    let differ =
        spread.filter(|spread| *spread > ROUNDS_DIFFER).map(|spread| Disturbance::RoundsDiffer { spread });
    busy.into_iter().chain(stolen).chain(differ).collect()
}

/// How far the turns of a level lie apart, for the middle one of the levels: one slow turn of one level is
/// chance.
fn spread(levels: &[LevelRecord]) -> Option<f64> {
    let of = |level: &LevelRecord| {
        let rates = || level.rounds.iter().map(|round| round.requests as f64 / round.seconds.max(1e-9));
        let (low, high) = (rates().min_by(f64::total_cmp)?, rates().max_by(f64::total_cmp)?);
        Some((high - low) / median(&rates().collect::<Vec<_>>())?)
    };
    median(&levels.iter().filter_map(of).collect::<Vec<_>>())
}

fn summarise(level: &LevelRecord) -> Option<LevelSummary> {
    let over_rounds = |value: fn(f64, f64, f64) -> f64| {
        let values: Vec<f64> = level
            .rounds
            .iter()
            .filter(|round| round.seconds > 0.0 && round.requests > 0)
            .map(|round| value(round.requests as f64, round.seconds, round.client_cpu_s))
            .collect();
        median(&values)
    };
    Some(LevelSummary {
        in_flight: level.in_flight,
        connections: level.connections,
        per_sec: over_rounds(|requests, seconds, _| requests / seconds)?,
        client_cpu_us: over_rounds(|requests, _, cpu| cpu * 1e6 / requests)?,
        client_share: over_rounds(|_, seconds, cpu| cpu / seconds)?,
        service_us: latency(&level.service),
    })
}

/// The pacer at one rate, in numbers.
pub(super) fn lag(cell: &SendLagRecord) -> SendLagSummary {
    SendLagSummary {
        arrivals: cell.arrivals.clone(),
        rate_per_sec: cell.rate_per_sec,
        achieved_per_sec: if cell.seconds > 0.0 { cell.requests as f64 / cell.seconds } else { 0.0 },
        send_lag_us: latency(&cell.send_lag),
    }
}

fn cpu(levels: &[LevelSummary]) -> Vec<CpuTrend> {
    let mut connections: Vec<u16> = levels.iter().map(|level| level.connections).collect();
    connections.sort_unstable();
    connections.dedup();
    let trend = |connections: u16| {
        let mut levels: Vec<_> =
            levels.iter().filter(|l| l.connections == connections && l.in_flight >= FLAT_FROM).collect();
        levels.sort_by_key(|level| level.in_flight);
        let (first, last) = (levels.first()?, levels.last()?);
        let costs = || levels.iter().map(|level| level.client_cpu_us);
        let (low, high) = (costs().min_by(f64::total_cmp)?, costs().max_by(f64::total_cmp)?);
        (low > 0.0 && last.in_flight > first.in_flight).then(|| CpuTrend {
            connections,
            from: first.in_flight,
            to: last.in_flight,
            spread: high / low,
            growth: high / first.client_cpu_us,
        })
    };
    connections.into_iter().filter_map(trend).collect()
}

fn round_trip(record: &RoundTripRecord) -> Option<RoundTripSummary> {
    let middle = |samples: &crate::record::Samples| {
        let values: Vec<f64> = samples.iter_us().collect();
        harrell_davis_interval(&values, 0.5, CONFIDENCE).ok()
    };
    let (client, bare) = (middle(&record.client)?, middle(&record.bare)?);
    // The requests of the two sides are independent once they are mixed at random.
    let reach = client.half_width().hypot(bare.half_width());
    let estimate = client.estimate - bare.estimate;
    let overhead_us =
        Estimate { estimate, low: estimate - reach, high: estimate + reach, confidence: CONFIDENCE };
    Some(RoundTripSummary { client_p50_us: client, bare_p50_us: bare, overhead_us })
}

#[cfg(test)]
#[path = "calibration_tests.rs"]
mod tests;
