//! Measures the generator itself: the driver, pacer and connections of a run, in front of a function that
//! does nothing.
//!
//! ```text
//! CalibrationPlan ─► levels     closed loop: throughput, CPU per request, by requests in flight
//!                 ├► send_lag   open loop: how late the pacer is, by rate
//!                 └► round_trip one in flight, against the same bytes on a bare socket
//!                                                        ─► CalibrationRecord ─► judge::assess
//! ```

mod error;
mod levels;
mod noop;
mod plan;
mod round_trip;
mod send_lag;

use std::rc::Rc;
use std::time::{Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::machine::{Arrangement, CpuReading, host, tool};
use crate::valkey::NodeIndex;
use reclaim_analysis::record::CalibrationRecord;
use reclaim_analysis::scenario::MachineSection;

pub use error::CalibrateError;
use noop::Bench;
pub use plan::{CalibrationPlan, Part};

/// What a calibration works with.
pub struct CalibrateSetup<'a> {
    /// Its first primary answers.
    pub cluster: &'a Rc<Cluster>,
    /// What to measure, and for how long.
    pub plan: &'a CalibrationPlan,
    /// Where threads run, and whether cores may sleep.
    pub machine: MachineSection,
    /// Seed of every random order.
    pub seed: u64,
    /// Gets a line per part.
    pub notify: &'a dyn Fn(&str),
    /// Ends it between two steps; nothing is kept then.
    pub cancel: &'a CancellationToken,
}

/// Measures everything that the plan asks for. Writes nothing to the cluster.
pub async fn calibrate(setup: CalibrateSetup<'_>) -> Result<CalibrationRecord, CalibrateError> {
    let CalibrateSetup { cluster, plan, machine, seed, notify, cancel } = setup;
    let (started, begun) = (SystemTime::now(), Instant::now());
    let node = NodeIndex(0);
    let before = cluster.counters().await?;
    let arrangement = Arrangement::new(machine, cluster.servers_at());
    let mut bench = Bench::open(cluster, node, &plan.connections, cancel).await?;
    let mut record = CalibrationRecord {
        tool: tool(),
        host: host(),
        valkey: cluster.info(1),
        primary: cluster.wire(node).addr().to_string(),
        started: humantime::format_rfc3339_millis(started).to_string(),
        duration_s: 0.0,
        seed,
        complete: plan.is_complete(),
        levels: Vec::new(),
        send_lag: Vec::new(),
        round_trip: None,
        sent: 0,
        counted: 0,
        failed: 0,
        conditions: None,
        generator: None,
    };
    let arranged = arrangement.window(&cluster.server_pids());
    let used = CpuReading::now(&arrangement);
    for part in [Part::Levels, Part::SendLag, Part::RoundTrip] {
        if !plan.parts.contains(&part) {
            continue;
        }
        notify(part.doing());
        match part {
            Part::Levels => record.levels = levels::measure(&mut bench, plan, seed).await?,
            Part::SendLag => record.send_lag = send_lag::measure(&mut bench, plan, seed).await?,
            Part::RoundTrip => {
                record.round_trip = round_trip::measure(&mut bench, plan, seed, cluster, node).await?;
            }
        }
    }
    let mut generator = used.until_now(&arrangement);
    drop(arranged);
    record.conditions = Some(arrangement.conditions());
    let after = cluster.counters().await?;
    for (later, earlier) in after.iter().zip(&before) {
        generator.servers_cpu_s += later.since(earlier)?.process_cpu_us / 1e6;
    }
    record.generator = Some(generator);
    let delta = after[usize::from(node.0)].since(&before[usize::from(node.0)])?;
    record.counted = delta.calls.get("fcall").copied().unwrap_or(0);
    (record.sent, record.failed) = bench.totals();
    record.duration_s = begun.elapsed().as_secs_f64();
    Ok(record)
}
