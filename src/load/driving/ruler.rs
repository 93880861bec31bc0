//! The ruler: what a bare round trip takes, on the connections that the claims use.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::claim::{LocalFuture, Routes};
use crate::workload::{ExecIndex, Workload};
use reclaim_analysis::record::WireCost;

/// The command that the ruler sends.
pub(in crate::load) const RULER: &str = "PING";

/// Makes round trips that do nothing.
pub trait Ruler {
    /// One round trip to where this execution lives; `None` where it was not answered.
    fn round_trip(&self, execution: u32) -> LocalFuture<'_, Option<Duration>>;
}

/// Sends [`RULER`], what people measure a network's round trip by. A function that does nothing would take
/// the server some 20 us more than an `HGET` does: what one `HGET` less saves would be three quarters of a
/// round trip here, and another share where the network is longer. As every claim's first round trip it comes
/// after the tool was busy with itself, and takes some 6 us more than one that follows another at once.
pub(in crate::load) struct Ping {
    pub routes: Rc<dyn Routes>,
    pub workload: Rc<Workload>,
}

impl Ruler for Ping {
    fn round_trip(&self, execution: u32) -> LocalFuture<'_, Option<Duration>> {
        Box::pin(async move {
            let partition = self.workload.plan().partition(ExecIndex(execution));
            let wire = self.routes.wire_for(partition);
            let command = redis::cmd(RULER);
            let sent = Instant::now();
            wire.call("ping", &command, &mut WireCost::default()).await.ok()?;
            Some(sent.elapsed())
        })
    }
}
