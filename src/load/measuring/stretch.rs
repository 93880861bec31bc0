//! What surrounds a stretch of claims, for one generator and for several: all are silent, the servers'
//! counters are read, all begin at one moment; and the same again when the claims are made.

use tokio::time::Instant;

use super::super::error::LoadError;
use super::super::rendezvous::{Barrier, Start};
use super::super::session::Session;
use super::super::timing::{Pacer, Schedule, ThreadPacer};
use super::inside;
use super::measured::Measured;
use super::meter::OpenStretch;
use reclaim_analysis::record::{CounterDelta, Inside};

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

/// What is read around a stretch.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::load) struct Around {
    /// Whether what the servers did counts for the primaries' totals: in a warm-up it does not.
    pub keep: bool,
    /// The arm whose library's own counts are read, where it is an instrumented one.
    pub inside: Option<u8>,
}

/// A stretch whose claims are made, with what was read around it.
pub(in crate::load) struct Stretched<T> {
    /// What making the claims came to.
    pub work: T,
    /// What the servers did, by cluster; nothing with generators that do not lead.
    pub by_cluster: Vec<CounterDelta>,
    /// What the arm's library has counted.
    pub inside: Option<Inside>,
}

/// One stretch of claims, which `work` makes: all generators are silent, the counters are read, all begin at one
/// moment; once the claims are made the counters are read again, and all go on. `None` where the run is to end
/// before the stretch begins.
pub(in crate::load) async fn around<T>(
    session: &Session<'_>,
    measured: &mut Measured,
    around: Around,
    work: impl AsyncFnOnce(&mut Measured, &mut OpenStretch, Beginning) -> Result<T, LoadError>,
) -> Result<Option<Stretched<T>>, LoadError> {
    if silence(session).await? == Barrier::Ended {
        return Ok(None);
    }
    // Before the counters are read and after: reading is a call of a function as well. Several generators' are
    // read once.
    let arm = around.inside.filter(|_| session.slice().leads());
    let inside_before = read_inside(session, arm).await?;
    let mut open = open(session, measured).await?;
    let Some(beginning) = begin(session).await? else { return Ok(None) };
    // Boxed: it holds everything of a window.
    let work = Box::pin(work(&mut *measured, &mut open, beginning)).await?;
    let by_cluster = close(session, measured, open, around.keep).await?;
    let inside = match (inside_before, read_inside(session, arm).await?) {
        (Some(before), Some(after)) => after.since(&before),
        _ => None,
    };
    part(session).await?;
    Ok(Some(Stretched { work, by_cluster, inside }))
}

/// What an instrumented arm's library has counted so far.
async fn read_inside(session: &Session<'_>, arm: Option<u8>) -> Result<Option<Inside>, LoadError> {
    match arm {
        Some(arm) => inside::read(session, arm).await,
        None => Ok(None),
    }
}

/// Waits until all generators are staged and silent.
async fn silence(session: &Session<'_>) -> Result<Barrier, LoadError> {
    match session.meeting() {
        None => Ok(Barrier::Passed),
        Some(meeting) => Ok(meeting.quieten().await?),
    }
}

/// Before the claims of a stretch. Of several generators the first one reads the servers' counters, for all.
async fn open(session: &Session<'_>, measured: &mut Measured) -> Result<OpenStretch, LoadError> {
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
async fn close(
    session: &Session<'_>,
    measured: &mut Measured,
    before: OpenStretch,
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
async fn part(session: &Session<'_>) -> Result<(), LoadError> {
    match session.meeting() {
        None => Ok(()),
        Some(meeting) => Ok(meeting.close().await?),
    }
}
