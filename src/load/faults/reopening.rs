//! Opens connections anew that broke though no fault was asked for: once for all claims that met the loss.

use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::Partition;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::claim::Reroutes;

/// For so long after a try in vain claims fail without another one: the primary may be gone for good.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections of one cluster.
pub(in crate::load) struct Reopening {
    routes: Rc<dyn Reroutes>,
    /// When it was last tried in vain; taken by whoever tries.
    in_vain: Mutex<Option<Instant>>,
}

impl Reopening {
    pub fn new(routes: Rc<dyn Reroutes>) -> Self {
        Self { routes, in_vain: Mutex::new(None) }
    }

    /// After a claim whose connection to the primary of this partition broke. Those that come meanwhile wait for
    /// the one that sees to it.
    pub async fn after_loss(&self, partition: Partition) {
        let mut in_vain = self.in_vain.lock().await;
        let is_lost = || self.routes.wire_for(partition).is_lost();
        if !is_lost() || in_vain.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.routes.refresh().await;
        *in_vain = is_lost().then(Instant::now);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use ff_core::partition::PartitionFamily;

    use super::*;
    use crate::claim::{LocalFuture, Routes};
    use crate::valkey::{NodeAddr, Wire, pipe};
    use reclaim_analysis::record::WireCost;

    const PARTITION: Partition = Partition { family: PartitionFamily::Flow, index: 7 };

    /// A primary to which there is one wire, and another one after a look that finds it.
    struct Primary {
        wire: RefCell<Wire>,
        next: RefCell<Option<Wire>>,
        looks: Cell<u32>,
    }

    impl Routes for Primary {
        fn wire_for(&self, _: Partition) -> Wire {
            self.wire.borrow().clone()
        }
    }

    impl Reroutes for Primary {
        fn refresh(&self) -> LocalFuture<'_, ()> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(3)).await;
                self.looks.set(self.looks.get() + 1);
                if let Some(wire) = self.next.take() {
                    self.wire.replace(wire);
                }
            })
        }

        fn wire_to<'a>(&'a self, _: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>> {
            Box::pin(async { None })
        }
    }

    /// A wire whose connection is known to have broken.
    async fn lost() -> Wire {
        let (wire, server) = pipe::wire().await;
        drop(server);
        pipe::settled().await;
        assert!(wire.call("ping", &redis::cmd("PING"), &mut WireCost::default()).await.is_err());
        wire
    }

    fn reopening(wire: Wire, next: Option<Wire>) -> (Rc<Primary>, Reopening) {
        let primary = Rc::new(Primary { wire: wire.into(), next: next.into(), looks: Cell::new(0) });
        let routes = Rc::clone(&primary);
        (primary, Reopening::new(routes))
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn all_claims_that_met_one_loss_have_one_look() {
        let (sound, _server) = pipe::wire().await;
        let (primary, reopening) = reopening(lost().await, Some(sound));
        let claims = (0..64).map(|_| reopening.after_loss(PARTITION));
        futures_util::future::join_all(claims).await;
        assert_eq!((primary.looks.get(), primary.wire.borrow().is_lost()), (1, false));
        // The next loss has its own, at once.
        primary.wire.replace(lost().await);
        reopening.after_loss(PARTITION).await;
        assert_eq!(primary.looks.get(), 2);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_connection_that_holds_has_none_and_a_primary_that_is_gone_one_a_second() {
        let (sound, _server) = pipe::wire().await;
        let (primary, held) = reopening(sound, None);
        held.after_loss(PARTITION).await;
        assert_eq!(primary.looks.get(), 0);
        let (primary, gone) = reopening(lost().await, None);
        for looks in [1, 1, 2] {
            gone.after_loss(PARTITION).await;
            assert_eq!(primary.looks.get(), looks);
            tokio::time::sleep(PAUSE * 6 / 10).await;
        }
    }
}
