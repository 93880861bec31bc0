//! `load::run`: a scenario on a cluster becomes a record.

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
    let cancelled = session.cancel().is_cancelled();
    let ended_by = measured.ended_by.take().filter(|_| !cancelled);
    let claimed = measured.recorder.get_mut().claimed() > 0;
    let nothing = measured.prepared.executions == 0;
    let mut closing = Closing { faults: session.silent.fault().into_iter().collect(), ..Closing::default() };
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
    match session.workload.audit(&control).await {
        Ok(audit) => closing.audit = audit,
        Err(error) => closing.faults.push(fault("the audit could not be made", &error)),
    }
    // Of a run that failed before its first claim there is nothing to keep.
    if measured.recorder.borrow().claimed() > 0 {
        watch.snapshot(&run_record(session, measured, &closing, interrupted));
    }
    if !session.cluster.owned() {
        watch.begin(Activity::Remove, None);
        match session.workload.remove(&control).await {
            Ok(removal) if removal.failures > 0 => {
                closing.warnings.push(Warning::LeftOver { keys: removal.failures });
            }
            Ok(_) => {}
            Err(error) => {
                watch
                    .note(&format!("cannot remove all that was written: {error}; run `reclaim-bench clean`"));
                closing.faults.push(fault("what was written could not be removed", &error));
            }
        }
    }
    run_record(session, measured, &closing, interrupted)
}

/// An infrastructure error that makes the result invalid without ending the run.
fn fault(what: &str, error: &dyn std::error::Error) -> Fault {
    Fault::Infrastructure { detail: format!("{what}: {error}") }
}
