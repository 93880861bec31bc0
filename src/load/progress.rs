//! How a run tells whoever watches where it is.

use std::cell::Cell;
use std::time::Duration;

use serde::Serialize;

use reclaim_analysis::record::{Recorder, RunRecord, TimelinePoint};

/// What a run is doing, in the order it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Starting servers or reaching those that are there, loading the function library.
    Start,
    /// Deciding who claims what.
    Plan,
    /// Creating executions and making their first claims.
    Create,
    /// Interrupting, making runnable, issuing grants.
    Stage,
    /// Claims before the window.
    Warmup,
    /// The timed part.
    Window,
    /// Blocks between readings of the servers' counters.
    Blocks,
    /// Waiting for grants to expire.
    Expire,
    /// Reading everything back.
    Audit,
    /// Removing what was written.
    Remove,
    /// Concluding from what was measured.
    Judge,
}

impl Activity {
    /// What to show.
    pub fn label(self) -> &'static str {
        match self {
            Self::Start => "starting or reaching the servers",
            Self::Plan => "planning the claims",
            Self::Create => "creating executions",
            Self::Stage => "filling the stock of grants",
            Self::Warmup => "warming up",
            Self::Window => "claiming",
            Self::Blocks => "claiming between counter readings",
            Self::Expire => "waiting for grants to expire",
            Self::Audit => "auditing",
            Self::Remove => "removing what was written",
            Self::Judge => "judging",
        }
    }
}

/// Receives a run's progress. All methods are called from the load's thread and must not block.
pub trait Progress {
    /// An activity begins; `total` is the number of things that it has to do, if known.
    fn begin(&self, activity: Activity, total: Option<u64>);

    /// How many of them are done.
    fn advance(&self, done: u64);

    /// Nothing is done but to wait for something, which may take until `left` has passed; told again as time
    /// passes.
    fn waiting(&self, _what: &str, _left: Duration) {}

    /// A second of the window has finished; each is told once, the last one when the window is over, of which
    /// only a part may have been measured. Together they have all claims of the run.
    fn second(&self, point: &TimelinePoint);

    /// Something worth a line.
    fn note(&self, text: &str);

    /// All that has been measured so far, so that a crash loses little. Writing it takes longer than many claims:
    /// another thread's work.
    fn snapshot(&self, record: RunRecord);

    /// As [`Self::snapshot`], where no claim is under way: the record is kept when this returns.
    fn snapshot_now(&self, record: RunRecord) {
        self.snapshot(record);
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Activity, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn second(&self, _: &TimelinePoint) {}
    fn note(&self, _: &str) {}
    fn snapshot(&self, _: RunRecord) {}
}

/// How many finished seconds of a run's window have been shown so far.
#[derive(Debug, Default)]
pub(super) struct SecondsTold(Cell<usize>);

impl SecondsTold {
    /// Tells each second that has finished, once.
    pub fn tell_finished(&self, watch: &dyn Progress, recorder: &Recorder) {
        while let Some(point) = recorder.second(self.0.get()) {
            watch.second(&point);
            self.0.set(self.0.get() + 1);
        }
    }
}
