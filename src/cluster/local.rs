//! Provider `local`: a cluster of child processes on loopback, without persistence; in a temporary directory
//! and gone with the tool, or in a given one and there to stay.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::child_servers::{ChildServers, LOG_FILE, Lifetime, server_dir};
use super::error::ClusterError;
use super::form::{Member, form};
use super::owned_dir::OwnedDir;
use super::server_arguments::{ServerSpec, log_tail, loopback, specs};
use super::taken_port::{PORT_ATTEMPTS, is_taken};
use crate::valkey::{Connector, Info, NodeAddr, Wire};

const START_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);
const DIR_PREFIX: &str = "reclaim-bench-cluster-";

/// How many servers, and where their files go.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalShape<'a> {
    pub(super) primaries: u16,
    /// Of each primary.
    pub(super) replicas: u16,
    /// How long they wait for a silent one.
    pub(super) node_timeout: Duration,
    /// Settings of theirs beside those that every server has.
    pub(super) config: &'a BTreeMap<String, String>,
    /// Clusters that share this machine's memory, this one included.
    pub(super) clusters: u16,
    /// Directory of servers that are to stay; `None` is a temporary one for servers that are not.
    pub(super) stay_in: Option<&'a Path>,
}

impl LocalShape<'_> {
    fn servers(&self) -> usize {
        usize::from(self.primaries) * (1 + usize::from(self.replicas))
    }
}

/// Servers that this process runs. Dropping it kills them, then removes a temporary directory.
pub(super) struct LocalServers {
    children: ChildServers,
    specs: Vec<ServerSpec>,
    dir: ServerDir,
}

impl LocalServers {
    /// Starts the servers and forms a cluster of them.
    pub(super) async fn start(binary: &Path, shape: LocalShape<'_>) -> Result<Self, ClusterError> {
        for _ in 0..PORT_ATTEMPTS {
            match Self::start_once(binary, shape).await {
                Err(StartError::PortTaken) => {}
                Err(StartError::Other(error)) => return Err(error),
                Ok((servers, members)) => {
                    form(&members, shape.primaries).await?;
                    return Ok(servers);
                }
            }
        }
        Err(ClusterError::ServerStart {
            binary: binary.to_owned(),
            detail: format!(
                "another process answered on its port, {PORT_ATTEMPTS} times over; if it is a script, it must exec \
                 the server"
            ),
        })
    }

    async fn start_once(binary: &Path, shape: LocalShape<'_>) -> Result<(Self, Vec<Member>), StartError> {
        let (dir, lifetime) = match shape.stay_in {
            Some(path) => (Ok(ServerDir::Kept(path.to_owned())), Lifetime::Detached),
            None => (OwnedDir::create(DIR_PREFIX).map(ServerDir::Temporary), Lifetime::Ours),
        };
        let dir = dir.map_err(ClusterError::io("cannot make a directory for the servers"))?;
        let sharing = shape.servers() * usize::from(shape.clusters.max(1));
        let specs = specs(shape.servers(), sharing, shape.node_timeout)
            .map_err(ClusterError::io("cannot find free ports"))?;
        let with_config = |spec| ServerSpec { config: shape.config.clone(), ..spec };
        let specs: Vec<ServerSpec> = specs.into_iter().map(with_config).collect();
        let children = ChildServers::start(binary, dir.path(), &specs, lifetime).map_err(|error| {
            ClusterError::ServerStart { binary: binary.to_owned(), detail: error.to_string() }
        })?;
        let servers = Self { children, specs, dir };
        let connector = Connector::loopback();
        let mut members = Vec::with_capacity(servers.specs.len());
        for (position, spec) in servers.specs.iter().enumerate() {
            let wire = servers.ready(binary, &connector, position).await?;
            members.push(Member { wire, bus_port: spec.bus_port });
        }
        Ok((servers, members))
    }

    /// Waits until the server at `position` answers, and makes sure that it is ours that answers.
    async fn ready(&self, binary: &Path, connector: &Connector, position: usize) -> Result<Wire, StartError> {
        let spec = &self.specs[position];
        let log_file = server_dir(self.dir.path(), spec).join(LOG_FILE);
        let failed = |detail: String| {
            let detail = format!("{detail}\n{}", log_tail(&log_file));
            StartError::Other(ClusterError::ServerStart { binary: binary.to_owned(), detail })
        };
        let pid = self.children.pids()[position];
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.children.exit_of(position) {
                return Err(if is_taken(&log_tail(&log_file)) {
                    StartError::PortTaken
                } else {
                    failed(format!("it ended: {status}"))
                });
            }
            match self.answering_pid(connector, position).await {
                Some((wire, answering)) if answering == pid => return Ok(wire),
                Some(_) => return Err(StartError::PortTaken),
                None if Instant::now() > deadline => {
                    return Err(failed(format!("it does not answer after {START_LIMIT:?}")));
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn answering_pid(&self, connector: &Connector, position: usize) -> Option<(Wire, u32)> {
        let wire = connector.admin(&loopback(self.specs[position].port)).await.ok()?;
        let pid = Info::read(&wire, &["server"]).await.ok()?.number("process_id").ok()?;
        Some((wire, pid))
    }

    /// Where the servers listen, primaries first.
    pub(super) fn addrs(&self) -> Vec<NodeAddr> {
        self.specs.iter().map(|spec| loopback(spec.port)).collect()
    }

    /// Lets servers that are to stay go on without this process.
    pub(super) fn release(self) {
        self.children.release();
    }

    /// Processes of all servers.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.children.pids()
    }

    /// CPU of all servers so far, of those that have ended as well; `None` where the system does not tell.
    pub(super) fn cpu(&self) -> Option<Duration> {
        self.children.cpu()
    }

    /// Process of the server at `addr`.
    pub(super) fn pid(&self, addr: &NodeAddr) -> Option<u32> {
        self.children.pids().get(self.position(addr)?).copied()
    }

    /// Whether the process of the server at `addr` has ended.
    pub(super) fn has_ended(&self, addr: &NodeAddr) -> bool {
        self.position(addr).is_some_and(|position| self.children.exit_of(position).is_some())
    }

    /// Starts the server at `addr` again after it has ended; `None` for one that is not here.
    pub(super) async fn start_again(&self, addr: &NodeAddr) -> Option<std::io::Result<()>> {
        Some(self.children.start_again(self.position(addr)?).await)
    }

    /// The end of the log of the server at `addr`.
    pub(super) fn log_of(&self, addr: &NodeAddr) -> String {
        let spec = self.position(addr).and_then(|position| self.specs.get(position));
        spec.map(|spec| log_tail(&server_dir(self.dir.path(), spec).join(LOG_FILE))).unwrap_or_default()
    }

    fn position(&self, addr: &NodeAddr) -> Option<usize> {
        self.addrs().iter().position(|own| own == addr)
    }
}

enum StartError {
    PortTaken,
    Other(ClusterError),
}

impl From<ClusterError> for StartError {
    fn from(error: ClusterError) -> Self {
        Self::Other(error)
    }
}

enum ServerDir {
    Temporary(OwnedDir),
    Kept(PathBuf),
}

impl ServerDir {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(path) => path,
        }
    }
}
