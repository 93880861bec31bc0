//! One run for each value of a key, and the curve through them.

use std::path::Path;

use super::error::CampaignError;
use super::run::RunPlan;
use super::series::{Several, run_within};
use super::stop::Stop;
use super::watch::Watch;
use crate::store::ResultDir;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::sweep_order;
use reclaim_analysis::report::{SweepFile, SweepRun};
use reclaim_analysis::scenario::SweepSection;

/// The runs of a sweep, each checked before the first one begins.
#[derive(Clone, Debug)]
pub struct SweepPlan {
    /// What is varied.
    pub section: SweepSection,
    /// One for each of its steps, in their order.
    pub points: Vec<RunPlan>,
    /// Seed of the order; that of each run is its plan's.
    pub seed: u64,
}

/// Makes the runs in an order that the seed draws, so that a machine that drifts does not draw the curve.
/// What they come to is written after every run, and so is an error that ends them. `None` where it was
/// stopped before anything was measured.
pub async fn sweep(
    plan: &SweepPlan,
    output: &Path,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<Several<SweepFile>>, CampaignError> {
    let SweepPlan { section, points, seed } = plan;
    let steps = section.steps();
    let dir = ResultDir::create(output, &format!("{}-sweep", points[0].scenario.name))?;
    let order = sweep_order(*seed, points.len());
    let (mut results, mut runs, mut curve): (Vec<(usize, RunResult)>, Vec<SweepRun>, _) =
        (Vec::new(), Vec::new(), None);
    let (mut interrupted, mut failure) = (false, None);
    for (made, &at) in order.iter().enumerate() {
        let value = &steps[at].name;
        watch.note(&format!("run {} of {}: {} = {value}", made + 1, order.len(), section.title()));
        watch.run(made as u32 + 1, order.len() as u32, &points[at].scenario);
        match run_within(&points[at], &dir, watch, stop).await {
            Ok(Some((result, own))) => {
                interrupted = result.record.was_interrupted();
                runs.push(SweepRun { value: value.clone(), dir: own });
                results.push((at, result));
                let so_far = curve.insert(SweepFile::conclude(section, *seed, &results, &runs));
                failure = dir.store_sweep(so_far).err().map(CampaignError::from);
            }
            Ok(None) => interrupted = true,
            Err(error) if results.is_empty() => return Err(error),
            Err(error) => failure = Some(error),
        }
        if let (Some(error), Some(so_far)) = (&failure, &mut curve) {
            so_far.sweep.ended_by = Some(error.in_words());
            // Where that fails as well, the first error says why.
            let _ = dir.store_sweep(so_far);
        }
        if interrupted || failure.is_some() {
            break;
        }
    }
    Ok(curve.map(|concluded| Several { concluded, dir, interrupted, failure }))
}
