//! Keeps the map of a cluster up to date while servers fail: one look at a time, for all claims that want
//! one.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::cluster::Cluster;

/// A look waits for no node longer than this: what answers at all does so within milliseconds.
const PATIENCE: Duration = Duration::from_millis(300);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the cluster may take at the end of a window until it is whole and well: others take a server's
/// word that it is back only two node timeouts after they gave it up, and it waits for some seconds itself.
const UNTIL_WHOLE: Duration = Duration::from_mins(1);

/// For how long it must be so on end: a server that has just gone on does not know yet what the others think
/// of it.
const STEADY: Duration = Duration::from_millis(500);

/// How often it is said that this is waited for.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Looks at a cluster on behalf of claims that found no way.
pub(in crate::load) struct Follower {
    cluster: Rc<Cluster>,
    wanted: Notify,
    changed: Notify,
    generation: Cell<u64>,
}

impl Follower {
    pub fn new(cluster: Rc<Cluster>) -> Self {
        Self { cluster, wanted: Notify::new(), changed: Notify::new(), generation: Cell::new(0) }
    }

    /// Counts the looks that found something new. Taken before a claim is sent, it tells later whether there
    /// was one meanwhile.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Asks for a look, and waits until one has found something new since `generation`, but for no longer
    /// than `at_most`.
    pub async fn news_since(&self, generation: u64, at_most: Duration) {
        let changed = self.changed.notified();
        if self.generation() != generation {
            return;
        }
        self.wanted.notify_one();
        // Without news the next try shows what is wrong.
        let _ = timeout(at_most, changed).await;
    }

    /// Asks for a look, and waits a little for what it finds.
    pub async fn look(&self) {
        self.news_since(self.generation(), PATIENCE).await;
    }

    /// Looks whenever somebody asks. Goes on until it is dropped.
    pub async fn follow(&self) -> Infallible {
        loop {
            self.wanted.notified().await;
            // Where no map can be had, whoever waits asks again.
            if self.cluster.follow(PATIENCE).await.is_ok_and(|look| look.changed) {
                self.generation.set(self.generation() + 1);
                self.changed.notify_waiters();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until every primary answers and calls the cluster well, so that what follows is served; gives up
    /// after a while. `waiting` is told how long that may still take, once it does take.
    pub async fn until_whole(&self, waiting: &dyn Fn(Duration)) {
        let look = async || {
            let whole = self.cluster.follow(PATIENCE).await.is_ok_and(|look| look.whole);
            whole && self.cluster.all_call_it_well(PATIENCE).await
        };
        // Whoever needs the missing primary says what is wrong with it.
        let _ = timeout(UNTIL_WHOLE, steadily(look, waiting)).await;
    }
}

/// Looks until all is well on end.
async fn steadily(mut is_well: impl AsyncFnMut() -> bool, waiting: &dyn Fn(Duration)) {
    let (begun, mut since, mut told) = (Instant::now(), None, None);
    loop {
        if is_well().await {
            let since = *since.get_or_insert_with(Instant::now);
            if since.elapsed() >= STEADY {
                return;
            }
        } else {
            since = None;
            if told.is_none_or(|told: Instant| told.elapsed() >= TOLD_EVERY) {
                waiting(UNTIL_WHOLE.saturating_sub(begun.elapsed()));
                told = Some(Instant::now());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One answer of a server that does not know yet is no end of it.
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_cluster_is_well_when_it_is_so_on_end() {
        let (begun, told) = (Instant::now(), Cell::new(0));
        let well_at = |at: Duration| !(Duration::from_millis(200)..Duration::from_secs(9)).contains(&at);
        steadily(async || well_at(begun.elapsed()), &|_| told.set(told.get() + 1)).await;
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(9) + STEADY && took < Duration::from_secs(10), "{took:?}");
        assert!((1..=10).contains(&told.get()), "{}", told.get());
        let (again, told) = (Instant::now(), Cell::new(0));
        steadily(async || true, &|_| told.set(told.get() + 1)).await;
        assert!(again.elapsed() < 2 * STEADY && told.get() == 0, "nothing was to be waited for");
    }
}
