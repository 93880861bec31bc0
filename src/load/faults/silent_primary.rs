//! When to stop waiting for a primary: after a few claims in a row that it left without an answer.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::valkey::NodeAddr;

/// Claims, each sent after the last one was given up, that a primary leaves without an answer before the run
/// ends. Many that were in flight together are one: a single stall can swallow all of them.
const UNANSWERED: u32 = 3;

/// And for how long the primary must have been silent: a scenario may give claims a limit of milliseconds.
const SILENCE: Duration = Duration::from_secs(10);

/// Ends a run where a primary does not answer any more: every further claim would wait for its limit.
#[derive(Debug)]
pub(in crate::load) struct Patience {
    silent: RefCell<HashMap<NodeAddr, Silence>>,
    lost: RefCell<Option<SilentPrimary>>,
    /// Primaries that may be silent: a fault that was asked for keeps them from answering.
    excused: RefCell<HashSet<NodeAddr>>,
    /// Ends the run in order.
    end: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
struct Silence {
    since: Instant,
    /// When the last of the counted claims was given up.
    last: Instant,
    claims: u32,
}

/// A primary that was given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{addr} has answered nothing for {} s, {claims} claims one after the other: is its process stopped, or the network in \
     between? What was measured until then is kept",
    .waited.as_secs()
)]
pub struct SilentPrimary {
    /// Which.
    pub addr: NodeAddr,
    /// For how long.
    pub waited: Duration,
    /// Claims in a row that it left without an answer.
    pub claims: u32,
}

impl Patience {
    /// Cancels `end` when a primary is given up.
    pub fn new(end: CancellationToken) -> Self {
        let (silent, lost, excused) = Default::default();
        Self { silent, lost, excused, end }
    }

    /// Whether any primary has left a claim without an answer lately.
    pub fn is_tried(&self) -> bool {
        !self.silent.borrow().is_empty()
    }

    /// From now on a primary may be silent.
    pub fn excuse(&self, addr: &NodeAddr) {
        self.excused.borrow_mut().insert(addr.clone());
    }

    /// From now on it has to answer again.
    pub fn expect(&self, addr: &NodeAddr) {
        self.excused.borrow_mut().remove(addr);
        self.answered(addr);
    }

    /// A claim to a primary got an answer of whatever kind.
    pub fn answered(&self, addr: &NodeAddr) {
        self.silent.borrow_mut().remove(addr);
    }

    /// A claim that was sent then got none within its limit.
    pub fn unanswered(&self, addr: &NodeAddr, sent: Instant) {
        if self.excused.borrow().contains(addr) {
            return;
        }
        let now = Instant::now();
        let mut silent = self.silent.borrow_mut();
        let silence = silent.entry(addr.clone()).or_insert(Silence { since: sent, last: sent, claims: 0 });
        if sent < silence.last {
            return;
        }
        silence.last = now;
        silence.claims += 1;
        let waited = now - silence.since;
        if silence.claims >= UNANSWERED && waited >= SILENCE {
            let claims = silence.claims;
            self.lost.borrow_mut().get_or_insert(SilentPrimary { addr: addr.clone(), waited, claims });
            self.end.cancel();
        }
    }

    /// The primary for which the run was ended.
    pub fn lost(&self) -> Option<SilentPrimary> {
        self.lost.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> NodeAddr {
        NodeAddr { host: "127.0.0.1".into(), port }
    }

    async fn pass(seconds: u64) -> Instant {
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        sent
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_primary_is_given_up_after_some_claims_in_a_row() {
        let patience = Patience::new(CancellationToken::new());
        for _ in 0..2 {
            patience.unanswered(&addr(1), pass(5).await);
            patience.answered(&addr(2));
            assert_eq!(patience.lost(), None);
        }
        patience.unanswered(&addr(1), pass(5).await);
        let lost = patience.lost().unwrap();
        assert_eq!((lost.addr.port, lost.claims, lost.waited), (1, 3, Duration::from_secs(15)));
        assert!(patience.end.is_cancelled());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn one_stall_that_swallows_many_claims_and_an_answer_in_between_end_nothing() {
        let patience = Patience::new(CancellationToken::new());
        let sent = pass(5).await;
        for _ in 0..64 {
            patience.unanswered(&addr(1), sent);
        }
        patience.unanswered(&addr(1), pass(5).await);
        patience.answered(&addr(1));
        patience.unanswered(&addr(1), pass(5).await);
        patience.unanswered(&addr(1), pass(5).await);
        assert_eq!(patience.lost(), None);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_short_limit_is_no_reason_to_give_a_primary_up_early() {
        let patience = Patience::new(CancellationToken::new());
        for _ in 0..9 {
            patience.unanswered(&addr(1), pass(1).await);
        }
        assert_eq!(patience.lost(), None);
        patience.unanswered(&addr(1), pass(1).await);
        assert!(patience.lost().is_some());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_primary_that_is_to_be_silent_is_waited_for_and_no_longer_than_that() {
        let patience = Patience::new(CancellationToken::new());
        patience.excuse(&addr(1));
        for _ in 0..9 {
            patience.unanswered(&addr(1), pass(5).await);
        }
        assert_eq!(patience.lost(), None);
        patience.expect(&addr(1));
        for _ in 0..3 {
            assert_eq!(patience.lost(), None);
            patience.unanswered(&addr(1), pass(5).await);
        }
        assert!(patience.lost().is_some());
    }
}
