//! What every mode works with: the cluster, the workload on it, the claim paths, the clocks. Nothing in here changes
//! while a run measures.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use rand::seq::SliceRandom as _;
use tokio_util::sync::CancellationToken;

use super::added_rtt::{AddedRtt, Remote};
use super::driver::Driver;
use super::error::LoadError;
use super::level::LevelWatch;
use super::memory::refuse_what_does_not_fit;
use super::patience::Patience;
use super::progress::Progress;
use super::recovering::Recovering;
use super::ruler::BareCall;
use super::schedule::Draw;
use super::trace;
use crate::claim::{ClaimPath, ClaimSetup, Reroutes, Routes, ServerClocks, claim_path};
use crate::cluster::{Cluster, Library};
use crate::flowfabric::LibraryAlias;
use crate::machine::{Arranged, Arrangement};
use crate::workload::{Control, Workload, partitions};
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{LibraryInfo, Recorder};
use reclaim_analysis::scenario::{Arrivals, Model, Scenario};

/// What a run works with.
pub struct RunSetup<'a> {
    /// Where claims go.
    pub cluster: &'a Rc<Cluster>,
    /// What to do.
    pub scenario: &'a Scenario,
    /// Seed of every random stream.
    pub seed: u64,
    /// Who watches.
    pub watch: &'a dyn Progress,
    /// Ends the run in order: claims in flight end, everything is audited and removed, the record is partial.
    pub cancel: &'a CancellationToken,
}

/// One run against a live cluster.
pub(super) struct Session<'a> {
    pub setup: &'a RunSetup<'a>,
    pub cluster: Rc<Cluster>,
    pub workload: Rc<Workload>,
    pub partitions: u16,
    pub paths: Vec<Rc<dyn ClaimPath>>,
    pub ruler: BareCall,
    pub clocks: ServerClocks,
    /// With primaries that do not answer.
    pub patience: Rc<Patience>,
    end: CancellationToken,
    /// Recorded arrivals; empty unless a trace is replayed.
    pub trace: Vec<Duration>,
    /// Where threads run while claims are made, and whether cores sleep.
    pub arrangement: Rc<Arrangement>,
    /// The simulated network, if there is one.
    pub added_rtt: Option<Rc<AddedRtt>>,
    /// The run's library.
    pub library: LibraryInfo,
    /// Ends the run where its service level is hopelessly missed.
    pub level: Option<LevelWatch>,
    pub started: SystemTime,
    pub begun: Instant,
}

impl<'a> Session<'a> {
    /// Looks at the cluster and gets the claim paths ready; writes nothing yet.
    pub async fn open(setup: &'a RunSetup<'a>) -> Result<Self, LoadError> {
        let scenario = setup.scenario;
        let trace = match &scenario.load.model {
            Model::Open { arrivals: Arrivals::Trace { file }, .. } => trace::read(file)?,
            _ => Vec::new(),
        };
        let cluster = Rc::clone(setup.cluster);
        let partitions = partitions(&cluster, scenario.population.partitions).await?;
        refuse_what_does_not_fit(&cluster, scenario, partitions).await?;
        let workload = Rc::new(Workload::new(Rc::clone(&cluster), scenario, setup.seed, partitions));
        let clocks = ServerClocks::measure(&cluster).await.map_err(LoadError::Clock)?;
        let arrangement = Arrangement::new(scenario.machine, cluster.servers_at());
        let added = scenario.load.added_rtt;
        let added_rtt =
            (!added.is_zero()).then(|| AddedRtt::start(added)).transpose().map_err(LoadError::Pacer)?;
        let routes = routes(&cluster, added_rtt.as_ref());
        let end = setup.cancel.child_token();
        let patience = Rc::new(Patience::new(end.clone()));
        let abort = scenario.slo.and_then(|slo| slo.abort);
        Ok(Self {
            setup,
            partitions,
            paths: paths(scenario, &routes, &clocks, &patience),
            ruler: BareCall { routes, workload: Rc::clone(&workload) },
            workload,
            clocks,
            patience,
            trace,
            arrangement,
            added_rtt,
            library: cluster.library(),
            level: abort.map(|limit| LevelWatch::new(limit, end.clone())),
            started: SystemTime::now(),
            begun: Instant::now(),
            cluster,
            end,
        })
    }

    /// The run's options.
    pub fn scenario(&self) -> &'a Scenario {
        self.setup.scenario
    }

    /// Who watches.
    pub fn watch(&self) -> &'a dyn Progress {
        self.setup.watch
    }

    /// Whether somebody asked for the end, or the service level did: what is there is a part of what was wanted, and right.
    pub fn interrupted(&self) -> bool {
        self.end.is_cancelled() && self.patience.lost().is_none()
    }

    /// Ends the run in order: on request, because a primary is silent, or because its level is hopelessly missed.
    pub fn cancel(&self) -> &CancellationToken {
        &self.end
    }

    /// What the workload does until Ctrl-C, without showing how far it is.
    pub fn quietly(&self) -> Control<'_> {
        Control { cancel: &self.end, progress: &|_, _| () }
    }

    /// What a schedule is drawn with; `part` tells the windows of a run apart.
    pub fn draw<'d>(&'d self, rate_per_sec: f64, part: &'d str) -> Draw<'d> {
        Draw { rate_per_sec, seed: self.setup.seed, part, trace: &self.trace }
    }

    /// The driver for this session's claims, recording there.
    pub fn driver<'d>(&'d self, recorder: &'d RefCell<Recorder>) -> Driver<'d> {
        Driver {
            paths: &self.paths,
            worker: self.workload.worker(),
            lease_ttl: self.scenario().grant.lease_ttl,
            contenders: self.scenario().load.contenders,
            book: self.workload.as_ref(),
            ruler: &self.ruler,
            recorder,
            level: self.level.as_ref(),
            cancel: self.cancel(),
        }
    }

    /// Threads on their cores and cores awake, until what this returns is dropped.
    pub fn arrange(&self) -> Arranged {
        self.arrangement.window(&self.cluster.server_pids())
    }

    /// Forgets the warm-up: how long a simulated network held replies back, and response times.
    pub fn end_warmup(&self) {
        if let Some(level) = &self.level {
            level.forget();
        }
        if let Some(added_rtt) = &self.added_rtt {
            added_rtt.forget();
        }
    }

    /// Loads the libraries of a duet, before an execution exists: one that lacks a function is found here. By arm;
    /// `None` where the arms share a library, and nothing is loaded.
    ///
    /// Every arm gets a copy of its own, the baseline too, and the seed draws their order: what is loaded last lies
    /// elsewhere in the server's memory, which shows at half a per cent.
    pub async fn load_arm_libraries(&self) -> Result<Vec<Option<LibraryInfo>>, LoadError> {
        let scenario = self.scenario();
        let mut libraries = vec![None; scenario.variants.len()];
        if !is_duet(scenario) {
            return Ok(libraries);
        }
        let mut arms: Vec<usize> = (0..scenario.variants.len()).collect();
        arms.shuffle(&mut stream(self.setup.seed, "libraries"));
        for arm in arms {
            let source = scenario.variants[arm].library.as_ref().unwrap_or(&scenario.library);
            let loaded = self.cluster.load_under_alias(&Library::read(source)?, alias(scenario, arm)).await?;
            libraries[arm] = Some(loaded);
        }
        Ok(libraries)
    }
}

/// The cluster, as far away as the scenario wants it.
fn routes(cluster: &Rc<Cluster>, added_rtt: Option<&Rc<AddedRtt>>) -> Rc<dyn Reroutes> {
    match added_rtt {
        None => Rc::clone(cluster) as Rc<dyn Reroutes>,
        Some(added_rtt) => Rc::new(Remote { cluster: Rc::clone(cluster), added_rtt: Rc::clone(added_rtt) }),
    }
}

fn paths(
    scenario: &Scenario,
    routes: &Rc<dyn Reroutes>,
    clocks: &ServerClocks,
    patience: &Rc<Patience>,
) -> Vec<Rc<dyn ClaimPath>> {
    let setup = ClaimSetup {
        routes: Rc::clone(routes) as Rc<dyn Routes>,
        clocks: clocks.clone(),
        library: LibraryAlias::OWN,
        contended: scenario.load.contenders > 1,
        task_context: scenario.load.task_context,
    };
    scenario
        .variants
        .iter()
        .enumerate()
        .map(|(arm, variant)| {
            let setup = ClaimSetup { library: alias(scenario, arm), ..setup.clone() };
            let path = claim_path(variant.path, setup);
            Rc::new(Recovering {
                path,
                routes: Rc::clone(routes),
                clocks: clocks.clone(),
                patience: Rc::clone(patience),
            }) as Rc<dyn ClaimPath>
        })
        .collect()
}

/// Whether the arms differ in their function library.
fn is_duet(scenario: &Scenario) -> bool {
    scenario.variants.iter().any(|variant| variant.library.is_some())
}

/// Under which names an arm finds the functions that it calls.
fn alias(scenario: &Scenario, arm: usize) -> LibraryAlias {
    // Scenarios have at most 32 arms.
    let copy = is_duet(scenario).then(|| LibraryAlias::for_arm(arm)).flatten();
    copy.unwrap_or(LibraryAlias::OWN)
}
