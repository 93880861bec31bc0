//! A capacity search: one probe after the other on one cluster, each a run of its own, until it is known
//! which rate keeps the service level.

mod led;
mod offered;
mod plan;
mod quiet_machine;
mod resumable;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand_chacha::rand_core::Rng as _;

use super::error::CampaignError;
use super::generators::{Generators, claim};
use super::on_cluster::on_cluster;
use super::run::{judged, merged};
use super::stop::Stop;
use super::watch::{Keeping, Watch};
use crate::cluster::{Cluster, ClusterRequest};
use crate::load::{Activity, RunSetup};
use crate::store::{ResultDir, StoredCapacity};
pub use led::follow;
use led::{Leads, ProbeTask};
use offered::{ProbePace, ProbeSize, at_load};
pub use plan::SearchPlan;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::judge::capacity::{Capacity, CapacityPlan, NextStep, Probe, ProbeLoad, Stopped};
use reclaim_analysis::record::stream;
use reclaim_analysis::report;

/// A search that goes on.
pub struct CapacitySearch {
    request: ClusterRequest,
    generators: Generators,
    within: Option<Duration>,
    dir: ResultDir,
    stored: RefCell<StoredCapacity>,
}

impl CapacitySearch {
    /// Begins a search in a new directory under `output`, or goes on with an earlier one in its own
    /// directory. Every load must be possible before the first one is offered.
    pub fn begin(
        plan: SearchPlan,
        output: &std::path::Path,
        earlier: Option<(PathBuf, StoredCapacity)>,
    ) -> Result<Self, CampaignError> {
        plan.check()?;
        let SearchPlan { file, seed, policy, request, generators, within } = plan;
        let plan = CapacityPlan { scenario: file, seed, policy, stopped: None };
        let (dir, stored) = if let Some((path, mut earlier)) = earlier {
            resumable::same_question(&earlier.plan.scenario, &plan.scenario)?;
            earlier.plan = plan;
            (ResultDir::existing(&path), earlier)
        } else {
            let name = format!("capacity-{}", plan.scenario.name);
            (ResultDir::create(output, &name)?, StoredCapacity::new(plan))
        };
        Ok(Self { request, generators, within, dir, stored: RefCell::new(stored) })
    }

    /// Where its probes are.
    pub fn dir(&self) -> &ResultDir {
        &self.dir
    }

    /// Probes until the search knows enough or is stopped. What the probes come to is written after each, and
    /// once more at the end. The second value says why it stopped before it knew; without any probe there is
    /// no answer.
    pub async fn explore(
        &self,
        watch: &dyn Watch,
        stop: &Stop,
    ) -> Result<(Option<Capacity>, Option<Stopped>), CampaignError> {
        watch.begin(Activity::Start, None);
        let explored = stop
            .or_left(on_cluster(&self.request, watch, stop, async |cluster| {
                let leads = Leads::begin(cluster, &self.generators).await?;
                let explored = self.probes(cluster, &leads, watch, stop).await;
                let failed = explored.as_ref().err().filter(|_| !stop.is_asked());
                leads.end(failed.map(CampaignError::in_words)).await;
                explored
            }))
            .await;
        watch.finish();
        let stopped = match explored {
            None => Ok(Some(Stopped::Interrupted)),
            Some(Err(_)) if stop.is_asked() => Ok(Some(Stopped::Interrupted)),
            Some(explored) => explored.map_err(CampaignError::from).and_then(|stopped| stopped),
        };
        if self.stored.borrow().made == 0 {
            return stopped.map(|stopped| (None, stopped));
        }
        let stopped = stopped.map_err(|source| CampaignError::BrokeOff {
            dir: self.dir.path().to_owned(),
            source: Box::new(source),
        })?;
        Ok((Some(self.store(stopped)?), stopped))
    }

    /// Marks why the search ended, and writes what it came to.
    fn store(&self, stopped: Option<Stopped>) -> Result<Capacity, CampaignError> {
        self.stored.borrow_mut().plan.stopped = stopped;
        let capacity = self.stored.borrow().conclude();
        self.dir.store_capacity(&capacity)?;
        Ok(capacity)
    }

    async fn probes(
        &self,
        cluster: &Rc<Cluster>,
        leads: &Leads,
        watch: &dyn Watch,
        stop: &Stop,
    ) -> Result<Option<Stopped>, CampaignError> {
        let first = resumable::gone_on_with(&self.stored.borrow());
        let first = first.as_ref();
        resumable::same_servers(first, cluster, self.generators.count()).await?;
        let begun = Instant::now();
        let mut pace = ProbePace::FIRST;
        let mut next = self.stored.borrow().conclude().next;
        loop {
            let NextStep::Probe { offer, .. } = next else { return Ok(None) };
            let amount = ProbeSize::for_load(&self.stored.borrow().plan.scenario, offer);
            if self.within.is_some_and(|within| begun.elapsed() + pace.expected(&amount) > within) {
                return Ok(Some(Stopped::OutOfTime));
            }
            let started = Instant::now();
            let dir = self.stored.borrow_mut().next_dir(offer);
            let Some(result) = self.probe((cluster, leads), first, offer, &dir, watch, stop).await? else {
                return Ok(Some(Stopped::Interrupted));
            };
            let interrupted = result.record.partial;
            self.stored.borrow_mut().add(result, &dir);
            if interrupted {
                return Ok(Some(Stopped::Interrupted));
            }
            let capacity = self.store(None)?;
            if let Some(line) = report::capacity_line(&capacity) {
                watch.note(&line);
            }
            if cluster.owned() {
                cluster.wipe().await?;
            }
            pace = ProbePace::measured(&amount, started.elapsed());
            let disturbed = capacity.probes.last().is_some_and(Probe::was_disturbed);
            next = capacity.next;
            if disturbed && matches!(next, NextStep::Probe { .. }) {
                leads.meanwhile(self.wait_for_quiet(begun, watch, stop)).await?;
            }
        }
    }

    async fn wait_for_quiet(&self, begun: Instant, watch: &dyn Watch, stop: &Stop) {
        let left =
            self.within.map_or(quiet_machine::LONGEST, |within| within.saturating_sub(begun.elapsed()));
        let longest = left.min(quiet_machine::LONGEST);
        watch.note(&format!(
            "the machine was disturbed: waiting until it is quiet, {} s at most",
            longest.as_secs()
        ));
        quiet_machine::wait(longest, &stop.in_order, |left| watch.waiting("for a quiet machine", left)).await;
    }

    /// One run; `None` where it was interrupted before anything was measured. One under other conditions than
    /// `first`, which is of an earlier go, is not kept.
    async fn probe(
        &self,
        (cluster, leads): (&Rc<Cluster>, &Leads),
        first: Option<&RunResult>,
        offer: ProbeLoad,
        name: &str,
        watch: &dyn Watch,
        stop: &Stop,
    ) -> Result<Option<RunResult>, CampaignError> {
        let (base, seed, made) = {
            let stored = self.stored.borrow();
            (stored.plan.scenario.clone(), stored.plan.seed, stored.made)
        };
        let scenario = at_load(&base, offer)?;
        let seed = u64::from(stream(seed, &format!("probe {made}")).next_u32());
        let own = self.dir.part(name)?;
        watch.run(made as u32, 0, &scenario);
        let keeping = Keeping::new(watch, &own);
        let cancel = &stop.in_order;
        let setup = RunSetup {
            clusters: std::slice::from_ref(cluster),
            scenario: &scenario,
            seed,
            watch: &keeping,
            cancel,
        };
        leads.call(ProbeTask { offer, seed }).await?;
        let measured = Box::pin(claim(&self.generators, setup, watch)).await;
        watch.finish();
        // A copy that is on its way must not come after the result.
        drop(keeping);
        let held = leads.hold().await;
        let apart = measured.as_ref().is_ok_and(|records| records.len() < self.generators.count() as usize);
        match measured.and_then(merged) {
            Ok(record) => {
                let result = judged(record, &scenario, &[], watch);
                resumable::kept_as_of_one_search(first, &result, &own)?;
                own.store_run(&result)?;
                held?;
                // Those that the tool starts are started again for the next probe.
                if apart && leads.is_heard() && !result.record.partial {
                    return Err(CampaignError::apart(&result.record));
                }
                Ok(Some(result))
            }
            Err(_) if stop.is_asked() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
