//! A search whose generators somebody starts one by one: the first one decides each probe, the others learn
//! of it and make their part.

use std::cell::Cell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::super::error::CampaignError;
use super::super::generators::{Generators, joining};
use super::super::on_cluster::on_cluster;
use super::super::stop::Stop;
use super::super::watch::Watch;
use super::offered::at_load;
use super::plan::SearchPlan;
use crate::cluster::Cluster;
use crate::load::{self, Calls, LoadError, MeetingError, PartSetup, RunSetup};
use reclaim_analysis::judge::capacity::ProbeLoad;

/// What a generator must know of a probe beside what it was started with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeTask {
    /// The load.
    pub offer: ProbeLoad,
    /// Seed of the probe.
    pub seed: u64,
}

/// The search as its first generator leads it. Where no other process waits for its word, there is nothing to
/// lead.
pub(super) struct Leads {
    calls: Option<Calls>,
    /// The probe that was called last.
    number: Cell<u32>,
}

impl Leads {
    pub async fn begin(cluster: &Rc<Cluster>, generators: &Generators) -> Result<Self, CampaignError> {
        let calls = match generators {
            Generators::Part(part) => Some(calls(cluster, part)),
            Generators::One | Generators::Started { .. } => None,
        };
        if let Some(calls) = &calls {
            calls.lead().await.map_err(LoadError::from)?;
        }
        Ok(Self { calls, number: Cell::new(0) })
    }

    /// Whether there are others that wait for its word.
    pub fn is_heard(&self) -> bool {
        self.calls.is_some()
    }

    /// Calls the others to a probe.
    pub async fn call(&self, task: ProbeTask) -> Result<(), CampaignError> {
        let Some(calls) = &self.calls else { return Ok(()) };
        self.number.set(self.number.get() + 1);
        Ok(calls.run(self.number.get(), task).await.map_err(LoadError::from)?)
    }

    /// The probe is over: the others are to wait.
    pub async fn hold(&self) -> Result<(), CampaignError> {
        let Some(calls) = &self.calls else { return Ok(()) };
        Ok(calls.hold(self.number.get()).await.map_err(LoadError::from)?)
    }

    /// Lets the others know that this one is there while it does something else.
    pub async fn meanwhile(&self, work: impl Future<Output = ()>) -> Result<(), CampaignError> {
        let Some(calls) = &self.calls else {
            work.await;
            return Ok(());
        };
        tokio::select! {
            () = work => Ok(()),
            error = calls.keep_holding(self.number.get()) => Err(LoadError::from(error).into()),
        }
    }

    /// The search is over, for this reason if it failed.
    pub async fn end(&self, failed: Option<String>) {
        if let Some(calls) = &self.calls {
            calls.end(self.number.get(), failed).await;
        }
    }
}

fn calls(cluster: &Rc<Cluster>, part: &PartSetup) -> Calls {
    Calls::new(cluster, (&part.name, part.slice), part.wait)
}

/// Makes one generator's part of every probe of a search that another process leads: of how many. `None`
/// where it was stopped.
pub async fn follow(
    plan: &SearchPlan,
    part: &PartSetup,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<u32>, CampaignError> {
    let made = stop
        .or_left(on_cluster(&joining(&plan.request), watch, stop, async |cluster| {
            let calls = calls(cluster, part);
            let mut made = 0;
            while let Some((number, task)) = next(&calls, made, stop).await? {
                let scenario = at_load(&plan.file, task.offer)?;
                watch.run(number, 0, &scenario);
                let (clusters, cancel) = (std::slice::from_ref(cluster), &stop.in_order);
                let setup = RunSetup { clusters, scenario: &scenario, seed: task.seed, watch, cancel };
                Box::pin(load::run_part(setup, part)).await?;
                made = number;
            }
            Ok::<_, CampaignError>(made)
        }))
        .await;
    watch.finish();
    match made.map(|made| made.map_err(CampaignError::from).and_then(|made| made)) {
        Some(Ok(made)) => Ok(Some(made)),
        None => Ok(None),
        Some(Err(_)) if stop.is_asked() => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

/// The next probe. Whoever is told to end between two probes does so at once, and is missed at the next one.
async fn next(calls: &Calls, after: u32, stop: &Stop) -> Result<Option<(u32, ProbeTask)>, CampaignError> {
    let called = stop.in_order.run_until_cancelled(calls.next(after)).await;
    Ok(called.unwrap_or(Err(MeetingError::Interrupted)).map_err(LoadError::from)?)
}
