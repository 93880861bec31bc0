//! What goes on beside a window: the display, the servers' CPU second by second, a safety copy now and then.

use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use super::measuring::Measured;
use super::run_record::{Closing, run_record};
use super::session::Session;
use crate::cluster::ClusterError;
use crate::machine::resident_bytes;
use crate::valkey::NodeAddr;

/// How often the display moves.
const TICK: Duration = Duration::from_millis(500);

/// Every how many ticks the servers' CPU is read. One `INFO cpu` a second is far below what can be seen.
const TICKS_PER_READING: u64 = 2;

/// Every how many ticks what was measured so far is kept: a crash of the tool loses half a minute of a long
/// window, and a short one is not disturbed. A long one still has the record put together between two claims: the
/// paired samples are copied, and the histograms of each variant packed. What takes longer, encoding it and waiting
/// for the disk, is another thread's.
const TICKS_PER_COPY: u64 = 60;

/// CPU of each primary so far, in seconds.
type PrimariesCpu = Vec<(NodeAddr, f64)>;

/// Does `work`, which records into `measured`, and watches it.
pub(super) async fn observe<T>(
    session: &Session<'_>,
    measured: &Measured,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let before = measured.recorder.borrow().claimed();
    let start = Instant::now();
    let mut readings = FuturesUnordered::new();
    let mut last: Option<(Duration, PrimariesCpu)> = None;
    let mut ticks = 0;
    loop {
        tokio::select! {
            biased;
            done = &mut work => {
                show(session, measured, before);
                return done;
            }
            Some(reading) = readings.next(), if !readings.is_empty() => {
                // A server that is too busy to answer leaves its seconds without this figure.
                let Ok(used_s) = reading else { continue };
                let now = (start.elapsed(), used_s);
                if let Some(earlier) = &last {
                    note_cpu(measured, earlier, &now);
                }
                last = Some(now);
            }
            _ = tick.tick() => {
                show(session, measured, before);
                if ticks % TICKS_PER_READING == 0 && readings.is_empty() {
                    // The first generator asks for all.
                    if session.slice().leads() {
                        readings.push(main_thread_cpu_s(session));
                    }
                    measured.recorder.borrow_mut().resident(resident_bytes());
                }
                if ticks > 0 && ticks % TICKS_PER_COPY == 0 {
                    session.watch().snapshot(run_record(session, measured, &Closing::default(), true));
                }
                ticks += 1;
            }
        }
    }
}

/// CPU of the primaries of all clusters so far, one cluster after the other.
async fn main_thread_cpu_s(session: &Session<'_>) -> Result<PrimariesCpu, ClusterError> {
    let of_clusters = session.sites.iter().map(|site| site.cluster.main_thread_cpu_s());
    Ok(try_join_all(of_clusters).await?.concat())
}

/// When everything is measured: tells the seconds that have not been told yet. The last one is not over when
/// the window is.
pub(super) fn tell_rest(session: &Session<'_>, measured: &Measured) {
    tell_finished(session, measured);
    if let Some(point) = measured.recorder.borrow().unfinished() {
        session.watch().second(&point);
    }
}

/// Tells how far the window is, and each second that has finished once.
fn show(session: &Session<'_>, measured: &Measured, before: u64) {
    session.watch().advance(measured.recorder.borrow().claimed() - before);
    tell_finished(session, measured);
}

fn tell_finished(session: &Session<'_>, measured: &Measured) {
    session.seconds_told.tell_finished(session.watch(), &measured.recorder.borrow());
}

fn note_cpu(
    measured: &Measured,
    (from, earlier): &(Duration, PrimariesCpu),
    (to, later): &(Duration, PrimariesCpu),
) {
    // Another set of primaries, or a restart: nothing that could be subtracted.
    let same = later.iter().map(|(addr, _)| addr).eq(earlier.iter().map(|(addr, _)| addr));
    if !same || to <= from {
        return;
    }
    let used: Vec<f64> =
        later.iter().zip(earlier).map(|((_, later), (_, earlier))| later - earlier).collect();
    if used.iter().all(|seconds| *seconds >= 0.0) {
        measured.recorder.borrow_mut().primary_cpu(*from, *to, used);
    }
}
