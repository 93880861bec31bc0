//! Keeps the map of a cluster up to date while servers fail: one look at a time, for all claims that want
//! one.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout};

use super::reopening::{Losses, LostConnections};
use crate::claim::LocalFuture;
use crate::cluster::{Cluster, Look};
use crate::valkey::Wire;

/// A look waits for no node longer than this: what answers at all does so within milliseconds.
const PATIENCE: Duration = Duration::from_millis(300);

/// A look after a loss that no fault explains may open many connections, over a long way: nothing else hurries it.
const PATIENCE_AFTER_LOSS: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the cluster may take at the end of a window until it is whole and well: others take a server's
/// word that it is back only two node timeouts after they gave it up, and it waits for some seconds itself.
const UNTIL_WHOLE: Duration = Duration::from_mins(1);

/// For how long the cluster must be whole and well on end: a server that has just gone on does not know yet what
/// the others think of it.
const STEADY: Duration = Duration::from_millis(500);

/// How often it is said that this is waited for.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A cluster as it is followed. Neither of both waits for a node longer than `patience`.
pub(in crate::load) trait Followed {
    /// Looks where everything is, and connects anew to what was lost. Where no map can be had it has come to nothing.
    fn look(&self, patience: Duration) -> LocalFuture<'_, Look>;

    /// Whether every primary answers and calls the cluster well.
    fn is_called_well(&self, patience: Duration) -> LocalFuture<'_, bool>;
}

impl Followed for Cluster {
    fn look(&self, patience: Duration) -> LocalFuture<'_, Look> {
        Box::pin(async move { self.follow(patience).await.unwrap_or_default() })
    }

    fn is_called_well(&self, patience: Duration) -> LocalFuture<'_, bool> {
        Box::pin(self.all_call_it_well(patience))
    }
}

/// Looks at a cluster on behalf of claims that found no way.
pub(in crate::load) struct Follower {
    cluster: Rc<dyn Followed>,
    wanted: Notify,
    changed: Notify,
    generation: Cell<u64>,
    /// Held by `follow` and `after_loss` while they look: of two looks the older one's map might be the one that stays.
    /// Not by `until_whole`: `follow` may have been left off within its look, and would hold it for good.
    looking: Mutex<()>,
    losses: Losses,
}

impl Follower {
    pub fn new(cluster: Rc<impl Followed + 'static>) -> Self {
        Self {
            cluster,
            wanted: Notify::new(),
            changed: Notify::new(),
            generation: Cell::new(0),
            looking: Mutex::new(()),
            losses: Losses::default(),
        }
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

    /// After a claim whose connection broke though no fault explains it: sees to it that it is opened anew, also
    /// where nobody follows, as in a warm-up. `wire` has the connections in question as they are at the time.
    /// Returns those that had broken, to one claim for each loss.
    pub(super) async fn after_loss(&self, wire: impl Fn() -> Wire) -> Option<LostConnections> {
        self.losses.mend(wire, async || self.look_now(PATIENCE_AFTER_LOSS).await).await
    }

    /// Looks whenever somebody asks. Goes on until it is dropped.
    pub async fn follow(&self) -> Infallible {
        loop {
            self.wanted.notified().await;
            self.look_now(PATIENCE).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look_now(&self, patience: Duration) {
        let _alone = self.looking.lock().await;
        // Where no map can be had, whoever waits asks again.
        if self.cluster.look(patience).await.changed {
            self.generation.set(self.generation() + 1);
            self.changed.notify_waiters();
        }
    }

    /// Waits until every primary answers and calls the cluster well, so that what follows is served; gives up
    /// after a while. `waiting` is told how long that may still take, once it does take.
    pub async fn until_whole(&self, waiting: &dyn Fn(Duration)) {
        let look =
            async || self.cluster.look(PATIENCE).await.whole && self.cluster.is_called_well(PATIENCE).await;
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
