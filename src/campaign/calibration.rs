//! The generator itself, measured on a cluster of one primary.

use super::error::CampaignError;
use super::on_cluster::on_cluster;
use super::stop::Stop;
use super::watch::Watch;
use crate::calibrate::{CalibrateError, CalibrateSetup, CalibrationPlan, calibrate};
use crate::cluster::{ClusterError, ClusterRequest};
use reclaim_analysis::judge::{self, Calibration};
use reclaim_analysis::scenario::MachineSection;

/// Measures what the generator can do; `None` where it was stopped, since half of it says nothing.
pub async fn calibration(
    plan: &CalibrationPlan,
    machine: MachineSection,
    request: &ClusterRequest,
    seed: u64,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Option<Calibration>, CampaignError> {
    let notify = |text: &str| watch.note(text);
    let measured = stop
        .or_left(on_cluster(request, watch, stop, async |cluster| {
            let cancel = &stop.in_order;
            calibrate(CalibrateSetup { cluster, plan, machine, seed, notify: &notify, cancel }).await
        }))
        .await;
    watch.finish();
    match measured {
        None | Some(Ok(Err(CalibrateError::Cancelled)) | Err(ClusterError::Cancelled)) => Ok(None),
        Some(measured) => Ok(Some(judge::assess(measured??))),
    }
}
