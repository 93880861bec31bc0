//! Keeps containers: starts them, does things to their processes and networks while they run, removes all of
//! it at the end.
//!
//! A thread with a runtime of its own: removal must finish even where the caller's future is dropped half
//! way, and the caller's runtime may not be blocked for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::future::join_all;
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};

use super::docker;
use super::networks::{self, Addresses, Networks};
use super::owned_dir::is_ownerless;
use super::server_arguments::ServerSpec;
use crate::machine::node_name;
use reclaim_analysis::scenario::CutFrom;

/// Labels of everything: its owner's directory, and the machine that this is on, for several may share one
/// daemon.
const DIRECTORY_LABEL: &str = "reclaim-bench.directory";
const MACHINE_LABEL: &str = "reclaim-bench.machine";

/// For a start that is under way when it is no longer wanted.
const ABANDON_LIMIT: Duration = Duration::from_secs(10);

/// For Docker, where it is only asked what is left.
const SWEEP_LIMIT: Duration = Duration::from_secs(20);

/// What is to be started.
pub(super) struct ContainerPlan {
    pub(super) specs: Vec<ServerSpec>,
    /// The owner's directory, which every container has.
    pub(super) dir: PathBuf,
    /// Whether each server has a container of its own, on networks that it can be taken off.
    pub(super) apart: bool,
    /// The container for some of the servers; on this network, or on the machine's.
    pub(super) container: fn(&ContainerPlan, &[ServerSpec], Option<&str>) -> ContainerCreateBody,
    pub(super) image: String,
}

impl ContainerPlan {
    /// What everything of it is found by.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        [(DIRECTORY_LABEL, self.dir.to_string_lossy().into_owned()), (MACHINE_LABEL, node_name())]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }
}

/// What has been started: each server as it runs, with its addresses where it has any of its own.
pub(super) type RunningServers = Vec<(ServerSpec, Option<Addresses>)>;

/// Something to be done.
struct ContainerRequest {
    /// In which container.
    place: usize,
    what: What,
    /// Who waits for it.
    done: Option<oneshot::Sender<Result<(), String>>>,
}

enum What {
    /// A shell's commands; ending well is doing it.
    Run(String),
    Cut(CutFrom),
    Join,
}

/// Has things done in and to containers.
#[derive(Clone, Debug)]
pub(super) struct ContainerThread(mpsc::UnboundedSender<ContainerRequest>);

/// The thread's side of its requests.
pub(super) struct ContainerRequests(mpsc::UnboundedReceiver<ContainerRequest>);

impl ContainerThread {
    pub(super) fn new() -> (Self, ContainerRequests) {
        let (orders, asked) = mpsc::unbounded_channel();
        (Self(orders), ContainerRequests(asked))
    }

    /// Sends a signal to a process by the number that it has in its container.
    pub(super) async fn signal(&self, place: usize, pid: u32, signal: Signal) -> Result<(), String> {
        self.ask(place, What::Run(kill(pid, signal))).await
    }

    /// The same, without waiting for it.
    pub(super) fn post_signal(&self, place: usize, pid: u32, signal: Signal) {
        self.post(place, What::Run(kill(pid, signal)));
    }

    /// Whether a process has ended; one that nobody has waited for is no process any more.
    pub(super) async fn has_ended(&self, place: usize, pid: u32) -> bool {
        let alive = format!("read -r _ _ state _ 2>/dev/null </proc/{pid}/stat && [ \"$state\" != Z ]");
        self.ask(place, What::Run(format!("if {{ {alive}; }} 2>/dev/null; then exit 1; fi"))).await.is_ok()
    }

    /// Runs a shell's commands in a container.
    pub(super) async fn run(&self, place: usize, commands: String) -> Result<(), String> {
        self.ask(place, What::Run(commands)).await
    }

    /// Takes a container off its networks.
    pub(super) async fn cut(&self, place: usize, from: CutFrom) -> Result<(), String> {
        self.ask(place, What::Cut(from)).await
    }

    /// Reconnects this server's container to the networks it was cut off from.
    pub(super) async fn join(&self, place: usize) -> Result<(), String> {
        self.ask(place, What::Join).await
    }

    /// The same, without waiting for it.
    pub(super) fn post_join(&self, place: usize) {
        self.post(place, What::Join);
    }

    async fn ask(&self, place: usize, what: What) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        let gone = || "the container is gone".to_owned();
        self.0.send(ContainerRequest { place, what, done: Some(done) }).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    fn post(&self, place: usize, what: What) {
        // A container that is gone has neither processes nor networks.
        let _ = self.0.send(ContainerRequest { place, what, done: None });
    }
}

fn kill(pid: u32, signal: Signal) -> String {
    format!("kill -{} {pid}", signal.as_raw())
}

/// Starts what is planned and keeps it until `stopped`.
pub(super) fn keep(
    plan: &ContainerPlan,
    report: oneshot::Sender<Result<RunningServers, String>>,
    (mut stopped, ContainerRequests(mut orders)): (oneshot::Receiver<()>, ContainerRequests),
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
        // A daemon that does not answer holds up nobody who does not want it any more.
        let connected = tokio::select! {
            connected = docker::connect() => connected,
            _ = &mut stopped => Err("it was given up".to_owned()),
        };
        let mut kept = match connected {
            Ok(docker) => Kept { docker, containers: Vec::new(), networks: None },
            Err(error) => {
                // Without a receiver there is nobody to tell.
                let _ = report.send(Err(error));
                return;
            }
        };
        let started = {
            let start = kept.start(plan);
            tokio::pin!(start);
            tokio::select! {
                started = &mut start => started,
                _ = &mut stopped => match tokio::time::timeout(ABANDON_LIMIT, start).await {
                    Ok(started) => started,
                    Err(_) => Err("it was given up".to_owned()),
                },
            }
        };
        let runs = started.is_ok();
        if report.send(started).is_ok() && runs {
            loop {
                tokio::select! {
                    _ = &mut stopped => break,
                    Some(ContainerRequest { place, what, done }) = orders.recv() => {
                        let answer = kept.carry_out(place, what).await;
                        if let Some(done) = done {
                            // Whoever asked may not wait any more.
                            let _ = done.send(answer);
                        }
                    }
                }
            }
        }
        kept.remove().await;
    });
}

/// Containers that run, and their networks.
struct Kept {
    docker: Docker,
    /// Their ids.
    containers: Vec<String>,
    networks: Option<Networks>,
}

impl Kept {
    async fn start(&mut self, plan: &ContainerPlan) -> Result<RunningServers, String> {
        sweep(&self.docker).await;
        if !plan.apart {
            self.start_one(plan, &plan.specs, None).await?;
            return Ok(plan.specs.iter().map(|spec| (spec.clone(), None)).collect());
        }
        let prefix = plan.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let networks = self.networks.insert(Networks::make(&self.docker, &prefix, &plan.labels()).await?);
        let first = networks.first().to_owned();
        let mut started = RunningServers::new();
        for (position, spec) in plan.specs.iter().enumerate() {
            let announced =
                self.networks.as_ref().map(|networks| networks.announced(position)).transpose()?;
            let spec = ServerSpec { announced, ..spec.clone() };
            let container = self.start_one(plan, std::slice::from_ref(&spec), Some(&first)).await?;
            let addresses = match &mut self.networks {
                Some(networks) => Some(networks.admit(&container).await?),
                None => None,
            };
            started.push((spec, addresses));
        }
        Ok(started)
    }

    /// Starts a container with these servers; returns its id.
    async fn start_one(
        &mut self,
        plan: &ContainerPlan,
        specs: &[ServerSpec],
        network: Option<&str>,
    ) -> Result<String, String> {
        let id = docker::create(&self.docker, (plan.container)(plan, specs, network)).await?;
        self.containers.push(id.clone());
        docker::start(&self.docker, &id).await?;
        Ok(id)
    }

    async fn carry_out(&mut self, place: usize, what: What) -> Result<(), String> {
        let gone = || "there is no such container".to_owned();
        let no_networks = || "it has no network of its own".to_owned();
        match what {
            What::Run(commands) => {
                docker::run(&self.docker, self.containers.get(place).ok_or_else(gone)?, commands).await
            }
            What::Cut(from) => self.networks.as_mut().ok_or_else(no_networks)?.cut(place, from).await,
            What::Join => self.networks.as_mut().ok_or_else(no_networks)?.join(place).await,
        }
    }

    async fn remove(self) {
        // Fails where Docker has removed one already.
        let _ = join_all(self.containers.iter().map(|id| docker::remove(&self.docker, id))).await;
        if let Some(networks) = self.networks {
            networks.remove().await;
        }
    }
}

/// Removes what owners have left that were killed; for commands that start nothing. Says nothing where Docker
/// is not there.
pub(super) async fn sweep_left() {
    let swept = async {
        if let Ok(docker) = docker::connect().await {
            sweep(&docker).await;
        }
    };
    let _ = tokio::time::timeout(SWEEP_LIMIT, swept).await;
}

/// Removes containers and networks whose owners were killed before these could see it. Best effort: what
/// Docker does not do now, it may do the next time, and that it does not answer is told where a container is
/// started.
async fn sweep(docker: &Docker) {
    let label = format!("{MACHINE_LABEL}={}", node_name());
    let is_abandoned = |labels: &HashMap<String, String>| {
        labels.get(DIRECTORY_LABEL).is_some_and(|dir| is_ownerless(Path::new(dir)))
    };
    let filter = HashMap::from([("label", vec![label.as_str()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filter).build();
    for container in docker.list_containers(Some(options)).await.unwrap_or_default() {
        if let Some(id) = container.id.filter(|_| is_abandoned(&container.labels.unwrap_or_default())) {
            let _ = docker::remove(docker, &id).await;
        }
    }
    networks::sweep(docker, &label, is_abandoned).await;
}
