//! Measures the generator itself: the driver, pacer and connections of a run, in front of a function that does nothing.
//!
//! ```text
//! Extent ─► levels     closed loop: throughput, CPU per request, by requests in flight
//!        ├► send_lag   open loop: how late the pacer is, by rate
//!        └► round_trip one in flight, against the same bytes on a bare socket    ─► CalibrationRecord ─► judge::assess
//! ```

mod extent;
mod levels;
mod noop;
mod round_trip;
mod send_lag;

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, ClusterError};
use crate::flowfabric::CallError;
use crate::machine::{MachineCpu, host, process_cpu, thread_cpu, tool};
use crate::valkey::NodeIndex;
use reclaim_analysis::record::{CalibrationRecord, GeneratorUse};

pub use extent::{Extent, Part};
use noop::Bench;

/// What a calibration works with.
pub struct CalibrateSetup<'a> {
    /// Its first primary answers.
    pub cluster: &'a Rc<Cluster>,
    /// What to measure, and for how long.
    pub extent: &'a Extent,
    /// Seed of every random order.
    pub seed: u64,
    /// Gets a line per part.
    pub notify: &'a dyn Fn(&str),
    /// Ends it between two steps; nothing is kept then.
    pub cancel: &'a CancellationToken,
}

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// The primary does not answer as it should.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The function that does nothing cannot be called.
    #[error("cannot call the function that does nothing: {0}")]
    Call(#[from] CallError),
    /// The bare socket broke.
    #[error("the bare connection to the primary broke: {0}")]
    Socket(std::io::Error),
    /// Something else answered on the bare socket than on the client's connection.
    #[error("the primary answers differently on a bare connection: is a proxy between?")]
    OtherReply,
    /// The open loop's clock could not be started.
    #[error("cannot start the pacer's thread: {0}; free some memory or raise the limit on processes")]
    Pacer(std::io::Error),
    /// The primary restarted, or its counters were reset.
    #[error("{0}; make sure that servers stay up, and calibrate again")]
    ServerChanged(#[from] crate::valkey::ServerChanged),
    /// Ctrl-C.
    #[error("interrupted")]
    Cancelled,
}

/// Measures everything that the extent asks for. Writes nothing to the cluster.
pub async fn calibrate(setup: CalibrateSetup<'_>) -> Result<CalibrationRecord, CalibrateError> {
    let CalibrateSetup { cluster, extent, seed, notify, cancel } = setup;
    let (started, begun) = (SystemTime::now(), Instant::now());
    let node = NodeIndex(0);
    let before = cluster.counters().await?;
    let mut bench = Bench::open(cluster, node, &extent.connections, cancel).await?;
    let mut record = CalibrationRecord {
        tool: tool(),
        host: host(),
        valkey: cluster.info(1),
        primary: cluster.wire(node).addr().to_string(),
        started: humantime::format_rfc3339_millis(started).to_string(),
        duration_s: 0.0,
        seed,
        complete: extent.is_complete(),
        levels: Vec::new(),
        send_lag: Vec::new(),
        round_trip: None,
        sent: 0,
        counted: 0,
        failed: 0,
        generator: None,
    };
    let (thread, process, machine) = (thread_cpu(), process_cpu(), MachineCpu::now());
    let measuring = Instant::now();
    for part in [Part::Levels, Part::SendLag, Part::RoundTrip] {
        if !extent.parts.contains(&part) {
            continue;
        }
        notify(part.doing());
        match part {
            Part::Levels => record.levels = levels::measure(&mut bench, extent, seed).await?,
            Part::SendLag => record.send_lag = send_lag::measure(&mut bench, extent, seed).await?,
            Part::RoundTrip => {
                record.round_trip = round_trip::measure(&mut bench, extent, seed, cluster, node).await?;
            }
        }
    }
    let used = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64();
    let machine = machine.zip(MachineCpu::now()).map(|(before, after)| after.since(before));
    let mut generator = GeneratorUse {
        window_s: measuring.elapsed().as_secs_f64(),
        thread_cpu_s: used(thread_cpu(), thread),
        process_cpu_s: Some(used(process_cpu(), process)),
        machine_cpu_s: machine.map(|machine| machine.busy_s),
        stolen_cpu_s: machine.map(|machine| machine.stolen_s),
        ..GeneratorUse::default()
    };
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
