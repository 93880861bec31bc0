use super::*;
use reclaim_analysis::scenario::{CutFrom, FaultKind, FaultTarget, SlotMoveForm};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn log(kind: FaultKind) -> FaultLog {
    let spec = FaultSpec {
        at: MS(1_000),
        kind,
        target: FaultTarget::AnyPrimary,
        lasting: MS(500),
        slots: 0,
        how: SlotMoveForm::Auto,
        cut_from: CutFrom::Everybody,
    };
    FaultLog::new(&[spec], Duration::from_secs(10))
}

fn server() -> NodeAddr {
    NodeAddr { host: "127.0.0.1".into(), port: 7001 }
}

fn end(log: &FaultLog, start: Instant, due: Duration, outcome: &Outcome, partition: u16) {
    let (due, done) = (start + due, Instant::now());
    let (sent, held) = (due, *outcome == Outcome::Claimed);
    log.note(&Ended { due, sent, done, outcome, held, partition: Some(partition) });
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_fault_explains_what_happens_while_it_lasts_and_shortly_after() {
    let (log, start) = (log(FaultKind::Pause), Instant::now());
    log.begin(start);
    assert!(!log.explains(Instant::now()));
    tokio::time::advance(MS(1_000)).await;
    log.struck(0, &server(), [1].into());
    assert!(log.explains(Instant::now()));
    tokio::time::advance(Duration::from_hours(1)).await;
    assert!(log.explains(Instant::now()), "it has not ended");
    log.ended(0);
    tokio::time::advance(AFTERMATH).await;
    assert!(log.explains(Instant::now()));
    tokio::time::advance(MS(1)).await;
    assert!(!log.explains(Instant::now()));
}

#[test]
fn connections_that_broke_before_the_window_are_none_of_its() {
    let log = log(FaultKind::Pause);
    let loss = LostConnections { server: server(), connections: 2 };
    log.lost(&loss);
    assert_eq!(log.warnings(), []);
    log.begin(Instant::now());
    log.lost(&loss);
    log.lost(&loss);
    let all = Warning::ConnectionsLost { primary: "127.0.0.1:7001".into(), connections: 4 };
    assert_eq!(log.warnings(), [all]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn claims_count_where_they_were_due_and_the_first_success_is_one_of_the_struck_server() {
    let (log, start) = (log(FaultKind::Pause), Instant::now());
    log.begin(start);
    tokio::time::advance(MS(950)).await;
    end(&log, start, MS(940), &Outcome::Claimed, 1);
    tokio::time::advance(MS(50)).await;
    log.struck(0, &server(), [1].into());
    tokio::time::advance(MS(200)).await;
    // Due before the fault, or elsewhere: neither says that the struck server is back.
    end(&log, start, MS(990), &Outcome::Claimed, 1);
    end(&log, start, MS(1_190), &Outcome::Claimed, 2);
    end(&log, start, MS(1_100), &Outcome::TimedOut, 1);
    tokio::time::advance(MS(300)).await;
    end(&log, start, MS(1_010), &Outcome::Claimed, 1);
    log.tried(FailedTry::Disconnected, None);
    log.tried_again();
    assert!(log.ended(0));
    tokio::time::advance(MS(70)).await;
    assert!(!log.ended(0), "it was over before");
    let record = log.record();
    let fault = &record.faults[0];
    assert_eq!((fault.struck_s, fault.first_success_s, fault.ended_s), (Some(1.0), Some(1.5), Some(1.5)));
    assert_eq!(fault.first_failure_s, Some(1.2), "one was given up");
    assert_eq!((fault.outcomes.claimed, fault.outcomes.timed_out), (3, 1));
    assert_eq!((fault.retries["disconnected"], fault.claims_retried), (1, 1));
    let of = |n: usize| (record.slices[n].due, record.slices[n].claimed);
    assert_eq!([of(9), of(10), of(11), of(12), of(15)], [(2, 1), (1, 0), (2, 0), (0, 2), (0, 1)]);
    assert_eq!([9, 10, 11, 12].map(|n| record.slices[n].untimed), [0, 0, 1, 0], "where it was due");
}

/// A server that is being ended serves on for a moment, one that is cut off for a node timeout.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_succeeds_before_anything_has_failed_is_no_success_after_the_fault() {
    let (log, start) = (log(FaultKind::Restart), Instant::now());
    log.begin(start);
    tokio::time::advance(MS(1_000)).await;
    log.struck(0, &server(), [1].into());
    tokio::time::advance(MS(10)).await;
    end(&log, start, MS(1_005), &Outcome::Claimed, 1);
    assert_eq!(log.record().faults[0].first_success_s, Some(1.01));
    log.tried(FailedTry::Moved, Some(2));
    assert_eq!(log.record().faults[0].first_failure_s, None, "of another server");
    tokio::time::advance(MS(40)).await;
    log.tried(FailedTry::Disconnected, Some(1));
    let record = log.record().faults.remove(0);
    assert_eq!((record.first_failure_s, record.first_success_s), (Some(1.05), None));
    tokio::time::advance(MS(450)).await;
    end(&log, start, MS(1_040), &Outcome::Claimed, 1);
    log.tried(FailedTry::Disconnected, Some(1));
    let record = log.record().faults.remove(0);
    assert_eq!((record.first_failure_s, record.first_success_s), (Some(1.05), Some(1.5)));
}

/// The way into a container is long: claims go on being served after the fault has been noted.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_a_server_answers_before_it_is_silent_is_no_success_after_the_fault() {
    let (log, start) = (log(FaultKind::Pause), Instant::now());
    log.begin(start);
    tokio::time::advance(MS(1_000)).await;
    log.struck(0, &server(), [1].into());
    tokio::time::advance(MS(150)).await;
    end(&log, start, MS(1_149), &Outcome::Claimed, 1);
    tokio::time::advance(MS(50)).await;
    log.silenced(0);
    tokio::time::advance(MS(500)).await;
    end(&log, start, MS(1_201), &Outcome::Claimed, 1);
    assert_eq!(log.record().faults[0].first_success_s, Some(1.7));
}

/// Nobody says when a script begins, but it lasts for half a second, which is over at 1.5 s at the earliest.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_a_server_answers_before_it_is_busy_is_no_success_after_the_fault() {
    let (log, start) = (log(FaultKind::Busy), Instant::now());
    log.begin(start);
    tokio::time::advance(MS(1_000)).await;
    log.struck(0, &server(), [1].into());
    tokio::time::advance(MS(5)).await;
    end(&log, start, MS(1_003), &Outcome::Claimed, 1);
    assert_eq!(log.record().faults[0].first_success_s, None);
    // Ahead of the script's own reply.
    tokio::time::advance(MS(505)).await;
    end(&log, start, MS(1_006), &Outcome::Claimed, 1);
    log.ended(0);
    assert_eq!(log.record().faults[0].first_success_s, Some(1.51));
}

/// A fault that nothing noticed, and a claim that fails on its slots for a reason of its own.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_fails_long_after_a_fault_is_over_is_not_its_doing() {
    let (log, start) = (log(FaultKind::Pause), Instant::now());
    log.begin(start);
    tokio::time::advance(MS(1_000)).await;
    log.struck(0, &server(), [1].into());
    tokio::time::advance(MS(100)).await;
    log.ended(0);
    end(&log, start, MS(1_050), &Outcome::Claimed, 1);
    tokio::time::advance(AFTERMATH + MS(1)).await;
    log.tried(FailedTry::TimedOut, Some(1));
    tokio::time::advance(MS(900)).await;
    end(&log, start, MS(12_000), &Outcome::Claimed, 1);
    let fault = log.record().faults.remove(0);
    assert_eq!((fault.first_failure_s, fault.first_success_s), (None, Some(1.1)));
}

#[test]
fn slices_of_a_long_window_are_longer() {
    let of = |window| FaultLog::new(&[], window).slice;
    assert_eq!(of(Duration::from_secs(20)), SLICE);
    assert_eq!(of(Duration::from_hours(1)), Duration::from_secs(3));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_server_that_was_struck_is_looked_at_until_it_has_an_heir() {
    let log = self::log(FaultKind::Pause);
    log.begin(Instant::now());
    assert_eq!(log.without_heir(), []);
    log.struck(0, &server(), [1].into());
    assert_eq!(log.without_heir(), [(0, server(), [1].into())]);
    log.took_over(0, &server(), &NodeAddr { port: 7004, ..server() });
    assert_eq!(log.without_heir(), []);
    let moving = self::log(FaultKind::MoveSlots);
    moving.struck(0, &server(), [1].into());
    assert_eq!(moving.without_heir(), []);
}
