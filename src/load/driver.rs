//! The one loop that makes claims: closed or open, real or fake, staged or churn.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ff_core::types::{AttemptId, LeaseId};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::unconstrained;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pacer::Pacer;
use super::plan::PlannedClaim;
use super::schedule::Schedule;
use crate::claim::{ClaimOrder, ClaimPath, ClaimReceipt, ClaimTicket};
use crate::flowfabric::WorkerIdentity;
use reclaim_analysis::record::{Outcome, Recorder, Stamps};

/// Where claims come from and where their effects go: the stock of grants and the ledger.
pub trait Deck {
    /// The ticket for a planned claim; `None` where no grant is in stock for it.
    fn draw(&self, claim: &PlannedClaim) -> Option<Rc<ClaimTicket>>;

    /// A lease id, and an attempt id for variants that create one, for the n-th contender of a claim.
    fn ids(&self, claim: &PlannedClaim, contender: u16) -> (LeaseId, AttemptId);

    /// Takes note of an ended claim.
    fn settle(&self, claim: &PlannedClaim, receipt: &ClaimReceipt);

    /// Grants in stock.
    fn stock(&self) -> u64;

    /// When the execution was made runnable, where that happens during the window.
    fn runnable_since(&self, claim: &PlannedClaim) -> Option<Instant>;

    /// Whether an earlier claim of the execution ended without a reply, and nobody found out that it took effect.
    fn unsettled(&self, _: &PlannedClaim) -> bool {
        false
    }
}

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
    /// Ends the loop after the claims in flight.
    pub cancel: &'a CancellationToken,
}

impl Driver<'_> {
    /// Makes the claims with `concurrency` in flight. Returns the time it took.
    pub async fn closed(
        &self,
        claims: &[PlannedClaim],
        concurrency: u32,
        deck: &impl Deck,
        recorder: &RefCell<Recorder>,
    ) -> Duration {
        let start = Instant::now();
        let next = Cell::new(0);
        let worker = async || {
            while !self.cancel.is_cancelled() {
                let position = next.get();
                let Some(claim) = claims.get(position) else { return };
                next.set(position + 1);
                self.one(claim, start, None, deck, recorder).await;
            }
        };
        let workers = (concurrency as usize).clamp(1, claims.len().max(1));
        let mut workers: FuturesUnordered<_> = (0..workers).map(|_| worker()).collect();
        let all = async { while workers.next().await.is_some() {} };
        unconstrained(all).await;
        for claim in &claims[next.get().min(claims.len())..] {
            recorder.borrow_mut().dropped(usize::from(claim.arm), claim.purpose);
        }
        start.elapsed()
    }

    /// Makes each claim when the schedule says so, however many are in flight. Returns the time it took.
    pub async fn open(
        &self,
        claims: &[PlannedClaim],
        schedule: &Schedule,
        pacer: &mut impl Pacer,
        deck: &impl Deck,
        recorder: &RefCell<Recorder>,
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
                        let scheduled = Some(schedule.offsets()[position]);
                        in_flight.push(self.one(&claims[position], start, scheduled, deck, recorder));
                        sent = position + 1;
                    }
                    Some(_) = in_flight.next(), if !in_flight.is_empty() => {}
                }
            }
            while in_flight.next().await.is_some() {}
        };
        unconstrained(all).await;
        for claim in &claims[sent..] {
            recorder.borrow_mut().dropped(usize::from(claim.arm), claim.purpose);
        }
        start.elapsed()
    }

    /// One claim, by all its contenders, from drawing the grant to recording what became of it.
    pub async fn one(
        &self,
        claim: &PlannedClaim,
        start: Instant,
        scheduled: Option<Duration>,
        deck: &impl Deck,
        recorder: &RefCell<Recorder>,
    ) -> Fate {
        let Some(ticket) = deck.draw(claim) else {
            recorder.borrow_mut().empty_stock(usize::from(claim.arm), claim.purpose);
            return Fate::NoGrant;
        };
        if self.contenders == 1 {
            return self.contend(claim, 0, &ticket, start, scheduled, deck, recorder).await;
        }
        let mut race: FuturesUnordered<_> = (0..self.contenders)
            .map(|contender| self.contend(claim, contender, &ticket, start, scheduled, deck, recorder))
            .collect();
        let mut best = Fate::Refused;
        while let Some(fate) = race.next().await {
            best = best.max(fate);
        }
        best
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one claim; a struct for them would be used once"
    )]
    async fn contend(
        &self,
        claim: &PlannedClaim,
        contender: u16,
        ticket: &ClaimTicket,
        start: Instant,
        scheduled: Option<Duration>,
        deck: &impl Deck,
        recorder: &RefCell<Recorder>,
    ) -> Fate {
        let (lease_id, attempt_id) = deck.ids(claim, contender);
        let order = ClaimOrder {
            ticket,
            worker: self.worker,
            lease_id,
            attempt_id,
            lease_ttl: self.lease_ttl,
            again: deck.unsettled(claim),
        };
        let sent = Instant::now();
        let receipt = self.paths[usize::from(claim.arm)].claim(&order).await;
        let done = Instant::now();
        let stamps = Stamps {
            scheduled,
            sent: sent.saturating_duration_since(start),
            done: done.saturating_duration_since(start),
            // In an open loop an execution waits until a claim is due: that wait is the scenario's, not the system's.
            resume: deck
                .runnable_since(claim)
                .filter(|_| scheduled.is_none())
                .map(|since| done.saturating_duration_since(since)),
        };
        deck.settle(claim, &receipt);
        recorder.borrow_mut().record(
            usize::from(claim.arm),
            claim.purpose,
            &stamps,
            &receipt.outcome,
            receipt.cost,
            deck.stock(),
        );
        Fate::of(&receipt)
    }
}
