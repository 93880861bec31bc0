//! What every mode works with: the cluster, the workload on it, the claim paths, the clocks. Nothing that is
//! measured is kept in here.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use rand::seq::SliceRandom as _;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::driving::{Driver, LevelWatch};
use super::error::LoadError;
use super::faults::{Faults, Patience};
use super::planning::hex;
use super::progress::{Progress, SecondsTold};
use super::rendezvous::{Meeting, MeetingError, PartSetup};
use super::site::{Means, Site, alias, is_duet};
use super::timing::{AddedRtt, Draw, read_trace};
use crate::cluster::{Cluster, Library};
use crate::flowfabric::{LibraryVersion, Request as _};
use crate::machine::{Arranged, Arrangement, ServersAt};
use crate::workload::{Oversight, Slice};
use reclaim_analysis::json::ToJsonLine as _;
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{LibraryInfo, Recorder};
use reclaim_analysis::scenario::{Arrivals, Model, Scenario};

/// What a run works with.
pub struct RunSetup<'a> {
    /// Where claims go: one cluster, or those of the scenario in its order.
    pub clusters: &'a [Rc<Cluster>],
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
    /// Which of several generators this is; `None` for one alone.
    part: Option<&'a PartSetup>,
    /// This generator's link to the others; set once they have met.
    meeting: OnceCell<Meeting>,
    /// The clusters, the baseline's first. Only a server duet has more than one.
    pub sites: Vec<Site>,
    /// Ends the run where a primary does not answer any more.
    pub patience: Rc<Patience>,
    /// What the scenario does to the servers; `None` where it leaves them alone.
    pub faults: Option<Faults>,
    end: CancellationToken,
    /// Recorded arrivals; empty unless a trace is replayed.
    pub trace: Vec<Duration>,
    /// Where threads run while claims are made, and whether cores sleep.
    pub arrangement: Rc<Arrangement>,
    /// The simulated network, if there is one.
    pub added_rtt: Option<Rc<AddedRtt>>,
    /// The run's library; its version is known to all generators once they have met.
    pub library: RefCell<LibraryInfo>,
    /// Ends the run where its service level is hopelessly missed.
    pub level: Option<LevelWatch>,
    /// What whoever watches was told of the window.
    pub seconds_told: SecondsTold,
    pub started: SystemTime,
    pub begun: Instant,
}

impl<'a> Session<'a> {
    /// Looks at the cluster and gets the claim paths ready; writes nothing yet.
    pub async fn open(setup: &'a RunSetup<'a>, part: Option<&'a PartSetup>) -> Result<Self, LoadError> {
        let scenario = setup.scenario;
        let trace = match &scenario.load.model {
            Model::Open { arrivals: Arrivals::Trace { file }, .. } => read_trace(file)?,
            _ => Vec::new(),
        };
        let of_clusters = scenario.clusters();
        let (Some(cluster), true) = (setup.clusters.first(), setup.clusters.len() == of_clusters.len())
        else {
            return Err(LoadError::Clusters { needed: of_clusters.len(), have: setup.clusters.len() });
        };
        let arrangement = Arrangement::new(scenario.machine, servers_at(setup.clusters, cluster));
        let added = scenario.load.added_rtt;
        let added_rtt =
            (!added.is_zero()).then(|| AddedRtt::start(added)).transpose().map_err(LoadError::Pacer)?;
        let end = setup.cancel.child_token();
        let patience = Rc::new(Patience::new(end.clone()));
        let faults = Faults::new(cluster, scenario).map_err(|error| LoadError::Fault(Box::new(error)))?;
        let notify = |text: &str| setup.watch.note(text);
        let means = Means {
            added_rtt: added_rtt.as_ref(),
            patience: &patience,
            faults: faults.as_ref(),
            end: &end,
            notify: &notify,
        };
        let slice = part.map_or(Slice::WHOLE, |part| part.slice);
        let mut sites = Vec::with_capacity(of_clusters.len());
        for (cluster, of) in setup.clusters.iter().zip(&of_clusters) {
            let site = Site::open(cluster, of, (scenario, setup.seed, slice), &means).await?;
            if let Some(workers) = &site.workers {
                arrangement.beside(workers.pids());
            }
            sites.push(site);
        }
        let abort = scenario.slo.and_then(|slo| slo.abort);
        Ok(Self {
            setup,
            part,
            meeting: OnceCell::new(),
            sites,
            patience,
            faults,
            trace,
            arrangement,
            added_rtt,
            library: cluster.library().into(),
            level: abort.map(|limit| LevelWatch::new(limit, end.clone())),
            seconds_told: SecondsTold::default(),
            started: SystemTime::now(),
            begun: Instant::now(),
            end,
        })
    }

    /// The first cluster, for what is done on one alone. There is one at least: [`Self::open`] refuses none.
    pub fn first_site(&self) -> &Site {
        &self.sites[0]
    }

    /// Which of the run's executions are this generator's.
    pub fn slice(&self) -> Slice {
        self.part.map_or(Slice::WHOLE, |part| part.slice)
    }

    /// This generator among the others; `None` for one alone, and before they have met.
    pub fn meeting(&self) -> Option<&Meeting> {
        self.meeting.get()
    }

    /// Meets the other generators, where there are any. They must have the same plan, and the same scenario:
    /// what is not planned claim by claim, the number of workers for one, would only be missed when the
    /// records are put together.
    pub async fn meet(&self, plan_sha256: &str) -> Result<(), LoadError> {
        let Some(part) = self.part else { return Ok(()) };
        self.watch().note(&format!("{} of rendezvous {}: meeting the others", part.slice, part.name));
        let shared = with_scenario(plan_sha256, self.scenario());
        let met = Meeting::meet(part, self.setup.clusters, &shared, &self.end).await?;
        self.arrangement.share_with(met.neighbours());
        self.library.replace(self.first_site().cluster.library());
        // Nobody else sets it.
        let _ = self.meeting.set(met);
        Ok(())
    }

    /// The run's options.
    pub fn scenario(&self) -> &'a Scenario {
        self.setup.scenario
    }

    /// Who watches.
    pub fn watch(&self) -> &'a dyn Progress {
        self.setup.watch
    }

    /// Whether somebody asked for the end, or the service level did: what is there is a part of what was
    /// wanted, and right.
    pub fn interrupted(&self) -> bool {
        self.end.is_cancelled() && self.lost().is_none()
    }

    /// What the run cannot go on without: a primary that answers, workers that claim.
    pub fn lost(&self) -> Option<LoadError> {
        let worker = || self.sites.iter().find_map(|site| site.workers.as_ref()?.failure());
        let meeting = || {
            let failure = self.meeting()?.failure()?;
            (failure != MeetingError::Interrupted).then_some(LoadError::Meeting(failure))
        };
        self.patience.lost().map(LoadError::from).or_else(worker).or_else(meeting)
    }

    /// Ends the run in order: on request, because a primary is silent, or because its level is hopelessly
    /// missed.
    pub fn cancel(&self) -> &CancellationToken {
        &self.end
    }

    /// What the workload does until Ctrl-C, without showing how far it is.
    pub fn quietly(&self) -> Oversight<'_> {
        Oversight::quiet(&self.end)
    }

    /// What a schedule is drawn with; `part` tells the windows of a run apart.
    pub fn draw<'d>(&'d self, rate_per_sec: f64, part: &'d str) -> Draw<'d> {
        Draw { rate_per_sec, seed: self.setup.seed, part, trace: &self.trace }
    }

    /// The driver for this session's claims, recording there.
    pub fn driver<'d>(&'d self, recorder: &'d RefCell<Recorder>) -> Driver<'d> {
        Driver {
            seats: self.sites.iter().map(Site::seat).collect(),
            twin: self.sites.iter().find_map(|site| site.twin.as_ref()),
            lease_ttl: self.scenario().grant.lease_ttl,
            contenders: self.scenario().load.contenders,
            recorder,
            level: self.level.as_ref(),
            faults: self.faults.as_ref().map(|faults| faults.log.as_ref()),
            cancel: self.cancel(),
        }
    }

    /// Processes of all servers that are ours.
    pub fn server_pids(&self) -> Vec<u32> {
        self.sites.iter().flat_map(|site| site.cluster.server_pids()).collect()
    }

    /// Threads on their cores and cores awake, until what this returns is dropped.
    pub fn arrange(&self) -> Arranged {
        self.arrangement.window(&self.server_pids())
    }

    /// Until [`Self::end_warmup`] no response time ends the run.
    pub fn begin_warmup(&self) {
        if let Some(level) = &self.level {
            level.disregard();
        }
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

    /// Loads the libraries of a duet, before an execution exists: one that lacks a function is found here. By
    /// arm; `None` where the arms share a library, and nothing is loaded.
    ///
    /// Every arm gets a copy of its own, the baseline too, and the seed draws their order: what is loaded
    /// last lies elsewhere in the server's memory, which shows at half a per cent.
    pub async fn load_arm_libraries(&self) -> Result<Vec<Option<LibraryInfo>>, LoadError> {
        let scenario = self.scenario();
        let mut libraries = vec![None; scenario.variants.len()];
        if !is_duet(scenario) {
            return Ok(libraries);
        }
        let mut arms: Vec<usize> = (0..scenario.variants.len()).collect();
        arms.shuffle(&mut stream(self.setup.seed, "libraries"));
        for arm in arms {
            let variant = &scenario.variants[arm];
            // Everything but claims is the run's own library's.
            let library = Library::read(variant.library.as_ref().unwrap_or(&scenario.library))?
                .needing(&[variant.path.function(), LibraryVersion::WHAT]);
            // The first generator loads them, before anybody's first claim.
            libraries[arm] = Some(if self.slice().leads() {
                let alias = alias(scenario, arm);
                self.first_site().cluster.load_under_alias(&library, alias, variant.instrumented).await?
            } else {
                library.info()
            });
        }
        Ok(libraries)
    }
}

/// SHA-256 of a plan and of the scenario that it is of, its options applied.
fn with_scenario(plan_sha256: &str, scenario: &Scenario) -> String {
    let mut hash = Sha256::new();
    hash.update(plan_sha256);
    // Its fields are numbers, texts and lists of these: there is nothing in it that has no JSON.
    hash.update(scenario.file().to_json_line().unwrap_or_default());
    hex(&hash.finalize())
}

/// Where the servers of all clusters are. Only such as are ours, or another generator's on this machine, run
/// as several clusters.
fn servers_at(clusters: &[Rc<Cluster>], first: &Cluster) -> ServersAt {
    match clusters.iter().map(|cluster| cluster.server_pids().len()).sum() {
        0 => first.servers_at(),
        count => ServersAt::Ours { count },
    }
}
