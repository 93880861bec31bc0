//! Who watches a campaign, and the safety copies that it keeps meanwhile.

use std::cell::Cell;
use std::time::Duration;

use super::safety_copies::SafetyCopies;
use crate::load::{Activity, Progress};
use crate::store::{ResultDir, keep_partial};
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

/// Passes a run's progress on, and keeps what it has measured so far in its directory: the last copy is written when
/// this is dropped, which must come before anything else is put there.
pub(super) struct Keeping<'a> {
    watch: &'a dyn Watch,
    /// `None` where nobody could write them.
    copies: Option<SafetyCopies>,
    /// A failure to keep a copy is said once; the run goes on.
    complained: Cell<bool>,
}

impl<'a> Keeping<'a> {
    pub(super) fn new(watch: &'a dyn Watch, dir: &ResultDir) -> Self {
        let dir = dir.path().to_owned();
        let started = SafetyCopies::start(move |record| keep_partial(&dir, record));
        let complained = Cell::new(false);
        match started {
            Ok(copies) => Self { watch, copies: Some(copies), complained },
            Err(error) => {
                let keeping = Self { watch, copies: None, complained };
                keeping.complain(&format!("cannot start the thread that writes safety copies: {error}"));
                keeping
            }
        }
    }

    /// Tells of a copy that was not written.
    fn tell_failure(&self) {
        if let Some(error) = self.copies.as_ref().and_then(SafetyCopies::failure) {
            self.complain(&format!("{:#}", anyhow::Error::from(error)));
        }
    }

    fn complain(&self, why: &str) {
        if !self.complained.replace(true) {
            self.watch.warn(&format!("{why}; the run goes on without a safety copy"));
        }
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        if let Some(copies) = &mut self.copies {
            copies.end();
        }
        self.tell_failure();
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
        self.tell_failure();
    }

    fn note(&self, text: &str) {
        self.watch.note(text);
    }

    fn snapshot(&self, record: RunRecord) {
        self.tell_failure();
        if let Some(copies) = &self.copies {
            copies.put(record);
        }
    }

    fn snapshot_now(&self, record: RunRecord) {
        if let Some(copies) = &self.copies {
            copies.put_now(&record);
        }
        self.tell_failure();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, record};

    /// Keeps what it is warned of.
    #[derive(Default)]
    struct Warned(RefCell<Vec<String>>);

    impl Progress for Warned {
        fn begin(&self, _: Activity, _: Option<u64>) {}
        fn advance(&self, _: u64) {}
        fn second(&self, _: &TimelinePoint) {}
        fn note(&self, _: &str) {}
        fn snapshot(&self, _: RunRecord) {}
    }

    impl Watch for Warned {
        fn run(&self, _: u32, _: u32, _: &Scenario) {}
        fn warn(&self, text: &str) {
            self.0.borrow_mut().push(text.to_owned());
        }
        fn finish(&self) {}
        fn judged(&self, _: &RunResult) {}
    }

    /// What is said of two copies, and whether one is there in the end.
    fn kept(dir: &ResultDir) -> (Vec<String>, bool) {
        let watch = Warned::default();
        let keeping = Keeping::new(&watch, dir);
        let record = record(&[GRANT_LANE], 1);
        keeping.snapshot(RunRecord { seed: 6, ..record.clone() });
        keeping.snapshot(RunRecord { seed: 7, ..record });
        drop(keeping);
        let last = crate::store::read_run(dir.path()).is_ok_and(|copy| copy.record.seed == 7);
        (watch.0.into_inner(), last)
    }

    #[test]
    fn the_last_copy_is_there_in_the_end_and_a_failure_is_said_once() {
        let output = tempfile::tempdir().unwrap();
        let dir = ResultDir::create(output.path(), "x").unwrap();
        assert_eq!(kept(&dir), (Vec::new(), true));
        let gone = ResultDir::create(output.path(), "x").unwrap();
        std::fs::remove_dir(gone.path()).unwrap();
        let (warned, last) = kept(&gone);
        assert!(!last);
        let [said] = warned.as_slice() else { panic!("{warned:?}") };
        assert!(said.starts_with("cannot write") && said.ends_with("without a safety copy"), "{said}");
    }
}
