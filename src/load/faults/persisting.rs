//! Claims that come through a fault: tried again until they hold their lease or are refused.
//!
//! What a worker would do whose primary has gone: look where the slots are now, connect anew, and claim again
//! with the same lease id, so that two tries can take one lease only. The claim's clocks go on meanwhile:
//! what it cost to wait is in its service and its response time, and its wire cost is that of the last try
//! alone. Without a fault that explains it nothing is tried again; a connection that broke then is opened anew,
//! as in a run without faults.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::fault_log::FaultLog;
use super::following::Follower;
use super::silent_primary::Patience;
use super::trying_again::{Again, has_no_reply, resolved};
use crate::claim::{
    ClaimOrder, ClaimPath, ClaimReceipt, Line, LocalFuture, Reroutes, ServerClocks, claim_with_recovery,
    settle_unanswered,
};
use crate::valkey::Redirect;
use reclaim_analysis::record::Outcome;
use reclaim_analysis::scenario::VariantPath;

/// A claim is given up this long after it was sent first.
const GIVE_UP_AFTER: Duration = Duration::from_mins(1);

/// Longest wait for another map or a new connection before the next try.
const FOR_NEWS: Duration = Duration::from_millis(500);

/// Wait before the next try at a server that says that it cannot serve now.
const NOT_NOW: Duration = Duration::from_millis(50);

/// Wait before the next try where the keys of a claim are on both sides of a migration: a slot with few keys
/// moves in this time.
const HALF_MOVED: Duration = Duration::from_millis(5);

/// A claim path that comes through faults.
pub(in crate::load) struct Persisting {
    pub path: Box<dyn ClaimPath>,
    pub routes: Rc<dyn Reroutes>,
    pub clocks: ServerClocks,
    pub patience: Rc<Patience>,
    pub log: Rc<FaultLog>,
    pub follower: Rc<Follower>,
    /// Ends the tries of all claims.
    pub cancel: CancellationToken,
}

impl ClaimPath for Persisting {
    fn path(&self) -> VariantPath {
        self.path.path()
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            let (sent, generation) = (Instant::now(), self.follower.generation());
            let receipt = if self.log.explains(sent) {
                self.path.claim(order).await
            } else {
                claim_with_recovery(self.path.as_ref(), self.routes.as_ref(), order).await
            };
            self.mend_unexplained(order, &receipt).await;
            let doubt = Cell::new(false);
            let receipt = self.settled((order, &doubt), receipt, sent).await;
            let receipt = match Again::after(&receipt).filter(|_| self.log.explains(Instant::now())) {
                None => receipt,
                Some(again) => {
                    self.persist((order.clone(), &doubt), (receipt, again), (sent, generation)).await
                }
            };
            if doubt.get() {
                self.log.doubted(|doubts| *resolved(&receipt, doubts) += 1);
            }
            receipt
        })
    }

    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.path.claim_over(line, order)
    }
}

impl Persisting {
    /// Has a connection opened anew that broke outside of a fault's time: in it, whoever tries again asks for that.
    /// What became of the claim is read over the new one, and the next claims need it too.
    async fn mend_unexplained(&self, order: &ClaimOrder<'_>, receipt: &ClaimReceipt) {
        if receipt.is_disconnected()
            && !self.log.explains(Instant::now())
            && let Ok(partition) = order.ticket.grant.partition()
            && let Some(loss) = self.follower.after_loss(|| self.routes.wire_for(partition)).await
        {
            self.log.lost(&loss);
        }
    }

    /// Tries again until there is nothing more to try.
    async fn persist(
        &self,
        (mut order, doubt): (ClaimOrder<'_>, &Cell<bool>),
        (mut receipt, mut again): (ClaimReceipt, Again),
        (first, mut generation): (Instant, u64),
    ) -> ClaimReceipt {
        loop {
            if first.elapsed() > GIVE_UP_AFTER || self.cancel.is_cancelled() {
                break;
            }
            self.log.tried(again.cause(), order.ticket.grant.partition().ok().map(|p| p.index));
            let silent = matches!(receipt.outcome, Outcome::TimedOut | Outcome::Failed | Outcome::Ambiguous);
            order.again |= silent;
            match &again {
                Again::News(_) => self.follower.news_since(generation, FOR_NEWS).await,
                Again::HalfMoved => sleep(HALF_MOVED).await,
                Again::Later(_) => sleep(NOT_NOW).await,
                Again::Asking(_) | Again::AtOnce(_) => {}
            }
            generation = self.follower.generation();
            let sent = Instant::now();
            let tried = match &again {
                Again::Asking(Redirect::Ask { to, .. }) => match self.routes.wire_to(to).await {
                    Some(wire) => self.path.claim_over(Line::asking(wire), &order).await,
                    None => self.path.claim(&order).await,
                },
                _ => self.path.claim(&order).await,
            };
            receipt = self.settled((&order, doubt), tried, sent).await;
            match Again::after(&receipt) {
                Some(next) => again = next,
                None => break,
            }
        }
        self.log.tried_again();
        receipt
    }

    /// What became of a try, by a read where it had no reply, which is a doubt; and a note of whether its
    /// primary still answers.
    async fn settled(
        &self,
        (order, doubt): (&ClaimOrder<'_>, &Cell<bool>),
        receipt: ClaimReceipt,
        sent: Instant,
    ) -> ClaimReceipt {
        if has_no_reply(&receipt) {
            doubt.set(true);
        }
        if (receipt.outcome != Outcome::Claimed || self.patience.is_tried())
            && let Ok(partition) = order.ticket.grant.partition()
        {
            let wire = self.routes.wire_for(partition);
            match receipt.outcome {
                Outcome::TimedOut => self.patience.unanswered(wire.addr(), sent),
                // A connection that broke is no answer, and no wait either.
                Outcome::Failed => {}
                _ => self.patience.answered(wire.addr()),
            }
            if !matches!(receipt.outcome, Outcome::TimedOut | Outcome::Failed)
                && !self.clocks.knows(wire.addr())
            {
                // Where that fails, the next claim tries again.
                let _ = self.clocks.read(&wire).await;
            }
        }
        settle_unanswered(self.path.as_ref(), self.routes.as_ref(), order, receipt).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::ended::{lease, receipt};
    use super::super::fakes::{FakePrimaries, lost};
    use super::*;
    use crate::claim::Scripted;
    use crate::flowfabric::WorkerIdentity;
    use crate::load::fixtures::ticket;
    use crate::valkey::{NodeAddr, WireError, pipe};
    use ff_core::types::{AttemptId, LeaseId};
    use reclaim_analysis::record::Warning;
    use reclaim_analysis::scenario::{CutFrom, FaultKind, FaultSpec, FaultTarget, SlotMoveForm};

    /// A run with one fault, and its only primary.
    fn persisting(endings: Vec<ClaimReceipt>, primary: &Rc<FakePrimaries>) -> Persisting {
        let spec = FaultSpec {
            at: Duration::from_secs(1),
            kind: FaultKind::Disconnect,
            target: FaultTarget::AnyPrimary,
            lasting: Duration::ZERO,
            slots: 0,
            how: SlotMoveForm::Auto,
            cut_from: CutFrom::Everybody,
        };
        let log = Rc::new(FaultLog::new(&[spec], Duration::from_mins(1)));
        log.begin(Instant::now());
        let cancel = CancellationToken::new();
        Persisting {
            path: Box::new(Scripted(RefCell::new(endings))),
            routes: Rc::clone(primary) as Rc<dyn Reroutes>,
            clocks: ServerClocks::default(),
            patience: Rc::new(Patience::new(cancel.clone())),
            log,
            follower: Rc::new(Follower::new(Rc::clone(primary))),
            cancel,
        }
    }

    async fn claim(persisting: &Persisting) -> ClaimReceipt {
        let worker = WorkerIdentity { worker_id: "w".into(), instance_id: "w-1".into() };
        let ticket = ticket();
        let order = ClaimOrder {
            ticket: &ticket,
            worker: &worker,
            lease_id: LeaseId::new(),
            attempt_id: AttemptId::new(),
            lease_ttl: Duration::from_secs(1),
            again: false,
        };
        persisting.claim(&order).await
    }

    /// Nobody follows the cluster here, as in a warm-up, so whoever looked is the claim that met the loss.
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn what_broke_outside_of_a_faults_time_is_opened_anew_and_within_it_is_the_faults() {
        let broke = || receipt(Outcome::Failed, Some(WireError::Disconnected("reset".into())));
        let (sound, server) = pipe::wire().await;
        // It hangs up without an answer: nobody can tell what became of the claim.
        drop(server);
        let primary = Rc::new(FakePrimaries::new([lost(1).await]));
        primary.comes_back(0, sound);
        let outside = persisting(vec![broke()], &primary);
        assert_eq!(claim(&outside).await.outcome, Outcome::Ambiguous, "it is not made again");
        assert_eq!((primary.looks.get(), outside.follower.generation()), (1, 1));
        let lost_one = Warning::ConnectionsLost { primary: "127.0.0.1:1".into(), connections: 1 };
        assert_eq!(outside.log.warnings(), std::slice::from_ref(&lost_one));

        let claimed = ClaimReceipt { lease: Some(lease()), ..receipt(Outcome::Claimed, None) };
        let primary = Rc::new(FakePrimaries::new([lost(1).await]));
        let within = persisting(vec![broke(), claimed, broke()], &primary);
        within.log.struck(0, &NodeAddr { host: "127.0.0.1".into(), port: 1 }, [0].into());
        assert_eq!(claim(&within).await.outcome, Outcome::Claimed, "it is made again");
        assert_eq!(primary.looks.get(), 0, "whoever follows the cluster would have looked");
        assert_eq!(within.log.warnings(), []);
        within.log.ended(0);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(claim(&within).await.outcome, Outcome::Ambiguous, "long after it");
        assert_eq!(primary.looks.get(), 1);
        assert_eq!(within.log.warnings(), [lost_one]);
    }
}
