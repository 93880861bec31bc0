//! What surrounds a stretch of claims, for one generator and for several: all are silent, the servers'
//! counters are read, all begin at one moment; and the same again when the claims are made.

use tokio::time::Instant;

use super::super::error::LoadError;
use super::super::rendezvous::{Barrier, Start};
use super::super::session::Session;
use super::super::timing::{Pacer, Schedule, ThreadPacer};
use super::measured::Measured;
use super::meter::Reading;
use reclaim_analysis::record::CounterDelta;

/// When a stretch of claims begins: at the moment that several generators have agreed on; for one alone, at
/// once.
#[derive(Clone, Copy, Debug)]
pub(in crate::load) struct Beginning(Option<Start>);

impl Beginning {
    /// Waits until then: the beginning, the same moment for all generators, and when this one could begin by
    /// the clock that they have in common.
    pub async fn wait(self) -> (Instant, Option<u64>) {
        match self.0 {
            None => (Instant::now(), None),
            Some(start) => {
                let woken = start.wait().await;
                (start.at(), Some(start.server_us(woken)))
            }
        }
    }

    /// The clock of an open loop that begins then, and when it does by the common clock.
    pub fn pacer(self, schedule: &Schedule) -> Result<(ThreadPacer, Option<u64>), LoadError> {
        let at = self.0.map_or_else(std::time::Instant::now, |start| start.at().into_std());
        let pacer = ThreadPacer::start_at(schedule, at).map_err(LoadError::Pacer)?;
        let began_us = self.0.map(|start| start.server_us(Pacer::start(&pacer)));
        Ok((pacer, began_us))
    }
}

/// Waits until all generators are staged and silent.
pub(in crate::load) async fn silence(session: &Session<'_>) -> Result<Barrier, LoadError> {
    match session.meeting() {
        None => Ok(Barrier::Passed),
        Some(meeting) => Ok(meeting.quieten().await?),
    }
}

/// Before the claims of a stretch. Of several generators the first one reads the servers' counters, for all.
pub(in crate::load) async fn open(
    session: &Session<'_>,
    measured: &mut Measured,
) -> Result<Reading, LoadError> {
    if session.slice().leads() {
        return Ok(measured.meter.begin().await?);
    }
    Ok(measured.meter.begin_beside())
}

/// The counters are read: when the claims begin; `None` where the run is to end.
pub(in crate::load) async fn begin(session: &Session<'_>) -> Result<Option<Beginning>, LoadError> {
    match session.meeting() {
        None => Ok(Some(Beginning(None))),
        Some(meeting) => Ok(meeting.begin().await?.map(|start| Beginning(Some(start)))),
    }
}

/// After the claims: what the servers did, by cluster, once all generators are silent; nothing for those that
/// do not lead.
pub(in crate::load) async fn close(
    session: &Session<'_>,
    measured: &mut Measured,
    before: Reading,
    keep: bool,
) -> Result<Vec<CounterDelta>, LoadError> {
    let Some(meeting) = session.meeting() else {
        return Ok(measured.meter.end(before, keep, &[]).await?);
    };
    if session.slice().leads() {
        let others = meeting.done(Vec::new).await?;
        return Ok(measured.meter.end(before, keep, &others).await?);
    }
    meeting.done(|| measured.meter.end_beside(before, keep)).await?;
    Ok(Vec::new())
}

/// All go on.
pub(in crate::load) async fn part(session: &Session<'_>) -> Result<(), LoadError> {
    match session.meeting() {
        None => Ok(()),
        Some(meeting) => Ok(meeting.close().await?),
    }
}
