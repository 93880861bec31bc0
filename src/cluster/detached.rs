//! A local cluster that stays after the tool has ended, for other tools: up, down, status.
//!
//! Each server has a directory of its own, made before it is started, so that whatever a start that was cut
//! off has left running is found by the directories; a state file remembers each by address, process id and
//! Valkey's `run_id` besides. Only a server that says that it works in such a directory is stopped, and it is
//! asked to (SHUTDOWN), never killed by its number: whatever runs under that process id or on that port by
//! now is left alone. A lock keeps two commands from doing this at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etcetera::{BaseStrategy as _, choose_base_strategy};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::error::ClusterError;
use super::find::server_binary;
use super::library::Library;
use super::local::{LocalServers, LocalShape};
use super::owned_dir;
use super::provider::shape;
use super::request::ClusterRequest;
use super::server_arguments::loopback;
use crate::valkey::{Connector, Info, NodeAddr, ValkeyError, Wire, WireError, ask, config};

const STOP_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// How long a server that was just started may take until it answers.
const KEEPER_START_LIMIT: Duration = Duration::from_secs(1);

/// A cluster that stays; without servers, one whose start was cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detached {
    /// Its servers, primaries first.
    pub servers: Vec<DetachedServer>,
}

/// One server of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetachedServer {
    /// Where it listens.
    pub addr: NodeAddr,
    /// Its process.
    pub pid: u32,
    /// Its `run_id`.
    pub run_id: String,
}

/// What is left of a cluster that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachedStatus {
    /// The cluster as started.
    pub cluster: Detached,
    /// Of its servers, those that still run.
    pub running: Vec<NodeAddr>,
}

impl Detached {
    /// For `--nodes`.
    pub fn nodes(&self) -> Vec<NodeAddr> {
        self.servers.iter().map(|server| server.addr.clone()).collect()
    }
}

/// Starts a local cluster that stays and loads the library on it. There is one at most.
pub async fn up(
    request: &ClusterRequest,
    notify: &dyn Fn(&str),
    cancel: &CancellationToken,
) -> Result<Detached, ClusterError> {
    let files = Files::locate()?;
    let _lock = files.lock()?;
    let start = Box::pin(start(&files, request, notify));
    let started = cancel.run_until_cancelled(start).await.unwrap_or(Err(ClusterError::Cancelled));
    if started.is_err() && files.read().is_ok_and(|state| state.is_none()) {
        // Its servers ended with it, unless an earlier start left some: their directories are needed to find
        // them.
        let _ = files.remove_unused().await;
    }
    started
}

/// Stops the cluster that [`up`] started, and what a start that was cut off left; `None` where there is
/// nothing of the kind. What ran until now is said to have been running. What runs that were killed have left
/// in Docker, and their directories, are removed as well.
pub async fn down() -> Result<Option<DetachedStatus>, ClusterError> {
    #[cfg(all(feature = "container", unix))]
    super::container_thread::sweep_left().await;
    // After the containers, which are found by them.
    owned_dir::sweep_left();
    let files = Files::locate()?;
    let _lock = files.lock()?;
    // A damaged file is replaced by what the directories tell.
    let known = files.read().unwrap_or_default();
    let running = files.running(known.is_none()).await?;
    if known.is_none() && running.is_empty() {
        files.remove()?;
        return Ok(None);
    }
    for wire in &running {
        stop(wire).await?;
    }
    files.remove()?;
    let running: Vec<_> = running.iter().map(|wire| wire.addr().clone()).collect();
    Ok(Some(DetachedStatus { cluster: known.unwrap_or_default(), running }))
}

/// What became of the cluster that [`up`] started, or of one whose start was cut off; `None` where nothing is
/// left.
pub async fn status() -> Result<Option<DetachedStatus>, ClusterError> {
    Files::locate()?.status().await
}

async fn start(
    files: &Files,
    request: &ClusterRequest,
    notify: &dyn Fn(&str),
) -> Result<Detached, ClusterError> {
    if let Some(old) = files.status().await?
        && !old.running.is_empty()
    {
        if !old.cluster.servers.is_empty() {
            return Err(ClusterError::Detached(format!(
                "a cluster is up already, at {}: stop it with `reclaim-bench cluster down`",
                join(&old.running)
            )));
        }
        notify(&format!("stopping {}, left by a start that was cut off", join(&old.running)));
        for wire in files.running(false).await? {
            stop(&wire).await?;
        }
    }
    // A crashed cluster's files would give new servers on the same ports old ideas.
    files.remove()?;
    let binary = server_binary(request.valkey_server.as_deref(), notify).await?;
    notify(&format!("starting {} of {}", shape(request), binary.display()));
    std::fs::create_dir_all(&files.servers)
        .map_err(ClusterError::io("cannot make the servers' directory"))?;
    let shape = LocalShape {
        primaries: request.primaries,
        replicas: request.replicas,
        node_timeout: request.node_timeout,
        config: &request.config,
        clusters: request.clusters,
        stay_in: Some(&files.servers),
    };
    let servers = LocalServers::start(&binary, shape).await?;
    load_library(request, &servers.addrs()[..usize::from(request.primaries)]).await?;
    let mut cluster = Detached { servers: Vec::new() };
    for addr in servers.addrs() {
        let info = Info::read(&connect(&addr).await?, &["server"]).await?;
        let run_id = info.get("run_id").unwrap_or_default().to_owned();
        cluster.servers.push(DetachedServer { pid: info.number("process_id")?, addr, run_id });
    }
    files.write(&cluster)?;
    servers.release();
    Ok(cluster)
}

/// Loads the library to stay: without the mark by which a run would find what it has to undo.
async fn load_library(request: &ClusterRequest, primaries: &[NodeAddr]) -> Result<(), ClusterError> {
    let library = Library::read(&request.library)?.needing(&request.functions);
    for addr in primaries {
        let wire = connect(addr).await?;
        let before = library.look(&wire, true).await?;
        library.install(&wire, &before).await?;
    }
    Ok(())
}

/// A connection to the server at `addr` if it works in `dir`; `None` where there is none, or another one.
async fn working_in(addr: &NodeAddr, dir: &Path) -> Result<Option<Wire>, ClusterError> {
    let silent = |error: &dyn std::fmt::Display| {
        ClusterError::Detached(format!(
            "{addr} does not say whether it is a server of this cluster: {error}. Is its process stopped or in a long \
             script? Try again later; its files are in {}",
            dir.display()
        ))
    };
    let wire = match connect(addr).await {
        Ok(wire) => wire,
        Err(ValkeyError::Unreachable { .. }) => return Ok(None),
        Err(error) => return Err(silent(&error)),
    };
    match config(&wire, "dir").await {
        Ok(settings) => {
            let works_in = settings.get("dir").and_then(|path| std::fs::canonicalize(path).ok());
            Ok((works_in.is_some() && works_in == dir.canonicalize().ok()).then_some(wire))
        }
        Err(error @ ValkeyError::Reply { .. }) => Err(error.into()),
        Err(ValkeyError::Server { source: error @ WireError::TimedOut(_), .. }) => Err(silent(&error)),
        // It ended between the two, or it is somebody else's, who gives no such answer.
        Err(_) => Ok(None),
    }
}

async fn connect(addr: &NodeAddr) -> Result<Wire, ValkeyError> {
    Connector::loopback().admin(addr).await
}

async fn stop(wire: &Wire) -> Result<(), ClusterError> {
    let mut cmd = redis::cmd("SHUTDOWN");
    cmd.arg("NOSAVE").arg("NOW").arg("FORCE");
    match ask(wire, "SHUTDOWN", &cmd, "shutdown").await {
        // There is no reply, only the end of the connection.
        Ok(_) | Err(ValkeyError::Unreachable { .. }) => {}
        Err(ValkeyError::Server { source: WireError::TimedOut(_), .. }) => {
            return Err(ClusterError::Detached(format!(
                "{} does not react to SHUTDOWN: is its process stopped or in a long script? Try again later",
                wire.addr()
            )));
        }
        Err(error) => return Err(error.into()),
    }
    let deadline = Instant::now() + STOP_LIMIT;
    while connect(wire.addr()).await.is_ok() {
        if Instant::now() > deadline {
            return Err(ClusterError::Detached(format!("{} still answers after SHUTDOWN", wire.addr())));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn join(addrs: &[NodeAddr]) -> String {
    addrs.iter().map(NodeAddr::to_string).collect::<Vec<_>>().join(",")
}

/// Where the state is kept: `$XDG_STATE_HOME/reclaim-bench`, by default `~/.local/state/reclaim-bench`.
struct Files {
    lock: PathBuf,
    state: PathBuf,
    /// A directory for each server in it, named by its port.
    servers: PathBuf,
}

impl Files {
    fn locate() -> Result<Self, ClusterError> {
        // Where a system has no place for states, its data are kept.
        let home = choose_base_strategy().map(|base| base.state_dir().unwrap_or_else(|| base.data_dir()));
        let home = home.map_err(|_| {
            ClusterError::Detached(
                "no place for the state file: neither XDG_STATE_HOME nor HOME is set".to_owned(),
            )
        })?;
        let dir = home.join("reclaim-bench");
        Ok(Self {
            lock: dir.join("cluster.lock"),
            state: dir.join("cluster.json"),
            servers: dir.join("cluster"),
        })
    }

    /// Held while servers are started or stopped.
    fn lock(&self) -> Result<File, ClusterError> {
        let failed = || ClusterError::io(format!("cannot lock {}", self.lock.display()));
        let dir = self.lock.parent().unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(dir).map_err(failed())?;
        let lock = File::create(&self.lock).map_err(failed())?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(std::fs::TryLockError::WouldBlock) => Err(ClusterError::Detached(
                "another `reclaim-bench cluster up` or `down` is under way: wait until it has ended"
                    .to_owned(),
            )),
            Err(std::fs::TryLockError::Error(error)) => Err(failed()(error)),
        }
    }

    async fn status(&self) -> Result<Option<DetachedStatus>, ClusterError> {
        let known = self.read()?;
        let running = self.running(false).await?;
        let running: Vec<_> = running.iter().map(|wire| wire.addr().clone()).collect();
        Ok(match known {
            None if running.is_empty() => None,
            known => Some(DetachedStatus { cluster: known.unwrap_or_default(), running }),
        })
    }

    /// Connections to the servers that run in our directories. `patiently`: one that was just started may not
    /// answer yet.
    async fn running(&self, patiently: bool) -> Result<Vec<Wire>, ClusterError> {
        let begun = Instant::now();
        let mut running = Vec::new();
        for (port, dir) in self.started() {
            loop {
                if let Some(wire) = working_in(&loopback(port), &dir).await? {
                    running.push(wire);
                    break;
                }
                if !patiently || begun.elapsed() > KEEPER_START_LIMIT {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(running)
    }

    /// Ports and directories of all servers that were started here, in order.
    fn started(&self) -> Vec<(u16, PathBuf)> {
        let Ok(entries) = std::fs::read_dir(&self.servers) else { return Vec::new() };
        let port = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
        let mut started: Vec<_> =
            entries.flatten().filter_map(|entry| Some((port(&entry.path())?, entry.path()))).collect();
        started.sort();
        started
    }

    /// Removes the files if no server runs in them.
    async fn remove_unused(&self) -> Result<(), ClusterError> {
        if self.running(false).await?.is_empty() { self.remove() } else { Ok(()) }
    }

    fn read(&self) -> Result<Option<Detached>, ClusterError> {
        let text = match std::fs::read_to_string(&self.state) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| self.unreadable(&source))?,
        };
        serde_json::from_str(&text).map(Some).map_err(|error| self.unreadable(&error.into()))
    }

    fn unreadable(&self, source: &std::io::Error) -> ClusterError {
        ClusterError::Detached(format!(
            "the state of the cluster, {}, cannot be read: {source}. `reclaim-bench cluster down` finds the servers by \
             their directories, stops them and removes the file",
            self.state.display()
        ))
    }

    fn write(&self, cluster: &Detached) -> Result<(), ClusterError> {
        let doing = || ClusterError::io(format!("cannot write {}", self.state.display()));
        let dir = self.state.parent().unwrap_or_else(|| Path::new("."));
        let file = tempfile::NamedTempFile::new_in(dir).map_err(doing())?;
        serde_json::to_writer_pretty(&file, cluster).map_err(|error| doing()(error.into()))?;
        file.persist(&self.state).map_err(|error| doing()(error.error))?;
        Ok(())
    }

    /// Servers' files first: without the state file nobody would find them again.
    fn remove(&self) -> Result<(), ClusterError> {
        for (path, removed) in [
            (&self.servers, std::fs::remove_dir_all(&self.servers)),
            (&self.state, std::fs::remove_file(&self.state)),
        ] {
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ClusterError::io(format!("cannot remove {}", path.display()))(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
