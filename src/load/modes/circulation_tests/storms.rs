//! Storms: everybody is claimed once, again where there was no reply, and nobody is waited for in vain.

use tokio::time::Instant;

use super::super::super::fixtures::{FakePath, scenario};
use super::super::circulation::Offer;
use super::super::storm_retries::StormRetries;
use super::{Carousel, MS, Outcome, claimed, offered, offered_to};
use crate::workload::Slice;
use reclaim_analysis::record::{Outcome as ClaimEnd, Recorder, RetryCause, StormRecord};
use reclaim_analysis::scenario::VariantPath::GrantLane;

#[tokio::test(start_paused = true)]
async fn a_storm_claims_everybody_once() {
    let carousel = Carousel::new(u32::MAX);
    let release = async {
        for hundred in 0..5 {
            tokio::time::sleep(MS * 20).await;
            carousel.resumable.borrow_mut().extend(hundred * 100..(hundred + 1) * 100);
        }
        Ok(())
    };
    let retries = StormRetries::default();
    let offer =
        Offer::Storm { workers: 8, executions: 500, start: Instant::now(), release, retries: &retries };
    let (recorder, end) = offered(&scenario(&[GrantLane]), &carousel, offer, Vec::new()).await;
    assert_eq!((end.failure, end.stalled), (None, false));
    assert_eq!(claimed(&recorder), [500]);
    let storm = retries.record(500, None, None);
    assert_eq!((storm.held, storm.without_lease(), storm.retries.len()), (500, 0, 0));
    assert_eq!(*carousel.interrupted.borrow(), 0, "nobody is interrupted again");
    // 500 claims of a millisecond by eight workers, the last hundred of them released after 100 ms.
    assert!(end.active >= MS * 112 && end.active < MS * 130, "{:?}", end.active);
}

#[tokio::test(start_paused = true)]
async fn a_storm_whose_release_fails_ends() {
    let carousel = Carousel::new(u32::MAX);
    let release = async { Err("the server is gone") };
    let retries = StormRetries::default();
    let offer =
        Offer::Storm { workers: 8, executions: 500, start: Instant::now(), release, retries: &retries };
    let (recorder, end) = offered(&scenario(&[GrantLane]), &carousel, offer, vec![1, 2]).await;
    assert_eq!(end.failure, Some("the server is gone"));
    assert!(claimed(&recorder)[0] <= 2);
    let outcomes = &recorder.arms()[0].outcomes;
    assert_eq!(outcomes.claimed + outcomes.dropped, 500, "{outcomes:?}");
    assert!(retries.record(500, None, None).without_lease() >= 498);
}

/// A failover puts an execution back that had come back already, and it is claimed again.
#[tokio::test(start_paused = true)]
async fn each_execution_of_a_storm_has_one_time_to_resume() {
    let carousel = Carousel::new(u32::MAX);
    let release = async {
        carousel.resumable.borrow_mut().extend(0..49);
        tokio::time::sleep(MS * 50).await;
        assert!(carousel.held.borrow_mut().remove(&7), "it holds its lease by now");
        carousel.resumable.borrow_mut().push(7);
        tokio::time::sleep(MS * 50).await;
        carousel.resumable.borrow_mut().push(49);
        Ok(())
    };
    let retries = StormRetries::default();
    let offer =
        Offer::Storm { workers: 4, executions: 50, start: Instant::now(), release, retries: &retries };
    let (recorder, end) = offered(&scenario(&[GrantLane]), &carousel, offer, Vec::new()).await;
    assert_eq!((end.failure, end.stalled), (None, false));
    assert_eq!((claimed(&recorder), recorder.arms()[0].resume.count()), (vec![51], 50));
    assert_eq!(retries.record(50, None, None).held, 50);
}

/// A storm of 50 executions whose first claims end as written down, last first.
async fn storm_with(endings: Vec<ClaimEnd>, grants_vanish: bool) -> (Recorder, Outcome, StormRecord) {
    let carousel = Carousel { grants_vanish, ..Carousel::new(u32::MAX) };
    let retries = StormRetries::default();
    let release = async {
        carousel.resumable.borrow_mut().extend(0..50);
        Ok(())
    };
    let offer =
        Offer::Storm { workers: 4, executions: 50, start: Instant::now(), release, retries: &retries };
    let fake = FakePath::new(MS);
    fake.endings.replace(endings);
    let (recorder, end) =
        offered_to(&fake, (&scenario(&[GrantLane]), Slice::WHOLE), &carousel, offer, Vec::new()).await;
    (recorder, end, retries.record(50, None, None))
}

#[tokio::test(start_paused = true)]
async fn an_execution_whose_claim_has_no_reply_is_claimed_again() {
    for grants_vanish in [false, true] {
        let endings = vec![ClaimEnd::TimedOut, ClaimEnd::TimedOut, ClaimEnd::Failed];
        let (recorder, end, storm) = storm_with(endings, grants_vanish).await;
        assert_eq!((end.failure, end.stalled), (None, false));
        let outcomes = &recorder.arms()[0].outcomes;
        assert_eq!((outcomes.claimed, outcomes.timed_out, outcomes.failed), (50, 2, 1));
        assert_eq!(outcomes.planned(), 53, "every claim that was made is counted");
        assert_eq!(recorder.arms()[0].resume.count(), 50);
        assert_eq!((storm.held, storm.given_up), (50, 0));
        assert_eq!(storm.retries, [(RetryCause::Unanswered, 3)].into());
    }
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_is_refused_or_fails_for_ever_ends_the_storm_without_its_lease() {
    let (recorder, end, storm) = storm_with(vec![ClaimEnd::Refused("no".into())], false).await;
    assert_eq!((end.failure, end.stalled), (None, false), "nobody waits for what will not come");
    assert_eq!((claimed(&recorder), storm.without_lease(), storm.given_up), (vec![49], 1, 1));
    let (recorder, end, storm) = storm_with(vec![ClaimEnd::TimedOut; 10_000], false).await;
    assert_eq!((end.failure, end.stalled), (None, false));
    assert_eq!((claimed(&recorder), storm.without_lease(), storm.given_up), (vec![0], 50, 50));
    assert_eq!(recorder.arms()[0].outcomes.timed_out, 50 * 8);
}
