//! Several generators of one run: those that this process starts on its machine, and this process as one of
//! several.

use std::cell::RefCell;
use std::ffi::OsString;
use std::process::Stdio;
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::task::{JoinHandle, spawn_local};
use uuid::Uuid;

use super::error::CampaignError;
use super::watch::Watch;
use crate::cluster::{Cluster, ClusterRequest, Started, die_with_parent};
use crate::load::{self, Deaths, LoadError, MeetingError, PartSetup, RunSetup};
use crate::machine::own_program;
use crate::valkey::NodeAddr;
use crate::workload::Slice;
use reclaim_analysis::record::RunRecord;
use reclaim_analysis::scenario::ScenarioFile;

/// The hidden command of this program that is one of the generators.
pub const COMMAND: &str = "generator";

/// The code with which that command ends where the first generator has ended the run: the process that started
/// it reads it, and nobody else.
pub const ENDED_BY_FIRST: u8 = 4;

/// How long generators may take to end when the run is over.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Who makes the claims of a run.
#[derive(Clone, Debug, Default)]
pub enum Generators {
    /// This process.
    #[default]
    One,
    /// This process and others on this machine, which it starts.
    Started {
        /// How many all together.
        of: u32,
        /// Options by which they reach the cluster as this one does, beside its nodes.
        arguments: Vec<OsString>,
        /// How long they are waited for.
        wait: Duration,
    },
    /// This process among others that somebody else starts.
    Part(PartSetup),
}

impl Generators {
    /// How many there are.
    pub fn count(&self) -> u32 {
        match self {
            Self::One => 1,
            Self::Started { of, .. } => *of,
            Self::Part(part) => part.slice.generators(),
        }
    }
}

/// What a generator reads that this process starts: nothing in it can differ from what this one has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The scenario, with all options applied.
    #[serde(with = "reclaim_analysis::json")]
    pub scenario: ScenarioFile,
    /// Seed of everything random.
    pub seed: u64,
    /// The clusters, in the scenario's order.
    pub clusters: Vec<Joined>,
    /// Whether their servers are the first generator's own: nobody logs in to these.
    pub owned: bool,
}

/// A cluster that the first generator has got ready, as others on its machine find it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// Its primaries.
    pub nodes: Vec<NodeAddr>,
    /// What they were started from, where they are the first generator's children.
    pub started: Option<Started>,
}

impl Joined {
    fn to(cluster: &Cluster) -> Self {
        let primaries = cluster.topology();
        let nodes = primaries.primaries().iter().map(|primary| primary.addr.clone()).collect();
        Self { nodes, started: cluster.started_from() }
    }
}

/// The request of one of several generators for the cluster that the first one has got ready: it loads
/// nothing, marks nothing and removes nothing but what it writes itself.
pub(super) fn joining(request: &ClusterRequest) -> ClusterRequest {
    ClusterRequest { load_library: false, shared: true, announcement: None, ..request.clone() }
}

/// Whoever watches one of several generators sees a part of the load: said once, however many runs there are.
fn tell_whose(slice: Slice, watch: &dyn Watch) {
    static TOLD: Once = Once::new();
    let (part, of) = (slice.number(), slice.generators());
    if of > 1 {
        TOLD.call_once(|| {
            watch.note(&format!(
                "seconds, progress, events and metrics are of generator {part}'s claims, one part of {of}; the result is of all"
            ));
        });
    }
}

/// Makes the claims of a run: the records of all generators, in order.
pub(super) async fn claim(
    generators: &Generators,
    setup: RunSetup<'_>,
    watch: &dyn Watch,
) -> Result<Vec<RunRecord>, CampaignError> {
    match generators {
        Generators::One => Ok(vec![load::run(setup).await?]),
        Generators::Part(part) => {
            tell_whose(part.slice, watch);
            Ok(load::run_part(setup, part).await?)
        }
        Generators::Started { of, arguments, wait } => {
            let Some(slice) = Slice::new(1, *of) else { return Ok(vec![load::run(setup).await?]) };
            let name = format!("started-{}", Uuid::new_v4().simple());
            let part = PartSetup { slice, name, token: None, wait: *wait, deaths: Deaths::default() };
            let Some(cluster) = setup.clusters.first().map(Rc::clone) else { return Ok(Vec::new()) };
            let clusters = setup.clusters.iter().map(|cluster| Joined::to(cluster)).collect();
            let (scenario, seed) = (setup.scenario.file().clone(), setup.seed);
            let task = Task { scenario, seed, clusters, owned: cluster.owned() };
            let started = Children::start(&part, &cluster, &task, arguments)?;
            tell_whose(slice, watch);
            let made = load::run_part(setup, &part).await;
            if let Err(error @ LoadError::Meeting(MeetingError::CannotLead(_))) = made {
                // They would wait for it, and have written nothing.
                started.abandon();
                return Err(error.into());
            }
            let failed = started.end(watch).await;
            match (made, failed) {
                // It says why it has not come.
                (
                    Err(LoadError::Meeting(MeetingError::Missing { .. } | MeetingError::Died { .. })),
                    Some(failed),
                ) => Err(failed),
                (made, failed) => {
                    if let Some(failed) = failed {
                        watch.warn(&failed.to_string());
                    }
                    Ok(made?)
                }
            }
        }
    }
}

/// Finds out which part a process is that comes as any of so many: as [`PartSetup::slice`] and
/// [`PartSetup::token`].
pub(super) async fn any_of(
    cluster: &Rc<Cluster>,
    name: &str,
    of: u32,
) -> Result<(Slice, Option<String>), CampaignError> {
    let (number, token) = load::free_number(cluster, name, of).await.map_err(LoadError::from)?;
    let full = || LoadError::from(MeetingError::Full { name: name.to_owned(), of });
    Ok((Slice::new(number, of).ok_or_else(full)?, token))
}

/// Generators that this process has started. They end with it, however that ends.
struct Children {
    started: Vec<(u32, JoinHandle<()>)>,
    /// Those that failed, with what they said.
    deaths: Deaths,
    /// Those of them that ended because this process has ended the run.
    told_to_end: Rc<RefCell<Vec<u32>>>,
}

impl Children {
    /// Starts all but the first one.
    fn start(
        part: &PartSetup,
        cluster: &Cluster,
        task: &Task,
        arguments: &[OsString],
    ) -> Result<Self, CampaignError> {
        let of = part.slice.generators();
        let cannot = |part: u32| move |source| CampaignError::GeneratorStart { part, source };
        let program = own_program().map_err(cannot(2))?;
        let nodes = task.clusters.iter().take(1).flat_map(|first| &first.nodes);
        let nodes: Vec<String> = nodes.map(ToString::to_string).collect();
        let task = serde_json::to_vec(task).map_err(|error| cannot(2)(error.into()))?;
        let told_to_end = Rc::<RefCell<Vec<u32>>>::default();
        let mut children = Vec::new();
        for number in 2..=of {
            let mut command = Command::new(&program);
            command.arg(COMMAND).arg("--part").arg(format!("{number}/{of}"));
            command.arg("--rendezvous").arg(&part.name);
            command.arg("--rendezvous-wait").arg(format!("{}ms", part.wait.as_millis()));
            command.arg("--nodes").arg(nodes.join(",")).args(arguments);
            for (announced, reachable) in &cluster.access().map {
                command.arg("--map").arg(format!("{announced}={reachable}"));
            }
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
            // Ctrl-C in the terminal is for this process, which ends all of them in order.
            command.process_group(0);
            die_with_parent(command.as_std_mut());
            let mut child = command.spawn().map_err(cannot(number))?;
            let (input, task) = (child.stdin.take(), task.clone());
            let (deaths, told_to_end) = (part.deaths.clone(), Rc::clone(&told_to_end));
            let ended = async move {
                if let Some(mut input) = input {
                    // One that has ended says why.
                    let _ = input.write_all(&task).await;
                }
                let said = match child.wait_with_output().await {
                    Ok(output) if output.status.success() => return,
                    Ok(output) => {
                        if output.status.code() == Some(ENDED_BY_FIRST.into()) {
                            told_to_end.borrow_mut().push(number);
                        }
                        said(&output)
                    }
                    Err(error) => error.to_string(),
                };
                deaths.tell(number, said);
            };
            children.push((number, spawn_local(ended)));
        }
        Ok(Self { started: children, deaths: part.deaths.clone(), told_to_end })
    }

    /// Kills them.
    fn abandon(self) {
        self.started.iter().for_each(|(_, child)| child.abort());
    }

    /// Waits until all generators have ended and kills those that do not. Returns the message of the first
    /// generator that failed on its own.
    async fn end(mut self, watch: &dyn Watch) -> Option<CampaignError> {
        let until = tokio::time::Instant::now() + ENDS_WITHIN;
        for (part, child) in &mut self.started {
            if tokio::time::timeout_at(until, &mut *child).await.is_err() {
                watch.warn(&format!("generator {part} does not end and is killed"));
                child.abort();
            }
        }
        // Those that ended because this one said so have nothing to add.
        let told_to_end = self.told_to_end.borrow();
        let mut own = self.deaths.all().into_iter().filter(|(part, _)| !told_to_end.contains(part));
        let (part, said) = own.next()?;
        for (part, said) in own {
            watch.warn(&format!("generator {part}: {said}"));
        }
        Some(CampaignError::Generator { part, said })
    }
}

/// How one ended and what it said, on one line.
fn said(output: &std::process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    if text.is_empty() { format!("it ended with {}", output.status) } else { text.to_owned() }
}
