//! The clock of an open loop: one thread that sleeps until each due time and says so.
//!
//! The runtime's own timers are late by a millisecond; a thread with absolute sleeps and the smallest timer
//! slack is late by some tens of microseconds and does not take a core away from the servers, as spinning
//! would. Where the system allows it, that thread and the one it wakes go before the servers while the
//! schedule runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::schedule::Schedule;
use crate::machine::{RealTime, Role};

/// Says which claim of a schedule is due, in order, as the time comes.
pub trait Pacer {
    /// Start of the schedule.
    fn start(&self) -> tokio::time::Instant;

    /// Waits for the next due claim: its position in the schedule. `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Option<usize>>;
}

/// The real clock. While it is there, the thread that started it has real-time priority, if the system gives
/// it.
#[derive(Debug)]
pub struct ThreadPacer {
    start: Instant,
    due: mpsc::UnboundedReceiver<usize>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    driver: RealTime,
}

/// Time between starting a pacer and its first due time, so that the thread is up when that comes.
const HEAD_START: Duration = Duration::from_millis(20);

impl ThreadPacer {
    /// Starts the clock. The first claim is due a moment from now.
    pub fn start(schedule: &Schedule) -> std::io::Result<Self> {
        Self::start_at(schedule, Instant::now())
    }

    /// The same with a schedule that begins then, where there is a moment left until then.
    pub fn start_at(schedule: &Schedule, at: Instant) -> std::io::Result<Self> {
        let start = at.max(Instant::now() + HEAD_START);
        let offsets = schedule.offsets().to_vec();
        let (tell, due) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("pacer".into()).spawn(move || {
            minimise_timer_slack();
            let _clock = RealTime::take(Role::Clock);
            for (position, offset) in offsets.into_iter().enumerate() {
                sleep_until(start + offset, &stopped);
                if stopped.load(Ordering::Relaxed) || tell.send(position).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { start, due, stop, thread: Some(thread), driver: RealTime::take(Role::Driver) })
    }

    /// Whether the system has given real-time priority.
    pub fn real_time(&self) -> bool {
        self.driver.given()
    }
}

impl Pacer for ThreadPacer {
    fn start(&self) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.start)
    }

    async fn next(&mut self) -> Option<usize> {
        self.due.recv().await
    }
}

impl Drop for ThreadPacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has closed the channel, which the receiver has seen.
            let _ = thread.join();
        }
    }
}

/// Longest single sleep, so that a stopped pacer ends soon.
const LONGEST_SLEEP: Duration = Duration::from_millis(200);

pub(super) fn sleep_until(due: Instant, stopped: &AtomicBool) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || stopped.load(Ordering::Relaxed) {
            return;
        }
        sleep_once(left.min(LONGEST_SLEEP));
    }
}

#[cfg(target_os = "linux")]
pub(super) fn minimise_timer_slack() {
    // Without it the kernel may be 50 µs late to save wake-ups. Refusing is harmless: lag is measured.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn minimise_timer_slack() {}

#[cfg(target_os = "linux")]
fn sleep_once(left: Duration) {
    use rustix::thread::{ClockId, clock_nanosleep_absolute};
    use rustix::time::{Timespec, clock_gettime};
    let now = clock_gettime(ClockId::Monotonic);
    let target = Duration::new(now.tv_sec as u64, now.tv_nsec as u32) + left;
    let until =
        Timespec { tv_sec: target.as_secs().cast_signed(), tv_nsec: i64::from(target.subsec_nanos()) };
    // EINTR: the caller looks at the clock again.
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &until);
}

#[cfg(not(target_os = "linux"))]
fn sleep_once(left: Duration) {
    std::thread::sleep(left);
}
