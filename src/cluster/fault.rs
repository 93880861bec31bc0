//! What can be done to one server of a cluster: stop its process, kill it, have its replica take over, cut
//! connections, keep it busy, cut it off. And how the others see it meanwhile.

use redis::Value;
use rustix::process::{Pid, Signal, kill_process};

#[cfg(all(feature = "container", unix))]
use super::container_thread::ContainerThread;
use super::error::ClusterError;
use super::handle::Cluster;
#[cfg(all(feature = "container", unix))]
use crate::valkey::Info;
use crate::valkey::{MemberState, NodeAddr, ValkeyError, Wire, WireError, ask, read_members};

/// Why something could not be done to a server.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// Its process is not this tool's to stop or kill.
    #[error(
        "{addr} runs as a process of somebody else's: its process is stopped or killed only on a cluster that this tool \
         starts itself (--provider local)"
    )]
    NotOurs {
        /// The server.
        addr: NodeAddr,
    },
    /// It has no network of its own.
    #[error(
        "{addr} has no network of its own that it could be taken off: a server is cut off only where this tool runs each \
         in a container of its own (--provider container)"
    )]
    NotApart {
        /// The server.
        addr: NodeAddr,
    },
    /// Docker refused.
    #[error("the networks of {addr}: {detail}")]
    Network {
        /// The server.
        addr: NodeAddr,
        /// In its words.
        detail: String,
    },
    /// The system refused.
    #[error("the process of {addr} cannot be signalled: {source}")]
    Signal {
        /// The server.
        addr: NodeAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server refused, or did not answer.
    #[error(transparent)]
    Server(#[from] ValkeyError),
    /// The system does not start it again.
    #[error("{addr} cannot be started again: {source}")]
    Start {
        /// The server.
        addr: NodeAddr,
        /// Why.
        source: std::io::Error,
    },
    /// It does not get on.
    #[error("{addr} {what} after {waited_s} s; the end of its log:\n{log}")]
    Stuck {
        /// The server.
        addr: NodeAddr,
        /// What it fails to do.
        what: &'static str,
        /// How long that was waited for.
        waited_s: u64,
        /// What it says.
        log: String,
    },
    /// Its servers do not move slots by themselves.
    #[error(
        "how = \"atomic\" needs Valkey 9.0 or later, and these servers are {version}: use how = \"one-by-one\", or \
         \"auto\""
    )]
    NotAtomic {
        /// Of the servers.
        version: String,
    },
    /// A server is no primary.
    #[error("{addr} is no primary any more")]
    NoPrimary {
        /// The server.
        addr: NodeAddr,
    },
    /// A slot has left one primary and has not arrived at the other.
    #[error("slot {slot} is half moved: {source}; `valkey-cli --cluster fix {addr}` moves the rest")]
    SlotOpen {
        /// The slot.
        slot: u16,
        /// Where it was.
        addr: NodeAddr,
        /// Why.
        source: Box<ValkeyError>,
    },
    /// A migration of the servers' own came to nothing.
    #[error("{addr} did not hand its slots over: {detail}")]
    Migration {
        /// Where they were.
        addr: NodeAddr,
        /// What it says.
        detail: String,
    },
}

/// A process that is stopped. It goes on when this is dropped, however that comes.
#[derive(Debug)]
pub struct StoppedProcess(ServerProcess);

impl StoppedProcess {
    /// Lets it go on, and returns when it does.
    pub async fn go_on(self) {
        match &self.0 {
            ServerProcess::Child(_) => std::future::ready(()).await,
            #[cfg(all(feature = "container", unix))]
            // Where that fails, dropping it tries again.
            ServerProcess::Contained { thread, place, pid } => {
                drop(thread.signal(*place, *pid, Signal::CONT).await);
            }
        }
    }
}

impl Drop for StoppedProcess {
    fn drop(&mut self) {
        match &self.0 {
            // Fails only for a process that has ended.
            ServerProcess::Child(pid) => _ = kill_process(*pid, Signal::CONT),
            #[cfg(all(feature = "container", unix))]
            ServerProcess::Contained { thread, place, pid } => thread.post_signal(*place, *pid, Signal::CONT),
        }
    }
}

/// A server's process.
#[derive(Debug)]
pub(super) enum ServerProcess {
    /// By its number here.
    Child(Pid),
    /// By the number that it has in its container, which has this place among them.
    #[cfg(all(feature = "container", unix))]
    Contained { thread: ContainerThread, place: usize, pid: u32 },
}

/// A server as another primary sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// Whether it is down as failed.
    pub failed: bool,
    /// Who serves what it served; `None` while it does so itself.
    pub heir: Option<NodeAddr>,
}

impl Cluster {
    /// Stops a server's process (SIGSTOP) until what this returns is dropped.
    pub async fn stop_process(&self, addr: &NodeAddr) -> Result<StoppedProcess, FaultError> {
        self.signal(addr, Signal::STOP).await.map(StoppedProcess)
    }

    /// Kills a server's process (SIGKILL).
    pub async fn kill_server(&self, addr: &NodeAddr) -> Result<(), FaultError> {
        self.signal(addr, Signal::KILL).await.map(drop)
    }

    pub(super) async fn signal(&self, addr: &NodeAddr, signal: Signal) -> Result<ServerProcess, FaultError> {
        if let Some(process) = self.signal_contained(addr, signal).await? {
            return Ok(process);
        }
        let not_ours = || FaultError::NotOurs { addr: addr.clone() };
        // A child that has ended keeps its number until it is waited for: nobody else is struck.
        let pid =
            self.server_pid(addr).and_then(|pid| Pid::from_raw(pid.cast_signed())).ok_or_else(not_ours)?;
        kill_process(pid, signal)
            .map_err(|error| FaultError::Signal { addr: addr.clone(), source: error.into() })?;
        Ok(ServerProcess::Child(pid))
    }

    #[cfg(all(feature = "container", unix))]
    async fn signal_contained(
        &self,
        addr: &NodeAddr,
        signal: Signal,
    ) -> Result<Option<ServerProcess>, FaultError> {
        let Some((thread, place)) = self.servers.containers_of(addr) else { return Ok(None) };
        let wire = self.connector.admin(addr).await?;
        let pid = Info::read(&wire, &["server"]).await?.number("process_id")?;
        let refused =
            |detail| FaultError::Signal { addr: addr.clone(), source: std::io::Error::other(detail) };
        thread.signal(place, pid, signal).await.map_err(refused)?;
        Ok(Some(ServerProcess::Contained { thread, place, pid }))
    }

    #[cfg(not(all(feature = "container", unix)))]
    async fn signal_contained(&self, _: &NodeAddr, _: Signal) -> Result<Option<ServerProcess>, FaultError> {
        std::future::ready(Ok(None)).await
    }

    /// The replicas of a primary that are well, as it sees them itself; in the order of their addresses.
    pub async fn replicas_of(&self, primary: &NodeAddr) -> Result<Vec<NodeAddr>, ClusterError> {
        let members = read_members(&self.connector.admin(primary).await?).await?;
        let id = members.iter().find(|member| &member.addr == primary).map(|member| member.id.clone());
        let follows = |member: &&MemberState| member.follows == id && id.is_some() && !member.failed;
        let mut replicas: Vec<_> = members.iter().filter(follows).map(|member| member.addr.clone()).collect();
        replicas.sort();
        Ok(replicas)
    }

    /// Asks a replica to take over from its primary (CLUSTER FAILOVER). It has not yet when this returns.
    pub async fn begin_failover(&self, replica: &NodeAddr) -> Result<(), FaultError> {
        let wire = self.connector.admin(replica).await?;
        ask(&wire, "CLUSTER FAILOVER", redis::cmd("CLUSTER").arg("FAILOVER"), "cluster|failover").await?;
        Ok(())
    }

    /// Cuts the connections that claims use to a primary (CLIENT KILL), those and no others. Returns how
    /// many.
    pub async fn cut_claims(&self, primary: &NodeAddr) -> Result<usize, FaultError> {
        let node =
            self.topology().find(primary).ok_or_else(|| FaultError::NotOurs { addr: primary.clone() })?;
        let claims = self.wire(node);
        let failed = |error: WireError| ValkeyError::from_wire(primary, "CLIENT ID", error);
        let ids = claims.on_each("client|id", redis::cmd("CLIENT").arg("ID")).await.map_err(failed)?;
        let admin = self.connector.admin(primary).await?;
        let mut cut = 0;
        for id in ids {
            let Value::Int(id) = id else { continue };
            let mut kill = redis::cmd("CLIENT");
            kill.arg("KILL").arg("ID").arg(id);
            if ask(&admin, "CLIENT KILL", &kill, "client|kill").await? == Value::Int(1) {
                cut += 1;
            }
        }
        Ok(cut)
    }

    /// A connection of its own to a primary other than this server, to watch it by; `None` where there is no
    /// other.
    pub async fn witness_of(&self, addr: &NodeAddr) -> Option<Wire> {
        let topology = self.topology();
        for primary in topology.primaries().iter().filter(|primary| &primary.addr != addr) {
            if let Ok(wire) = self.connector.admin(&primary.addr).await {
                return Some(wire);
            }
        }
        None
    }

    /// How another primary sees a server that served `slot`.
    pub async fn view_of(
        &self,
        witness: &Wire,
        addr: &NodeAddr,
        slot: u16,
    ) -> Result<ServerView, ClusterError> {
        let members = read_members(witness).await?;
        let own = members.iter().find(|member| &member.addr == addr);
        let failed = own.is_some_and(|member| member.failed);
        if own.is_some_and(|member| member.serves) {
            return Ok(ServerView { failed, heir: None });
        }
        // The slots have no owner until the replica has been elected: then there is no whole map.
        let heir = crate::valkey::read_topology(witness).await.ok().and_then(|topology| {
            let owner = &topology.primaries()[usize::from(topology.owner_of_slot(slot).0)].addr;
            (owner != addr).then(|| owner.clone())
        });
        Ok(ServerView { failed, heir })
    }
}
