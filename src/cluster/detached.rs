//! A local cluster that stays after the tool has ended, for other tools: up, down, status.
//!
//! A state file remembers each server by address, process id and Valkey's `run_id`. Only a server that still answers
//! with both is stopped, and it is asked to (SHUTDOWN), never killed by its number: whatever runs under that process
//! id or on that port by now is left alone.

use reclaim_analysis::scenario::Provider;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::error::ClusterError;
use super::find::server_binary;
use super::handle;
use super::local::{LocalServers, LocalShape};
use super::request::ClusterRequest;
use crate::valkey::{Connector, Info, NodeAddr, ValkeyError, Wire, WireError, ask};

const STOP_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// A cluster that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    let start = Box::pin(start(request, notify));
    cancel.run_until_cancelled(start).await.unwrap_or(Err(ClusterError::Cancelled))
}

/// Stops the cluster that [`up`] started; `None` where there is none. Servers that have ended already are no error.
pub async fn down() -> Result<Option<Detached>, ClusterError> {
    let files = Files::locate()?;
    let Some(cluster) = files.read()? else { return Ok(None) };
    for server in &cluster.servers {
        if let Some(wire) = still_ours(server).await {
            stop(&wire).await?;
        }
    }
    files.remove()?;
    Ok(Some(cluster))
}

/// What became of the cluster that [`up`] started; `None` where there is none.
pub async fn status() -> Result<Option<DetachedStatus>, ClusterError> {
    let Some(cluster) = Files::locate()?.read()? else { return Ok(None) };
    let mut running = Vec::new();
    for server in &cluster.servers {
        if still_ours(server).await.is_some() {
            running.push(server.addr.clone());
        }
    }
    Ok(Some(DetachedStatus { cluster, running }))
}

async fn start(request: &ClusterRequest, notify: &dyn Fn(&str)) -> Result<Detached, ClusterError> {
    let files = Files::locate()?;
    if let Some(old) = status().await?
        && !old.running.is_empty()
    {
        return Err(ClusterError::Detached(format!(
            "a cluster is up already, at {}: stop it with `reclaim-bench cluster down`",
            join(&old.running)
        )));
    }
    // A crashed cluster's files would give new servers on the same ports old ideas.
    files.remove()?;
    let binary = server_binary(request.valkey_server.as_deref(), notify).await?;
    notify(&format!("starting {} primaries of {}", request.primaries, binary.display()));
    std::fs::create_dir_all(&files.servers)
        .map_err(ClusterError::io("cannot make the servers' directory"))?;
    let shape = LocalShape {
        primaries: request.primaries,
        replicas: request.replicas,
        stay_in: Some(&files.servers),
    };
    let servers = LocalServers::start(&binary, shape).await?;
    let as_external =
        ClusterRequest { provider: Provider::External, nodes: servers.addrs(), ..request.clone() };
    handle::open(&as_external, notify, &CancellationToken::new()).await?.shutdown();
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

/// A connection to the server, if it is the one that we started.
async fn still_ours(server: &DetachedServer) -> Option<Wire> {
    let wire = connect(&server.addr).await.ok()?;
    let info = Info::read(&wire, &["server"]).await.ok()?;
    let pid: u32 = info.number("process_id").ok()?;
    (pid == server.pid && info.get("run_id") == Some(&server.run_id)).then_some(wire)
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
    state: PathBuf,
    servers: PathBuf,
}

impl Files {
    fn locate() -> Result<Self, ClusterError> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = variable("XDG_STATE_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
            .ok_or_else(|| {
                ClusterError::Detached(
                    "no place for the state file: neither XDG_STATE_HOME nor HOME is set".to_owned(),
                )
            })?;
        let dir = home.join("reclaim-bench");
        Ok(Self { state: dir.join("cluster.json"), servers: dir.join("cluster") })
    }

    fn read(&self) -> Result<Option<Detached>, ClusterError> {
        let text = match std::fs::read_to_string(&self.state) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| self.unreadable(source))?,
        };
        serde_json::from_str(&text).map(Some).map_err(|error| self.unreadable(error.into()))
    }

    fn unreadable(&self, source: std::io::Error) -> ClusterError {
        ClusterError::File { what: "the state of the cluster", path: self.state.clone(), source }
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
