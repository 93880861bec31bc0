//! Claims that follow redirects, see to it that lost connections are opened anew, and find out what became of
//! them.

use std::rc::Rc;

use tokio::time::Instant;

use super::reopening::Reopening;
use super::silent_primary::Patience;
use crate::claim::{
    ClaimOrder, ClaimPath, ClaimReceipt, Line, LocalFuture, Reroutes, ServerClocks, claim_with_recovery,
    settle_unanswered,
};
use reclaim_analysis::record::Outcome;
use reclaim_analysis::scenario::VariantPath;

/// A claim path that follows redirects and finds out what became of claims without a reply.
pub(in crate::load) struct Recovering {
    pub path: Box<dyn ClaimPath>,
    pub routes: Rc<dyn Reroutes>,
    pub clocks: ServerClocks,
    pub patience: Rc<Patience>,
    pub reopening: Rc<Reopening>,
}

impl ClaimPath for Recovering {
    fn path(&self) -> VariantPath {
        self.path.path()
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            let sent = Instant::now();
            let receipt = claim_with_recovery(self.path.as_ref(), self.routes.as_ref(), order).await;
            // What became of the claim is read over the new connection; the next claims need one too.
            if receipt.is_disconnected()
                && let Ok(partition) = order.ticket.grant.partition()
            {
                self.reopening.after_loss(partition).await;
            }
            if receipt.outcome != Outcome::Claimed || self.patience.is_tried() {
                self.note(order, &receipt, sent).await;
            }
            settle_unanswered(self.path.as_ref(), self.routes.as_ref(), order, receipt).await
        })
    }

    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.path.claim_over(line, order)
    }
}

impl Recovering {
    /// Notes whether the claim's primary still answers, and reads the clock of one that has taken over since
    /// the run began; where that fails, the next claim tries again.
    async fn note(&self, order: &ClaimOrder<'_>, receipt: &ClaimReceipt, sent: Instant) {
        let Ok(partition) = order.ticket.grant.partition() else { return };
        let wire = self.routes.wire_for(partition);
        match receipt.outcome {
            Outcome::TimedOut => return self.patience.unanswered(wire.addr(), sent),
            // A connection that broke is no answer, and no wait either.
            Outcome::Failed => return,
            _ => self.patience.answered(wire.addr()),
        }
        if !self.clocks.knows(wire.addr()) {
            let _ = self.clocks.read(&wire).await;
        }
    }
}
