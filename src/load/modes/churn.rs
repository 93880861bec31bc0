//! Churn runs, the realistic mix: interruptions, scanners and claims together for the whole window.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::error::LoadError;
use super::super::measuring::stretch::{self, Around, Beginning};
use super::super::measuring::{Measured, OpenStretch, Prepared, recorder};
use super::super::planning::{claims_wanted, dealt};
use super::super::progress::Activity;
use super::super::session::Session;
use super::super::striking::beside_strikes;
use super::super::timing::{Pacer, Schedule, ThreadPacer};
use super::circulation::Offer;
use super::prepare::{create, make_resumable, scan};
use super::window::{Circuit, Turn, close_books, met};
use crate::workload::{ExecIndex, Seek, WorkloadError};
use reclaim_analysis::record::Recorder;
use reclaim_analysis::scenario::{Amount, Model};

/// Runs a churn scenario. Cancelling ends it between two steps; what was measured stays.
pub(in crate::load) async fn churn(session: &Session<'_>) -> Measured {
    let mut measured = met(session).await;
    if measured.ended_by.is_some() {
        return measured;
    }
    measured.ended_by = go_round(session, &mut measured).await.err();
    let wanted = claims_wanted(session.scenario(), &session.trace);
    close_books(session, &measured, session.slice().share_of_claims(wanted));
    measured
}

async fn go_round(session: &Session<'_>, measured: &mut Measured) -> Result<(), LoadError> {
    let load = &session.scenario().load;
    measured.arm_libraries = session.load_arm_libraries().await?;
    measured.prepared += create(session).await?;
    let everyone: Vec<u32> = (0..session.scenario().population.executions)
        .filter(|&execution| session.slice().owns(ExecIndex(execution)))
        .collect();
    session.watch().begin(Activity::Stage, Some(3 * everyone.len() as u64));
    measured.prepared += make_resumable(session, session.first_site(), &everyone).await?;
    let circuit = Circuit::new(session);
    // An open loop's first claims are due at once: there must be grants by then.
    let (prepared, tickets) = scan(session, session.first_site(), &everyone, Seek::Interrupted, true).await?;
    // These few say nothing about what a grant costs while claims run.
    measured.prepared += Prepared { grant_cpu_us: 0.0, ..prepared };
    for (exec, ticket) in tickets {
        circuit.ready.push(0, (exec.0, Rc::new(ticket)));
    }
    let mut part = 0;
    if load.warmup > 0 {
        if !warm_up(&circuit, measured, load.warmup).await? {
            return Ok(());
        }
        part = 1;
    }
    let wanted = claims_wanted(session.scenario(), &session.trace);
    let issued_before = session.first_site().workload.grants().issued;
    let work = async |recorder: &RefCell<Recorder>, beginning: Beginning| {
        turn(&circuit, recorder, wanted, load.amount, (&part.to_string(), beginning, true)).await
    };
    let own = session.slice().share_of_claims(wanted);
    circuit.window(measured, (wanted > 0).then_some(own), work).await?;
    let issued = session.first_site().workload.grants().issued;
    measured.prepared.grants = issued;
    measured.prepared.interruptions += issued - issued_before;
    Ok(())
}

/// Claims that count for nothing; several generators make them together. Returns whether the run goes on.
async fn warm_up(circuit: &Circuit<'_>, measured: &mut Measured, claims: u64) -> Result<bool, LoadError> {
    let session = circuit.session;
    session.watch().begin(Activity::Warmup, Some(session.slice().share_of_claims(claims)));
    let unused = RefCell::new(recorder(session.scenario(), []));
    session.begin_warmup();
    let work = async |beginning: Beginning| {
        turn(circuit, &unused, claims, Amount::Claims(claims), ("0", beginning, false)).await
    };
    let turn = if session.slice().is_whole() {
        let arranged = session.arrange();
        let Some(beginning) = stretch::begin(session).await? else { return Ok(false) };
        let turn = work(beginning).await?;
        drop(arranged);
        turn
    } else {
        let together =
            async |_: &mut Measured, _: &mut OpenStretch, beginning: Beginning| work(beginning).await;
        let made = stretch::around(session, measured, Around::default(), together).await?;
        let Some(made) = made else { return Ok(false) };
        made.work
    };
    measured.note_real_time(turn.real_time);
    measured.recorder.get_mut().end_warmup();
    circuit.producer.end_warmup();
    session.end_warmup();
    Ok(true)
}

/// What releases the executions of a window that is no storm.
type NoRelease = std::future::Ready<Result<(), WorkloadError>>;

/// Claims as the scenario's model offers them: `claims` of them in an open loop.
async fn turn(
    circuit: &Circuit<'_>,
    recorder: &RefCell<Recorder>,
    claims: u64,
    amount: Amount,
    (part, beginning, is_window): (&str, Beginning, bool),
) -> Result<Turn, LoadError> {
    let session = circuit.session;
    let slice = session.slice();
    match &session.scenario().load.model {
        Model::Closed { concurrency } => {
            let (start, began_us) = beginning.wait().await;
            let workers = slice.share_of(*concurrency);
            let amount = match amount {
                Amount::Claims(claims) => Amount::Claims(slice.share_of_claims(claims)),
                until => until,
            };
            let offer: Offer<'_, ThreadPacer, NoRelease> = Offer::Closed { workers, amount, start };
            let turn = circuit.turn(recorder, offer).await?;
            Ok(turn.begun(began_us, None))
        }
        Model::Open { rate_per_sec, arrivals } => {
            let draw = session.draw(*rate_per_sec, part);
            let schedule = dealt(Schedule::new(arrivals, claims as usize, &draw), slice);
            let (pacer, began_us) = beginning.pacer(&schedule)?;
            let (start, real_time) = (Pacer::start(&pacer), Some(pacer.real_time()));
            let offer: Offer<'_, _, NoRelease> = Offer::Open { schedule: &schedule, pacer };
            let circulation = circuit.turn(recorder, offer);
            let turn =
                if is_window { beside_strikes(session, start, circulation).await } else { circulation.await };
            Ok(turn?.offered(&schedule).begun(began_us, real_time))
        }
    }
}
