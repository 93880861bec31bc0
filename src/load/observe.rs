//! What goes on beside a window: the display, the servers' CPU second by second, a safety copy now and then.

use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use super::measuring::Measured;
use super::measuring::stretch::Zero;
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

/// Does `work`, which records into `measured` with times that count from `zero`, and watches it.
pub(super) async fn observe<T>(
    session: &Session<'_>,
    measured: &Measured,
    (zero, work): (Zero, impl Future<Output = T>),
) -> T {
    tokio::pin!(work);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let before = measured.recorder.borrow().claimed();
    let mut readings = FuturesUnordered::new();
    let mut cpu = CpuReadings { zero, last: None };
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
                if let Some(CpuSpan { from, to, used_s }) = cpu.take(Instant::now(), used_s) {
                    measured.recorder.borrow_mut().primary_cpu(from, to, used_s);
                }
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

/// Readings of the primaries' CPU beside a stretch of claims.
struct CpuReadings {
    zero: Zero,
    /// The last one, and when it came.
    last: Option<(Instant, PrimariesCpu)>,
}

/// CPU that each primary used between two readings, in seconds; both in time of the claims.
#[derive(Debug, PartialEq)]
struct CpuSpan {
    from: Duration,
    to: Duration,
    used_s: Vec<f64>,
}

impl CpuReadings {
    /// What was used since the last reading. One that came before the claims began counts as of their beginning:
    /// until then nothing is asked of the primaries.
    fn take(&mut self, now: Instant, later: PrimariesCpu) -> Option<CpuSpan> {
        let (before, earlier) = self.last.replace((now, later))?;
        let (_, later) = self.last.as_ref()?;
        // Another set of primaries, or a restart: nothing that could be subtracted.
        let same = later.iter().map(|(addr, _)| addr).eq(earlier.iter().map(|(addr, _)| addr));
        let zero = self.zero.at().filter(|_| same)?;
        let [from, to] = [before, now].map(|at| at.saturating_duration_since(zero));
        let used_s: Vec<f64> =
            later.iter().zip(&earlier).map(|((_, later), (_, earlier))| later - earlier).collect();
        (to > from && used_s.iter().all(|seconds| *seconds >= 0.0)).then_some(CpuSpan { from, to, used_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::record::{Outcome, Purpose, Recorder, Stamps, StepTimes, WireCost};

    const MS: Duration = Duration::from_millis(1);

    /// CPU of one primary.
    fn used(seconds: f64) -> PrimariesCpu {
        vec![(NodeAddr { host: "127.0.0.1".into(), port: 1 }, seconds)]
    }

    fn span(from: Duration, to: Duration, seconds: f64) -> CpuSpan {
        CpuSpan { from, to, used_s: vec![seconds] }
    }

    /// Claims that begin a tenth of a second after they are watched, and a server that is busy in every other
    /// second of theirs.
    #[tokio::test(start_paused = true)]
    async fn a_second_has_the_cpu_of_that_second_of_the_claims() {
        let (watched, zero) = (Instant::now(), Zero::default());
        let mut cpu = CpuReadings { zero: zero.clone(), last: None };
        assert_eq!(cpu.take(watched, used(7.0)), None);
        let begin = watched + MS * 100;
        zero.set(begin);
        let mut recorder = Recorder::new(1, []);
        for (n, seconds) in [(1, 8.0), (2, 8.0), (3, 9.0), (4, 9.0)] {
            // Each reading comes as a second of the claims ends.
            let seen = cpu.take(begin + MS * 1_000 * n, used(seconds)).unwrap();
            let busy = f64::from(n % 2);
            assert_eq!(seen, span(MS * 1_000 * (n - 1), MS * 1_000 * n, busy));
            recorder.primary_cpu(seen.from, seen.to, seen.used_s);
        }
        let done = MS * 4_500;
        let stamps = Stamps { scheduled: None, sent: done, done, resume: None, steps: StepTimes::default() };
        recorder.record(0, Purpose::Plain, &stamps, &Outcome::Claimed, WireCost::default(), 0);
        let seconds: Vec<f64> = (0..4).map(|n| recorder.second(n).unwrap().primary_cpu[0]).collect();
        assert_eq!(seconds, [1.0, 0.0, 1.0, 0.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn readings_that_cannot_be_held_against_each_other_are_no_span() {
        let begin = Instant::now();
        let mut cpu = CpuReadings { zero: Zero::default(), last: None };
        let at = |n: u32| begin + MS * n;
        assert_eq!(cpu.take(at(0), used(1.0)), None);
        assert_eq!(cpu.take(at(1), used(2.0)), None, "nobody knows when the claims begin");
        cpu.zero.set(begin);
        assert_eq!(cpu.take(at(2), used(2.5)), Some(span(MS, MS * 2, 0.5)));
        assert_eq!(cpu.take(at(3), used(0.5)), None, "a restart");
        let other = NodeAddr { host: "127.0.0.1".into(), port: 2 };
        assert_eq!(cpu.take(at(4), vec![(other, 9.0)]), None, "another primary");
    }
}
