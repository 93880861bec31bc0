//! Executions that go round, against a fake producer on a paused clock.

mod storms;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use ff_core::types::{AttemptId, LeaseId, WorkerId, WorkerInstanceId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::driving::{ClaimBook, Driver, Seat};
use super::super::fixtures::{FakePath, FakeRuler, FakeStock, PausedPacer, scenario, ticket};
use super::super::planning::ArmSequence;
use super::super::timing::{Draw, Schedule};
use super::circulation::{Offer, Producer, Scanned, circulate};
use super::grant_queue::GrantQueue;
use crate::claim::{ClaimPath, ClaimReceipt, ClaimTicket};
use crate::flowfabric::WorkerIdentity;
use crate::workload::Slice;
use reclaim_analysis::record::Recorder;
use reclaim_analysis::scenario::VariantPath::{GrantLane, HgetLane};
use reclaim_analysis::scenario::{Amount, Arrivals, Compare, ControlSides, Mixing, Scenario};

pub(super) const MS: Duration = Duration::from_millis(1);

/// Executions that go round: claimed by one worker at a time, resumable again a millisecond after the claim.
pub(super) struct Carousel {
    book: FakeStock,
    held: RefCell<BTreeSet<u32>>,
    pub resumable: RefCell<Vec<u32>>,
    fail_after: u32,
    loses_everything: bool,
    /// A grant that is handed back is past its time.
    grants_vanish: bool,
    /// Whose next ticket is of a grant that another one has replaced.
    superseded: RefCell<BTreeSet<u32>>,
    pub interrupted: RefCell<u32>,
    /// When everything was made runnable; where there is no such moment, a while before each claim.
    pub since: Option<Instant>,
}

impl Carousel {
    pub fn new(fail_after: u32) -> Self {
        Self {
            book: FakeStock::new(0),
            held: RefCell::default(),
            resumable: RefCell::default(),
            fail_after,
            loses_everything: false,
            grants_vanish: false,
            superseded: RefCell::default(),
            interrupted: RefCell::default(),
            since: None,
        }
    }
}

impl ClaimBook for Carousel {
    fn ids(&self, execution: u32, contender: u16) -> (LeaseId, AttemptId) {
        assert!(self.held.borrow_mut().insert(execution), "two workers hold execution {execution}");
        self.book.ids(execution, contender)
    }

    fn unsettled(&self, execution: u32) -> bool {
        self.book.unsettled(execution)
    }

    fn settle(&self, execution: u32, ticket: &ClaimTicket, receipt: &ClaimReceipt) {
        self.book.settle(execution, ticket, receipt);
    }
}

impl Producer for Carousel {
    type Error = &'static str;

    async fn interrupt(&self, execution: u32) -> Result<(), Self::Error> {
        tokio::time::sleep(MS).await;
        *self.interrupted.borrow_mut() += 1;
        if *self.interrupted.borrow() > self.fail_after {
            return Err("the server is gone");
        }
        self.held.borrow_mut().remove(&execution);
        if !self.loses_everything {
            self.resumable.borrow_mut().push(execution);
        }
        Ok(())
    }

    fn runnable_since(&self, _: u32) -> Option<Instant> {
        self.since.or_else(|| Some(Instant::now() - MS * 30))
    }

    async fn scan(&self, primary: usize) -> Result<Scanned, Self::Error> {
        tokio::time::sleep(MS).await;
        let (mine, others): (Vec<u32>, _) =
            self.resumable.take().into_iter().partition(|e| *e as usize % 2 == primary);
        *self.resumable.borrow_mut() = others;
        Ok(Scanned { found: mine.into_iter().map(|e| (e, ticket())).collect(), through: true })
    }

    fn superseded(&self, execution: u32, _: &ClaimTicket) -> bool {
        self.superseded.borrow_mut().remove(&execution)
    }

    fn hand_back(&self, execution: u32, _: &ClaimTicket) -> bool {
        self.held.borrow_mut().remove(&execution);
        let usable = !self.grants_vanish;
        if !usable {
            self.resumable.borrow_mut().push(execution);
        }
        usable
    }

    fn scan_interval(&self) -> Duration {
        MS * 5
    }
}

pub(super) type Release = std::future::Ready<Result<(), &'static str>>;

async fn run(scenario: &Scenario, carousel: &Carousel, amount: Amount, workers: u32) -> (Recorder, Outcome) {
    let offer: Offer<'_, PausedPacer, Release> = Offer::Closed { workers, amount, start: Instant::now() };
    offered(scenario, carousel, offer, (0..20).collect()).await
}

async fn offered<R: Future<Output = Result<(), &'static str>>>(
    scenario: &Scenario,
    carousel: &Carousel,
    offer: Offer<'_, PausedPacer, R>,
    ready: Vec<u32>,
) -> (Recorder, Outcome) {
    offered_to(&FakePath::new(MS), (scenario, Slice::WHOLE), carousel, offer, ready).await
}

pub(super) async fn offered_to<R: Future<Output = Result<(), &'static str>>>(
    fake: &Rc<FakePath>,
    (scenario, slice): (&Scenario, Slice),
    carousel: &Carousel,
    offer: Offer<'_, PausedPacer, R>,
    ready: Vec<u32>,
) -> (Recorder, Outcome) {
    let paths: Vec<Rc<dyn ClaimPath>> =
        scenario.variants.iter().map(|_| Rc::clone(fake) as Rc<dyn ClaimPath>).collect();
    let worker = WorkerIdentity { worker_id: WorkerId::new("w"), instance_id: WorkerInstanceId::new("w-1") };
    let cancel = CancellationToken::new();
    let recorder = RefCell::new(Recorder::new(paths.len(), []).keeping_for_merging(!slice.is_whole()));
    let driver = Driver {
        twin: None,
        seats: vec![Seat { paths: &paths, worker: &worker, book: carousel, ruler: &FakeRuler(MS) }],
        lease_ttl: Duration::from_secs(30),
        contenders: 1,
        recorder: &recorder,
        level: None,
        faults: None,
        cancel: &cancel,
    };
    let sequence = RefCell::new(ArmSequence::new(scenario, 1, slice));
    let queue = GrantQueue::new(2);
    for execution in ready {
        queue.push(0, (execution, ticket()));
    }
    let end = circulate(&driver, carousel, &sequence, offer, &queue).await;
    let strata = sequence.into_inner().into_strata().len();
    (
        recorder.into_inner(),
        Outcome { active: end.active, failure: end.failure, stalled: end.stalled, strata },
    )
}

fn every(gap: Duration, count: usize) -> Schedule {
    let draw = Draw { rate_per_sec: 1.0 / gap.as_secs_f64(), seed: 1, part: "0", trace: &[] };
    Schedule::new(&Arrivals::Constant, count, &draw)
}

fn open(schedule: &Schedule) -> Offer<'_, PausedPacer, Release> {
    Offer::Open { schedule, pacer: PausedPacer::new(schedule) }
}

pub(super) struct Outcome {
    pub active: Duration,
    pub failure: Option<&'static str>,
    pub stalled: bool,
    strata: usize,
}

fn claimed(recorder: &Recorder) -> Vec<u64> {
    recorder.arms().iter().map(|arm| arm.outcomes.claimed).collect()
}

#[tokio::test(start_paused = true)]
async fn executions_go_round_until_the_claims_are_made() {
    let carousel = Carousel::new(u32::MAX);
    let (recorder, end) = run(&scenario(&[GrantLane, HgetLane]), &carousel, Amount::Claims(1_000), 8).await;
    assert_eq!((end.failure, end.stalled), (None, false));
    assert_eq!(claimed(&recorder), [500, 500]);
    assert_eq!(*carousel.interrupted.borrow(), 1_000);
    assert_eq!(recorder.arms()[0].resume.count(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_window_ends_when_its_time_is_up() {
    let carousel = Carousel::new(u32::MAX);
    let (recorder, end) = run(&scenario(&[GrantLane]), &carousel, Amount::Duration(MS * 500), 4).await;
    assert!(end.active >= MS * 500 && end.active < MS * 520, "{:?}", end.active);
    // Four workers, two milliseconds a turn, for 500 ms: less what they waited for the scanner.
    assert!((400..=1_000).contains(&claimed(&recorder)[0]), "{:?}", claimed(&recorder));
    assert_eq!(recorder.window().outcomes.dropped, 0, "their number was not planned");
}

#[tokio::test(start_paused = true)]
async fn a_failing_step_ends_the_window_and_is_told() {
    let carousel = Carousel::new(50);
    let (recorder, end) = run(&scenario(&[GrantLane]), &carousel, Amount::Claims(1_000), 8).await;
    assert_eq!(end.failure, Some("the server is gone"));
    assert!((51..=60).contains(&claimed(&recorder)[0]), "{:?}", claimed(&recorder));
    let outcomes = &recorder.arms()[0].outcomes;
    assert_eq!(outcomes.claimed + outcomes.dropped, 1_000, "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_window_in_which_nothing_comes_back_does_not_last_for_ever() {
    let mut carousel = Carousel::new(u32::MAX);
    carousel.loses_everything = true;
    let (recorder, end) = run(&scenario(&[GrantLane]), &carousel, Amount::Claims(1_000), 8).await;
    assert!(end.stalled);
    assert_eq!(claimed(&recorder), [20]);
    assert_eq!(recorder.arms()[0].outcomes.dropped, 980, "what was planned is in the books");
    // The half minute in which it was found out is no part of it: rates would be a thousandth of what they
    // were.
    assert!(end.active < Duration::from_secs(1), "{:?}", end.active);
}

/// A claim that waits for servers that take long to take over, and a schedule with pauses, are no stall.
#[tokio::test(start_paused = true)]
async fn nothing_has_stalled_while_a_claim_is_in_flight_or_a_schedule_has_a_pause() {
    let slow = FakePath::new(Duration::from_secs(45));
    let carousel = Carousel::new(u32::MAX);
    let scenario = scenario(&[GrantLane]);
    let offer: Offer<'_, PausedPacer, Release> =
        Offer::Closed { workers: 8, amount: Amount::Claims(16), start: Instant::now() };
    let (recorder, end) =
        offered_to(&slow, (&scenario, Slice::WHOLE), &carousel, offer, (0..20).collect()).await;
    assert_eq!((end.failure, end.stalled, claimed(&recorder)), (None, false, vec![16]));
    let schedule = every(Duration::from_secs(50), 6);
    // Two executions: from the third arrival on all depends on the scanner, which goes on through the pauses.
    let (recorder, end) = offered(&scenario, &Carousel::new(u32::MAX), open(&schedule), vec![0, 1]).await;
    assert_eq!((end.failure, end.stalled, claimed(&recorder)), (None, false, vec![6]));
}

/// 20 strata with 10 controls between them, for 3,000 claims.
fn mixed() -> Scenario {
    let mut scenario = scenario(&[GrantLane, HgetLane]);
    scenario.compare = Some(Compare {
        baseline: "grant-lane".into(),
        strata: 20,
        counter_blocks: 0,
        block_claims: 0,
        metrics: Vec::new(),
        noise_threshold: 0.02,
        confidence: 0.95,
        mixing: Mixing::Claims,
        control: ControlSides::OwnStrata(10),
    });
    scenario
}

/// A control's claims are no arm's, whether they were made or not.
#[tokio::test(start_paused = true)]
async fn claims_that_were_not_made_are_those_that_would_have_come() {
    let mut carousel = Carousel::new(u32::MAX);
    carousel.loses_everything = true;
    let (recorder, end) = run(&mixed(), &carousel, Amount::Claims(3_000), 8).await;
    assert!(end.stalled);
    assert_eq!((end.strata, recorder.strata().len()), (0, 1), "no stratum begins with them");
    let all = recorder.window().outcomes;
    assert_eq!((all.planned(), all.dropped), (3_000, 2_980));
    let planned: Vec<u64> = recorder.arms().iter().map(|arm| arm.outcomes.planned()).collect();
    assert_eq!(planned, [1_000, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn arms_are_mixed_in_strata_with_controls_between() {
    let carousel = Carousel::new(u32::MAX);
    let (recorder, end) = run(&mixed(), &carousel, Amount::Claims(3_000), 8).await;
    assert_eq!(end.strata, 30);
    assert_eq!(claimed(&recorder), [1_000, 1_000]);
    assert!(recorder.strata().iter().flatten().all(|side| side.0.len() == 50));
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_claims_what_is_ready_when_it_is_due() {
    let carousel = Carousel::new(u32::MAX);
    let schedule = every(MS * 5, 400);
    let (recorder, end) =
        offered(&scenario(&[GrantLane, HgetLane]), &carousel, open(&schedule), (0..20).collect()).await;
    assert_eq!((end.failure, end.stalled), (None, false));
    assert_eq!(claimed(&recorder), [200, 200]);
    assert_eq!(*carousel.interrupted.borrow(), 400, "whoever is claimed goes round");
    let arm = &recorder.arms()[0];
    assert_eq!((arm.response.count(), arm.send_lag.count(), arm.outcomes.empty_stock), (200, 200, 0));
    assert!((arm.response.quantile_us(0.99).unwrap() - 1_000.0).abs() < 20.0, "due, sent, one millisecond");
}

#[tokio::test(start_paused = true)]
async fn an_arrival_that_finds_nothing_ready_is_counted_as_that() {
    let carousel = Carousel::new(u32::MAX);
    let schedule = every(MS, 300);
    // Three executions take several milliseconds to come round: they cannot serve one arrival a millisecond.
    let (recorder, end) = offered(&scenario(&[GrantLane]), &carousel, open(&schedule), vec![0, 1, 2]).await;
    assert_eq!(end.failure, None);
    let outcomes = &recorder.arms()[0].outcomes;
    assert!(outcomes.claimed > 30 && outcomes.empty_stock > 100, "{outcomes:?}");
    assert_eq!(outcomes.claimed + outcomes.empty_stock, 300, "every arrival is accounted for");
    assert_eq!(recorder.arms()[0].service.count(), outcomes.claimed, "an empty stock never shows as latency");
}

#[tokio::test(start_paused = true)]
async fn an_open_window_that_fails_counts_what_was_not_sent_as_dropped() {
    let carousel = Carousel::new(50);
    let schedule = every(MS * 5, 400);
    let (recorder, end) =
        offered(&scenario(&[GrantLane]), &carousel, open(&schedule), (0..20).collect()).await;
    assert_eq!(end.failure, Some("the server is gone"));
    let outcomes = &recorder.arms()[0].outcomes;
    assert!((51..=55).contains(&outcomes.claimed), "{outcomes:?}");
    assert_eq!(outcomes.claimed + outcomes.dropped, 400);
}

#[test]
fn workers_take_from_the_primaries_in_turn() {
    let ready = GrantQueue::new(3);
    for (primary, execution) in [(0, 0), (0, 1), (1, 10), (1, 11), (1, 12), (2, 20)] {
        ready.push(primary, (execution, ticket()));
    }
    assert_eq!(ready.waiting(), 6);
    let pop = || ready.pop().map(|(execution, _)| execution);
    let taken: Vec<u32> = std::iter::from_fn(pop).collect();
    assert_eq!(taken, [0, 10, 20, 1, 11, 12]);
    ready.push(2, (21, ticket()));
    assert_eq!((pop(), ready.waiting()), (Some(21), 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_claims_with_a_grant_that_another_one_replaced() {
    let carousel = Carousel { superseded: RefCell::new([3, 7].into()), ..Carousel::new(u32::MAX) };
    let (recorder, end) = run(&scenario(&[GrantLane]), &carousel, Amount::Claims(18), 4).await;
    assert_eq!((end.failure, end.stalled, claimed(&recorder)), (None, false, vec![18]));
    let settled = carousel.book.settled.borrow();
    assert!(settled.len() == 18 && !settled.contains(&3) && !settled.contains(&7), "{settled:?}");
}
