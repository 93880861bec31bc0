//! `load::run`: a scenario on a cluster becomes a record.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::task::unconstrained;
use tokio_util::sync::CancellationToken;

use super::churn::{ArmSequence, Offer, churn};
use super::comebacks::Comebacks;
use super::error::LoadError;
use super::pacer::{Pacer, ThreadPacer};
use super::plan::{claims_wanted, hex};
use super::progress::{Phase, Progress};
use super::schedule::Schedule;
use super::session::Session;
use super::staged::{create, make_resumable, scan, staged};
use super::stock::Stock;
use super::watched::watched;
use crate::cluster::Cluster;
use crate::workload::{Control, ExecIndex, Seek, WorkloadError};
use reclaim_analysis::record::{Fault, Recorder, RunRecord};
use reclaim_analysis::scenario::{Amount, Mode, Model, Scenario, ScenarioFile};

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
        // Boxed: each holds everything of a window, and whoever awaits a run would hold both.
        Mode::Staged => Box::pin(staged(&mut session)).await,
        Mode::Churn | Mode::Storm => Box::pin(churned(&mut session)).await,
    };
    let nothing = session.staging.executions == 0;
    let claimed = session.recorder.borrow().claimed() > 0;
    match done {
        Ok(()) if nothing && setup.cancel.is_cancelled() => {
            session.close().await?;
            Err(LoadError::Cancelled)
        }
        Ok(()) => session.close().await,
        // Hours of claims are not lost for what ended them: the result is invalid and says why.
        Err(error) if claimed => {
            session.fault("the run ended early", &error);
            session.close().await
        }
        Err(error) => {
            // It is the cause; what goes wrong while tidying up is only its consequence.
            let _ = session.close().await;
            Err(error)
        }
    }
}

/// Interruptions, scanner and claims together.
async fn churned(session: &mut Session<'_>) -> Result<(), LoadError> {
    session.plan_sha256 = churn_digest(session);
    let done = match session.scenario().load.mode {
        Mode::Storm => storm(session).await,
        _ => circulate(session).await,
    };
    match done {
        Err(_) if session.cancel().is_cancelled() => Ok(()),
        other => other,
    }
}

async fn circulate(session: &mut Session<'_>) -> Result<(), LoadError> {
    session.load_arm_libraries().await?;
    create(session).await?;
    let everyone = everyone(session);
    let begun = Instant::now();
    session.watch().phase(Phase::Stage, Some(3 * everyone.len() as u64));
    make_resumable(session, &everyone).await?;
    let workload = Rc::clone(&session.workload);
    let interval = session.scenario().grant.scan_interval;
    let mut stock = Stock::new(&workload, interval, session.setup.cancel);
    stock.scan_by_primary(&session.cluster.topology());
    // An open loop's first claims are due at once: there must be grants by then.
    scan(session, &stock, &everyone, Seek::Interrupted, true).await?;
    // These few say nothing about what a grant costs while claims run.
    session.grant_cpu_us = 0.0;
    session.staging.duration_s += begun.elapsed().as_secs_f64();
    let warmup = session.scenario().load.warmup;
    if warmup > 0 {
        session.watch().phase(Phase::Warmup, Some(warmup));
        let recorder = RefCell::new(Recorder::new(session.paths.len(), []));
        let part = session.next_part();
        turn(session, &stock, &recorder, warmup, Amount::Claims(warmup), &part).await?;
        if let Some(distance) = &session.distance {
            distance.forget();
        }
    }
    let amount = session.scenario().load.amount;
    let wanted = claims_wanted(session.scenario(), &session.trace);
    let total = (wanted > 0).then_some(wanted);
    let part = session.next_part();
    window(session, &stock, total, async |session, stock| {
        turn(session, stock, &session.recorder, wanted, amount, &part).await
    })
    .await
}

/// Everything is interrupted; then, in the window, everything resumes at once.
async fn storm(session: &mut Session<'_>) -> Result<(), LoadError> {
    create(session).await?;
    let everyone = everyone(session);
    let execs: Vec<ExecIndex> = everyone.iter().map(|&n| ExecIndex(n)).collect();
    let begun = Instant::now();
    session.watch().phase(Phase::Stage, Some(execs.len() as u64));
    let watch = session.setup.watch;
    let progress = |done: u64, _: u64| watch.advance(done);
    let control = Control { cancel: session.setup.cancel, progress: &progress };
    session.workload.interrupt(&execs, &control).await?;
    session.staging.interruptions += execs.len() as u64;
    session.staging.duration_s += begun.elapsed().as_secs_f64();
    let workload = Rc::clone(&session.workload);
    let interval = session.scenario().grant.scan_interval;
    let mut stock = Stock::new(&workload, interval, session.setup.cancel);
    stock.scan_by_primary(&session.cluster.topology());
    let Model::Closed { concurrency: workers } = session.scenario().load.model else {
        // Refused by the scenario's validation.
        return Ok(());
    };
    let (comebacks, last_signal, answered) = (Comebacks::default(), Cell::new(None), Cell::new(None));
    let executions = execs.len() as u64;
    let done = window(session, &stock, Some(executions), async |session, stock| {
        let first_signal = stock.storm_begins(&everyone);
        let quiet = Control { cancel: session.setup.cancel, progress: &|_, _| () };
        let sending = || last_signal.set(Some(first_signal.elapsed()));
        let release = async {
            session.workload.make_runnable_noting(&execs, &quiet, &sending).await?;
            answered.set(Some(first_signal.elapsed()));
            Ok(())
        };
        let offer: Offer<'_, ThreadPacer, _> =
            Offer::Storm { workers, executions, release, comebacks: &comebacks };
        go(session, stock, &session.recorder, offer).await
    })
    .await;
    // Until all are answered it is not known which one is the last.
    let last_signal = last_signal.get().filter(|_| answered.get().is_some());
    session.storm = Some(comebacks.record(executions, last_signal, answered.get()));
    done
}

fn everyone(session: &Session<'_>) -> Vec<u32> {
    (0..session.scenario().population.executions).collect()
}

/// The timed part: `work` between two readings of the counters.
async fn window(
    session: &mut Session<'_>,
    stock: &Stock<'_>,
    total: Option<u64>,
    work: impl AsyncFnOnce(&Session<'_>, &Stock<'_>) -> Result<Turn, LoadError>,
) -> Result<(), LoadError> {
    session.watch().phase(Phase::Window, total);
    let before = session.meter.begin().await?;
    let issued_before = session.workload.grants().issued;
    stock.forget_drawn();
    let turn = watched(session, work(session, stock)).await?;
    session.meter.end(before, true).await?;
    session.strata = turn.sequence.into_strata();
    session.staging.grants = session.workload.grants().issued;
    if session.scenario().load.mode == Mode::Churn {
        session.staging.interruptions += session.staging.grants - issued_before;
    }
    let arms = 0..session.paths.len();
    session.recorder.borrow_mut().end_batch(turn.active, arms);
    if turn.stalled {
        session.faults.push(Fault::Infrastructure {
            detail: "no execution came back for half a minute, so the window was ended".to_owned(),
        });
    }
    let topology = session.cluster.topology();
    session.claims_by_primary = stock.drawn_by_primary(&topology);
    Ok(())
}

/// One stretch of churn: its length, whether it stalled, and the arms that it used.
struct Turn {
    active: Duration,
    stalled: bool,
    sequence: ArmSequence,
}

/// Claims as the scenario's model offers them: `claims` of them in an open loop.
async fn turn(
    session: &Session<'_>,
    stock: &Stock<'_>,
    recorder: &RefCell<Recorder>,
    claims: u64,
    amount: Amount,
    part: &str,
) -> Result<Turn, LoadError> {
    match &session.scenario().load.model {
        Model::Closed { concurrency } => {
            let offer: Offer<'_, ThreadPacer, NoRelease> = Offer::Closed { workers: *concurrency, amount };
            go(session, stock, recorder, offer).await
        }
        Model::Open { rate_per_sec, arrivals } => {
            let schedule = Schedule::new(arrivals, claims as usize, &session.draw(*rate_per_sec, part));
            let pacer = session.pacer(&schedule)?;
            let offer: Offer<'_, _, NoRelease> = Offer::Open { schedule: &schedule, pacer };
            go(session, stock, recorder, offer).await
        }
    }
}

/// What releases the executions of a window that is no storm.
type NoRelease = std::future::Ready<Result<(), WorkloadError>>;

async fn go<P: Pacer, R: Future<Output = Result<(), WorkloadError>>>(
    session: &Session<'_>,
    stock: &Stock<'_>,
    recorder: &RefCell<Recorder>,
    offer: Offer<'_, P, R>,
) -> Result<Turn, LoadError> {
    let sequence = RefCell::new(ArmSequence::new(session.scenario(), session.setup.seed));
    let primaries = session.cluster.topology().primaries().len();
    let driver = session.driver();
    // For the same reason as the driver's own loops.
    let end =
        unconstrained(churn(&driver, stock, recorder, &sequence, (offer, primaries), stock.ready())).await;
    match end.failure {
        Some(error) => Err(error.into()),
        None => Ok(Turn { active: end.active, stalled: end.stalled, sequence: sequence.into_inner() }),
    }
}

/// In churn, executions come round as the cluster has them; what the seed fixes is who they are and the order of arms.
fn churn_digest(session: &Session<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"churn");
    for execution in 0..session.scenario().population.executions {
        hash.update(session.workload.plan().execution_id(ExecIndex(execution)).as_str());
    }
    hash.update(session.setup.seed.to_le_bytes());
    for at in &session.trace {
        hash.update(at.as_nanos().to_le_bytes());
    }
    hex(&hash.finalize())
}
