//! Opens connections anew that broke though no fault explains it: once for all claims that met the loss.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::Partition;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::claim::Reroutes;
use crate::valkey::{NodeAddr, Wire};

/// For so long after a try in vain claims fail without another one: the primary may be gone for good.
const PAUSE: Duration = Duration::from_secs(1);

/// Connections that broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LostConnections {
    /// To which server.
    pub server: NodeAddr,
    /// How many.
    pub connections: u64,
}

/// Which primaries were looked for in vain. Whoever looks has it: all others wait for that look.
#[derive(Default)]
pub(super) struct Losses {
    /// When last, for each of them: one that is gone is no reason not to look for another.
    in_vain: Mutex<HashMap<NodeAddr, Instant>>,
}

impl Losses {
    /// After a claim whose connection broke: looks, unless the connections in question, as `wire` has them at
    /// the time, are sound again, or were just looked for in vain. Returns the connections that had broken, to one
    /// claim for each loss.
    pub async fn mend(&self, wire: impl Fn() -> Wire, look: impl AsyncFnOnce()) -> Option<LostConnections> {
        let mut in_vain = self.in_vain.lock().await;
        let broken = wire();
        let tried = in_vain.get(broken.addr()).map(Instant::elapsed);
        if !broken.is_lost() || tried.is_some_and(|ago| ago < PAUSE) {
            return None;
        }
        look().await;
        // Its slots may be another's by now.
        let found = wire();
        if found.is_lost() {
            in_vain.insert(found.addr().clone(), Instant::now());
        } else {
            in_vain.remove(found.addr());
        }
        let loss =
            || LostConnections { server: broken.addr().clone(), connections: broken.lost_connections() };
        tried.is_none().then(loss)
    }
}

/// The connections of one cluster in a run without faults.
pub(in crate::load) struct Reopening {
    routes: Rc<dyn Reroutes>,
    losses: Losses,
}

impl Reopening {
    pub fn new(routes: Rc<dyn Reroutes>) -> Self {
        Self { routes, losses: Losses::default() }
    }

    /// After a claim whose connection to the primary of this partition broke. Those that come meanwhile wait for
    /// the one that sees to it.
    pub async fn after_loss(&self, partition: Partition) {
        let wire = || self.routes.wire_for(partition);
        self.losses.mend(wire, async || self.routes.refresh().await).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fakes::{FakePrimaries, lost, partition};
    use super::*;
    use crate::valkey::pipe;

    fn reopening(wires: impl IntoIterator<Item = Wire>) -> (Rc<FakePrimaries>, Reopening) {
        let primaries = Rc::new(FakePrimaries::new(wires));
        let routes = Rc::clone(&primaries);
        (primaries, Reopening::new(routes))
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn all_claims_that_met_one_loss_have_one_look() {
        let (sound, _server) = pipe::wire().await;
        let (primaries, reopening) = reopening([lost(1).await]);
        primaries.comes_back(0, sound);
        let claims = (0..64).map(|_| reopening.after_loss(partition(0)));
        futures_util::future::join_all(claims).await;
        assert_eq!((primaries.looks.get(), primaries.is_lost(0)), (1, false));
        // The next loss has its own, at once.
        primaries.set(0, lost(1).await);
        reopening.after_loss(partition(0)).await;
        assert_eq!(primaries.looks.get(), 2);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_connection_that_holds_has_none_and_a_primary_that_is_gone_one_a_second() {
        let (sound, _server) = pipe::wire().await;
        let (primaries, held) = reopening([sound]);
        held.after_loss(partition(0)).await;
        assert_eq!(primaries.looks.get(), 0);
        let (primaries, gone) = reopening([lost(1).await]);
        for looks in [1, 1, 2] {
            gone.after_loss(partition(0)).await;
            assert_eq!(primaries.looks.get(), looks);
            tokio::time::sleep(PAUSE * 6 / 10).await;
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_primary_that_is_gone_keeps_no_other_from_being_looked_for() {
        let (sound, _server) = pipe::wire_to(2).await;
        let (primaries, reopening) = reopening([lost(1).await, lost(2).await]);
        reopening.after_loss(partition(0)).await;
        assert_eq!((primaries.looks.get(), primaries.is_lost(1)), (1, true));
        primaries.comes_back(1, sound);
        // The first one's time has not passed yet.
        reopening.after_loss(partition(0)).await;
        assert_eq!(primaries.looks.get(), 1);
        reopening.after_loss(partition(1)).await;
        assert_eq!((primaries.looks.get(), primaries.is_lost(0), primaries.is_lost(1)), (2, true, false));
        // Nor does that look make it the first one's turn.
        reopening.after_loss(partition(0)).await;
        assert_eq!(primaries.looks.get(), 2);
    }
}
