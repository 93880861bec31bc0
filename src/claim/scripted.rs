//! For tests: a way of claiming whose claims end as written down.

use std::cell::RefCell;

use super::line::Line;
use super::order::{ClaimOrder, ClaimReceipt};
use super::path::ClaimPath;
use super::routes::LocalFuture;
use reclaim_analysis::scenario::VariantPath;

/// How its claims end, last first.
pub(crate) struct Scripted(pub(crate) RefCell<Vec<ClaimReceipt>>);

impl ClaimPath for Scripted {
    fn path(&self) -> VariantPath {
        VariantPath::GrantLane
    }

    fn claim<'a>(&'a self, _: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async { self.0.borrow_mut().pop().expect("one claim too many") })
    }

    fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.claim(order)
    }
}
