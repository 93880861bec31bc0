//! Provider `container`: one container with every node in it, on the host's network.
//!
//! One container, because nodes in several would announce addresses that a client outside cannot reach; the host's
//! network, because a published port puts a proxy into every round trip. That makes it a Linux matter; Docker
//! Desktop needs "host networking" switched on.
//!
//! The container ends with this process: its shell reads a named pipe that only this process holds open for writing.
//! When the process ends, however it ends, the kernel closes the pipe, the shell ends, and Docker removes the
//! container (`auto_remove`). Where the process was killed before the shell could open the pipe, it would wait for a
//! writer for ever: so it lets one come and go after a while. A container that was made and never started is found by
//! its label at the next start.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::Mount;
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _};
use tokio::sync::oneshot;

use super::error::ClusterError;
use super::form::{Member, form};
use super::owned_dir::{OwnedDir, is_ownerless};
use super::server::{ServerSpec, log_tail, loopback, specs};
use crate::machine::node_name;
use crate::valkey::{Connector, Info, NodeAddr, Wire};

/// Where the pipe and the logs are inside the container.
const SHARED_DIR: &str = "/reclaim-bench";
const PIPE: &str = "alive";
/// Seconds after which the shell must have opened the pipe if there is anybody to hold it.
const OWNER_SEEN_WITHIN_S: u32 = 5;
/// Labels of every container: its owner's directory, and the machine that this is on, for several may share one daemon.
const DIRECTORY_LABEL: &str = "reclaim-bench.directory";
const MACHINE_LABEL: &str = "reclaim-bench.machine";
/// Pulling the image included.
const START_LIMIT: Duration = Duration::from_mins(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// For a start that is under way when it is no longer wanted.
const ABANDON_LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
const PORT_ATTEMPTS: u32 = 5;

/// A running container. Dropping it removes the container and waits until that is done.
pub(super) struct ContainerServers {
    specs: Vec<ServerSpec>,
    holder: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    pipe: Option<File>,
    dir: OwnedDir,
}

impl ContainerServers {
    /// Starts `primaries * (1 + replicas)` servers in one container of `image` and forms a cluster of them.
    pub(super) async fn start(image: &str, primaries: u16, replicas: u16) -> Result<Self, ClusterError> {
        let count = usize::from(primaries) * (1 + usize::from(replicas));
        for _ in 0..PORT_ATTEMPTS {
            let servers = Self::start_once(image, count).await?;
            if let Some(members) = servers.members(image).await? {
                form(&members, primaries).await?;
                return Ok(servers);
            }
        }
        Err(ClusterError::Container(format!(
            "ports were taken by other processes, {PORT_ATTEMPTS} times over"
        )))
    }

    async fn start_once(image: &str, count: usize) -> Result<Self, ClusterError> {
        let prepare = || ClusterError::io("cannot prepare the container");
        let dir = OwnedDir::create("reclaim-bench-container-").map_err(prepare())?;
        let pipe = make_pipe(dir.path()).map_err(prepare())?;
        let specs = specs(count).map_err(prepare())?;
        let request = container(image, &specs, dir.path());
        let (stop, stopped) = oneshot::channel();
        let (report, started) = oneshot::channel();
        let holder = std::thread::Builder::new()
            .name("container".to_owned())
            .spawn(move || hold(request, report, stopped))
            .map_err(prepare())?;
        let servers = Self { specs, holder: Some(holder), stop: Some(stop), pipe: Some(pipe), dir };
        let result = started.await.unwrap_or_else(|_| Err("its thread ended".to_owned()));
        result.map_err(|reason| {
            ClusterError::Container(format!(
                "cannot run image {image}: {reason}. Start Docker, or load the image (docker pull, docker load), or \
                 name another with --image; any image with sh and valkey-server will do"
            ))
        })?;
        Ok(servers)
    }

    /// Waits until every server answers; `None` where a port was taken meanwhile.
    async fn members(&self, image: &str) -> Result<Option<Vec<Member>>, ClusterError> {
        let connector = Connector::loopback();
        let deadline = Instant::now() + ANSWER_LIMIT;
        let mut members = Vec::with_capacity(self.specs.len());
        for spec in &self.specs {
            let wire = loop {
                let log = self.log(spec);
                if log.contains("Address already in use") {
                    return Ok(None);
                }
                if let Some(wire) = fresh_node(&connector, &loopback(spec.port)).await {
                    break wire;
                }
                if Instant::now() > deadline {
                    let shell =
                        std::fs::read_to_string(self.dir.path().join("shell.log")).unwrap_or_default();
                    return Err(ClusterError::Container(format!(
                        "port {} of image {image} does not answer after {ANSWER_LIMIT:?} (on Docker Desktop, switch \
                         on host networking):\n{shell}{log}",
                        spec.port
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

    pub(super) fn addrs(&self) -> Vec<NodeAddr> {
        self.specs.iter().map(|spec| loopback(spec.port)).collect()
    }
}

impl Drop for ContainerServers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(holder) = self.holder.take() {
            // A panic in it has been printed, and the pipe below ends the container all the same.
            let _ = holder.join();
        }
        drop(self.pipe.take());
    }
}

/// A server that answers and belongs to no cluster yet: ours, not one that was there before.
async fn fresh_node(connector: &Connector, addr: &NodeAddr) -> Option<Wire> {
    let wire = connector.admin(addr).await.ok()?;
    let info = Info::read(&wire, &["server"]).await.ok()?;
    let uptime: u64 = info.number("uptime_in_seconds").ok()?;
    (uptime <= ANSWER_LIMIT.as_secs()).then_some(wire)
}

/// Starts the container and keeps it until `stopped`. A thread with a runtime of its own: removal must finish even
/// where the caller's future is dropped half way, and the caller's runtime may not be blocked for it.
fn hold(
    request: ContainerRequest<GenericImage>,
    report: oneshot::Sender<Result<(), String>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Without a receiver there is nobody to tell.
            let _ = report.send(Err(error.to_string()));
            return;
        }
    };
    runtime.block_on(async {
        sweep().await;
        let mut start = request.start();
        let started = tokio::select! {
            started = &mut start => started,
            _ = &mut stopped => match tokio::time::timeout(ABANDON_LIMIT, start).await {
                Ok(started) => started,
                Err(_) => return,
            },
        };
        let container = match started {
            Ok(container) => container,
            Err(error) => {
                let _ = report.send(Err(error.to_string()));
                return;
            }
        };
        if report.send(Ok(())).is_ok() {
            let _ = stopped.await;
        }
        // Fails where Docker has removed it already.
        let _ = container.rm().await;
    });
}

/// Removes containers whose owners were killed before these could see it. Best effort: what Docker does not do now, it
/// may do the next time, and that it does not answer is told where a container is started.
async fn sweep() {
    let Ok(docker) = docker_client_instance().await else { return };
    let label = format!("{MACHINE_LABEL}={}", node_name());
    let filter = HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filter).build();
    for container in docker.list_containers(Some(options)).await.unwrap_or_default() {
        let labels = container.labels.unwrap_or_default();
        let abandoned = labels.get(DIRECTORY_LABEL).is_some_and(|dir| is_ownerless(Path::new(dir)));
        if let Some(id) = container.id.filter(|_| abandoned) {
            let force = RemoveContainerOptionsBuilder::new().force(true).build();
            let _ = docker.remove_container(&id, Some(force)).await;
        }
    }
}

fn container(image: &str, specs: &[ServerSpec], shared_dir: &Path) -> ContainerRequest<GenericImage> {
    let (name, tag) = split_tag(image);
    GenericImage::new(name, tag)
        .with_entrypoint("sh")
        .with_cmd(["-c".to_owned(), script(specs)])
        .with_network("host")
        // Root: it writes logs into a directory of ours, which an image's own user may not.
        .with_user("0")
        .with_label(DIRECTORY_LABEL, shared_dir.to_string_lossy())
        .with_label(MACHINE_LABEL, node_name())
        .with_mount(Mount::bind_mount(shared_dir.to_string_lossy(), SHARED_DIR))
        .with_host_config_modifier(|host| host.auto_remove = Some(true))
        .with_startup_timeout(START_LIMIT)
}

/// `registry:5000/valkey` has no tag, `valkey:9` has one.
fn split_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

/// What the container's shell does: start every server, then wait for the pipe to close.
fn script(specs: &[ServerSpec]) -> String {
    let mut lines = vec![format!("exec 2>{SHARED_DIR}/shell.log")];
    for spec in specs {
        let dir = format!("/tmp/{}", spec.port);
        let arguments: Vec<String> = spec
            .arguments(&format!("{SHARED_DIR}/{}", log_name(spec)))
            .iter()
            .map(|argument| format!("'{argument}'"))
            .collect();
        lines.push(format!("mkdir -p {dir} && cd {dir} && valkey-server {} &", arguments.join(" ")));
    }
    lines.push(format!("(sleep {OWNER_SEEN_WITHIN_S}; : >{SHARED_DIR}/{PIPE}) &"));
    lines.push(format!("read -r _ <{SHARED_DIR}/{PIPE}"));
    lines.join("\n")
}

fn log_name(spec: &ServerSpec) -> String {
    format!("{}.log", spec.port)
}

/// Makes the pipe and holds its writing end. Opened for both directions, because opening for writing alone waits for
/// a reader.
fn make_pipe(dir: &Path) -> std::io::Result<File> {
    // Where the daemon maps users, the container's root is not the owner.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))?;
    let path = dir.join(PIPE);
    mkfifoat(CWD, &path, Mode::from_raw_mode(0o644))?;
    OpenOptions::new().read(true).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_registry_is_no_tag() {
        assert_eq!(split_tag("valkey/valkey:9"), ("valkey/valkey", "9"));
        assert_eq!(split_tag("host:5000/valkey"), ("host:5000/valkey", "latest"));
        assert_eq!(split_tag("valkey"), ("valkey", "latest"));
    }
}
