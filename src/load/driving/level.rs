//! `[slo] abort`: ends a run whose service level is hopelessly missed.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use reclaim_analysis::record::{Aborted, Outcome};
use reclaim_analysis::scenario::P99_ONE_IN;

/// Seconds on end that have to miss the limit: one may be a server's pause, five are its state.
const SECONDS: u32 = 5;

/// Watches the response times of a run, second by second.
pub struct LevelWatch {
    limit: Duration,
    run: CancellationToken,
    seconds: RefCell<Seconds>,
}

#[derive(Default)]
struct Seconds {
    /// Whether the claims of now are those of a warm-up.
    disregarded: bool,
    /// When the first claim came back.
    begun: Option<Instant>,
    /// The second that goes on, from there.
    current: u64,
    claims: u64,
    beyond: u64,
    missed_on_end: u32,
    reached: Option<Aborted>,
}

impl LevelWatch {
    /// Ends `run` once the limit is missed for long enough.
    pub fn new(limit: Duration, run: CancellationToken) -> Self {
        Self { limit, run, seconds: RefCell::default() }
    }

    /// Where it has ended the run.
    pub fn reached(&self) -> Option<Aborted> {
        self.seconds.borrow().reached
    }

    /// What comes back until [`Self::forget`] counts for nothing: it is a warm-up's, whatever its claims say of
    /// themselves.
    pub fn disregard(&self) {
        self.seconds.borrow_mut().disregarded = true;
    }

    /// What was seen before the window counts for nothing.
    pub fn forget(&self) {
        self.seconds.take();
    }

    /// A claim that came back, or was given up, at `done`. One that was refused has no response time.
    pub fn note(&self, done: Instant, response: Duration, outcome: &Outcome) {
        let beyond = match outcome {
            Outcome::Claimed => response > self.limit,
            Outcome::Ambiguous | Outcome::TimedOut | Outcome::Failed | Outcome::Redirected(_) => true,
            Outcome::Expired | Outcome::LostRace | Outcome::Refused(_) => return,
        };
        let mut seconds = self.seconds.borrow_mut();
        if seconds.disregarded {
            return;
        }
        let begun = *seconds.begun.get_or_insert(done);
        let since = done.saturating_duration_since(begun);
        if since.as_secs() != seconds.current {
            seconds.end(since, self.limit);
            seconds.current = since.as_secs();
        }
        seconds.claims += 1;
        seconds.beyond += u64::from(beyond);
        if seconds.reached.is_some() {
            self.run.cancel();
        }
    }
}

impl Seconds {
    /// Ends the second that went on. One without a claim says nothing and is none.
    fn end(&mut self, since: Duration, limit: Duration) {
        // As the level itself is missed: by more than lie beyond a 99th percentile.
        let missed = self.beyond * P99_ONE_IN > self.claims;
        (self.claims, self.beyond) = (0, 0);
        self.missed_on_end = if missed { self.missed_on_end + 1 } else { 0 };
        if self.missed_on_end >= SECONDS && self.reached.is_none() {
            self.reached = Some(Aborted {
                limit_us: limit.as_secs_f64() * 1e6,
                seconds: self.missed_on_end,
                after_s: since.as_secs_f64(),
            });
        }
    }
}
