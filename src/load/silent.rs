//! A primary that answers nobody: the run ends with what it has, rather than waiting out every claim on it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::claim::ClaimReceipt;
use crate::valkey::NodeAddr;
use reclaim_analysis::record::{Fault, Outcome};

/// How many times the longest wait for a reply a primary may be silent: a pause or a failover is over by then.
const WAITS: u32 = 3;

/// Watches who answers. One of a run for all of its claims.
pub(super) struct SilentNodes {
    limit: Duration,
    run: CancellationToken,
    /// Since when nobody was answered there, and how many claims were not.
    silent: RefCell<BTreeMap<NodeAddr, (Instant, u32)>>,
    given_up: Cell<bool>,
}

impl SilentNodes {
    /// Ends `run` once a primary has been silent for three times the `longest_wait`.
    pub fn new(longest_wait: Duration, run: CancellationToken) -> Self {
        Self { limit: WAITS * longest_wait, run, silent: RefCell::default(), given_up: Cell::new(false) }
    }

    /// A claim on the primary at `addr` came back, or was given up.
    pub fn note(&self, addr: &NodeAddr, receipt: &ClaimReceipt) {
        let unanswered = match receipt.outcome {
            Outcome::TimedOut => true,
            // Nobody could tell what became of it either.
            Outcome::Ambiguous => receipt.lease.is_none(),
            _ => false,
        };
        let mut silent = self.silent.borrow_mut();
        if unanswered {
            let now = Instant::now();
            let (since, claims) = silent.entry(addr.clone()).or_insert((now, 0));
            *claims += 1;
            if now.duration_since(*since) >= self.limit {
                self.given_up.set(true);
                self.run.cancel();
            }
        } else if !silent.is_empty() && !self.given_up.get() {
            silent.remove(addr);
        }
    }

    /// Whether a primary has ended the run.
    pub fn given_up(&self) -> bool {
        self.given_up.get()
    }

    /// What ended it.
    pub fn fault(&self) -> Option<Fault> {
        let silent = self.silent.borrow();
        let (addr, (_, claims)) =
            silent.iter().filter(|_| self.given_up()).max_by_key(|(_, (_, claims))| *claims)?;
        Some(Fault::Infrastructure {
            detail: format!(
                "{addr} has left {claims} claims on end without an answer, for {:.1} s and longer, so the run was ended with \
                 what it had",
                self.limit.as_secs_f64()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::record::{StepTimes, WireCost};

    const WAIT: Duration = Duration::from_secs(1);

    fn receipt(outcome: Outcome) -> ClaimReceipt {
        ClaimReceipt {
            outcome,
            lease: None,
            error: None,
            cost: WireCost::default(),
            steps: StepTimes::default(),
        }
    }

    fn node(port: u16) -> NodeAddr {
        NodeAddr { host: "127.0.0.1".into(), port }
    }

    #[tokio::test(start_paused = true)]
    async fn a_primary_that_stays_silent_ends_the_run_and_is_named() {
        let run = CancellationToken::new();
        let nodes = SilentNodes::new(WAIT, run.clone());
        for second in 0..4 {
            assert!(!run.is_cancelled(), "after {second} s");
            nodes.note(&node(1), &receipt(Outcome::Ambiguous));
            nodes.note(&node(2), &receipt(Outcome::Claimed));
            tokio::time::sleep(WAIT).await;
        }
        assert!(run.is_cancelled() && nodes.given_up());
        let Some(Fault::Infrastructure { detail }) = nodes.fault() else { panic!() };
        assert!(detail.starts_with("127.0.0.1:1 has left 4 claims on end without an answer"), "{detail}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_is_enough_and_refusals_are_answers() {
        let run = CancellationToken::new();
        let nodes = SilentNodes::new(WAIT, run.clone());
        for outcome in [Outcome::Claimed, Outcome::LostRace, Outcome::Failed] {
            for _ in 0..3 {
                nodes.note(&node(1), &receipt(Outcome::TimedOut));
                tokio::time::sleep(WAIT).await;
            }
            nodes.note(&node(1), &receipt(outcome));
        }
        assert!(!run.is_cancelled() && nodes.fault().is_none());
    }
}
