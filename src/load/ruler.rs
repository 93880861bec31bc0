//! The ruler: what a bare round trip takes, on the connections that the claims use.

use std::rc::Rc;

use crate::claim::{LocalFuture, Routes};
use crate::flowfabric::{LibraryVersion, call};
use crate::workload::{ExecIndex, Workload};
use reclaim_analysis::record::WireCost;

/// Makes round trips that do nothing.
pub trait Ruler {
    /// One round trip to where this execution lives; whether it was answered.
    fn round_trip(&self, execution: u32) -> LocalFuture<'_, bool>;
}

/// Calls the library's function that only tells its version.
pub(super) struct BareCall {
    pub routes: Rc<dyn Routes>,
    pub workload: Rc<Workload>,
}

impl Ruler for BareCall {
    fn round_trip(&self, execution: u32) -> LocalFuture<'_, bool> {
        Box::pin(async move {
            let partition = self.workload.plan().partition(ExecIndex(execution));
            let wire = self.routes.wire_for(partition);
            call(&wire, &LibraryVersion, &mut WireCost::default()).await.is_ok()
        })
    }
}
