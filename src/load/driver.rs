//! The one loop that makes claims: closed or open, real or fake, staged or churn.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::unconstrained;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::grants::{ClaimBook, Drawn, GrantSource};
use super::level::LevelWatch;
use super::pacer::Pacer;
use super::planned::PlannedClaim;
use super::ruler::Ruler;
use super::schedule::Schedule;
use crate::claim::{ClaimOrder, ClaimPath, ClaimReceipt};
use crate::flowfabric::WorkerIdentity;
use reclaim_analysis::record::{Outcome, Purpose, Recorder, Stamps};

/// What a claim leaves behind for its execution; of several contenders' claims, the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// No lease, and the server said why: it would say the same again.
    Refused,
    /// The grant was past its time, or there was none. A scanner may issue another.
    NoGrant,
    /// Sent elsewhere until the driver gave up. The grant was not used.
    Redirected,
    /// No reply, and no effect seen or nobody can tell. The grant may be there still.
    Unanswered,
    /// The lease is held.
    Held,
}

impl Fate {
    fn of(receipt: &ClaimReceipt) -> Self {
        match &receipt.outcome {
            _ if receipt.lease.is_some() => Self::Held,
            Outcome::Ambiguous | Outcome::TimedOut | Outcome::Failed => Self::Unanswered,
            Outcome::Redirected(_) => Self::Redirected,
            Outcome::Expired => Self::NoGrant,
            Outcome::Claimed | Outcome::LostRace | Outcome::Refused(_) => Self::Refused,
        }
    }
}

/// What all claims of a run have in common.
///
/// Its loops run outside tokio's cooperative budget. All claims are one task with one budget for all of them: with
/// hundreds in flight it would be spent on the first few, and the others' replies would lie there until their turn.
/// Nothing starves without it: once every reply that has come is dealt with, the loops wait.
pub struct Driver<'a> {
    /// By arm.
    pub paths: &'a [Rc<dyn ClaimPath>],
    /// Who claims.
    pub worker: &'a WorkerIdentity,
    /// Lease to ask for.
    pub lease_ttl: Duration,
    /// Workers that race for each grant.
    pub contenders: u16,
    /// What claims did to their executions.
    pub book: &'a dyn ClaimBook,
    /// Makes the bare round trips among them.
    pub ruler: &'a dyn Ruler,
    /// What they measured.
    pub recorder: &'a RefCell<Recorder>,
    /// Ends the run where its service level is hopelessly missed; `None` where there is none.
    pub level: Option<&'a LevelWatch>,
    /// Ends the loop after the claims in flight.
    pub cancel: &'a CancellationToken,
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
    /// Makes the claims with `concurrency` in flight. Returns the time it took.
    pub async fn closed(
        &self,
        claims: &[PlannedClaim],
        concurrency: u32,
        source: &impl GrantSource,
    ) -> Duration {
        let start = Instant::now();
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
            return self.bare(stratum, claim.execution).await;
        }
        match source.draw(claim) {
            Some(drawn) => drop(self.one(claim, &drawn, due).await),
            None => self.recorder.borrow_mut().empty_stock(usize::from(claim.arm), claim.purpose),
        }
    }

    /// One bare round trip. One without an answer has no time, and is counted.
    async fn bare(&self, stratum: u32, execution: u32) {
        let sent = Instant::now();
        let answered = self.ruler.round_trip(execution).await;
        let mut recorder = self.recorder.borrow_mut();
        if answered {
            recorder.ruler(stratum, sent.elapsed());
        } else {
            recorder.ruler_unanswered();
        }
    }

    fn dropped(&self, claims: &[PlannedClaim]) {
        for claim in claims {
            self.recorder.borrow_mut().dropped(usize::from(claim.arm), claim.purpose);
        }
    }

    /// One claim, by all its contenders, until it is recorded what became of it.
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

    async fn contend(&self, claim: &PlannedClaim, contender: u16, drawn: &Drawn, due: Due) -> Fate {
        let (lease_id, attempt_id) = self.book.ids(claim.execution, contender);
        let order = ClaimOrder {
            ticket: &drawn.ticket,
            worker: self.worker,
            lease_id,
            attempt_id,
            lease_ttl: self.lease_ttl,
            again: self.book.unsettled(claim.execution),
        };
        let sent = Instant::now();
        let receipt = self.paths[usize::from(claim.arm)].claim(&order).await;
        let done = Instant::now();
        let stamps = Stamps {
            scheduled: due.scheduled,
            sent: sent.saturating_duration_since(due.start),
            done: done.saturating_duration_since(due.start),
            // In an open loop an execution waits until a claim is due: that wait is the scenario's, not the system's.
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
        self.book.settle(claim.execution, &drawn.ticket, &receipt);
        self.recorder.borrow_mut().record(
            usize::from(claim.arm),
            claim.purpose,
            &stamps,
            &receipt.outcome,
            receipt.cost,
            drawn.left,
        );
        Fate::of(&receipt)
    }
}
