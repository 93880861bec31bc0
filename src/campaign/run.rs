//! One run: from the first server to the verdicts.

use super::error::CampaignError;
use super::generators::{Generators, any_of, claim, joining};
use super::on_cluster::{on_cluster, on_clusters};
use super::stop::Stop;
use super::watch::{Keeping, Watch};
use crate::cluster::ClusterRequest;
use crate::load::{self, Activity, LoadError, RunSetup};
use crate::store::{self, ResultDir};
use crate::workload::Slice;
use reclaim_analysis::judge::{self, RunResult};
use reclaim_analysis::record::{RunRecord, merge};
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
    /// Who makes the claims.
    pub generators: Generators,
}

/// Makes one run. `None` where it was stopped before anything was measured. Writes nothing into `dir` but
/// safety copies: what the result is worth keeping beside, its caller knows.
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
    let RunPlan { scenario, request, seed, generators } = plan;
    let keeping = Keeping::new(watch, dir);
    watch.begin(Activity::Start, None);
    // Before a server runs: building may take minutes, and fail.
    let built = stop.or_left(load::build_workers(scenario, &|text| watch.note(text), &stop.in_order)).await;
    match built {
        Some(Ok(_)) => {}
        None => return Ok(None),
        Some(Err(_)) if stop.is_asked() => {
            watch.note(&LoadError::Cancelled.to_string());
            return Ok(None);
        }
        Some(Err(error)) => return Err(error.into()),
    }
    let measured = stop
        .or_left(on_clusters(&request.of_clusters(scenario), watch, stop, async |clusters| {
            let (seed, cancel) = (*seed, &stop.in_order);
            let setup = RunSetup { clusters, scenario, seed, watch: &keeping, cancel };
            Box::pin(claim(generators, setup, watch)).await
        }))
        .await;
    watch.finish();
    // A copy that is on its way must not come after the result.
    drop(keeping);
    let Some(measured) = measured else { return Ok(None) };
    match measured.map_err(CampaignError::from).and_then(|records| merged(records?)) {
        Ok(record) => Ok(Some(judged(record, scenario, &runs_before(dir, &scenario.name), watch))),
        Err(_) if stop.is_asked() => {
            watch.note(&LoadError::Cancelled.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// One record of those of all generators. The only part of a run is the run; of one that broke off, what the
/// first part alone has stays a part.
pub(super) fn merged(mut records: Vec<RunRecord>) -> Result<RunRecord, CampaignError> {
    match (records.pop(), records.is_empty()) {
        (Some(mut record), true) => {
            record.part = record.part.filter(|part| part.of > 1);
            Ok(record)
        }
        (last, _) => {
            records.extend(last);
            merge(records).map_err(CampaignError::Merge)
        }
    }
}

/// Makes one part of a run that is not the first, on the clusters that whoever leads has got ready: that one
/// has its record then. `None` where it was stopped before it had any part in it.
pub async fn follow(
    plan: &RunPlan,
    clusters: &[ClusterRequest],
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<()>, CampaignError> {
    let RunPlan { scenario, seed, generators, .. } = plan;
    let clusters: Vec<ClusterRequest> = clusters.iter().map(joining).collect();
    watch.run(1, 1, scenario);
    watch.begin(Activity::Start, None);
    let made = stop
        .or_left(on_clusters(&clusters, watch, stop, async |clusters| {
            let (seed, cancel) = (*seed, &stop.in_order);
            let setup = RunSetup { clusters, scenario, seed, watch, cancel };
            Box::pin(claim(generators, setup, watch)).await
        }))
        .await;
    watch.finish();
    match made.map(|made| made.map_err(CampaignError::from).and_then(|records| records)) {
        Some(Ok(_)) => Ok(Some(())),
        None => Ok(None),
        Some(Err(_)) if stop.is_asked() => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

/// Which part of a run this process is that comes as any of so many.
pub async fn any_part(
    request: &ClusterRequest,
    (name, of): (&str, u32),
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<(Slice, Option<String>), CampaignError> {
    let joining = joining(request);
    on_cluster(&joining, watch, stop, async |cluster| any_of(cluster, name, of).await).await?
}

/// Results that are looked at before a run's: series of trials take turns between several ways of measuring.
const BEFORE: usize = 12;

/// The runs of the scenario beside the one that `dir` is for.
fn runs_before(dir: &ResultDir, scenario: &str) -> Vec<RunResult> {
    dir.path().parent().map_or_else(Vec::new, |output| store::latest_runs(output, scenario, BEFORE))
}

/// The verdicts on a run, with what the generator of this machine was measured to be able to, and what the
/// runs `before` it say.
pub(super) fn judged(
    mut record: RunRecord,
    scenario: &Scenario,
    before: &[RunResult],
    watch: &dyn Watch,
) -> RunResult {
    record.calibration = store::kept_note(&record, scenario).unwrap_or_else(|error| {
        let error = anyhow::Error::from(error);
        watch.warn(&format!("{error:#}; run `reclaim-bench calibrate` again"));
        None
    });
    watch.begin(Activity::Judge, None);
    let result = held_against(judge::analyse_as(record, scenario), before, scenario);
    watch.judged(&result);
    result
}

/// With what the runs `before` say of the machine's state and of the next run. It goes into the record:
/// whoever judges that again has not got them.
fn held_against(mut result: RunResult, before: &[RunResult], scenario: &Scenario) -> RunResult {
    judge::note_runs_before(&mut result, before);
    let Some(warning) = judge::unlike_before(&result, before) else { return result };
    let mut record = result.record;
    record.warnings.push(warning);
    judge::analyse_as(record, scenario)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::machine::host;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, record};
    use reclaim_analysis::record::{PartNote, Warning};

    /// As by `--part 1/1`, or a job of one task.
    #[test]
    fn the_only_part_of_a_run_is_a_whole_run() {
        let part = |of| {
            let note = PartNote { number: 1, of, rendezvous: "night".into(), began_us: vec![1] };
            RunRecord { part: Some(note), ..record(&[GRANT_LANE], 1) }
        };
        let whole = merged(vec![part(1)]).unwrap();
        assert_eq!(whole.part, None);
        let result = judge::analyse(whole).unwrap();
        assert!(result.valid, "{:?}", result.invalid_reasons);
        assert_eq!(merged(vec![part(2)]).unwrap().part.map(|part| part.of), Some(2), "the other is gone");
    }

    #[test]
    fn a_run_is_held_against_those_that_lie_beside_it() {
        let output = tempfile::tempdir().unwrap();
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/reference/lane-ab");
        let mut usual = store::read_run(&reference).unwrap();
        usual.record.environment.host = host();
        for _ in 0..2 {
            ResultDir::create(output.path(), "lane-ab").unwrap().store_run(&usual).unwrap();
        }
        // Its own safety copy is no run before it.
        let own = ResultDir::create(output.path(), "lane-ab").unwrap();
        store::keep_partial(own.path(), &usual.record).unwrap();
        let before = runs_before(&own, "lane-ab");
        assert_eq!(before.len(), 2);
        let scenario = Scenario::try_from(&usual.record.scenario).unwrap();
        let warned = |result: &RunResult| {
            let of_state = |warning: &Warning| matches!(warning, Warning::UnlikeBefore { runs: 2, .. });
            result.record.warnings.iter().any(of_state) && result.warnings.iter().any(of_state)
        };
        let alike = held_against(usual.clone(), &before, &scenario);
        assert!(!warned(&alike));
        assert_eq!(alike.record.runs_before.len(), 2);
        assert!(alike.comparisons[0].with_runs_before.is_none(), "three copies of one run do not vary");
        let mut slow = usual.record;
        for side in slow.strata.iter_mut().flat_map(|stratum| &mut stratum.sides) {
            side.service.0.iter_mut().for_each(|ticks| *ticks *= 2);
        }
        assert!(warned(&held_against(judge::analyse_as(slow, &scenario), &before, &scenario)));
    }
}
