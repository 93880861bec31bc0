//! The workers of an SDK duet: one process for each arm, and one more of the baseline for the control.

use std::rc::Rc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::LoadError;
use crate::claim::{Hand, Program, WorkerError, WorkerLogin, WorkerProcess, program, sdk_client_name};
use crate::cluster::Cluster;
use crate::workload::Workload;
use reclaim_analysis::scenario::{Compare, Scenario, VariantSpec};

/// For a worker to find the cluster and log in, beside the time that it waits for a reply.
const CONNECTING: Duration = Duration::from_secs(30);

/// Running workers.
pub(super) struct Workers {
    /// By arm.
    pub arms: Vec<Rc<Hand>>,
    /// The baseline's second process; `None` without a control.
    pub twin: Option<Rc<Hand>>,
    names: Vec<String>,
    /// Position of the baseline.
    pub baseline: usize,
}

impl Workers {
    /// Builds what is not there yet, starts every worker and waits until it has connected. `None` for a
    /// scenario whose arms have no SDK of their own.
    pub async fn start(
        (cluster, workload): (&Cluster, &Workload),
        scenario: &Scenario,
        partitions: u16,
        (notify, end): (&dyn Fn(&str), &CancellationToken),
    ) -> Result<Option<Self>, LoadError> {
        let programs = build_workers(scenario, notify, end).await?;
        if programs.is_empty() {
            return Ok(None);
        }
        let starting = Starting { cluster, workload, scenario, partitions, end };
        let mut arms = Vec::with_capacity(programs.len());
        for (variant, program) in scenario.variants.iter().zip(&programs) {
            arms.push(starting.start(variant, program).await?);
        }
        let baseline = scenario.baseline();
        let twin = if scenario.compare.as_ref().is_some_and(Compare::is_controlled) {
            Some(starting.start(&scenario.variants[baseline], &programs[baseline]).await?)
        } else {
            None
        };
        let names = scenario.variants.iter().map(|variant| variant.name.clone()).collect();
        Ok(Some(Self { arms, twin, names, baseline }))
    }

    /// Process ids of all.
    pub fn pids(&self) -> Vec<u32> {
        self.arms.iter().chain(&self.twin).map(|hand| hand.pid).collect()
    }

    /// Why the run cannot go on; `None` while every worker claims.
    pub fn failure(&self) -> Option<LoadError> {
        let twin =
            self.twin.iter().map(|hand| (format!("{}, its second process", self.names[self.baseline]), hand));
        let mut all = self.names.iter().cloned().zip(&self.arms).chain(twin);
        all.find_map(|(variant, hand)| Some(LoadError::Worker { variant, source: hand.failure()? }))
    }
}

/// Builds the workers of a scenario, or finds them in the cache: by arm, none where the arms have no SDK of
/// their own.
pub async fn build_workers(
    scenario: &Scenario,
    notify: &dyn Fn(&str),
    cancel: &CancellationToken,
) -> Result<Vec<Program>, LoadError> {
    let mut programs: Vec<Program> = Vec::new();
    for variant in &scenario.variants {
        let Some(sdk) = &variant.sdk else { continue };
        let built = program(sdk, notify, cancel).await;
        programs.push(built.map_err(|source| of_variant(variant, source))?);
    }
    Ok(programs)
}

fn of_variant(variant: &VariantSpec, source: WorkerError) -> LoadError {
    match source {
        WorkerError::Cancelled => LoadError::Cancelled,
        source => LoadError::Worker { variant: variant.name.clone(), source },
    }
}

/// What every worker is started with.
struct Starting<'a> {
    cluster: &'a Cluster,
    workload: &'a Workload,
    scenario: &'a Scenario,
    partitions: u16,
    end: &'a CancellationToken,
}

impl Starting<'_> {
    async fn start(&self, variant: &VariantSpec, program: &Program) -> Result<Rc<Hand>, LoadError> {
        let timeout = self.scenario.load.timeout;
        let client_name = sdk_client_name();
        self.cluster.befriend(&client_name);
        let topology = self.cluster.topology();
        let login = WorkerLogin {
            addr: &topology.primaries()[0].addr,
            client_name: &client_name,
            worker: self.workload.worker(),
            lease_ttl: self.scenario.grant.lease_ttl,
            partitions: self.partitions,
            timeout,
            path: variant.path,
        };
        let process = WorkerProcess::start(&program.path, &login, timeout + CONNECTING);
        let process = process.await.map_err(|source| of_variant(variant, source))?;
        Ok(Hand::new(process, (variant.path, program.info.clone()), timeout, self.end.clone()))
    }
}
