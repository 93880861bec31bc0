//! Claims that follow redirects and find out what became of them.

use std::rc::Rc;

use super::silent::SilentNodes;
use crate::claim::{
    ClaimOrder, ClaimPath, ClaimReceipt, Line, LocalFuture, Reroutes, claim_with_recovery, settle_unanswered,
};
use reclaim_analysis::scenario::VariantPath;

/// A claim path that follows redirects and finds out what became of claims without a reply.
pub(super) struct Recovering {
    pub path: Box<dyn ClaimPath>,
    pub routes: Rc<dyn Reroutes>,
    pub silent: Rc<SilentNodes>,
}

impl ClaimPath for Recovering {
    fn path(&self) -> VariantPath {
        self.path.path()
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            let receipt = claim_with_recovery(self.path.as_ref(), self.routes.as_ref(), order).await;
            let receipt = settle_unanswered(self.routes.as_ref(), order, receipt).await;
            if let Ok(partition) = order.ticket.grant.partition() {
                self.silent.note(self.routes.wire_for(partition).addr(), &receipt);
            }
            receipt
        })
    }

    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.path.claim_over(line, order)
    }
}
