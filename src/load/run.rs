//! `load::run`: a scenario on a cluster becomes a record.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::LoadError;
use super::measuring::Measured;
use super::modes::churn::churn;
use super::modes::staged::staged;
use super::modes::storm::storm;
use super::observe::tell_rest;
use super::progress::Activity;
use super::rendezvous::{Meeting, MeetingError, PartSetup};
use super::run_record::{Closing, run_record};
use super::session::{RunSetup, Session};
use crate::workload::Oversight;
use reclaim_analysis::record::{Audit, InvalidReason, RunRecord, Warning};
use reclaim_analysis::scenario::Mode;

/// Runs a scenario. Whatever it wrote on a cluster that is not ours is removed before this returns, also
/// where it fails.
pub async fn run(setup: RunSetup<'_>) -> Result<RunRecord, LoadError> {
    let session = Session::open(&setup, None).await?;
    Ok(run_in(&session).await?.record)
}

/// Makes one generator's part of a run. The first one returns the records of all, in order, the others their
/// own. Where a run failed after claims were made, the first one returns its own alone, which says so.
pub async fn run_part(setup: RunSetup<'_>, part: &PartSetup) -> Result<Vec<RunRecord>, LoadError> {
    let session = Session::open(&setup, Some(part)).await?;
    let made = run_in(&session).await;
    let Some(meeting) = session.meeting() else { return made.map(|made| vec![made.record]) };
    let leads = part.slice.leads();
    let records = match made {
        Ok(MadeRun { record, ended_by: Some(_), .. }) if leads => Ok(vec![record]),
        Err(error) | Ok(MadeRun { ended_by: Some(error), .. }) => Err(error),
        Ok(MadeRun { record, ended_by: None, planned }) => {
            let (mut own, handed) = (leads.then(|| record.clone()), meeting.hand_over(record).await);
            match (handed, own.take()) {
                (Ok(records), _) => Ok(records),
                (Err(error), Some(mut own)) => {
                    meeting.give_up(&error.to_string()).await;
                    remove_gone(&session, planned, &mut own.warnings).await;
                    own.invalid_reasons.push(MissingAfterwards::EndedEarly.because(&error));
                    Ok(vec![own])
                }
                (Err(error), None) => Err(error.into()),
            }
        }
    };
    if let Err(error) = &records {
        meeting.give_up(&error.to_string()).await;
    }
    meeting.leave().await;
    records
}

/// What makes a result invalid though its claims were made.
#[derive(Clone, Copy, Debug)]
enum MissingAfterwards {
    EndedEarly,
    NoAudit,
    NoReadings,
    NotRemoved,
}

impl MissingAfterwards {
    fn words(self) -> &'static str {
        match self {
            Self::EndedEarly => "the run ended early",
            Self::NoAudit => "the audit could not be made",
            Self::NoReadings => "the servers could not be asked what they are",
            Self::NotRemoved => "what was written could not be removed",
        }
    }

    /// The result is invalid for it, and for this reason; the run goes on.
    fn because(self, error: &dyn std::error::Error) -> InvalidReason {
        InvalidReason::Infrastructure { detail: format!("{}: {error}", self.words()) }
    }
}

/// A run as it went.
struct MadeRun {
    record: RunRecord,
    /// What ended it before its time, after claims were made.
    ended_by: Option<LoadError>,
    /// Executions of the whole plan.
    planned: u32,
}

async fn run_in(session: &Session<'_>) -> Result<MadeRun, LoadError> {
    // Boxed: each holds everything of a window, and whoever awaits a run would hold all of them.
    let mut measured = match session.scenario().load.mode {
        Mode::Staged => Box::pin(staged(session)).await,
        Mode::Churn => Box::pin(churn(session)).await,
        Mode::Storm => Box::pin(storm(session)).await,
    };
    tell_rest(session, &measured);
    // Where the generators did not meet, that has ended the run, and nobody else.
    let unmet =
        matches!(&measured.ended_by, Some(LoadError::Meeting(why)) if *why != MeetingError::Interrupted);
    let cancelled = session.interrupted() && !unmet;
    // What else went wrong meanwhile is its consequence.
    let lost = session.lost();
    // Others would wait for the word of one that broke off in a window.
    let broke_off = |error: &LoadError| session.meeting().is_some() && !error.is_told_to_end();
    let ended_by = lost.or_else(|| measured.ended_by.take()).filter(|error| !cancelled || broke_off(error));
    let claimed = measured.recorder.get_mut().claimed() > 0;
    let nothing = measured.prepared.executions == 0;
    let mut closing = Closing::default();
    if let Some(error) = &ended_by {
        // Hours of claims are not lost for what ended them: the result is invalid and says why.
        closing.invalid_reasons.push(MissingAfterwards::EndedEarly.because(error));
        if let Some(meeting) = session.meeting() {
            meeting.give_up(&error.to_string()).await;
        }
    }
    let planned = measured.planned_executions;
    let record = close(session, &measured, closing).await;
    match ended_by {
        // It is the cause; what went wrong while tidying up is only its consequence.
        Some(error) if !claimed => Err(error),
        // Of several generators the first one says so for all.
        None if nothing && cancelled && session.slice().leads() => Err(LoadError::Cancelled),
        ended_by => Ok(MadeRun { record, ended_by, planned }),
    }
}

/// Reads everything back, removes it from a cluster that is not ours, and closes the record. Works on after
/// the run was cancelled: what was written must not stay.
async fn close(session: &Session<'_>, measured: &Measured, mut closing: Closing) -> RunRecord {
    let interrupted = session.interrupted();
    let go_on = CancellationToken::new();
    let watch = session.watch();
    let progress = |done: u64, _: u64| watch.advance(done);
    let control = Oversight { cancel: &go_on, progress: &progress };
    let limit = closing_limit(session);
    look_once_more(session, &mut closing, limit).await;
    watch.begin(Activity::Audit, None);
    for site in &session.sites {
        let audit = tokio::time::timeout(limit, site.workload.audit(&control)).await;
        closing.audits.push(match audit {
            Ok(Ok(audit)) => audit,
            Ok(Err(error)) => {
                closing.invalid_reasons.push(MissingAfterwards::NoAudit.because(&error));
                Audit::default()
            }
            Err(_) => {
                closing.invalid_reasons.push(MissingAfterwards::NoAudit.because(&TakesTooLong(limit)));
                Audit::default()
            }
        });
    }
    // Of a run that failed before its first claim there is nothing to keep. A copy that is left has not seen
    // the run's end.
    if measured.recorder.borrow().claimed() > 0 {
        watch.snapshot_now(run_record(session, measured, &closing, true));
    }
    remove_gone(session, measured.planned_executions, &mut closing.warnings).await;
    if !session.first_site().cluster.owned() && !session.meeting().is_some_and(Meeting::is_owned) {
        watch.begin(Activity::Remove, None);
        let removed = tokio::time::timeout(limit, session.first_site().workload.remove(&control)).await;
        let failure: Box<dyn std::error::Error> = match removed {
            Ok(Ok(removal)) => {
                if removal.failures > 0 {
                    if measured.recorder.borrow().claimed() == 0 {
                        // There will be no result to say so.
                        watch.note(&format!(
                            "not all that was written could be removed ({}); run `reclaim-bench clean`",
                            removal.causes()
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
        closing.invalid_reasons.push(MissingAfterwards::NotRemoved.because(&*failure));
    }
    run_record(session, measured, &closing, interrupted)
}

/// Removes what other generators have left that are gone, from a cluster that is not ours.
async fn remove_gone(session: &Session<'_>, planned: u32, warnings: &mut Vec<Warning>) {
    let gone = session.meeting().map(Meeting::gone).unwrap_or_default();
    if gone.is_empty() || session.first_site().cluster.owned() {
        return;
    }
    let (go_on, watch) = (CancellationToken::new(), session.watch());
    watch.begin(Activity::Remove, None);
    let control = Oversight { cancel: &go_on, progress: &|done, _| watch.advance(done) };
    let limit = closing_limit(session);
    let removal = session.first_site().workload.remove_of(&gone, planned, &control);
    let removed = tokio::time::timeout(limit, removal).await;
    let said = match removed {
        Ok(Ok(removal)) if removal.failures == 0 => return,
        Ok(Ok(removal)) => {
            warnings.push(Warning::LeftOver { keys: removal.failures });
            removal.causes()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => TakesTooLong(limit).to_string(),
    };
    watch.note(&format!(
        "cannot remove all that generators wrote which are gone: {said}; run `reclaim-bench clean`"
    ));
}

/// Asks the servers of a server duet once more what they are.
async fn look_once_more(session: &Session<'_>, closing: &mut Closing, limit: Duration) {
    for site in session.sites.iter().filter(|site| site.duet.is_some()) {
        let read = tokio::time::timeout(limit, site.cluster.readings()).await;
        closing.readings.push(match read {
            Ok(Ok(readings)) => readings,
            Ok(Err(error)) => {
                closing.invalid_reasons.push(MissingAfterwards::NoReadings.because(&error));
                Vec::new()
            }
            Err(_) => {
                closing.invalid_reasons.push(MissingAfterwards::NoReadings.because(&TakesTooLong(limit)));
                Vec::new()
            }
        });
    }
}

/// How long reading back may take, and how long removing: a hundred times what they take on servers that
/// answer, and never without end on those that do not.
fn closing_limit(session: &Session<'_>) -> Duration {
    Duration::from_mins(1) + Duration::from_millis(5) * session.first_site().workload.executions()
}

/// A step at the end that has no end.
#[derive(Debug, thiserror::Error)]
#[error("it was not done within {} s", .0.as_secs())]
struct TakesTooLong(Duration);
