//! Churn runs, the realistic mix: interruptions, scanners and claims together for the whole window.

use std::cell::RefCell;
use std::rc::Rc;

use super::circulation::Offer;
use super::error::LoadError;
use super::injector;
use super::measured::{Measured, Prepared, recorder};
use super::pacer::{Pacer, ThreadPacer};
use super::plan::claims_wanted;
use super::prepare::{create, make_resumable, scan};
use super::progress::Activity;
use super::schedule::Schedule;
use super::session::Session;
use super::window::{Circuit, Turn, circulation_digest};
use crate::workload::{Seek, WorkloadError};
use reclaim_analysis::record::Recorder;
use reclaim_analysis::scenario::{Amount, Model};

/// Runs a churn scenario. Cancelling ends it between two steps; what was measured stays.
pub(super) async fn churn(session: &Session<'_>) -> Measured {
    let mut measured = Measured::nothing(session.scenario(), session.setup.clusters, &session.arrangement);
    measured.plan_sha256 = circulation_digest(session);
    measured.ended_by = go_round(session, &mut measured).await.err();
    measured
}

async fn go_round(session: &Session<'_>, measured: &mut Measured) -> Result<(), LoadError> {
    let load = &session.scenario().load;
    measured.arm_libraries = session.load_arm_libraries().await?;
    measured.prepared += create(session).await?;
    let everyone: Vec<u32> = (0..session.scenario().population.executions).collect();
    session.watch().begin(Activity::Stage, Some(3 * everyone.len() as u64));
    measured.prepared += make_resumable(session, &session.sites[0], &everyone).await?;
    let circuit = Circuit::new(session);
    // An open loop's first claims are due at once: there must be grants by then.
    let (prepared, tickets) = scan(session, &session.sites[0], &everyone, Seek::Interrupted, true).await?;
    // These few say nothing about what a grant costs while claims run.
    measured.prepared += Prepared { grant_cpu_us: 0.0, ..prepared };
    for (exec, ticket) in tickets {
        circuit.ready.push(0, (exec.0, Rc::new(ticket)));
    }
    let mut part = 0;
    if load.warmup > 0 {
        session.watch().begin(Activity::Warmup, Some(load.warmup));
        let unused = RefCell::new(recorder(session.scenario(), []));
        let arranged = session.arrange();
        let turn = turn(&circuit, &unused, load.warmup, Amount::Claims(load.warmup), ("0", false)).await?;
        measured.note_real_time(turn.real_time);
        drop(arranged);
        session.end_warmup();
        part = 1;
    }
    let wanted = claims_wanted(session.scenario(), &session.trace);
    let issued_before = session.workload.grants().issued;
    let work = async |recorder: &RefCell<Recorder>| {
        turn(&circuit, recorder, wanted, load.amount, (&part.to_string(), true)).await
    };
    circuit.window(measured, (wanted > 0).then_some(wanted), work).await?;
    let issued = session.workload.grants().issued;
    measured.prepared.grants = issued;
    measured.prepared.interruptions += issued - issued_before;
    Ok(())
}

/// What releases the executions of a window that is no storm.
type NoRelease = std::future::Ready<Result<(), WorkloadError>>;

/// Claims as the scenario's model offers them: `claims` of them in an open loop.
async fn turn(
    circuit: &Circuit<'_>,
    recorder: &RefCell<Recorder>,
    claims: u64,
    amount: Amount,
    (part, is_window): (&str, bool),
) -> Result<Turn, LoadError> {
    let session = circuit.session;
    match &session.scenario().load.model {
        Model::Closed { concurrency } => {
            let offer: Offer<'_, ThreadPacer, NoRelease> = Offer::Closed { workers: *concurrency, amount };
            circuit.turn(recorder, offer).await
        }
        Model::Open { rate_per_sec, arrivals } => {
            let schedule = Schedule::new(arrivals, claims as usize, &session.draw(*rate_per_sec, part));
            let pacer = ThreadPacer::start(&schedule).map_err(LoadError::Pacer)?;
            let (start, real_time) = (Pacer::start(&pacer), Some(pacer.real_time()));
            let offer: Offer<'_, _, NoRelease> = Offer::Open { schedule: &schedule, pacer };
            let circulation = circuit.turn(recorder, offer);
            let turn = if is_window {
                injector::beside(session, start, circulation).await
            } else {
                circulation.await
            };
            let mut turn = turn?;
            turn.real_time = real_time;
            Ok(turn)
        }
    }
}
