//! One run against a live cluster: what all modes share, from the first execution to the audit.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom as _;
use tokio_util::sync::CancellationToken;

use super::assemble;
use super::distance::{AddedRtt, Remote};
use super::driver::Driver;
use super::error::LoadError;
use super::meter::Meter;
use super::pacer::ThreadPacer;
use super::plan::{BlockPlan, StratumPlan};
use super::progress::{Phase, Progress};
use super::recovering::Recovering;
use super::run::RunSetup;
use super::schedule::{Draw, Schedule};
use super::trace;
use crate::claim::{ClaimPath, ClaimSetup, Reroutes, Routes, ServerClock, claim_path};
use crate::cluster::{Cluster, Library};
use crate::flowfabric::LibraryAlias;
use crate::workload::{Control, Workload, partitions};
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{
    Audit, CounterDelta, Fault, LibraryInfo, Offered, Recorder, RunRecord, Staging, StormRecord, Warning,
};
use reclaim_analysis::scenario::{Arrivals, Model, Scenario};

/// A block that was measured.
pub(super) struct MeasuredBlock {
    pub plan: BlockPlan,
    pub claims: u64,
    pub duration: Duration,
    pub counters: CounterDelta,
}

/// Everything that a run holds on to.
pub(super) struct Session<'a> {
    pub setup: &'a RunSetup<'a>,
    pub cluster: Rc<Cluster>,
    pub workload: Rc<Workload>,
    pub partitions: u16,
    pub paths: Vec<Rc<dyn ClaimPath>>,
    pub clock: ServerClock,
    /// Recorded arrivals; empty unless a trace is replayed.
    pub trace: Vec<Duration>,
    /// Windows so far, to tell their schedules apart.
    parts: u32,
    /// Whether the generator had real-time priority in every open loop so far; `None` without one.
    pub real_time: Cell<Option<bool>>,
    /// The simulated network, if there is one.
    pub distance: Option<Rc<AddedRtt>>,
    pub recorder: RefCell<Recorder>,
    pub meter: Meter,
    pub staging: Staging,
    /// The schedules of an open loop's window so far.
    pub offered: Option<Offered>,
    /// How a storm went.
    pub storm: Option<StormRecord>,
    pub grant_cpu_us: f64,
    pub strata: Vec<StratumPlan>,
    pub blocks: Vec<MeasuredBlock>,
    pub plan_sha256: String,
    pub audit: Audit,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Warning>,
    pub claims_by_primary: Vec<u64>,
    /// The run's library, and each arm's in a library duet.
    pub library: LibraryInfo,
    pub arm_libraries: Vec<Option<LibraryInfo>>,
    started: std::time::SystemTime,
    begun: Instant,
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
        let workload = Rc::new(Workload::new(Rc::clone(&cluster), scenario, setup.seed, partitions));
        let topology = cluster.topology();
        let first = topology.owner_of_slot(0);
        let clock = ServerClock::measure(&cluster.admin(first)).await.map_err(LoadError::Clock)?;
        let added = scenario.load.added_rtt;
        let distance =
            (!added.is_zero()).then(|| AddedRtt::start(added)).transpose().map_err(LoadError::Pacer)?;
        Ok(Self {
            setup,
            workload,
            partitions,
            paths: paths(scenario, &cluster, distance.as_ref(), clock),
            clock,
            trace,
            parts: 0,
            real_time: Cell::default(),
            distance,
            recorder: RefCell::new(
                Recorder::new(scenario.variants.len(), []).keeping_responses(scenario.load.model.is_ramp()),
            ),
            meter: Meter::new(Rc::clone(&cluster)),
            staging: Staging::default(),
            offered: None,
            storm: None,
            grant_cpu_us: 0.0,
            strata: Vec::new(),
            blocks: Vec::new(),
            plan_sha256: String::new(),
            audit: Audit::default(),
            faults: Vec::new(),
            warnings: Vec::new(),
            claims_by_primary: vec![0; topology.primaries().len()],
            library: cluster.library(),
            arm_libraries: vec![None; scenario.variants.len()],
            started: std::time::SystemTime::now(),
            begun: Instant::now(),
            cluster,
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

    /// Ends the run in order.
    pub fn cancel(&self) -> &'a CancellationToken {
        self.setup.cancel
    }

    /// A name for the schedule of the window that comes next.
    pub fn next_part(&mut self) -> String {
        self.parts += 1;
        (self.parts - 1).to_string()
    }

    /// What a schedule is drawn with.
    pub fn draw<'d>(&'d self, rate_per_sec: f64, part: &'d str) -> Draw<'d> {
        Draw { rate_per_sec, seed: self.setup.seed, part, trace: &self.trace }
    }

    /// Starts the clock of an open loop.
    pub fn pacer(&self, schedule: &Schedule) -> Result<ThreadPacer, LoadError> {
        let pacer = ThreadPacer::start(schedule).map_err(LoadError::Pacer)?;
        self.real_time.set(Some(pacer.real_time() && self.real_time.get() != Some(false)));
        Ok(pacer)
    }

    /// The driver for this session's claims.
    pub fn driver(&self) -> Driver<'_> {
        Driver {
            paths: &self.paths,
            worker: self.workload.worker(),
            lease_ttl: self.scenario().grant.lease_ttl,
            contenders: self.scenario().load.contenders,
            cancel: self.cancel(),
        }
    }

    /// Loads the libraries of a duet, before an execution exists: one that lacks a function is found here. Nothing to
    /// do where the arms share a library.
    ///
    /// Every arm gets a copy of its own, the baseline too, and the seed draws their order: what is loaded last lies
    /// elsewhere in the server's memory, which shows at half a per cent.
    pub async fn load_arm_libraries(&mut self) -> Result<(), LoadError> {
        let scenario = self.scenario();
        if !is_duet(scenario) {
            return Ok(());
        }
        let mut arms: Vec<usize> = (0..scenario.variants.len()).collect();
        arms.shuffle(&mut stream(self.setup.seed, "libraries"));
        for arm in arms {
            let source = scenario.variants[arm].library.as_ref().unwrap_or(&scenario.library);
            let loaded = self.cluster.load_under_alias(&Library::read(source)?, alias(scenario, arm)).await?;
            self.arm_libraries[arm] = Some(loaded);
        }
        Ok(())
    }

    /// What has been measured so far.
    pub fn record(&self, partial: bool) -> RunRecord {
        assemble::record(self, partial, self.started, self.begun.elapsed())
    }

    /// Reads everything back, removes it from a cluster that is not ours, and closes the record. Works on after the
    /// run was cancelled: what was written must not stay.
    pub async fn close(mut self) -> Result<RunRecord, LoadError> {
        let interrupted = self.cancel().is_cancelled();
        let go_on = CancellationToken::new();
        let watch = self.setup.watch;
        let progress = |done: u64, _: u64| watch.advance(done);
        let control = Control { cancel: &go_on, progress: &progress };
        watch.phase(Phase::Audit, None);
        match self.workload.audit(&control).await {
            Ok(audit) => self.audit = audit,
            Err(error) => self.fault("the audit could not be made", &error),
        }
        // Of a run that failed before its first claim there is nothing to keep.
        if self.recorder.borrow().claimed() > 0 {
            watch.snapshot(&self.record(interrupted));
        }
        if !self.cluster.owned() {
            watch.phase(Phase::Remove, None);
            match self.workload.remove(&control).await {
                Ok(removal) if removal.failures > 0 => {
                    self.warnings.push(Warning::LeftOver { keys: removal.failures });
                }
                Ok(_) => {}
                Err(error) => {
                    watch.note(&format!(
                        "cannot remove all that was written: {error}; run `reclaim-bench clean`"
                    ));
                    self.fault("what was written could not be removed", &error);
                }
            }
        }
        Ok(self.record(interrupted))
    }

    /// Notes an infrastructure error that makes the result invalid without ending the run.
    pub fn fault(&mut self, what: &str, error: &dyn std::error::Error) {
        self.faults.push(Fault::Infrastructure { detail: format!("{what}: {error}") });
    }
}

fn paths(
    scenario: &Scenario,
    cluster: &Rc<Cluster>,
    distance: Option<&Rc<AddedRtt>>,
    clock: ServerClock,
) -> Vec<Rc<dyn ClaimPath>> {
    let routes: Rc<dyn Reroutes> = match distance {
        None => Rc::clone(cluster) as Rc<dyn Reroutes>,
        Some(distance) => Rc::new(Remote { cluster: Rc::clone(cluster), distance: Rc::clone(distance) }),
    };
    let setup = ClaimSetup {
        routes: Rc::clone(&routes) as Rc<dyn Routes>,
        clock,
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
            Rc::new(Recovering { path, routes: Rc::clone(&routes) }) as Rc<dyn ClaimPath>
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
