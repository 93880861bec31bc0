//! The one loop that makes claims: closed or open, real or fake, staged or churn.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::unconstrained;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::faults::{Ended, FaultLog};
use super::super::planning::PlannedClaim;
use super::super::timing::{Pacer, Schedule};
use super::claim_book::{ClaimBook, Drawn, GrantSource};
use super::fate::Fate;
use super::level::LevelWatch;
use super::ruler::Ruler;
use crate::claim::{ClaimOrder, ClaimPath};
use crate::flowfabric::WorkerIdentity;
use reclaim_analysis::record::{Purpose, Recorder, Stamps};

/// What all claims of a run have in common.
///
/// Its loops run outside tokio's cooperative budget. All claims are one task with one budget for all of them:
/// with hundreds in flight it would be spent on the first few, and the others' replies would lie there until
/// their turn. Nothing starves without it: once every reply that has come is dealt with, the loops wait.
pub struct Driver<'a> {
    /// By cluster, as claims are planned for it.
    pub seats: Vec<Seat<'a>>,
    /// Makes the claims of a control's second side; `None` where the arm's own path does.
    pub twin: Option<&'a Twin>,
    /// Lease to ask for.
    pub lease_ttl: Duration,
    /// Workers that race for each grant.
    pub contenders: u16,
    /// What they measured.
    pub recorder: &'a RefCell<Recorder>,
    /// Ends the run where its service level is hopelessly missed; `None` where there is none.
    pub level: Option<&'a LevelWatch>,
    /// Follows how claims come through faults; `None` where there are none.
    pub faults: Option<&'a FaultLog>,
    /// Ends the loop after the claims in flight.
    pub cancel: &'a CancellationToken,
}

/// What claims on one cluster have in common.
pub struct Seat<'a> {
    /// By arm.
    pub paths: &'a [Rc<dyn ClaimPath>],
    /// Who claims.
    pub worker: &'a WorkerIdentity,
    /// What claims did to their executions.
    pub book: &'a dyn ClaimBook,
    /// Makes the bare round trips among them.
    pub ruler: &'a dyn Ruler,
}

/// A second worker of one arm: two processes of one program are not quite equally fast, and a control that
/// had but one of them would hide it.
pub struct Twin {
    /// The arm.
    pub arm: u8,
    /// The second worker's claims.
    pub path: Rc<dyn ClaimPath>,
    /// Whether the next claim of the arm's warm-up is the twin's: both are warm then.
    pub turn: Cell<bool>,
}

impl Twin {
    /// Whether a claim is this one's to make.
    fn makes(&self, claim: &PlannedClaim) -> bool {
        match claim.purpose {
            _ if claim.arm != self.arm => false,
            Purpose::Warmup => self.turn.replace(!self.turn.get()),
            Purpose::Control { side, .. } => side > 0,
            _ => false,
        }
    }
}

/// When a claim belongs into its window.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Start of the window.
    pub start: Instant,
    /// When the schedule wants the claim, from there; `None` in a closed loop.
    pub scheduled: Option<Duration>,
}

impl Driver<'_> {
    /// Makes the claims with `concurrency` in flight. Returns the time it took since `start`.
    pub async fn closed(
        &self,
        claims: &[PlannedClaim],
        (start, concurrency): (Instant, u32),
        source: &impl GrantSource,
    ) -> Duration {
        let due = Due { start, scheduled: None };
        let next = Cell::new(0);
        let worker = async || {
            while !self.cancel.is_cancelled() {
                let position = next.get();
                let Some(claim) = claims.get(position) else { return };
                next.set(position + 1);
                self.planned(claim, due, source).await;
            }
        };
        let workers = (concurrency as usize).clamp(1, claims.len().max(1));
        let mut workers: FuturesUnordered<_> = (0..workers).map(|_| worker()).collect();
        let all = async { while workers.next().await.is_some() {} };
        unconstrained(all).await;
        self.dropped(&claims[next.get().min(claims.len())..]);
        start.elapsed()
    }

    /// Makes each claim when the schedule says so, however many are in flight. Returns the time it took.
    pub async fn open(
        &self,
        claims: &[PlannedClaim],
        schedule: &Schedule,
        pacer: &mut impl Pacer,
        source: &impl GrantSource,
    ) -> Duration {
        let start = pacer.start();
        let mut in_flight = FuturesUnordered::new();
        let mut sent = 0;
        let all = async {
            while sent < claims.len() {
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => break,
                    due = pacer.next() => {
                        let Some(position) = due else { break };
                        let due = Due { start, scheduled: Some(schedule.offsets()[position]) };
                        in_flight.push(self.planned(&claims[position], due, source));
                        sent = position + 1;
                    }
                    Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
                }
            }
            while in_flight.next().await.is_some() {}
        };
        unconstrained(all).await;
        self.dropped(&claims[sent..]);
        start.elapsed()
    }

    /// A planned claim, with the ticket that its source has for it.
    async fn planned(&self, claim: &PlannedClaim, due: Due, source: &impl GrantSource) {
        if let Purpose::Ruler { stratum } = claim.purpose {
            return self.bare(stratum, claim).await;
        }
        match source.draw(claim) {
            Some(drawn) => drop(self.one(claim, &drawn, due).await),
            None => self.recorder.borrow_mut().empty_stock(usize::from(claim.arm), claim.purpose),
        }
    }

    /// One bare round trip. One without an answer has no time, and is counted.
    async fn bare(&self, stratum: u32, claim: &PlannedClaim) {
        let taken = self.seat(claim).ruler.round_trip(claim.execution).await;
        let mut recorder = self.recorder.borrow_mut();
        match taken {
            Some(time) => recorder.ruler(stratum, time),
            None => recorder.ruler_unanswered(),
        }
    }

    fn seat(&self, claim: &PlannedClaim) -> &Seat<'_> {
        &self.seats[usize::from(claim.site)]
    }

    fn dropped(&self, claims: &[PlannedClaim]) {
        for claim in claims {
            self.recorder.borrow_mut().dropped(usize::from(claim.arm), claim.purpose);
        }
    }

    /// One claim, by all its contenders, until what became of it is recorded.
    pub async fn one(&self, claim: &PlannedClaim, drawn: &Drawn, due: Due) -> Fate {
        if self.contenders == 1 {
            return self.contend(claim, 0, drawn, due).await;
        }
        let mut race: FuturesUnordered<_> =
            (0..self.contenders).map(|contender| self.contend(claim, contender, drawn, due)).collect();
        let mut best = Fate::Refused;
        while let Some(fate) = race.next().await {
            best = best.max(fate);
        }
        best
    }

    fn path(&self, claim: &PlannedClaim) -> &Rc<dyn ClaimPath> {
        match self.twin {
            Some(twin) if twin.makes(claim) => &twin.path,
            _ => &self.seat(claim).paths[usize::from(claim.arm)],
        }
    }

    async fn contend(&self, claim: &PlannedClaim, contender: u16, drawn: &Drawn, due: Due) -> Fate {
        let cluster = self.seat(claim);
        let (lease_id, attempt_id) = cluster.book.ids(claim.execution, contender);
        let order = ClaimOrder {
            ticket: &drawn.ticket,
            worker: cluster.worker,
            lease_id,
            attempt_id,
            lease_ttl: self.lease_ttl,
            again: cluster.book.unsettled(claim.execution),
        };
        let sent = Instant::now();
        let receipt = self.path(claim).claim(&order).await;
        let sent = receipt.begun.map_or(sent, Instant::from_std);
        let done = receipt.ended.map_or_else(Instant::now, Instant::from_std);
        let stamps = Stamps {
            scheduled: due.scheduled,
            sent: sent.saturating_duration_since(due.start),
            done: done.saturating_duration_since(due.start),
            // In an open loop an execution waits until a claim is due: that wait is the scenario's, not the
            // system's.
            resume: drawn
                .runnable_since
                .filter(|_| due.scheduled.is_none())
                .map(|since| done.saturating_duration_since(since)),
            steps: receipt.steps,
        };
        if let Some(level) = self.level.filter(|_| !matches!(claim.purpose, Purpose::Warmup | Purpose::Late))
        {
            let from = due.scheduled.map_or(sent, |scheduled| due.start + scheduled);
            level.note(done, done.saturating_duration_since(from), &receipt.outcome);
        }
        if let Some(faults) = self.faults.filter(|_| claim.purpose != Purpose::Warmup) {
            // In a storm a claim is due when a worker has the time for it.
            let due = due.scheduled.map_or(sent, |scheduled| due.start + scheduled);
            let (outcome, held) = (&receipt.outcome, receipt.lease.is_some());
            let partition = drawn.ticket.grant.partition().ok().map(|partition| partition.index);
            faults.note(&Ended { due, sent, done, outcome, held, partition });
        }
        cluster.book.settle(claim.execution, &drawn.ticket, &receipt);
        if receipt.unreplicated {
            self.recorder.borrow_mut().unreplicated(usize::from(claim.arm), claim.purpose);
        }
        self.recorder.borrow_mut().record(
            usize::from(claim.arm),
            claim.purpose,
            &stamps,
            &receipt.outcome,
            receipt.cost,
            drawn.left,
        );
        Fate::after(&receipt)
    }
}
