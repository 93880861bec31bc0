//! Interruptions, scanners and claims together, executions going round and round: the loop of churn and
//! storm, real or fake.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::driving::{Drawn, Driver, Due, Fate};
use super::super::planning::{ArmSequence, PlannedClaim};
use super::super::timing::{Pacer, Schedule};
use super::grant_queue::{GrantQueue, Ticketed};
use super::storm_retries::{Next, StormRetries};
use crate::claim::{ClaimTicket, LocalFuture};
use reclaim_analysis::record::Purpose;
use reclaim_analysis::scenario::Amount;

/// What makes executions claimable while claims run.
pub(super) trait Producer {
    /// Why a step could not be done.
    type Error;

    /// Interrupts an execution that holds a lease and makes it runnable again; notes when the latter was
    /// sent.
    fn interrupt(&self, execution: u32) -> impl Future<Output = Result<(), Self::Error>>;

    /// When the execution was last made runnable, where that was in this window.
    fn runnable_since(&self, execution: u32) -> Option<Instant>;

    /// Looks for resumable executions in a part of one primary's sets and issues their grants.
    fn scan(&self, primary: usize) -> impl Future<Output = Result<Scanned, Self::Error>>;

    /// Whether the grant of a ticket is used up, or another one was issued in its place: nobody claims with
    /// it then.
    fn superseded(&self, execution: u32, ticket: &ClaimTicket) -> bool;

    /// Whether the grant of a ticket whose claim came to nothing can still be used. Where it cannot, a scan
    /// finds the execution.
    fn hand_back(&self, execution: u32, ticket: &ClaimTicket) -> bool;

    /// Waits between two scans of one primary.
    fn scan_interval(&self) -> Duration;
}

/// What a scan of a part of one primary's sets came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanned {
    /// Tickets for executions that now have a grant.
    pub found: Vec<Ticketed>,
    /// Whether the primary's sets are through, so that the scanner may rest.
    pub through: bool,
}

/// How a window ended.
pub(super) struct WindowEnd<E> {
    /// The window's length; of one that stalled, until something was last done.
    pub active: Duration,
    /// How long nothing was done after that.
    pub waited: Duration,
    /// The first step of the producer that failed; the window ends there.
    pub failure: Option<E>,
    /// Whether the window ended because executions stopped coming back.
    pub stalled: bool,
    /// Tickets taken, by flow partition.
    pub taken: HashMap<u16, u64>,
}

/// A window in which there has been nothing to do for this long ends: the executions are lost or held
/// elsewhere. A schedule ends by itself, and may have longer pauses.
pub(super) const STALL_LIMIT: Duration = Duration::from_secs(30);

/// Who makes the claims of a window, and until when.
pub(super) enum Offer<'a, P, R> {
    /// This many workers from `start` on, each claiming and interrupting again as soon as it is done.
    Closed { workers: u32, amount: Amount, start: Instant },
    /// A schedule: whatever is ready when a claim is due. Nothing ready is an outcome of its own.
    Open { schedule: &'a Schedule, pacer: P },
    /// Workers that work off a storm, which begins at `start`: each of the executions is claimed until it
    /// holds a lease and stays claimed, while `release` makes them runnable.
    Storm { workers: u32, executions: u64, start: Instant, release: R, retries: &'a StormRetries },
}

impl<P: Pacer, R> Offer<'_, P, R> {
    fn start(&self) -> Instant {
        match self {
            Self::Open { pacer, .. } => pacer.start(),
            Self::Closed { start, .. } | Self::Storm { start, .. } => *start,
        }
    }

    /// When the window that starts then is over, or the claims after which it is: the schedule of an open loop
    /// says both itself.
    fn bounds(&self, start: Instant) -> (Option<Instant>, Option<u64>) {
        match self {
            Self::Closed { amount: Amount::Duration(time), .. } => (Some(start + *time), None),
            Self::Closed { amount: Amount::Claims(claims), .. } => (None, Some(*claims)),
            Self::Storm { executions, .. } => (None, Some(*executions)),
            Self::Closed { amount: Amount::Trace, .. } | Self::Open { .. } => (None, None),
        }
    }
}

struct Window<'a, C> {
    driver: &'a Driver<'a>,
    producer: &'a C,
    sequence: &'a RefCell<ArmSequence>,
    ready: &'a GrantQueue,
    start: Instant,
    until: Option<Instant>,
    /// Claims to be made; in a storm, executions that are to hold a lease.
    claims_left: Cell<u64>,
    /// Claims under way with what follows them, and the signals of a storm.
    busy: Cell<u32>,
    /// When that was last over 0.
    last_busy: Cell<Instant>,
    /// Whether it may stall; and whether it has.
    may_stall: bool,
    stalled: Cell<bool>,
    taken: RefCell<HashMap<u16, u64>>,
    /// In a storm no execution is interrupted again, and one whose claim came to nothing is claimed again.
    storm: Option<&'a StormRetries>,
    over: CancellationToken,
}

/// Runs claims and scanners together until the offer is done, a step fails, or the driver is cancelled.
/// Tickets that wait in `ready` at the beginning are claimed first; those that wait at the end stay there.
pub(super) async fn circulate<C, P, R>(
    driver: &Driver<'_>,
    producer: &C,
    sequence: &RefCell<ArmSequence>,
    offer: Offer<'_, P, R>,
    ready: &GrantQueue,
) -> WindowEnd<C::Error>
where
    C: Producer,
    P: Pacer,
    R: Future<Output = Result<(), C::Error>>,
{
    let start = offer.start();
    let (until, claims) = offer.bounds(start);
    let window = Window {
        driver,
        producer,
        sequence,
        ready,
        start,
        until,
        claims_left: Cell::new(claims.unwrap_or(u64::MAX)),
        busy: Cell::new(0),
        last_busy: Cell::new(start),
        may_stall: !matches!(offer, Offer::Open { .. }),
        stalled: Cell::new(false),
        taken: RefCell::default(),
        storm: match &offer {
            Offer::Storm { retries, .. } => Some(retries),
            Offer::Closed { .. } | Offer::Open { .. } => None,
        },
        over: driver.cancel.child_token(),
    };
    let working: FuturesUnordered<LocalFuture<'_, Result<(), C::Error>>> = FuturesUnordered::new();
    let hire = |workers: u32| (0..workers).for_each(|_| working.push(Box::pin(window.work())));
    match offer {
        Offer::Closed { workers, .. } => hire(workers),
        Offer::Open { schedule, pacer } => working.push(Box::pin(window.arrive(schedule, pacer))),
        Offer::Storm { workers, release, .. } => {
            working.push(Box::pin(window.busy(release)));
            hire(workers);
        }
    }
    let failure = window.together(working).await;
    let stalled = failure.is_none() && window.stalled.get();
    let end = if stalled { window.last_busy.get() } else { Instant::now() };
    let active = end.saturating_duration_since(start);
    let waited = start.elapsed().saturating_sub(active);
    if claims.is_some() {
        // In a storm as well: each execution that does not hold a lease waits for its first claim, or for one more.
        sequence.borrow().drop_next(window.claims_left.get(), driver.recorder);
    }
    WindowEnd { active, waited, failure, stalled, taken: window.taken.take() }
}

impl<C: Producer> Window<'_, C> {
    /// Does something that says that the window has not stalled.
    async fn busy<T>(&self, what: impl Future<Output = T>) -> T {
        self.busy.set(self.busy.get() + 1);
        let done = what.await;
        self.busy.set(self.busy.get() - 1);
        self.last_busy.set(Instant::now());
        done
    }

    /// When the window will have stalled if nothing is done until then; `None` while something is.
    fn stalls_at(&self) -> Option<Instant> {
        (self.may_stall && self.busy.get() == 0).then(|| self.last_busy.get() + STALL_LIMIT)
    }

    fn ended(&self) -> bool {
        if self.over.is_cancelled()
            || self.claims_left.get() == 0
            || self.until.is_some_and(|until| Instant::now() >= until)
        {
            return true;
        }
        if self.stalls_at().is_some_and(|stall| Instant::now() >= stall) {
            self.stalled.set(true);
        }
        self.stalled.get()
    }

    /// Runs the working futures beside one scanner per primary until all of the former are done. The first
    /// failure.
    async fn together(
        &self,
        mut working: FuturesUnordered<LocalFuture<'_, Result<(), C::Error>>>,
    ) -> Option<C::Error> {
        let mut failure = None;
        let primaries = 0..self.ready.primaries();
        let mut scanners: FuturesUnordered<_> = primaries.map(|primary| self.scan(primary)).collect();
        loop {
            let step = tokio::select! {
                Some(step) = working.next() => step,
                Some(step) = scanners.next() => step,
                else => break,
            };
            if let Err(error) = step {
                failure.get_or_insert(error);
                self.over.cancel();
            }
            if working.is_empty() {
                self.over.cancel();
            }
        }
        failure
    }

    async fn work(&self) -> Result<(), C::Error> {
        while let Some(ticket) = self.take().await {
            self.busy(self.claim(ticket, None)).await?;
        }
        Ok(())
    }

    /// Claims as the schedule says, however many are in flight.
    async fn arrive(&self, schedule: &Schedule, mut pacer: impl Pacer) -> Result<(), C::Error> {
        let offsets = schedule.offsets();
        let mut serving = FuturesUnordered::new();
        let mut failure = None;
        let mut offered = 0;
        loop {
            let step = tokio::select! {
                biased;
                () = self.over.cancelled(), if offered < offsets.len() => break,
                due = pacer.next(), if offered < offsets.len() => {
                    let Some(position) = due else { break };
                    offered = position + 1;
                    serving.push(self.serve(offsets[position]));
                    continue;
                }
                Some(step) = serving.next(), if !serving.is_empty() => step,
                else => break,
            };
            if let Err(error) = step {
                failure.get_or_insert(error);
                self.over.cancel();
            }
        }
        // Claims in flight end in order, whatever ended the window.
        while let Some(step) = serving.next().await {
            failure = failure.or(step.err());
        }
        self.sequence.borrow().drop_next((offsets.len() - offered) as u64, self.driver.recorder);
        failure.map_or(Ok(()), Err)
    }

    /// Serves one arrival with whatever is ready.
    async fn serve(&self, scheduled: Duration) -> Result<(), C::Error> {
        let Some(ticket) = self.pop() else {
            let (arm, purpose) = self.next_arm();
            self.driver.recorder.borrow_mut().empty_stock(usize::from(arm), purpose);
            return Ok(());
        };
        self.claim(ticket, Some(scheduled)).await
    }

    fn next_arm(&self) -> (u8, Purpose) {
        self.sequence.borrow_mut().next(self.driver.recorder)
    }

    async fn claim(
        &self,
        (execution, ticket): Ticketed,
        scheduled: Option<Duration>,
    ) -> Result<(), C::Error> {
        let (arm, purpose) = self.next_arm();
        let claim = PlannedClaim { execution, arm, purpose, site: 0 };
        let came_back = self.storm.is_some_and(|retries| retries.has_come_back(execution));
        let runnable_since = self.producer.runnable_since(execution).filter(|_| !came_back);
        let drawn = Drawn { ticket, runnable_since, left: self.ready.waiting() };
        let due = Due { start: self.start, scheduled };
        let fate = self.driver.one(&claim, &drawn, due).await;
        match self.storm {
            Some(retries) => self.after(retries, (execution, drawn.ticket), fate).await,
            None if fate == Fate::Held => self.producer.interrupt(execution).await?,
            None => {}
        }
        Ok(())
    }

    /// What follows a claim of a storm. Its worker waits with the ticket that it hands back, as one does that
    /// has met an error.
    async fn after(&self, retries: &StormRetries, (execution, ticket): Ticketed, fate: Fate) {
        match retries.after(execution, fate) {
            Next::DoneAlready | Next::Scanner => {}
            Next::Done => {
                self.claims_left.set(self.claims_left.get() - 1);
                if self.claims_left.get() == 0 {
                    // The other workers wait for executions that might have come back.
                    self.over.cancel();
                }
            }
            Next::HandBack(pause) => {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.over.cancelled() => return,
                }
                if self.producer.hand_back(execution, &ticket) {
                    // Tickets that are handed back are few: it matters little in which of the queues they wait.
                    self.ready.push(0, (execution, ticket));
                }
            }
        }
    }

    /// The next ticket that can be claimed with, if one waits.
    fn pop(&self) -> Option<Ticketed> {
        let ticket = std::iter::from_fn(|| self.ready.pop())
            .find(|(execution, ticket)| !self.producer.superseded(*execution, ticket))?;
        *self.taken.borrow_mut().entry(ticket.1.grant.execution_id.partition()).or_default() += 1;
        Some(ticket)
    }

    /// The next ticket; waits for one. `None` once the window is over.
    async fn take(&self) -> Option<Ticketed> {
        loop {
            if self.ended() {
                self.over.cancel();
                return None;
            }
            // Registered before looking, so that an arrival in between is not missed.
            let arrived = self.ready.arrival();
            if let Some(ticket) = self.pop() {
                if self.storm.is_none() {
                    self.claims_left.set(self.claims_left.get() - 1);
                }
                return Some(ticket);
            }
            // While others are busy it cannot stall before they have been done for that long.
            let stall = self.stalls_at().unwrap_or_else(|| Instant::now() + STALL_LIMIT);
            let end = tokio::time::sleep_until(self.until.map_or(stall, |until| until.min(stall)));
            tokio::select! {
                () = arrived => {}
                () = end => {}
                () = self.over.cancelled() => {}
            }
        }
    }

    async fn scan(&self, primary: usize) -> Result<(), C::Error> {
        while !self.ended() {
            let scanned = self.producer.scan(primary).await?;
            for ticket in scanned.found {
                self.ready.push(primary, ticket);
            }
            if !scanned.through {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(self.producer.scan_interval()) => {}
                () = self.over.cancelled() => {}
            }
        }
        Ok(())
    }
}
