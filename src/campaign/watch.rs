//! Who watches a campaign, and the safety copies that it keeps meanwhile.

use std::cell::Cell;
use std::time::Duration;

use crate::load::{Activity, Progress};
use crate::store::ResultDir;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::{RunRecord, TimelinePoint};
use reclaim_analysis::scenario::Scenario;

/// Is told how a campaign goes. [`Progress::note`] is for people who follow it.
pub trait Watch: Progress {
    /// Run `n` of `of` begins, from 1; `of` is 0 where nobody knows how many there will be.
    fn run(&self, n: u32, of: u32, scenario: &Scenario);

    /// Something that went wrong and ends nothing; whoever asked for quiet should see it too.
    fn warn(&self, text: &str);

    /// The run, or what else showed progress, is over.
    fn finish(&self);

    /// What a run came to.
    fn judged(&self, result: &RunResult);
}

/// Passes a run's progress on, and keeps what it has measured so far in its directory.
pub(super) struct Keeping<'a> {
    watch: &'a dyn Watch,
    dir: &'a ResultDir,
    /// A failure to keep a copy is said once; the run goes on.
    complained: Cell<bool>,
}

impl<'a> Keeping<'a> {
    pub(super) fn new(watch: &'a dyn Watch, dir: &'a ResultDir) -> Self {
        Self { watch, dir, complained: Cell::new(false) }
    }
}

impl Progress for Keeping<'_> {
    fn begin(&self, activity: Activity, total: Option<u64>) {
        self.watch.begin(activity, total);
    }

    fn advance(&self, done: u64) {
        self.watch.advance(done);
    }

    fn waiting(&self, what: &str, left: Duration) {
        self.watch.waiting(what, left);
    }

    fn second(&self, point: &TimelinePoint) {
        self.watch.second(point);
    }

    fn note(&self, text: &str) {
        self.watch.note(text);
    }

    fn snapshot(&self, record: &RunRecord) {
        if let Err(error) = self.dir.keep_partial(record)
            && !self.complained.replace(true)
        {
            let error = anyhow::Error::from(error);
            self.watch.warn(&format!("{error:#}; the run goes on without a safety copy"));
        }
    }
}
