//! One run against a live cluster: what all modes share, from the first execution to the audit.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::assemble;
use super::driver::Driver;
use super::error::LoadError;
use super::meter::Meter;
use super::plan::{BlockPlan, StratumPlan, arms_stay_apart};
use super::progress::{Phase, Progress};
use super::recovering::Recovering;
use super::run::RunSetup;
use crate::claim::{ClaimPath, ClaimSetup, ServerClock, claim_path};
use crate::cluster::{Cluster, ClusterError, Library};
use crate::measure::{Audit, CounterDelta, Fault, LibraryInfo, Recorder, RunRecord, Staging, Warning};
use crate::scenario::Scenario;
use crate::workload::{Control, Workload, partitions};

/// A block that was measured.
pub(super) struct MeasuredBlock {
    pub plan: BlockPlan,
    pub claims: u64,
    pub duration: Duration,
    pub counters: CounterDelta,
}

/// The sources of a library duet, read once.
struct Duet {
    /// What everything but a block of claims runs with.
    own: Library,
    /// By arm.
    arms: Vec<Library>,
}

/// Everything that a run holds on to.
pub(super) struct Session<'a> {
    pub setup: &'a RunSetup<'a>,
    pub cluster: Rc<Cluster>,
    pub workload: Rc<Workload>,
    pub partitions: u16,
    pub paths: Vec<Rc<dyn ClaimPath>>,
    pub clock: ServerClock,
    pub recorder: RefCell<Recorder>,
    pub meter: Meter,
    pub staging: Staging,
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
    duet: Option<Duet>,
    started: std::time::SystemTime,
    begun: Instant,
}

impl<'a> Session<'a> {
    /// Looks at the cluster and gets the claim paths ready; writes nothing yet.
    pub async fn open(setup: &'a RunSetup<'a>) -> Result<Self, LoadError> {
        let scenario = setup.scenario;
        let cluster = Rc::clone(setup.cluster);
        let partitions = partitions(&cluster, scenario.population.partitions).await?;
        let workload = Rc::new(Workload::new(Rc::clone(&cluster), scenario, setup.seed, partitions));
        let topology = cluster.topology();
        let first = topology.owner_of_slot(0);
        let clock = ServerClock::measure(&cluster.admin(first)).await.map_err(LoadError::Clock)?;
        Ok(Self {
            setup,
            workload,
            partitions,
            paths: paths(scenario, &cluster, clock),
            clock,
            recorder: RefCell::new(Recorder::new(scenario.variants.len(), [])),
            meter: Meter::new(Rc::clone(&cluster)),
            staging: Staging::default(),
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
            duet: None,
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

    /// Gets the libraries of a duet ready: each is loaded once, so that one that lacks a function is found before an
    /// execution exists. Nothing to do where the arms share a library.
    pub async fn try_libraries(&mut self) -> Result<(), LoadError> {
        let scenario = self.scenario();
        if !arms_stay_apart(scenario) {
            return Ok(());
        }
        if !self.cluster.owned() {
            return Err(ClusterError::NotOurs("comparing two function libraries").into());
        }
        let own = Library::read(&scenario.library)?;
        let mut arms = Vec::with_capacity(scenario.variants.len());
        for (variant, info) in scenario.variants.iter().zip(&mut self.arm_libraries) {
            let library = Library::read(variant.library.as_ref().unwrap_or(&scenario.library))?;
            *info = Some(self.cluster.swap_library(&library).await?);
            arms.push(library);
        }
        self.duet = Some(Duet { own, arms });
        self.load_own_library().await
    }

    /// Makes every primary run the run's own library again, for all that is no claim of an arm.
    pub async fn load_own_library(&self) -> Result<(), LoadError> {
        if let Some(duet) = &self.duet {
            self.cluster.swap_library(&duet.own).await?;
        }
        Ok(())
    }

    /// Makes every primary run the library that an arm is measured with. It is loaded even where it runs already: a
    /// block that follows one of the same arm must not be spared what every other block goes through.
    pub async fn load_library_of(&self, arm: u8) -> Result<(), LoadError> {
        if let Some(duet) = &self.duet {
            self.cluster.swap_library(&duet.arms[usize::from(arm)]).await?;
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
        let record_before_removal = self.record(interrupted);
        watch.snapshot(&record_before_removal);
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

fn paths(scenario: &Scenario, cluster: &Rc<Cluster>, clock: ServerClock) -> Vec<Rc<dyn ClaimPath>> {
    let setup = ClaimSetup {
        routes: Rc::clone(cluster) as Rc<dyn crate::claim::Routes>,
        clock,
        contended: scenario.load.contenders > 1,
        task_context: scenario.load.task_context,
    };
    scenario
        .variants
        .iter()
        .map(|variant| {
            let path = claim_path(variant.path, setup.clone());
            Rc::new(Recovering { path, routes: Rc::clone(cluster) }) as Rc<dyn ClaimPath>
        })
        .collect()
}
