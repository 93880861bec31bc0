//! One cluster of a run and what works on it: executions are created, granted, claimed and read back there.

use std::cell::Cell;
use std::rc::Rc;

use tokio_util::sync::CancellationToken;

use super::driving::{Ping, Seat, Twin};
use super::error::LoadError;
use super::faults::{Faults, Patience, Persisting, Recovering, Reopening};
use super::room::refuse_what_does_not_fit;
use super::timing::{AddedRtt, Remote};
use super::workers::Workers;
use crate::claim::{
    ClaimPath, ClaimSetup, Hand, Reroutes, Routes, Sdk, SdkError, SdkLogin, ServerClocks, claim_path,
    sdk_client_name, sdk_path,
};
use crate::cluster::Cluster;
use crate::flowfabric::LibraryAlias;
use crate::workload::{Slice, Workload, partitions};
use reclaim_analysis::record::{ServerReading, StartedServer, ValkeyInfo};
use reclaim_analysis::scenario::{ArmCluster, Scenario, VariantSpec};

/// One cluster of a run. All of them have the same executions.
pub(super) struct Site {
    pub cluster: Rc<Cluster>,
    pub workload: Rc<Workload>,
    pub partitions: u16,
    pub clocks: ServerClocks,
    /// The servers as the run found them.
    pub valkey: ValkeyInfo,
    /// What only a run with several clusters has of each.
    pub duet: Option<DuetSite>,
    /// The workers of an SDK duet.
    pub workers: Option<Workers>,
    /// The control's second worker, in an SDK duet.
    pub twin: Option<Twin>,
    paths: Vec<Rc<dyn ClaimPath>>,
    ruler: Ping,
}

/// One cluster of a server duet.
pub(super) struct DuetSite {
    /// Arms that claim on it; none on the control's.
    pub arms: Vec<usize>,
    pub started: StartedServer,
    /// What its primaries said of themselves before anything was written.
    pub before: Vec<ServerReading>,
}

impl Site {
    /// Looks at a cluster and gets the claim paths to it ready; writes nothing yet.
    pub async fn open(
        cluster: &Rc<Cluster>,
        of: &ArmCluster,
        (scenario, seed, slice): (&Scenario, u64, Slice),
        means: &Means<'_>,
    ) -> Result<Self, LoadError> {
        let partitions = partitions(cluster, scenario.population.partitions).await?;
        refuse_what_does_not_fit(cluster, scenario, partitions).await?;
        // The control makes the claims of the baseline.
        let baseline = [scenario.baseline()];
        let arms = if of.arms.is_empty() { &baseline[..] } else { &of.arms };
        refuse_missing_replicas(cluster, scenario, arms)?;
        let workload = Workload::of_part(Rc::clone(cluster), scenario, (seed, partitions), slice);
        let workload = Rc::new(workload);
        let clocks = ServerClocks::measure(cluster).await.map_err(LoadError::Clock)?;
        let routes = routes(cluster, means.added_rtt);
        let sdk = connect_sdk(cluster, scenario, &workload, partitions).await?;
        let workers =
            Workers::start((cluster, &workload), scenario, partitions, (means.notify, means.end)).await?;
        if workers.is_some() {
            cluster.befriend(SDK_MANAGEMENT);
        }
        let reopening = Rc::new(Reopening::new(Rc::clone(&routes)));
        let ways = Ways {
            means,
            sdk: sdk.as_ref(),
            workers: workers.as_ref(),
            routes: &routes,
            reopening: &reopening,
            clocks: &clocks,
        };
        let (paths, twin) = (paths(scenario, &ways), ways.twin(scenario));
        // Of no other run: one whose binary cannot say its version may be a script that starts a server.
        let started = of.server.as_ref().map(|_| cluster.started_server()).transpose()?.flatten();
        let duet = match started {
            Some(started) => {
                Some(DuetSite { arms: of.arms.clone(), started, before: cluster.readings().await? })
            }
            None => None,
        };
        Ok(Self {
            valkey: cluster.info(partitions),
            cluster: Rc::clone(cluster),
            ruler: Ping { routes, workload: Rc::clone(&workload) },
            workload,
            partitions,
            clocks,
            duet,
            workers,
            twin,
            paths,
        })
    }

    /// What the driver's claims on it have in common.
    pub fn seat(&self) -> Seat<'_> {
        Seat {
            paths: &self.paths,
            worker: self.workload.worker(),
            book: self.workload.as_ref(),
            ruler: &self.ruler,
        }
    }
}

/// What the SDK's client calls the connections over which it looks after the cluster from time to time,
/// whatever name it is given.
const SDK_MANAGEMENT: &str = "ferriskey_management_connection";

/// The worker that makes the claims of the SDK's variants; `None` without such a variant.
async fn connect_sdk(
    cluster: &Cluster,
    scenario: &Scenario,
    workload: &Workload,
    partitions: u16,
) -> Result<Option<Rc<Sdk>>, LoadError> {
    let built_in = |variant: &&VariantSpec| variant.path.is_sdk() && variant.sdk.is_none();
    let Some(variant) = scenario.variants.iter().find(built_in) else {
        return Ok(None);
    };
    let refused = |source| LoadError::Sdk { variant: variant.name.clone(), source };
    let access = cluster.access();
    if !access.map.is_empty() {
        return Err(refused(SdkError::Lacks(
            "way to reach nodes at other addresses than they announce (--map)",
        )));
    }
    if access.tls.as_ref().is_some_and(|tls| tls.cacert.is_some() || tls.cert.is_some()) {
        return Err(refused(SdkError::Lacks("certificates of one's own (--cacert, --cert)")));
    }
    let topology = cluster.topology();
    let client_name = sdk_client_name();
    cluster.befriend(&client_name);
    cluster.befriend(SDK_MANAGEMENT);
    let login = SdkLogin {
        addr: &topology.primaries()[0].addr,
        cluster: true,
        access,
        client_name: &client_name,
        worker: workload.worker(),
        lease_ttl: scenario.grant.lease_ttl,
        partitions,
    };
    Sdk::connect(&login).await.map(|sdk| Some(Rc::new(sdk))).map_err(refused)
}

/// Refuses a wait for more replicas than a primary has: it would always last until its end. `arms` are those
/// that claim on this cluster.
fn refuse_missing_replicas(cluster: &Cluster, scenario: &Scenario, arms: &[usize]) -> Result<(), LoadError> {
    let here = arms.iter().map(|arm| &scenario.variants[*arm]);
    let wanted = here.filter_map(|variant| Some((&variant.name, variant.wait?.replicas)));
    let Some((variant, wanted)) = wanted.max_by_key(|(_, replicas)| *replicas) else { return Ok(()) };
    match cluster.topology().primaries().iter().find(|primary| primary.replicas < u32::from(wanted)) {
        None => Ok(()),
        Some(primary) => Err(LoadError::TooFewReplicas {
            variant: variant.clone(),
            wanted,
            addr: primary.addr.clone(),
            has: primary.replicas,
        }),
    }
}

/// The cluster, as far away as the scenario wants it.
fn routes(cluster: &Rc<Cluster>, added_rtt: Option<&Rc<AddedRtt>>) -> Rc<dyn Reroutes> {
    match added_rtt {
        None => Rc::clone(cluster) as Rc<dyn Reroutes>,
        Some(added_rtt) => Rc::new(Remote { cluster: Rc::clone(cluster), added_rtt: Rc::clone(added_rtt) }),
    }
}

/// What claims are made with, on whichever cluster.
pub(super) struct Means<'a> {
    /// The simulated network, if there is one.
    pub added_rtt: Option<&'a Rc<AddedRtt>>,
    pub patience: &'a Rc<Patience>,
    pub faults: Option<&'a Faults>,
    pub end: &'a CancellationToken,
    /// Where it is said what is waited for.
    pub notify: &'a dyn Fn(&str),
}

/// What claims on one cluster are made with.
struct Ways<'a> {
    means: &'a Means<'a>,
    /// The worker of FlowFabric's SDK; `None` where no variant is its.
    sdk: Option<&'a Rc<Sdk>>,
    /// The workers of an SDK duet.
    workers: Option<&'a Workers>,
    routes: &'a Rc<dyn Reroutes>,
    /// For all ways together.
    reopening: &'a Rc<Reopening>,
    clocks: &'a ServerClocks,
}

impl Ways<'_> {
    fn setup(&self, scenario: &Scenario) -> ClaimSetup {
        ClaimSetup {
            contended: scenario.load.contenders > 1,
            task_context: scenario.load.task_context,
            ..ClaimSetup::plain(Rc::clone(self.routes) as Rc<dyn Routes>, self.clocks.clone())
        }
    }

    /// A way of claiming that finds out what became of claims without a reply.
    fn recovering(&self, path: Box<dyn ClaimPath>) -> Rc<dyn ClaimPath> {
        let (routes, clocks) = (Rc::clone(self.routes), self.clocks.clone());
        let patience = Rc::clone(self.means.patience);
        match self.means.faults {
            None => {
                let reopening = Rc::clone(self.reopening);
                Rc::new(Recovering { path, routes, clocks, patience, reopening })
            }
            Some(faults) => Rc::new(Persisting {
                path,
                routes,
                clocks,
                patience,
                log: Rc::clone(&faults.log),
                follower: Rc::clone(&faults.follower),
                cancel: self.means.end.clone(),
            }),
        }
    }

    /// The control's second worker, where there is one.
    fn twin(&self, scenario: &Scenario) -> Option<Twin> {
        let workers = self.workers?;
        let path = self.recovering(workers.twin.as_ref()?.claims(self.setup(scenario)));
        Some(Twin { arm: workers.baseline as u8, path, turn: Cell::new(false) })
    }
}

fn paths(scenario: &Scenario, ways: &Ways<'_>) -> Vec<Rc<dyn ClaimPath>> {
    let path = |(arm, variant): (usize, &VariantSpec)| {
        let setup = ClaimSetup { library: alias(scenario, arm), wait: variant.wait, ..ways.setup(scenario) };
        let hand: Option<&Rc<Hand>> = ways.workers.and_then(|workers| workers.arms.get(arm));
        ways.recovering(match (hand, ways.sdk.filter(|_| variant.path.is_sdk())) {
            (Some(hand), _) => hand.claims(setup),
            (None, Some(worker)) => sdk_path(variant.path, worker, setup),
            (None, None) => claim_path(variant.path, setup),
        })
    };
    scenario.variants.iter().enumerate().map(path).collect()
}

/// Whether the arms differ in their function library.
pub(super) fn is_duet(scenario: &Scenario) -> bool {
    scenario.variants.iter().any(|variant| variant.library.is_some() || variant.instrumented)
}

/// Under which names an arm finds the functions that it calls.
pub(super) fn alias(scenario: &Scenario, arm: usize) -> LibraryAlias {
    // Scenarios have at most 32 arms.
    let copy = is_duet(scenario).then(|| LibraryAlias::for_arm(arm)).flatten();
    copy.unwrap_or(LibraryAlias::OWN)
}
