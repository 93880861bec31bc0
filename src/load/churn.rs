//! The realistic mix: interruptions, scanner and claims run together, and executions go round and round.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::comebacks::{Comebacks, Next};
use super::driver::{Deck, Driver, Fate};
use super::pacer::Pacer;
use super::plan::{PlannedClaim, StratumPlan, baseline_arm, stratum_claims, stratum_plan};
use super::schedule::Schedule;
use crate::claim::LocalFuture;
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{Purpose, Recorder};
use reclaim_analysis::scenario::{Amount, Scenario};

/// What churn needs from the workload besides a [`Deck`].
pub trait Circulation: Deck {
    /// Why a step could not be done.
    type Error;

    /// Interrupts an execution that holds a lease and makes it runnable again; notes when the latter was sent.
    fn interrupt(&self, execution: u32) -> impl Future<Output = Result<(), Self::Error>>;

    /// Looks for resumable executions in a part of one primary's sets and issues their grants.
    fn scan(&self, primary: usize) -> impl Future<Output = Result<Scanned, Self::Error>>;

    /// Puts the grant of an execution whose claim came to nothing back in stock, if it can still be used. Where it
    /// cannot, a scan finds the execution.
    fn hand_back(&self, execution: u32) -> bool;

    /// Waits between two scans of one primary.
    fn scan_interval(&self) -> Duration;
}

/// What a scan of a part of one primary's sets came to.
#[derive(Clone, Debug, Default)]
pub struct Scanned {
    /// Executions that now have a grant.
    pub found: Vec<u32>,
    /// Whether the primary's sets are through, so that the scanner may rest.
    pub through: bool,
}

/// Executions with a grant that no worker has taken yet, by the primary whose scanner found them.
///
/// Workers take from the primaries in turn. A scan finds thousands at once; with one queue for all of them every worker
/// would be at the same primary while the others have nothing to do.
pub(super) struct Ready {
    queues: RefCell<Vec<VecDeque<u32>>>,
    turn: Cell<usize>,
    arrived: Notify,
}

impl Ready {
    pub(super) fn new(primaries: usize, first: Vec<u32>) -> Self {
        let mut queues = vec![VecDeque::new(); primaries.max(1)];
        // In order of number, which goes round the partitions.
        queues[0] = first.into();
        Self { queues: RefCell::new(queues), turn: Cell::new(0), arrived: Notify::new() }
    }

    pub(super) fn push(&self, primary: usize, execution: u32) {
        self.queues.borrow_mut()[primary].push_back(execution);
        self.arrived.notify_one();
    }

    pub(super) fn pop(&self) -> Option<u32> {
        let mut queues = self.queues.borrow_mut();
        let (count, turn) = (queues.len(), self.turn.get());
        self.turn.set((turn + 1) % count);
        (0..count).find_map(|n| queues[(turn + n) % count].pop_front())
    }
}

/// Arms and purposes of the claims in the order they are made: strata without end.
pub(super) struct ArmSequence {
    scenario_arms: u8,
    baseline: u8,
    strata: Vec<StratumPlan>,
    controls_per_stratum: f64,
    each: u64,
    debt: f64,
    rng: ChaCha8Rng,
    upcoming: VecDeque<(u8, Purpose)>,
}

/// Claims per side of a stratum in churn, where the number of claims is not known before.
const CHURN_STRATUM: u64 = 50;

impl ArmSequence {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let (baseline, controls) = scenario.compare.as_ref().map_or((0, None), |compare| {
            let share = f64::from(compare.control_strata) / f64::from(compare.strata.max(1));
            (baseline_arm(scenario, compare), Some(share))
        });
        Self {
            scenario_arms: scenario.variants.len() as u8,
            baseline,
            strata: Vec::new(),
            controls_per_stratum: controls.unwrap_or(-1.0),
            each: CHURN_STRATUM,
            debt: 0.0,
            rng: stream(seed, "arms"),
            upcoming: VecDeque::new(),
        }
    }

    /// The next claim's arm and purpose. Tells the recorder of every stratum that begins.
    fn next(&mut self, recorder: &RefCell<Recorder>) -> (u8, Purpose) {
        if self.controls_per_stratum < 0.0 {
            let arm = self.upcoming.pop_front().map_or(0, |(arm, _)| arm);
            let next = (arm + 1) % self.scenario_arms;
            self.upcoming.push_back((next, Purpose::Plain));
            return (arm, Purpose::Plain);
        }
        loop {
            if let Some(claim) = self.upcoming.pop_front() {
                return claim;
            }
            let control = self.debt >= 1.0;
            self.debt += if control { -1.0 } else { self.controls_per_stratum };
            let plan = stratum_plan(control, self.scenario_arms, self.baseline);
            let number = recorder.borrow_mut().add_stratum(plan.sides.len());
            self.upcoming = stratum_claims(number, &plan, self.each, &mut self.rng).into();
            self.strata.push(plan);
        }
    }

    /// The strata whose claims have all been handed out.
    pub(super) fn into_strata(mut self) -> Vec<StratumPlan> {
        if !self.upcoming.is_empty() {
            self.strata.pop();
        }
        self.strata
    }
}

/// How the window of a churn run ended.
pub(super) struct ChurnEnd<E> {
    /// Its length.
    pub active: Duration,
    /// The first step of the workload that failed; the window ends there.
    pub failure: Option<E>,
    /// Whether the window ended because executions stopped coming back.
    pub stalled: bool,
}

/// A window in which no claim has become possible for this long ends: the executions are lost or held elsewhere.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// Who makes the claims of a window, and until when.
pub(super) enum Offer<'a, P, R> {
    /// This many workers, each claiming and interrupting again as soon as it is done.
    Closed { workers: u32, amount: Amount },
    /// A schedule: whatever is ready when a claim is due. Nothing ready is an outcome of its own.
    Open { schedule: &'a Schedule, pacer: P },
    /// Workers that work off a storm: each of the executions is claimed until it holds a lease and stays claimed, while
    /// `release` makes them runnable.
    Storm { workers: u32, executions: u64, release: R, comebacks: &'a Comebacks },
}

struct Window<'a, C> {
    driver: &'a Driver<'a>,
    circulation: &'a C,
    recorder: &'a RefCell<Recorder>,
    sequence: &'a RefCell<ArmSequence>,
    ready: Ready,
    start: Instant,
    until: Option<Instant>,
    /// Claims to be made; in a storm, executions that are to hold a lease.
    claims_left: Cell<u64>,
    last_taken: Cell<Instant>,
    /// In a storm no execution is interrupted again, and one whose claim came to nothing is claimed again.
    storm: Option<&'a Comebacks>,
    over: tokio_util::sync::CancellationToken,
}

/// Runs claims and scanners together until the offer is done, a step fails, or the driver is cancelled.
/// `ready` are executions that have a grant already.
pub(super) async fn churn<C, P, R>(
    driver: &Driver<'_>,
    circulation: &C,
    recorder: &RefCell<Recorder>,
    sequence: &RefCell<ArmSequence>,
    (offer, primaries): (Offer<'_, P, R>, usize),
    ready: Vec<u32>,
) -> ChurnEnd<C::Error>
where
    C: Circulation,
    P: Pacer,
    R: Future<Output = Result<(), C::Error>>,
{
    let start = match &offer {
        Offer::Open { pacer, .. } => pacer.start(),
        Offer::Closed { .. } | Offer::Storm { .. } => Instant::now(),
    };
    let (until, claims) = match &offer {
        Offer::Closed { amount: Amount::Duration(time), .. } => (Some(start + *time), u64::MAX),
        Offer::Closed { amount: Amount::Claims(claims), .. } => (None, *claims),
        Offer::Storm { executions, .. } => (None, *executions),
        // The schedule itself says when it is over.
        Offer::Closed { amount: Amount::Trace, .. } | Offer::Open { .. } => (None, u64::MAX),
    };
    let window = Window {
        driver,
        circulation,
        recorder,
        sequence,
        ready: Ready::new(primaries, ready),
        start,
        until,
        claims_left: Cell::new(claims),
        last_taken: Cell::new(start),
        storm: match &offer {
            Offer::Storm { comebacks, .. } => Some(comebacks),
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
            working.push(Box::pin(release));
            hire(workers);
        }
    }
    let failure = window.together(working, primaries).await;
    let stalled = failure.is_none() && window.stalled();
    ChurnEnd { active: start.elapsed(), failure, stalled }
}

impl<C: Circulation> Window<'_, C> {
    fn stalled(&self) -> bool {
        self.last_taken.get().elapsed() >= STALL_LIMIT
    }

    fn ended(&self) -> bool {
        self.over.is_cancelled()
            || self.claims_left.get() == 0
            || self.until.is_some_and(|until| Instant::now() >= until)
            || self.stalled()
    }

    /// Runs the working futures beside one scanner per primary until all of the former are done. The first failure.
    async fn together(
        &self,
        mut working: FuturesUnordered<LocalFuture<'_, Result<(), C::Error>>>,
        primaries: usize,
    ) -> Option<C::Error> {
        let mut failure = None;
        let mut scanners: FuturesUnordered<_> = (0..primaries).map(|primary| self.scan(primary)).collect();
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
        while let Some(execution) = self.take().await {
            self.claim(execution, None).await?;
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
        for _ in offered..offsets.len() {
            let (arm, purpose) = self.sequence.borrow_mut().next(self.recorder);
            self.recorder.borrow_mut().dropped(usize::from(arm), purpose);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Serves one arrival with whatever is ready.
    async fn serve(&self, scheduled: Duration) -> Result<(), C::Error> {
        let Some(execution) = self.ready.pop() else {
            let (arm, purpose) = self.sequence.borrow_mut().next(self.recorder);
            self.recorder.borrow_mut().empty_stock(usize::from(arm), purpose);
            return Ok(());
        };
        self.last_taken.set(Instant::now());
        self.claim(execution, Some(scheduled)).await
    }

    async fn claim(&self, execution: u32, scheduled: Option<Duration>) -> Result<(), C::Error> {
        let (arm, purpose) = self.sequence.borrow_mut().next(self.recorder);
        let claim = PlannedClaim { execution, arm, purpose };
        let fate = self.driver.one(&claim, self.start, scheduled, self.circulation, self.recorder).await;
        match self.storm {
            Some(comebacks) => self.after(comebacks, execution, fate).await,
            None if fate == Fate::Held => self.circulation.interrupt(execution).await?,
            None => {}
        }
        Ok(())
    }

    /// What follows a claim of a storm. Its worker waits with the execution that it hands back, as one does that has
    /// met an error.
    async fn after(&self, comebacks: &Comebacks, execution: u32, fate: Fate) {
        match comebacks.after(execution, fate) {
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
                if self.circulation.hand_back(execution) {
                    // They are few: it matters little in which of the queues they wait.
                    self.ready.push(0, execution);
                }
            }
        }
    }

    /// The next execution with a grant; waits for one. `None` once the window is over.
    async fn take(&self) -> Option<u32> {
        loop {
            if self.ended() {
                self.over.cancel();
                return None;
            }
            // Registered before looking, so that an arrival in between is not missed.
            let arrived = self.ready.arrived.notified();
            if let Some(execution) = self.ready.pop() {
                if self.storm.is_none() {
                    self.claims_left.set(self.claims_left.get() - 1);
                }
                self.last_taken.set(Instant::now());
                return Some(execution);
            }
            let stall = self.last_taken.get() + STALL_LIMIT;
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
            let scanned = self.circulation.scan(primary).await?;
            for execution in scanned.found {
                self.ready.push(primary, execution);
            }
            if !scanned.through {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(self.circulation.scan_interval()) => {}
                () = self.over.cancelled() => {}
            }
        }
        Ok(())
    }
}
