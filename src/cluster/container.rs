//! Provider `container`: one container with every node in it, on the host's network; or one for each, on
//! networks that it can be taken off.
//!
//! One container, because nodes in several would announce addresses that a client outside may not reach; the
//! host's network, because a published port puts a proxy into every round trip, and a bridge its share. That
//! makes it a Linux matter; Docker Desktop needs "host networking" switched on. Only a run that cuts a server
//! off has them apart: see [`networks`](super::networks).
//!
//! A container ends with this process: its shell reads a named pipe that only this process holds open for
//! writing. When the process ends, however it ends, the kernel closes the pipe, the shell ends, and Docker
//! removes the container (`auto_remove`). Where the process was killed before the shell could open the pipe,
//! it would wait for a writer for ever: so it lets one come and go after a while. A container that was made
//! and never started is found by its label at the next start, and so are networks, which nobody removes where
//! their owner was killed.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use rustix::fs::{CWD, Mode, mkfifoat};
use tokio::sync::oneshot;

use super::container_thread::{ContainerPlan, ContainerThread, RunningServers, keep};
use super::error::ClusterError;
use super::form::{Member, form};
use super::networks::Addresses;
use super::owned_dir::OwnedDir;
use super::request::{ClusterRequest, Containers};
use super::server_arguments::{ServerSpec, log_tail, loopback, specs};
use super::taken_port::{PORT_ATTEMPTS, is_taken};
use crate::valkey::{Access, Connector, Info, NodeAddr, Wire};

/// Where the pipe and the logs are inside the container.
const SHARED_DIR: &str = "/reclaim-bench";
const PIPE: &str = "alive";
/// Seconds after which the shell must have opened the pipe if there is anybody to hold it.
const OWNER_SEEN_WITHIN_S: u32 = 5;
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// Running containers. Dropping it removes them, and their networks, and waits until that is done.
pub(super) struct ContainerServers {
    servers: RunningServers,
    holder: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    thread: ContainerThread,
    // Both outlive the containers: the pipe ends them, and the directory is mounted in them.
    pipe: Option<File>,
    dir: OwnedDir,
}

impl ContainerServers {
    /// Starts the servers of a request in containers of `image` and forms a cluster of them.
    pub(super) async fn start(image: &str, request: &ClusterRequest) -> Result<Self, ClusterError> {
        for _ in 0..PORT_ATTEMPTS {
            let servers = Self::start_once(image, request).await?;
            if let Some(members) = servers.members(image).await? {
                form(&members, request.primaries).await?;
                return Ok(servers);
            }
        }
        Err(ClusterError::Container(format!(
            "ports were taken by other processes, {PORT_ATTEMPTS} times over"
        )))
    }

    async fn start_once(image: &str, request: &ClusterRequest) -> Result<Self, ClusterError> {
        let prepare = || ClusterError::io("cannot prepare the container");
        let count = usize::from(request.primaries) * (1 + usize::from(request.replicas));
        let dir = OwnedDir::create("reclaim-bench-container-").map_err(prepare())?;
        let pipe = make_pipe(dir.path()).map_err(prepare())?;
        let specs = specs(count, count, request.node_timeout).map_err(prepare())?;
        let plan = ContainerPlan {
            specs,
            dir: dir.path().to_owned(),
            apart: request.containers == Containers::Each,
            container,
            image: image.to_owned(),
        };
        let (stop, stopped) = oneshot::channel();
        let (report, started) = oneshot::channel();
        let (thread, orders) = ContainerThread::new();
        let holder = std::thread::Builder::new()
            .name("container".to_owned())
            .spawn(move || keep(&plan, report, (stopped, orders)))
            .map_err(prepare())?;
        let mut servers = Self {
            servers: RunningServers::new(),
            holder: Some(holder),
            stop: Some(stop),
            thread,
            pipe: Some(pipe),
            dir,
        };
        let result = started.await.unwrap_or_else(|_| Err("its thread ended".to_owned()));
        servers.servers = result.map_err(|reason| {
            ClusterError::Container(format!(
                "cannot run image {image}: {reason}. Start Docker, or load the image (docker pull, docker load), or \
                 name another with --image; any image with sh and valkey-server will do"
            ))
        })?;
        Ok(servers)
    }

    /// Waits until every server answers; `None` where a port was taken meanwhile.
    async fn members(&self, image: &str) -> Result<Option<Vec<Member>>, ClusterError> {
        let connector = Connector::new(&Access {
            tls: None,
            user: None,
            password: None,
            map: self.map(),
            timeout: ANSWER_LIMIT,
        })?;
        let deadline = Instant::now() + ANSWER_LIMIT;
        let mut members = Vec::with_capacity(self.servers.len());
        for (spec, addresses) in &self.servers {
            let addr = addr(spec, addresses.as_ref());
            let wire = loop {
                let log = self.log(spec);
                if is_taken(&log) {
                    return Ok(None);
                }
                let asked = tokio::time::timeout_at(deadline.into(), fresh_node(&connector, &addr)).await;
                if let Ok(Some(wire)) = asked {
                    break wire;
                }
                if Instant::now() > deadline {
                    let shell =
                        std::fs::read_to_string(self.dir.path().join("shell.log")).unwrap_or_default();
                    let remedy = match addresses {
                        None => "on Docker Desktop, switch on host networking",
                        Some(_) => "the addresses of its bridges are reached from this machine on Linux only",
                    };
                    return Err(ClusterError::Container(format!(
                        "{} of image {image} does not answer after {ANSWER_LIMIT:?} ({remedy}):\n{shell}{log}",
                        addresses.map_or(addr.clone(), |at| reached(spec, at)),
                    )));
                }
                tokio::time::sleep(PAUSE).await;
            };
            members.push(Member { wire, bus_port: spec.bus_port });
        }
        Ok(Some(members))
    }

    fn log(&self, spec: &ServerSpec) -> String {
        log_tail(&self.dir.path().join(log_name(spec)))
    }

    /// The end of the log of the server at `addr`.
    pub(super) fn log_of(&self, addr: &NodeAddr) -> String {
        let server = self.position(addr).and_then(|position| self.servers.get(position));
        server.map(|(spec, _)| self.log(spec)).unwrap_or_default()
    }

    /// The way to the process of the server at `addr` and to its networks, with the place of its container.
    pub(super) fn containers_of(&self, addr: &NodeAddr) -> Option<(ContainerThread, usize)> {
        let position = self.position(addr)?;
        let together = self.servers[position].1.is_none();
        Some((self.thread.clone(), if together { 0 } else { position }))
    }

    /// Whether each server has networks of its own.
    pub(super) fn apart(&self) -> bool {
        self.servers.iter().all(|(_, addresses)| addresses.is_some())
    }

    /// Starts the server at `addr` again after it has ended; `None` for one that is not here.
    pub(super) async fn start_again(&self, addr: &NodeAddr) -> Option<std::io::Result<()>> {
        let (spec, _) = self.servers.get(self.position(addr)?)?;
        let (thread, place) = self.containers_of(addr)?;
        // Nothing of it may hold the shell's output open: that is waited for.
        let start = format!("(exec </dev/null >/dev/null 2>&1; {}) &", start(spec));
        Some(thread.run(place, start).await.map_err(std::io::Error::other))
    }

    /// Where servers are that are reached elsewhere than they announce.
    pub(super) fn map(&self) -> Vec<(NodeAddr, NodeAddr)> {
        let pair = |(spec, addresses): &(ServerSpec, Option<Addresses>)| {
            let addresses = (*addresses)?;
            Some((addr(spec, Some(&addresses)), reached(spec, addresses)))
        };
        self.servers.iter().filter_map(pair).collect()
    }

    pub(super) fn addrs(&self) -> Vec<NodeAddr> {
        self.servers.iter().map(|(spec, addresses)| addr(spec, addresses.as_ref())).collect()
    }

    fn position(&self, addr: &NodeAddr) -> Option<usize> {
        self.addrs().iter().position(|own| own == addr)
    }
}

impl Drop for ContainerServers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(holder) = self.holder.take() {
            // A panic in it has been printed, and the pipe below ends the containers all the same.
            let _ = holder.join();
        }
        drop(self.pipe.take());
    }
}

/// What a server announces.
fn addr(spec: &ServerSpec, addresses: Option<&Addresses>) -> NodeAddr {
    match addresses {
        None => loopback(spec.port),
        Some(addresses) => NodeAddr { host: addresses.servers.to_string(), port: spec.port },
    }
}

/// Where a server with addresses of its own is reached from here.
fn reached(spec: &ServerSpec, addresses: Addresses) -> NodeAddr {
    NodeAddr { host: addresses.clients.to_string(), port: spec.port }
}

/// A server that answers and belongs to no cluster yet: ours, not one that was there before.
async fn fresh_node(connector: &Connector, addr: &NodeAddr) -> Option<Wire> {
    let wire = connector.admin(addr).await.ok()?;
    let info = Info::read(&wire, &["server"]).await.ok()?;
    let uptime: u64 = info.number("uptime_in_seconds").ok()?;
    (uptime <= ANSWER_LIMIT.as_secs()).then_some(wire)
}

fn container(plan: &ContainerPlan, specs: &[ServerSpec], network: Option<&str>) -> ContainerCreateBody {
    let mount = Mount {
        typ: Some(MountType::BIND),
        source: Some(plan.dir.to_string_lossy().into_owned()),
        target: Some(SHARED_DIR.to_owned()),
        ..Mount::default()
    };
    let host = HostConfig {
        network_mode: Some(network.unwrap_or("host").to_owned()),
        mounts: Some(vec![mount]),
        auto_remove: Some(true),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(plan.image.clone()),
        entrypoint: Some(vec!["sh".to_owned()]),
        cmd: Some(vec!["-c".to_owned(), script(specs)]),
        // Root: it writes logs into a directory of ours, which an image's own user may not.
        user: Some("0".to_owned()),
        labels: Some(plan.labels()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// What a container's shell does: start its servers, then wait for the pipe to close.
fn script(specs: &[ServerSpec]) -> String {
    let mut lines = vec![format!("exec 2>>{SHARED_DIR}/shell.log")];
    lines.extend(specs.iter().map(|spec| format!("{} &", start(spec))));
    lines.push(format!("(sleep {OWNER_SEEN_WITHIN_S}; : >{SHARED_DIR}/{PIPE}) &"));
    lines.push(format!("read -r _ <{SHARED_DIR}/{PIPE}"));
    lines.join("\n")
}

/// Runs a server in its directory.
fn start(spec: &ServerSpec) -> String {
    let dir = format!("/tmp/{}", spec.port);
    let arguments: Vec<String> = spec
        .arguments(&format!("{SHARED_DIR}/{}", log_name(spec)))
        .iter()
        .map(|argument| format!("'{argument}'"))
        .collect();
    format!("mkdir -p {dir} && cd {dir} && valkey-server {}", arguments.join(" "))
}

fn log_name(spec: &ServerSpec) -> String {
    format!("{}.log", spec.port)
}

/// Makes the pipe and holds its writing end. Opened for both directions, because opening for writing alone
/// waits for a reader.
fn make_pipe(dir: &Path) -> std::io::Result<File> {
    // Where the daemon maps users, the container's root is not the owner.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))?;
    let path = dir.join(PIPE);
    mkfifoat(CWD, &path, Mode::from_raw_mode(0o644))?;
    OpenOptions::new().read(true).write(true).open(path)
}
