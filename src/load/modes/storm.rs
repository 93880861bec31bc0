//! Storm runs: everything is interrupted; then, in the window, everything resumes at once.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use super::super::error::LoadError;
use super::super::measuring::stretch::Beginning;
use super::super::measuring::{Measured, Prepared};
use super::super::progress::Activity;
use super::super::session::Session;
use super::super::striking::beside_strikes;
use super::super::timing::ThreadPacer;
use super::circulation::Offer;
use super::prepare::create;
use super::storm_retries::StormRetries;
use super::window::{Circuit, close_books, met};
use crate::workload::{ExecIndex, Oversight};
use reclaim_analysis::record::Recorder;
use reclaim_analysis::scenario::Model;

/// Runs a storm. Cancelling ends it between two steps; what was measured stays.
pub(in crate::load) async fn storm(session: &Session<'_>) -> Measured {
    let mut measured = met(session).await;
    if measured.ended_by.is_some() {
        return measured;
    }
    let Model::Closed { concurrency: workers } = session.scenario().load.model else {
        unreachable!("a storm has a closed loop: the scenario's validation refuses any other");
    };
    measured.ended_by = Box::pin(interrupt_and_resume(session, &mut measured, workers)).await.err();
    let executions = session.slice().share_of(session.scenario().population.executions);
    close_books(session, &measured, executions.into());
    measured
}

async fn interrupt_and_resume(
    session: &Session<'_>,
    measured: &mut Measured,
    workers: u32,
) -> Result<(), LoadError> {
    measured.prepared += create(session).await?;
    let slice = session.slice();
    let population = session.scenario().population.executions;
    let execs: Vec<ExecIndex> = (0..population).map(ExecIndex).filter(|&exec| slice.owns(exec)).collect();
    measured.prepared += interrupt(session, &execs).await?;
    let circuit = Circuit::new(session);
    let (retries, last_signal, answered) = (StormRetries::default(), Cell::new(None), Cell::new(None));
    let executions = execs.len() as u64;
    let work = async |recorder: &RefCell<Recorder>, beginning: Beginning| {
        // Of several generators each counts from the moment that they agreed on, not from a first signal of
        // its own.
        let (first_signal, began_us) = beginning.wait().await;
        circuit.producer.storm_begins(&execs, first_signal);
        let quiet = session.quietly();
        let sending = || last_signal.set(Some(first_signal.elapsed()));
        let release = async {
            circuit.producer.release(&execs, &quiet, &sending).await?;
            answered.set(Some(first_signal.elapsed()));
            Ok(())
        };
        let (start, workers) = (first_signal, slice.share_of(workers));
        let offer: Offer<'_, ThreadPacer, _> =
            Offer::Storm { workers, executions, start, release, retries: &retries };
        let storm = circuit.turn(recorder, offer);
        let turn = Box::pin(beside_strikes(session, start, storm)).await?;
        Ok(turn.begun(began_us, None))
    };
    let done = circuit.window(measured, Some(executions), work).await;
    if done.is_ok() {
        measured.prepared.grants = session.first_site().workload.grants().issued;
    }
    // Until all are answered it is not known which one is the last.
    let last_signal = last_signal.get().filter(|_| answered.get().is_some());
    measured.storm = Some(retries.record(executions, last_signal, answered.get()));
    done
}

async fn interrupt(session: &Session<'_>, execs: &[ExecIndex]) -> Result<Prepared, LoadError> {
    let watch = session.watch();
    let interruptions = execs.len() as u64;
    watch.begin(Activity::Stage, Some(interruptions));
    let begun = Instant::now();
    let progress = |done: u64, _: u64| watch.advance(done);
    let control = Oversight { cancel: session.cancel(), progress: &progress };
    session.first_site().workload.interrupt(execs, &control).await?;
    Ok(Prepared { interruptions, took: begun.elapsed(), ..Prepared::default() })
}
