//! Provider `local`: a cluster of child processes on loopback, in a temporary directory, without persistence.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::connect::Connector;
use super::error::ClusterError;
use super::form::{Member, form};
use super::info::Info;
use super::keeper::{Keeper, LOG_FILE, server_dir};
use super::server::{ServerSpec, log_tail};
use super::topology::NodeAddr;
use super::wire::Wire;

/// Between choosing a free port and binding it, another process may take it.
const PORT_ATTEMPTS: u32 = 5;
const START_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);
/// Longest wait for a reply while the cluster forms; nothing is under load yet.
const REPLY_LIMIT: Duration = Duration::from_secs(5);
const DIR_PREFIX: &str = "reclaim-bench-cluster-";
const LOCK_FILE: &str = "owner.lock";

/// Servers that this process runs. Dropping it kills them, then removes their directory.
pub(super) struct LocalServers {
    keeper: Keeper,
    specs: Vec<ServerSpec>,
    dir: OwnedDir,
}

impl LocalServers {
    /// Starts `primaries * (1 + replicas)` servers and forms a cluster of them.
    pub(super) async fn start(binary: &Path, primaries: u16, replicas: u16) -> Result<Self, ClusterError> {
        let count = usize::from(primaries) * (1 + usize::from(replicas));
        let mut attempt = 1;
        let (servers, members) = loop {
            match Self::start_once(binary, count).await {
                Err(StartError::PortTaken) if attempt < PORT_ATTEMPTS => attempt += 1,
                Err(StartError::PortTaken) => {
                    return Err(ClusterError::ServerStart {
                        binary: binary.to_owned(),
                        detail: format!("its port was taken by another process, {PORT_ATTEMPTS} times over"),
                    });
                }
                Err(StartError::Other(error)) => return Err(error),
                Ok(started) => break started,
            }
        };
        form(&members, primaries).await?;
        Ok(servers)
    }

    async fn start_once(binary: &Path, count: usize) -> Result<(Self, Vec<Member>), StartError> {
        let dir = OwnedDir::create().map_err(ClusterError::io("cannot make a directory for the servers"))?;
        let specs = specs(count).map_err(ClusterError::io("cannot find free ports"))?;
        let keeper = Keeper::start(binary, &dir.path, &specs).map_err(|error| ClusterError::ServerStart {
            binary: binary.to_owned(),
            detail: error.to_string(),
        })?;
        let servers = Self { keeper, specs, dir };
        let connector = Connector::loopback(REPLY_LIMIT);
        let mut members = Vec::with_capacity(count);
        for position in 0..count {
            let wire = servers.ready(binary, &connector, position).await?;
            members.push(Member { wire, bus_port: servers.specs[position].bus_port });
        }
        Ok((servers, members))
    }

    /// Waits until the server at `position` answers, and makes sure that it is ours that answers.
    async fn ready(&self, binary: &Path, connector: &Connector, position: usize) -> Result<Wire, StartError> {
        let spec = &self.specs[position];
        let log_file = server_dir(&self.dir.path, spec).join(LOG_FILE);
        let failed = |detail: String| {
            let detail = format!("{detail}\n{}", log_tail(&log_file));
            StartError::Other(ClusterError::ServerStart { binary: binary.to_owned(), detail })
        };
        let pid = self.keeper.pids()[position];
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.keeper.exit_of(position) {
                let taken = log_tail(&log_file).contains("Address already in use");
                return Err(if taken {
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
        let wire = connector.wire(&loopback(self.specs[position].port), 1).await.ok()?;
        let pid = Info::read(&wire, &["server"]).await.ok()?.number("process_id").ok()?;
        Some((wire, pid))
    }

    /// Where the servers listen, primaries first.
    pub(super) fn addrs(&self) -> Vec<NodeAddr> {
        self.specs.iter().map(|spec| loopback(spec.port)).collect()
    }

    /// Process of the server at `addr`.
    pub(super) fn pid(&self, addr: &NodeAddr) -> Option<u32> {
        let position = self.addrs().iter().position(|own| own == addr)?;
        self.keeper.pids().get(position).copied()
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

pub(super) fn loopback(port: u16) -> NodeAddr {
    NodeAddr { host: Ipv4Addr::LOCALHOST.to_string(), port }
}

/// Specs on ports that are free now.
pub(super) fn specs(count: usize) -> std::io::Result<Vec<ServerSpec>> {
    let ports = free_ports(2 * count)?;
    Ok(ports.chunks_exact(2).map(|pair| ServerSpec { port: pair[0], bus_port: pair[1] }).collect())
}

/// All are held until the last one is chosen, so they differ.
fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let held = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<Vec<_>>>()?;
    held.iter().map(|listener| listener.local_addr().map(|addr| addr.port())).collect()
}

/// A temporary directory that a later run can tell to be abandoned: its owner holds a lock as long as it lives.
struct OwnedDir {
    path: PathBuf,
    // Removes the directory; must go before the lock does, or another run may sweep it at the same time.
    _dir: TempDir,
    _lock: File,
}

impl OwnedDir {
    fn create() -> std::io::Result<Self> {
        sweep(&std::env::temp_dir());
        let dir = tempfile::Builder::new().prefix(DIR_PREFIX).tempdir()?;
        let path = dir.path().to_owned();
        let lock = File::create(path.join(LOCK_FILE))?;
        lock.lock()?;
        Ok(Self { path, _dir: dir, _lock: lock })
    }
}

/// Removes what runs left behind that were killed with SIGKILL. Best effort: whatever cannot be removed is not ours.
fn sweep(temp: &Path) {
    let Ok(entries) = std::fs::read_dir(temp) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(DIR_PREFIX) {
            continue;
        }
        let abandoned = File::open(entry.path().join(LOCK_FILE)).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
