//! One run: from the first server to the verdicts.

use super::error::CampaignError;
use super::on_cluster::on_cluster;
use super::stop::Stop;
use super::watch::{Keeping, Watch};
use crate::cluster::ClusterRequest;
use crate::load::{self, RunSetup};
use crate::store::{self, ResultDir};
use reclaim_analysis::judge::{self, RunResult};
use reclaim_analysis::record::RunRecord;
use reclaim_analysis::scenario::Scenario;

/// What to run and where, decided and checked before a server is looked for.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// What to do.
    pub scenario: Scenario,
    /// Where.
    pub request: ClusterRequest,
    /// Seed of everything random.
    pub seed: u64,
}

/// Makes one run. `None` where it was stopped before anything was measured. Writes nothing into `dir` but safety
/// copies: what the result is worth keeping beside, its caller knows.
pub async fn run(
    plan: &RunPlan,
    dir: &ResultDir,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<RunResult>, CampaignError> {
    watch.run(1, 1, &plan.scenario);
    run_one(plan, dir, watch, stop).await
}

/// As [`run`], as one of several, of which whoever watches knows already.
pub(super) async fn run_one(
    plan: &RunPlan,
    dir: &ResultDir,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<RunResult>, CampaignError> {
    let RunPlan { scenario, request, seed } = plan;
    let keeping = Keeping::new(watch, dir);
    let measured = stop
        .or_left(on_cluster(request, watch, stop, async |cluster| {
            let (seed, watch, cancel) = (*seed, &keeping, &stop.in_order);
            load::run(RunSetup { cluster, scenario, seed, watch, cancel }).await
        }))
        .await;
    watch.finish();
    let Some(measured) = measured else { return Ok(None) };
    match measured.map_err(CampaignError::from).and_then(|record| Ok(record?)) {
        Ok(record) => Ok(Some(judged(record, scenario, watch))),
        Err(_) if stop.is_asked() => {
            watch.note("interrupted before anything was measured");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The verdicts on a run, with what the generator of this machine was measured to be able to.
pub(super) fn judged(mut record: RunRecord, scenario: &Scenario, watch: &dyn Watch) -> RunResult {
    record.calibration = store::kept_note(&record, scenario).unwrap_or_else(|error| {
        let error = anyhow::Error::from(error);
        watch.warn(&format!("{error:#}; run `reclaim-bench calibrate` again"));
        None
    });
    judge::analyse_as(record, scenario)
}
