//! What surrounds a stretch of claims, for one generator and for several: all are silent, the servers'
//! counters are read, all begin at one moment; and the same again when the claims are made.

use std::cell::Cell;
use std::rc::Rc;

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
#[derive(Debug)]
pub(in crate::load) struct Beginning {
    agreed: Option<Start>,
    zero: Zero,
}

/// The moment from which the times of a stretch's claims are counted, for whoever measures beside them.
#[derive(Clone, Debug, Default)]
pub(in crate::load) struct Zero(Rc<Cell<Option<Instant>>>);

impl Zero {
    /// The moment, which may be yet to come; `None` while nobody has asked for it.
    pub fn at(&self) -> Option<Instant> {
        self.0.get()
    }

    /// It is this one.
    pub fn set(&self, at: Instant) {
        self.0.set(Some(at));
    }
}

impl Beginning {
    fn new(agreed: Option<Start>) -> Self {
        Self { agreed, zero: Zero::default() }
    }

    /// Where it will be known when the claims begin.
    pub fn zero(&self) -> Zero {
        self.zero.clone()
    }

    /// Waits until then: the beginning, the same moment for all generators, and when this one could begin by
    /// the clock that they have in common.
    pub async fn wait(self) -> (Instant, Option<u64>) {
        let at = self.agreed.map_or_else(Instant::now, |start| start.at());
        self.zero.set(at);
        match self.agreed {
            None => (at, None),
            Some(start) => (at, Some(start.server_us(start.wait().await))),
        }
    }

    /// The clock of an open loop that begins then, and when it does by the common clock.
    pub fn pacer(self, schedule: &Schedule) -> Result<(ThreadPacer, Option<u64>), LoadError> {
        let at = self.agreed.map_or_else(std::time::Instant::now, |start| start.at().into_std());
        let pacer = ThreadPacer::start_at(schedule, at).map_err(LoadError::Pacer)?;
        let start = Pacer::start(&pacer);
        self.zero.set(start);
        Ok((pacer, self.agreed.map(|agreed| agreed.server_us(start))))
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
        None => Ok(Some(Beginning::new(None))),
        Some(meeting) => Ok(meeting.begin().await?.map(|start| Beginning::new(Some(start)))),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reclaim_analysis::scenario::Arrivals;

    use super::super::super::timing::Draw;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_measures_beside_claims_knows_from_when_their_times_count() {
        let closed = Beginning::new(None);
        let zero = closed.zero();
        assert_eq!(zero.at(), None);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (start, _) = closed.wait().await;
        assert_eq!(zero.at(), Some(start));

        let draw = Draw { rate_per_sec: 1e3, seed: 1, part: "0", trace: &[] };
        let open = Beginning::new(None);
        let zero = open.zero();
        let (pacer, _) = open.pacer(&Schedule::new(&Arrivals::Constant, 1, &draw)).unwrap();
        assert_eq!(zero.at(), Some(Pacer::start(&pacer)), "when its schedule begins");
    }
}
