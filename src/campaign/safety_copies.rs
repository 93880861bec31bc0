//! Writes safety copies of what a run has measured so far, beside the claims that it goes on making.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::machine::aside;
use crate::store::StoreError;
use reclaim_analysis::record::RunRecord;

/// A thread that writes one record at a time, in the order in which they come. Where another one comes before a record's
/// turn, that one is left out. Ends, when everything is written, with this value.
pub(super) struct SafetyCopies {
    desk: Arc<Desk>,
    write: Arc<Write>,
    /// `None` once it has ended.
    thread: Option<JoinHandle<()>>,
}

/// Writes one record.
type Write = dyn Fn(&RunRecord) -> Result<(), StoreError> + Send + Sync;

/// What the load's thread and the one that writes have in common.
#[derive(Default)]
struct Desk {
    papers: Mutex<Papers>,
    changed: Condvar,
}

#[derive(Default)]
struct Papers {
    /// To be written next.
    next: Option<Box<RunRecord>>,
    /// Written last. The load's thread has made it and frees it: the other one may lose its core on the way and would
    /// keep the allocator from it.
    done: Option<Box<RunRecord>>,
    /// The first failure that nobody has heard of.
    failed: Option<StoreError>,
    /// One is being written.
    busy: bool,
    /// Nothing more will come.
    over: bool,
}

impl SafetyCopies {
    /// Starts the thread; outside of a window, see [`aside`].
    pub fn start(
        write: impl Fn(&RunRecord) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (desk, write) = (Arc::new(Desk::default()), Arc::new(write) as Arc<Write>);
        let (common, by_thread) = (Arc::clone(&desk), Arc::clone(&write));
        let thread = aside(move || common.work(&*by_thread))?;
        Ok(Self { desk, write, thread: Some(thread) })
    }

    /// Has it written, and does not wait for that.
    pub fn put(&self, record: RunRecord) {
        let record = Box::new(record);
        let _left_out = self.desk.papers().next.replace(record);
        self.desk.changed.notify_all();
    }

    /// Writes it here and now, after the one that is being written; what waits is older, and left out.
    pub fn put_now(&self, record: &RunRecord) {
        let waiting = {
            let papers = self.desk.papers();
            let papers = self.desk.changed.wait_while(papers, |papers| papers.busy);
            papers.unwrap_or_else(PoisonError::into_inner).next.take()
        };
        drop(waiting);
        self.desk.note((self.write)(record).err());
    }

    /// The first failure since this was asked last. Frees what was written.
    pub fn failure(&self) -> Option<StoreError> {
        let (_done, failed) = {
            let mut papers = self.desk.papers();
            (papers.done.take(), papers.failed.take())
        };
        failed
    }

    /// Has everything written: nothing that is written after this can be overwritten by an older copy. What still
    /// waits is written here, for the other thread may have to wait for a core.
    pub fn end(&mut self) {
        let left = {
            let mut papers = self.desk.papers();
            papers.over = true;
            papers.next.take()
        };
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has already been printed by that thread.
            let _ = thread.join();
        }
        if let Some(record) = left {
            self.desk.note((self.write)(&record).err());
        }
    }
}

impl Drop for SafetyCopies {
    fn drop(&mut self) {
        self.end();
    }
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, write: &Write) {
        while let Some(record) = self.taken() {
            // Whoever waits for it must not wait for ever where it panics.
            let _free = Free(self);
            self.note(write(&record).err());
            self.papers().done = Some(record);
        }
    }

    fn note(&self, failed: Option<StoreError>) {
        let mut papers = self.papers();
        papers.failed = papers.failed.take().or(failed);
    }

    /// Waits for the next one; `None` where none will come.
    fn taken(&self) -> Option<Box<RunRecord>> {
        let nothing_to_do = |papers: &mut Papers| papers.next.is_none() && !papers.over;
        let mut papers =
            self.changed.wait_while(self.papers(), nothing_to_do).unwrap_or_else(PoisonError::into_inner);
        papers.busy = papers.next.is_some();
        papers.next.take()
    }
}

/// Says, when it is dropped, that nothing is being written any more.
struct Free<'a>(&'a Desk);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.0.papers().busy = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, record};

    fn failed(seed: u64) -> StoreError {
        StoreError::NotThere(seed.to_string().into())
    }

    /// The writer is through with a record only when it gets word.
    #[test]
    fn whoever_hands_over_a_record_does_not_wait_for_a_slow_writer() {
        let base = record(&[GRANT_LANE], 1);
        let numbered = |seed: u64| RunRecord { seed, ..base.clone() };
        let (taken_up, under_way) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let may_go_on = Mutex::new(may_go_on);
        let (end, ended) = mpsc::channel();
        let mut copies = SafetyCopies::start(move |record| {
            taken_up.send(record.seed).unwrap();
            // Were it waited for, the word would never come.
            may_go_on.lock().unwrap().recv_timeout(Duration::from_mins(1)).unwrap();
            end.send(record.seed).unwrap();
            Ok(())
        })
        .unwrap();
        copies.put(numbered(1));
        assert_eq!(under_way.recv().unwrap(), 1);
        for seed in [2, 3, 4] {
            copies.put(numbered(seed));
        }
        assert!(ended.try_recv().is_err(), "the first one is under way, and all others were taken");
        assert!(copies.desk.papers().done.is_none());
        go_on.send(()).unwrap();
        assert_eq!(under_way.recv().unwrap(), 4, "one at a time, and of those that wait the newest");
        assert!(copies.failure().is_none());
        assert!(copies.desk.papers().done.is_none(), "freed by whoever asks");
        go_on.send(()).unwrap();
        copies.end();
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn the_end_waits_for_the_last_one_and_the_first_failure_is_told() {
        let base = record(&[GRANT_LANE], 1);
        let (end, ended) = mpsc::channel();
        let mut copies = SafetyCopies::start(move |record| {
            end.send(record.seed).unwrap();
            if record.seed < 3 { Err(failed(record.seed)) } else { Ok(()) }
        })
        .unwrap();
        for seed in 1..=2 {
            copies.put(RunRecord { seed, ..base.clone() });
            assert_eq!(ended.recv().unwrap(), seed);
        }
        copies.put_now(&RunRecord { seed: 3, ..base.clone() });
        assert_eq!(ended.try_recv().unwrap(), 3, "it was written when this came back");
        copies.put(RunRecord { seed: 4, ..base.clone() });
        copies.end();
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), [4], "it was written before the end");
        assert_eq!(copies.failure().unwrap().to_string(), failed(1).to_string());
        assert!(copies.failure().is_none(), "each is told once");
    }
}
