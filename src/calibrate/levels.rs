//! Closed loop: how many requests per second, and what each costs the generator, by requests in flight.

use std::cell::RefCell;
use std::time::Duration;

use rand::seq::SliceRandom as _;

use super::error::CalibrateError;
use super::noop::Bench;
use super::plan::CalibrationPlan;
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{LevelRecord, LevelRound, Recorder};

/// Requests per worker before the first turn: caches, allocations and the server's own buffers settle.
const WARMUP_EACH: u32 = 20;
/// Requests of the shortest warm-up.
const WARMUP: u32 = 2_000;

struct Level {
    in_flight: u32,
    connections: u16,
    requests: usize,
    rounds: Vec<LevelRound>,
    recorder: RefCell<Recorder>,
}

/// All levels, turn by turn in random order, so that a machine that drifts does not favour one of them.
pub(super) async fn measure(
    bench: &mut Bench<'_>,
    plan: &CalibrationPlan,
    seed: u64,
) -> Result<Vec<LevelRecord>, CalibrateError> {
    let mut levels = Vec::new();
    for &connections in &plan.connections {
        for &in_flight in &plan.in_flight {
            levels.push(size(bench, connections, in_flight, plan.turn).await?);
        }
    }
    let mut rng = stream(seed, "levels");
    let mut order: Vec<usize> = (0..levels.len()).collect();
    for _ in 0..plan.rounds {
        order.shuffle(&mut rng);
        for &n in &order {
            let level = &mut levels[n];
            let stretch =
                bench.closed(level.connections, level.in_flight, level.requests, &level.recorder).await?;
            level.rounds.push(LevelRound {
                requests: level.requests as u64,
                seconds: stretch.seconds,
                client_cpu_s: stretch.client_cpu_s,
            });
        }
    }
    Ok(levels.into_iter().map(Level::into_record).collect())
}

/// Warms a level up and fixes the size of its turns before any of them is made.
async fn size(
    bench: &Bench<'_>,
    connections: u16,
    in_flight: u32,
    turn: Duration,
) -> Result<Level, CalibrateError> {
    let warmup = (WARMUP_EACH * in_flight).max(WARMUP) as usize;
    let recorder = RefCell::new(Recorder::new(1, []));
    let stretch = bench.closed(connections, in_flight, warmup, &recorder).await?;
    let rate = warmup as f64 / stretch.seconds.max(1e-9);
    Ok(Level {
        in_flight,
        connections,
        requests: bench.requests_for(rate, turn, in_flight),
        rounds: Vec::new(),
        recorder: RefCell::new(Recorder::new(1, [])),
    })
}

impl Level {
    fn into_record(self) -> LevelRecord {
        LevelRecord {
            in_flight: self.in_flight,
            connections: self.connections,
            rounds: self.rounds,
            service: self.recorder.borrow().arms()[0].service.encode(),
        }
    }
}
