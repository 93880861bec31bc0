//! Measures the generator itself: the driver, pacer and connections of a run, in front of a function that does nothing.
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
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::machine::{Arrangement, MachineCpu, Throttling, host, process_cpu, thread_cpu, tool};
use crate::valkey::NodeIndex;
use reclaim_analysis::record::{CalibrationRecord, GeneratorUse};
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
    let (thread, process, machine) = (thread_cpu(), process_cpu(), MachineCpu::now());
    let (awake, throttling) = (arrangement.kept_awake(), Throttling::now());
    let measuring = Instant::now();
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
    let used = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64();
    let machine = machine.zip(MachineCpu::now()).map(|(before, after)| after.since(before));
    let throttled = throttling.zip(Throttling::now()).map(|(before, now)| now.since(before));
    let mut generator = GeneratorUse {
        window_s: measuring.elapsed().as_secs_f64(),
        thread_cpu_s: used(thread_cpu(), thread),
        process_cpu_s: Some(used(process_cpu(), process)),
        machine_cpu_s: machine.map(|machine| machine.busy_s),
        stolen_cpu_s: machine.map(|machine| machine.stolen_s),
        kept_awake_s: awake.zip(arrangement.kept_awake()).map(|(before, now)| used(now, before)),
        throttled_periods: throttled.map(|throttled| throttled.periods),
        throttled_s: throttled.map(|throttled| throttled.held_back_s),
        ..GeneratorUse::default()
    };
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
