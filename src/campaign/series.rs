//! One plan several times, every run on record, one answer.

use std::path::Path;

use rand_chacha::rand_core::Rng as _;

use super::error::CampaignError;
use super::run::{RunPlan, run_one};
use super::stop::Stop;
use super::watch::Watch;
use crate::store::ResultDir;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::stream;
use reclaim_analysis::report::Series;

/// What several runs came to.
#[derive(Debug)]
pub struct Several<T> {
    /// Concluded from all of them, and stored.
    pub concluded: T,
    /// Where it is stored, and each run below it.
    pub dir: ResultDir,
    /// Whether it was stopped: fewer runs were made, or the last one ended before its time.
    pub interrupted: bool,
    /// What ended it before all runs were made; what was made until then is kept.
    pub failure: Option<CampaignError>,
}

/// Runs the plan `wanted` times. Each run has its own servers, seed and directory, and none is made again for
/// what it found. What the series has come to is written after every run, so that a crash keeps it, and so is
/// an error that ends it: that of a first run is the caller's alone. `None` where it was stopped before
/// anything was measured.
pub async fn series(
    plan: &RunPlan,
    wanted: u32,
    output: &Path,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<Several<Series>>, CampaignError> {
    let dir = ResultDir::create(output, &format!("{}-repeat", plan.scenario.name))?;
    let mut series = Series::begin(plan.scenario.file(), plan.seed, wanted);
    let (mut interrupted, mut failure) = (false, None);
    for n in 0..wanted {
        watch.note(&format!("run {} of {wanted}", n + 1));
        watch.run(n + 1, wanted, &plan.scenario);
        let one = RunPlan { seed: seed_of(plan.seed, n), ..plan.clone() };
        match run_within(&one, &dir, watch, stop).await {
            Ok(Some((result, own))) => {
                interrupted = result.record.was_interrupted();
                series.add(result, own);
                failure = dir.store_series(&series).err().map(CampaignError::from);
            }
            Ok(None) => interrupted = true,
            Err(error) if series.results.is_empty() => return Err(error),
            Err(error) => failure = Some(error),
        }
        if let Some(error) = &failure {
            series.end(error.in_words());
            // Where that fails as well, the first error says why.
            let _ = dir.store_series(&series);
        }
        if interrupted || failure.is_some() {
            break;
        }
    }
    Ok((!series.results.is_empty()).then_some(Several { concluded: series, dir, interrupted, failure }))
}

/// One of several runs, in a directory of its own below theirs: its result, stored, and that directory's
/// name.
pub(super) async fn run_within(
    plan: &RunPlan,
    several: &ResultDir,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<(RunResult, String)>, CampaignError> {
    let own = ResultDir::create(several.path(), &plan.scenario.name)?;
    let Some(result) = run_one(plan, &own, watch, stop).await? else { return Ok(None) };
    own.store_run(&result)?;
    Ok(Some((result, own.name())))
}

/// The first run has the seed as given, so that a series begins with the run that a single one would have
/// been.
fn seed_of(seed: u64, n: u32) -> u64 {
    // As short as a seed that the tool chooses itself.
    if n == 0 { seed } else { u64::from(stream(seed, &format!("run {n}")).next_u32()) }
}
