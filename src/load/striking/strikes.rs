//! Strikes that take several steps: a server that is started again, one that is cut off, slots that move.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::super::faults::AFTERMATH;
use super::injector::{Injector, Struck, refused};
use crate::cluster::SlotMove;
use crate::valkey::NodeAddr;
use crate::workload::Oversight;
use reclaim_analysis::record::{InjectionFailure, MovedSlots};
use reclaim_analysis::scenario::{CutFrom, FaultSpec};

/// How long the library may take to be on a server that was started again.
const COMPLETE_LIMIT: Duration = Duration::from_secs(20);

impl Injector<'_> {
    /// Ends a server's process and starts it again, and gives it back what a primary needs that has nothing:
    /// the library, and the secrets of its partitions. Nothing but a start that fails leaves it ended.
    pub(super) async fn restart(
        &self,
        number: usize,
        spec: &FaultSpec,
        struck: &Struck,
    ) -> Result<(), InjectionFailure> {
        let (cluster, server) = (&self.session.first_site().cluster, &struck.server);
        cluster.end_server(server).await.map_err(|error| refused(&error))?;
        self.lasting(spec).await;
        let came_back = cluster.start_server(server).await.map_err(|error| refused(&error))?;
        // Where the one before it ran: within a window this moves nothing else.
        drop(self.session.arrange());
        // The server itself may not have heard yet that another has taken over: the others know.
        let still_primary = came_back.serves && !self.has_heir(struck).await;
        let emptied = still_primary && came_back.keys == 0 && !struck.partitions.is_empty();
        self.faults.log.restarted(number, server, emptied);
        if still_primary {
            self.complete(server).await?;
        }
        if emptied {
            self.session.first_site().workload.note_emptied(&struck.partitions);
        }
        cluster.until_serving(server).await.map_err(|error| refused(&error))?;
        if emptied {
            // Also where the run was stopped meanwhile: it is not left half done.
            let to_the_end = CancellationToken::new();
            let quiet = Oversight::quiet(&to_the_end);
            let renewed = self.session.first_site().workload.renew_secrets(&struck.partitions, &quiet).await;
            renewed.map_err(|error| InjectionFailure::Refused { detail: error.to_string() })?;
        }
        Ok(())
    }

    /// Takes a server off its networks and onto them again, and waits until all call it well.
    pub(super) async fn partition(
        &self,
        number: usize,
        spec: &FaultSpec,
        server: &NodeAddr,
    ) -> Result<(), InjectionFailure> {
        let cluster = &self.session.first_site().cluster;
        let off = cluster.cut_off(server, spec.cut_from).await.map_err(|error| refused(&error))?;
        if spec.cut_from == CutFrom::Everybody {
            self.faults.log.silenced(number);
        }
        self.lasting(spec).await;
        off.rejoin().await.map_err(|error| refused(&error))?;
        cluster.until_rejoined(server).await.map_err(|error| refused(&error))
    }

    /// Whether another server serves what the struck one did, as another primary sees it.
    async fn has_heir(&self, struck: &Struck) -> bool {
        let cluster = &self.session.first_site().cluster;
        let (Some(slot), Some(witness)) = (struck.slot(), cluster.witness_of(&struck.server).await) else {
            return false;
        };
        cluster.view_of(&witness, &struck.server, slot).await.is_ok_and(|view| view.heir.is_some())
    }

    /// Waits until the library is on a primary again: whoever connects to it anew loads it.
    async fn complete(&self, server: &NodeAddr) -> Result<(), InjectionFailure> {
        let begun = Instant::now();
        while !self.session.first_site().cluster.has_library(server).await {
            if begun.elapsed() > COMPLETE_LIMIT {
                let detail = format!(
                    "the function library is not on {server} again after {} s",
                    COMPLETE_LIMIT.as_secs()
                );
                return Err(InjectionFailure::Refused { detail });
            }
            self.faults.follower.look().await;
        }
        Ok(())
    }

    /// Moves slots, and sees to it that whoever has not asked for them since learns where they are.
    pub(super) async fn move_slots(
        &self,
        number: usize,
        plan: &SlotMove,
        partitions: BTreeSet<u16>,
    ) -> Result<(), InjectionFailure> {
        let (cluster, log) = (&self.session.first_site().cluster, &self.faults.log);
        let mut moved = MovedSlots { way: plan.way, to: plan.to.to_string(), slots: Vec::new(), keys: 0 };
        log.struck(number, &plan.from, partitions);
        let done = cluster.move_slots(plan, self.session.cancel(), &mut moved).await;
        log.moved(number, plan, moved);
        done.map_err(|error| refused(&error))?;
        self.ended(number);
        // A claim on a slot that nobody has asked for since would meet its MOVED when nothing explains that
        // any more.
        let later = async {
            sleep(AFTERMATH / 2).await;
            self.faults.follower.look().await;
        };
        tokio::select! {
            () = later => {}
            () = self.over.cancelled() => {}
        }
        Ok(())
    }
}
