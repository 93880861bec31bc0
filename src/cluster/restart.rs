//! Ending a server of our own and starting it again: as it was, but for what it had only in memory.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::fault::{FaultError, Process};
use super::form::is_well;
use super::handle::Cluster;
use super::library::Held;
use crate::flowfabric::LibraryAlias;
use crate::valkey::{Info, NodeAddr, Wire, ask, read_members, text};

/// A server that ends in order waits for its replicas, ten seconds by default.
const END_LIMIT: Duration = Duration::from_secs(30);

/// A primary that starts serves nobody for its first two seconds.
const START_LIMIT: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(20);

/// What a server is that has been started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameBack {
    /// Whether it serves slots: no replica has taken over.
    pub serves: bool,
    /// Keys that it has.
    pub keys: u64,
}

impl Cluster {
    /// Ends a server's process in order (SIGTERM). Returns when it is gone.
    pub async fn end_server(&self, addr: &NodeAddr) -> Result<(), FaultError> {
        let process = self.signal(addr, Signal::TERM).await?;
        let begun = Instant::now();
        while !self.has_ended(addr, &process).await {
            if begun.elapsed() > END_LIMIT {
                return Err(self.stuck(addr, "has not ended", END_LIMIT));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn has_ended(&self, addr: &NodeAddr, process: &Process) -> bool {
        match process {
            Process::Child(_) => {
                let ended = self.servers.children().is_some_and(|children| children.has_ended(addr));
                std::future::ready(ended).await
            }
            #[cfg(all(feature = "container", unix))]
            Process::Contained { keeper, place, pid } => keeper.has_ended(*place, *pid).await,
        }
    }

    /// Starts a server that has ended, with the arguments that it had. Returns when it answers; it may not serve yet.
    pub async fn start_server(&self, addr: &NodeAddr) -> Result<CameBack, FaultError> {
        let started = self.servers.start_again(addr).await;
        let started = started.ok_or_else(|| FaultError::NotOurs { addr: addr.clone() })?;
        started.map_err(|source| FaultError::Start { addr: addr.clone(), source })?;
        let begun = Instant::now();
        loop {
            // Refused while it loads what it has on disk.
            if let Ok(wire) = self.connector.admin(addr).await
                && let Ok(came_back) = came_back(&wire, addr).await
            {
                return Ok(came_back);
            }
            if begun.elapsed() > START_LIMIT {
                return Err(self.stuck(addr, "does not answer", START_LIMIT));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until a server calls the cluster well.
    pub async fn until_serving(&self, addr: &NodeAddr) -> Result<(), FaultError> {
        let begun = Instant::now();
        let wire = self.connector.admin(addr).await?;
        loop {
            let state =
                text(&wire, "CLUSTER INFO", redis::cmd("CLUSTER").arg("INFO"), "cluster|info").await?;
            if is_well(&state) {
                return Ok(());
            }
            if begun.elapsed() > START_LIMIT {
                return Err(self.stuck(addr, "does not serve", START_LIMIT));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether the library is on a primary, as far as it can be asked.
    pub async fn has_library(&self, addr: &NodeAddr) -> bool {
        let Ok(wire) = self.connector.admin(addr).await else { return false };
        Held::read(&wire, LibraryAlias::OWN).await.is_ok_and(|held| held.is_some())
    }

    pub(super) fn stuck(&self, addr: &NodeAddr, what: &'static str, waited: Duration) -> FaultError {
        let log = self.servers.log_of(addr);
        FaultError::Stuck { addr: addr.clone(), what, waited_s: waited.as_secs(), log }
    }
}

async fn came_back(wire: &Wire, addr: &NodeAddr) -> Result<CameBack, FaultError> {
    // An answer without LOADING.
    Info::read(wire, &["server"]).await?;
    let members = read_members(wire).await?;
    let serves = members.iter().any(|member| &member.addr == addr && member.serves);
    let keys = match ask(wire, "DBSIZE", &redis::cmd("DBSIZE"), "dbsize").await? {
        redis::Value::Int(keys) => keys.unsigned_abs(),
        _ => 0,
    };
    Ok(CameBack { serves, keys })
}
