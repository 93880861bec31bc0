//! `load::run`: a scenario on a cluster becomes a record.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::churn::{ArmSequence, churn};
use super::error::LoadError;
use super::plan::hex;
use super::progress::{Phase, Progress};
use super::session::Session;
use super::staged::{create, make_resumable, staged, watched};
use super::stock::Stock;
use crate::cluster::Cluster;
use crate::measure::{Fault, Recorder, RunRecord};
use crate::scenario::{Amount, Mode, Model, Scenario, ScenarioFile};

/// What a run works with.
pub struct RunSetup<'a> {
    /// Where claims go.
    pub cluster: &'a Rc<Cluster>,
    /// What to do.
    pub scenario: &'a Scenario,
    /// Its file form, for the record.
    pub file: &'a ScenarioFile,
    /// Seed of every random stream.
    pub seed: u64,
    /// Who watches.
    pub watch: &'a dyn Progress,
    /// Ends the run in order: claims in flight end, everything is audited and removed, the record is partial.
    pub cancel: &'a CancellationToken,
}

/// Runs a scenario. Whatever it wrote on a cluster that is not ours is removed before this returns, also where it
/// fails.
pub async fn run(setup: RunSetup<'_>) -> Result<RunRecord, LoadError> {
    let mut session = Session::open(&setup).await?;
    let done = match setup.scenario.load.mode {
        Mode::Staged => staged(&mut session).await,
        Mode::Churn => churned(&mut session).await,
    };
    let nothing = session.staging.executions == 0;
    let record = session.close().await;
    match done {
        Ok(()) if nothing && setup.cancel.is_cancelled() => Err(LoadError::Cancelled),
        Ok(()) => record,
        Err(error) => Err(error),
    }
}

/// Interruptions, scanner and claims together.
async fn churned(session: &mut Session<'_>) -> Result<(), LoadError> {
    session.plan_sha256 = churn_digest(session);
    match circulate(session).await {
        Err(_) if session.cancel().is_cancelled() => Ok(()),
        other => other,
    }
}

async fn circulate(session: &mut Session<'_>) -> Result<(), LoadError> {
    create(session).await?;
    let everyone: Vec<u32> = (0..session.scenario().population.executions).collect();
    let begun = Instant::now();
    session.watch().phase(Phase::Stage, Some(3 * everyone.len() as u64));
    make_resumable(session, &everyone).await?;
    session.staging.duration_s += begun.elapsed().as_secs_f64();
    let workload = Rc::clone(&session.workload);
    let interval = session.scenario().grant.scan_interval;
    let mut stock = Stock::new(&workload, interval, session.setup.cancel);
    stock.scan_by_primary(&session.cluster.topology());
    let warmup = session.scenario().load.warmup;
    if warmup > 0 {
        session.watch().phase(Phase::Warmup, Some(warmup));
        let recorder = RefCell::new(Recorder::new(session.paths.len(), []));
        turn(session, &stock, &recorder, Amount::Claims(warmup)).await?;
    }
    window(session, &stock).await
}

async fn window(session: &mut Session<'_>, stock: &Stock<'_>) -> Result<(), LoadError> {
    let amount = session.scenario().load.amount;
    let total = match amount {
        Amount::Claims(claims) => Some(claims),
        Amount::Duration(_) => None,
    };
    session.watch().phase(Phase::Window, total);
    let before = session.meter.begin().await?;
    let grants_before = session.workload.grants().issued;
    let (active, strata) = {
        let work = turn(session, stock, &session.recorder, amount);
        let (active, sequence) = watched(session, work).await?;
        (active, sequence.into_strata())
    };
    session.meter.end(before, true).await?;
    session.strata = strata;
    session.staging.grants = session.workload.grants().issued;
    session.staging.interruptions += session.staging.grants - grants_before;
    let arms = 0..session.paths.len();
    session.recorder.borrow_mut().end_batch(active.0, arms);
    if active.1 {
        session.faults.push(Fault::Infrastructure {
            detail: "no execution came back for half a minute, so the window was ended".to_owned(),
        });
    }
    let topology = session.cluster.topology();
    session.claims_by_primary = stock.drawn_by_primary(&topology);
    Ok(())
}

/// One stretch of churn: its length, whether it stalled, and the arms that it used.
async fn turn(
    session: &Session<'_>,
    stock: &Stock<'_>,
    recorder: &RefCell<Recorder>,
    amount: Amount,
) -> Result<((std::time::Duration, bool), ArmSequence), LoadError> {
    let concurrency = match session.scenario().load.model {
        Model::Closed { concurrency } => concurrency,
        // Refused by the scenario's validation.
        Model::Open { .. } => 1,
    };
    let driver = session.driver();
    let sequence = RefCell::new(ArmSequence::new(session.scenario(), session.setup.seed));
    let primaries = session.cluster.topology().primaries().len();
    stock.forget_drawn();
    let bounds = (amount, concurrency, primaries);
    let end = churn(&driver, stock, recorder, &sequence, bounds, stock.ready()).await;
    match end.failure {
        Some(error) => Err(error.into()),
        None => Ok(((end.active, end.stalled), sequence.into_inner())),
    }
}

/// In churn, executions come round as the cluster has them; what the seed fixes is who they are and the order of arms.
fn churn_digest(session: &Session<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"churn");
    for execution in 0..session.scenario().population.executions {
        hash.update(session.workload.plan().execution_id(crate::workload::ExecIndex(execution)).as_str());
    }
    hash.update(session.setup.seed.to_le_bytes());
    hex(&hash.finalize())
}
