//! Ending a server of our own and starting it again: as it was, but for what it had only in memory.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::fault::{FaultError, ServerProcess};
use super::form::is_well;
use super::handle::Cluster;
use super::library::Held;
use crate::flowfabric::LibraryAlias;
use crate::valkey::{Info, NodeAddr, Wire, ask, read_members, text};

/// A server that ends in order waits for its replicas, ten seconds by default.
const END_LIMIT: Duration = Duration::from_secs(30);

/// A primary that starts serves nobody for its first two seconds.
const RESTART_LIMIT: Duration = Duration::from_secs(30);

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
        let ended = async || self.has_ended(addr, &process).await.then_some(());
        self.until((addr, "has not ended"), (END_LIMIT, PAUSE), ended).await
    }

    async fn has_ended(&self, addr: &NodeAddr, process: &ServerProcess) -> bool {
        match process {
            ServerProcess::Child(_) => {
                let ended = self.servers.children().is_some_and(|children| children.has_ended(addr));
                std::future::ready(ended).await
            }
            #[cfg(all(feature = "container", unix))]
            ServerProcess::Contained { thread, place, pid } => thread.has_ended(*place, *pid).await,
        }
    }

    /// Starts a server that has ended, with the arguments that it had. Returns when it answers; it may not
    /// serve yet.
    pub async fn start_server(&self, addr: &NodeAddr) -> Result<CameBack, FaultError> {
        let started = self.servers.start_again(addr).await;
        let started = started.ok_or_else(|| FaultError::NotOurs { addr: addr.clone() })?;
        started.map_err(|source| FaultError::Start { addr: addr.clone(), source })?;
        // Refused while it loads what it has on disk.
        let answers = async || came_back(&self.connector.admin(addr).await.ok()?, addr).await.ok();
        self.until((addr, "does not answer"), (RESTART_LIMIT, PAUSE), answers).await
    }

    /// Waits until a server calls the cluster well.
    pub async fn until_serving(&self, addr: &NodeAddr) -> Result<(), FaultError> {
        let wire = self.connector.admin(addr).await?;
        let serves = async || {
            let info = redis::cmd("CLUSTER").arg("INFO").to_owned();
            match text(&wire, "CLUSTER INFO", &info, "cluster|info").await {
                Ok(state) => is_well(&state).then_some(Ok(())),
                Err(error) => Some(Err(error.into())),
            }
        };
        self.until((addr, "does not serve"), (RESTART_LIMIT, PAUSE), serves).await?
    }

    /// Whether the library is on a primary, as far as it can be asked.
    pub async fn has_library(&self, addr: &NodeAddr) -> bool {
        let Ok(wire) = self.connector.admin(addr).await else { return false };
        Held::read(&wire, LibraryAlias::OWN).await.is_ok_and(|held| held.is_some())
    }

    /// Asks until there is an answer, with a pause between two questions. After the limit the error says
    /// `what` the server did not do.
    pub(super) async fn until<T>(
        &self,
        (addr, what): (&NodeAddr, &'static str),
        (limit, pause): (Duration, Duration),
        ask: impl AsyncFn() -> Option<T>,
    ) -> Result<T, FaultError> {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return Ok(answer);
            }
            if begun.elapsed() > limit {
                let log = self.servers.log_of(addr);
                return Err(FaultError::Stuck { addr: addr.clone(), what, waited_s: limit.as_secs(), log });
            }
            tokio::time::sleep(pause).await;
        }
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
