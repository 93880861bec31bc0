//! A storm's executions one by one: which hold a lease, and which are claimed again because a claim came to
//! nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::driving::Fate;
use reclaim_analysis::record::{RetryCause, StormRecord};

/// Claims of one execution at most. What fails as often fails for a reason that no further claim removes.
const TRIES: u32 = 8;

/// Wait before the second claim; doubles from one to the next. All waits together last as long as it takes a
/// cluster to notice that a primary is gone, and to put another one in its place.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What comes next for an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: it holds a lease, or it was given up on.
    Done,
    /// Nothing: the execution was done before.
    DoneAlready,
    /// Its grant can be handed out again after this time.
    HandBack(Duration),
    /// A scanner finds it when its grant is gone.
    Scanner,
}

/// Counts a storm's claims by execution.
#[derive(Default)]
pub(super) struct StormRetries(RefCell<Counts>);

#[derive(Default)]
struct Counts {
    done: BTreeSet<u32>,
    /// Claims that came to nothing, of those that are not done.
    failed: BTreeMap<u32, u32>,
    /// Executions among the done that hold no lease.
    given_up_on: BTreeSet<u32>,
    retries: BTreeMap<RetryCause, u64>,
}

impl StormRetries {
    /// Takes note of an ended claim.
    pub fn after(&self, execution: u32, fate: Fate) -> Next {
        let mut counts = self.0.borrow_mut();
        if counts.done.contains(&execution) {
            // A second claim of one execution, with a grant that was issued while the first was under way,
            // may be refused before the first one's reply is read.
            if fate == Fate::Held {
                counts.given_up_on.remove(&execution);
            }
            return Next::DoneAlready;
        }
        let cause = match fate {
            Fate::Held => {
                counts.done.insert(execution);
                return Next::Done;
            }
            Fate::Refused => None,
            Fate::NoGrant => Some(RetryCause::GrantGone),
            Fate::Redirected => Some(RetryCause::Redirected),
            Fate::Unanswered => Some(RetryCause::Unanswered),
        };
        let failed = counts.failed.entry(execution).or_default();
        *failed += 1;
        let failed = *failed;
        let Some(cause) = cause.filter(|_| failed < TRIES) else {
            counts.given_up_on.insert(execution);
            counts.done.insert(execution);
            return Next::Done;
        };
        *counts.retries.entry(cause).or_default() += 1;
        if cause == RetryCause::GrantGone {
            Next::Scanner
        } else {
            Next::HandBack(FIRST_PAUSE * 2_u32.pow(failed - 1))
        }
    }

    /// Whether an execution has held its lease: what is claimed of it from then on is no way back, although a
    /// failover may have taken the lease away.
    pub fn has_come_back(&self, execution: u32) -> bool {
        let counts = self.0.borrow();
        counts.done.contains(&execution) && !counts.given_up_on.contains(&execution)
    }

    /// What there is to say about a storm of `executions`. `last_signal` and `answered` are the times
    /// from its beginning until the last signal was sent and until the last one was answered.
    pub fn record(
        &self,
        executions: u64,
        last_signal: Option<Duration>,
        answered: Option<Duration>,
    ) -> StormRecord {
        let counts = self.0.borrow();
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        StormRecord {
            executions,
            held: (counts.done.len() - counts.given_up_on.len()) as u64,
            given_up: counts.given_up_on.len() as u64,
            last_signal_us: last_signal.map(us),
            signals_answered_us: answered.map(us),
            retries: counts.retries.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_came_to_nothing_is_made_again_later_and_later_and_not_for_ever() {
        let retries = StormRetries::default();
        let pauses: Vec<Next> = (0..TRIES).map(|_| retries.after(7, Fate::Unanswered)).collect();
        assert_eq!(pauses[0], Next::HandBack(FIRST_PAUSE));
        assert_eq!(pauses[2], Next::HandBack(FIRST_PAUSE * 4));
        assert_eq!(pauses[TRIES as usize - 1], Next::Done, "given up on");
        let record = retries.record(1, None, None);
        assert_eq!((record.held, record.given_up), (0, 1));
        assert_eq!(record.retries, [(RetryCause::Unanswered, u64::from(TRIES) - 1)].into());
    }

    #[test]
    fn a_lease_counts_once_whichever_of_two_claims_is_heard_of_first() {
        for fates in [[Fate::Held, Fate::Refused], [Fate::Refused, Fate::Held], [Fate::Held, Fate::Held]] {
            let retries = StormRetries::default();
            assert_eq!(fates.map(|fate| retries.after(1, fate)), [Next::Done, Next::DoneAlready]);
            let record = retries.record(1, None, None);
            assert_eq!((record.held, record.given_up), (1, 0), "{fates:?}");
        }
    }

    #[test]
    fn an_execution_has_come_back_once_it_has_held_its_lease() {
        let retries = StormRetries::default();
        let steps = [Fate::Unanswered, Fate::Refused, Fate::Held, Fate::NoGrant].map(|fate| {
            let before = retries.has_come_back(1);
            retries.after(1, fate);
            before
        });
        assert_eq!(steps, [false, false, false, true], "one that was given up on may come back yet");
        assert!(retries.has_come_back(1) && !retries.has_come_back(2));
    }

    #[test]
    fn every_fate_is_counted_under_its_own_name() {
        let retries = StormRetries::default();
        assert_eq!(retries.after(1, Fate::NoGrant), Next::Scanner);
        assert_eq!(retries.after(2, Fate::Redirected), Next::HandBack(FIRST_PAUSE));
        assert_eq!(retries.after(3, Fate::Refused), Next::Done, "it would be refused again");
        for execution in [1, 2] {
            assert_eq!(retries.after(execution, Fate::Held), Next::Done);
            assert_eq!(retries.after(execution, Fate::NoGrant), Next::DoneAlready);
        }
        let record = retries.record(4, Some(Duration::from_millis(2)), None);
        assert_eq!((record.held, record.given_up, record.without_lease()), (2, 1, 2));
        assert_eq!(record.retries, [(RetryCause::Redirected, 1), (RetryCause::GrantGone, 1)].into());
        assert_eq!((record.last_signal_us, record.signals_answered_us), (Some(2_000.0), None));
    }
}
