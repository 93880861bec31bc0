//! Cutting a server off from the network, and taking it back.

use std::time::{Duration, Instant};

use super::fault::FaultError;
use super::form::is_well;
use super::handle::Cluster;
#[cfg(all(feature = "container", unix))]
use super::keeper::Keeper;
use crate::valkey::{NodeAddr, read_members, text};
use reclaim_analysis::scenario::CutFrom;

/// How long a server may take until all call it well: it waits for some seconds itself before it trusts what it hears, and
/// one that has become a replica is sent all that it has missed.
const WELL_LIMIT: Duration = Duration::from_secs(30);

/// A try to reach it. Until the system has heard of the address again, connections wait for nothing.
const TRY_LIMIT: Duration = Duration::from_millis(500);

const PAUSE: Duration = Duration::from_millis(50);

/// A server that is cut off. It comes back when this is dropped, however that comes.
#[derive(Debug)]
pub struct CutOff {
    #[cfg(all(feature = "container", unix))]
    addr: NodeAddr,
    #[cfg(all(feature = "container", unix))]
    way: Option<(Keeper, usize)>,
}

impl CutOff {
    /// Takes it onto its networks again, and returns when it is.
    #[cfg(all(feature = "container", unix))]
    pub async fn rejoin(mut self) -> Result<(), FaultError> {
        if let Some((keeper, place)) = &self.way {
            // Where that fails, dropping it tries again.
            let joined = keeper.join(*place).await;
            joined.map_err(|detail| FaultError::Network { addr: self.addr.clone(), detail })?;
            self.way = None;
        }
        Ok(())
    }

    /// Nothing is cut off in this build.
    #[cfg(not(all(feature = "container", unix)))]
    pub async fn rejoin(self) -> Result<(), FaultError> {
        std::future::ready(Ok(())).await
    }
}

#[cfg(all(feature = "container", unix))]
impl Drop for CutOff {
    fn drop(&mut self) {
        if let Some((keeper, place)) = self.way.take() {
            keeper.post_join(place);
        }
    }
}

impl Cluster {
    /// Whether a server can be cut off here.
    pub fn can_cut_off(&self) -> bool {
        self.servers.apart()
    }

    /// Takes a server off its networks until what this returns is dropped.
    #[cfg(all(feature = "container", unix))]
    pub async fn cut_off(&self, addr: &NodeAddr, from: CutFrom) -> Result<CutOff, FaultError> {
        let way = self.servers.keeper_of(addr).filter(|_| self.can_cut_off());
        let (keeper, place) = way.ok_or_else(|| FaultError::NotApart { addr: addr.clone() })?;
        // From here on: half of it may be done where the other half fails.
        let off = CutOff { addr: addr.clone(), way: Some((keeper.clone(), place)) };
        let failed = |detail| FaultError::Network { addr: addr.clone(), detail };
        keeper.cut(place, from).await.map_err(failed)?;
        Ok(off)
    }

    /// Takes a server off its networks: not in this build.
    #[cfg(not(all(feature = "container", unix)))]
    pub async fn cut_off(&self, addr: &NodeAddr, _: CutFrom) -> Result<CutOff, FaultError> {
        std::future::ready(Err(FaultError::NotApart { addr: addr.clone() })).await
    }

    /// Waits until a server that was cut off calls the cluster well, and no primary calls it failed any more.
    pub async fn until_rejoined(&self, addr: &NodeAddr) -> Result<(), FaultError> {
        let begun = Instant::now();
        loop {
            if tokio::time::timeout(TRY_LIMIT, self.has_rejoined(addr)).await == Ok(Some(true)) {
                return Ok(());
            }
            if begun.elapsed() > WELL_LIMIT {
                return Err(self.stuck(addr, "is not back in the cluster", WELL_LIMIT));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// `None` where one of them cannot be asked.
    async fn has_rejoined(&self, addr: &NodeAddr) -> Option<bool> {
        let wire = self.connector.admin(addr).await.ok()?;
        let state =
            text(&wire, "CLUSTER INFO", redis::cmd("CLUSTER").arg("INFO"), "cluster|info").await.ok()?;
        if !is_well(&state) {
            return Some(false);
        }
        let members = match self.witness_of(addr).await {
            Some(witness) => read_members(&witness).await.ok()?,
            // It is the only primary.
            None => return Some(true),
        };
        Some(members.iter().any(|member| &member.addr == addr && !member.failed))
    }
}
