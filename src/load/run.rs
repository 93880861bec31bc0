//! `load::run`: a scenario on a cluster becomes a record.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::churn::churn;
use super::error::LoadError;
use super::measured::Measured;
use super::progress::Activity;
use super::run_record::{Closing, run_record};
use super::session::{RunSetup, Session};
use super::staged::staged;
use super::storm::storm;
use crate::workload::Control;
use reclaim_analysis::record::{Fault, RunRecord, Warning};
use reclaim_analysis::scenario::Mode;

/// Runs a scenario. Whatever it wrote on a cluster that is not ours is removed before this returns, also where it
/// fails.
pub async fn run(setup: RunSetup<'_>) -> Result<RunRecord, LoadError> {
    let session = Session::open(&setup).await?;
    // Boxed: each holds everything of a window, and whoever awaits a run would hold all of them.
    let mut measured = match setup.scenario.load.mode {
        Mode::Staged => Box::pin(staged(&session)).await,
        Mode::Churn => Box::pin(churn(&session)).await,
        Mode::Storm => Box::pin(storm(&session)).await,
    };
    let cancelled = session.interrupted();
    // What else went wrong meanwhile is its consequence.
    let lost = session.patience.lost().map(LoadError::from);
    let ended_by = lost.or_else(|| measured.ended_by.take()).filter(|_| !cancelled);
    let claimed = measured.recorder.get_mut().claimed() > 0;
    let nothing = measured.prepared.executions == 0;
    let mut closing = Closing::default();
    if let Some(error) = &ended_by {
        // Hours of claims are not lost for what ended them: the result is invalid and says why.
        closing.faults.push(fault("the run ended early", error));
    }
    let record = close(&session, &measured, closing).await;
    match ended_by {
        // It is the cause; what went wrong while tidying up is only its consequence.
        Some(error) if !claimed => Err(error),
        None if nothing && cancelled => Err(LoadError::Cancelled),
        _ => Ok(record),
    }
}

/// Reads everything back, removes it from a cluster that is not ours, and closes the record. Works on after the run was
/// cancelled: what was written must not stay.
async fn close(session: &Session<'_>, measured: &Measured, mut closing: Closing) -> RunRecord {
    let interrupted = session.interrupted();
    let go_on = CancellationToken::new();
    let watch = session.watch();
    let progress = |done: u64, _: u64| watch.advance(done);
    let control = Control { cancel: &go_on, progress: &progress };
    watch.begin(Activity::Audit, None);
    let limit = closing_limit(session);
    match tokio::time::timeout(limit, session.workload.audit(&control)).await {
        Ok(Ok(audit)) => closing.audit = audit,
        Ok(Err(error)) => closing.faults.push(fault("the audit could not be made", &error)),
        Err(_) => closing.faults.push(fault("the audit could not be made", &TakesTooLong(limit))),
    }
    // Of a run that failed before its first claim there is nothing to keep.
    if measured.recorder.borrow().claimed() > 0 {
        watch.snapshot(&run_record(session, measured, &closing, interrupted));
    }
    if !session.cluster.owned() {
        watch.begin(Activity::Remove, None);
        let removed = tokio::time::timeout(limit, session.workload.remove(&control)).await;
        let failure: Box<dyn std::error::Error> = match removed {
            Ok(Ok(removal)) => {
                if removal.failures > 0 {
                    if measured.recorder.borrow().claimed() == 0 {
                        // There will be no result to say so.
                        watch.note(&format!(
                            "not all that was written could be removed ({}); run `reclaim-bench clean`",
                            removal.examples.join("; ")
                        ));
                    }
                    closing.warnings.push(Warning::LeftOver { keys: removal.failures });
                }
                return run_record(session, measured, &closing, interrupted);
            }
            Ok(Err(error)) => error.into(),
            Err(_) => TakesTooLong(limit).into(),
        };
        watch.note(&format!("cannot remove all that was written: {failure}; run `reclaim-bench clean`"));
        closing.faults.push(fault("what was written could not be removed", &*failure));
    }
    run_record(session, measured, &closing, interrupted)
}

/// How long reading back may take, and how long removing: a hundred times what they take on servers that answer, and never
/// without end on those that do not.
fn closing_limit(session: &Session<'_>) -> Duration {
    Duration::from_mins(1) + Duration::from_millis(5) * session.workload.executions()
}

/// A step at the end that has no end.
#[derive(Debug, thiserror::Error)]
#[error("it was not done within {} s", .0.as_secs())]
struct TakesTooLong(Duration);

/// An infrastructure error that makes the result invalid without ending the run.
fn fault(what: &str, error: &dyn std::error::Error) -> Fault {
    Fault::Infrastructure { detail: format!("{what}: {error}") }
}
