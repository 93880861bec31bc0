//! The driver against a fake claim path, on a paused clock: exact counts and exact times.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ff_core::types::{WorkerId, WorkerInstanceId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::fixtures::{FakePath, FakeRuler, FakeStock, PausedPacer, UNANSWERED};
use super::super::planning::PlannedClaim;
use super::super::timing::{Draw, Pacer, Schedule};
use super::driver::{Driver, Seat};
use super::level::LevelWatch;
use crate::claim::{ClaimOrder, ClaimPath, ClaimReceipt, Line, LocalFuture};
use crate::flowfabric::WorkerIdentity;
use reclaim_analysis::record::WireCost;
use reclaim_analysis::record::{Outcome, Purpose, Recorder};
use reclaim_analysis::scenario::{Arrivals, VariantPath};

const MS: Duration = Duration::from_millis(1);

fn worker() -> WorkerIdentity {
    WorkerIdentity { worker_id: WorkerId::new("w"), instance_id: WorkerInstanceId::new("w-1") }
}

fn claims(count: u32) -> Vec<PlannedClaim> {
    (0..count).map(|execution| PlannedClaim { execution, arm: 0, purpose: Purpose::Plain, site: 0 }).collect()
}

struct Bench {
    path: Rc<FakePath>,
    paths: Vec<Rc<dyn ClaimPath>>,
    worker: WorkerIdentity,
    cancel: CancellationToken,
    recorder: RefCell<Recorder>,
    contenders: u16,
    level: Option<LevelWatch>,
}

impl Bench {
    fn new(service: Duration) -> Self {
        let path = FakePath::new(service);
        Self {
            paths: vec![Rc::clone(&path) as Rc<dyn ClaimPath>],
            path,
            worker: worker(),
            cancel: CancellationToken::new(),
            recorder: RefCell::new(Recorder::new(1, [])),
            contenders: 1,
            level: None,
        }
    }

    fn driver<'a>(&'a self, book: &'a FakeStock) -> Driver<'a> {
        Driver {
            twin: None,
            seats: vec![Seat { paths: &self.paths, worker: &self.worker, book, ruler: &FakeRuler(MS) }],
            lease_ttl: Duration::from_secs(30),
            contenders: self.contenders,
            recorder: &self.recorder,
            level: self.level.as_ref(),
            faults: None,
            cancel: &self.cancel,
        }
    }

    fn quantile(&self, what: impl Fn(&reclaim_analysis::record::ArmRecorder) -> Option<f64>) -> f64 {
        what(&self.recorder.borrow().arms()[0]).unwrap()
    }
}

fn constant(count: usize) -> Schedule {
    Schedule::new(&Arrivals::Constant, count, &Draw { rate_per_sec: 1_000.0, seed: 1, part: "0", trace: &[] })
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_keeps_exactly_as_many_claims_in_flight_as_asked() {
    for (concurrency, took) in [(1, 100), (8, 13), (4_096, 1)] {
        let bench = Bench::new(MS);
        let stock = FakeStock::new(100);
        let time = bench.driver(&stock).closed(&claims(100), (Instant::now(), concurrency), &stock).await;
        assert_eq!(bench.path.most_in_flight.get(), concurrency.min(100));
        assert_eq!(time, MS * took);
        assert_eq!(bench.recorder.borrow().arms()[0].outcomes.claimed, 100);
        let mut settled = stock.settled.take();
        settled.sort_unstable();
        assert_eq!(settled, (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_does_not_wait_for_slow_claims_and_response_counts_from_the_schedule() {
    let bench = Bench::new(MS * 50);
    let schedule = constant(100);
    let mut pacer = PausedPacer::new(&schedule);
    let stock = FakeStock::new(100);
    bench.driver(&stock).open(&claims(100), &schedule, &mut pacer, &stock).await;
    assert_eq!(bench.path.most_in_flight.get(), 50);
    let response = bench.quantile(|arm| arm.response.quantile_us(0.99));
    assert!((response - 50_000.0).abs() < 100.0, "{response}");
    assert_eq!(bench.recorder.borrow().arms()[0].send_lag.count(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_late_generator_records_its_lag_and_skips_nothing() {
    /// Delivers everything half a second late.
    struct LatePacer(PausedPacer);
    impl Pacer for LatePacer {
        fn start(&self) -> Instant {
            self.0.start()
        }
        async fn next(&mut self) -> Option<usize> {
            tokio::time::sleep_until(self.0.start() + MS * 500).await;
            self.0.next().await
        }
    }
    let bench = Bench::new(MS);
    let schedule = constant(100);
    let mut pacer = LatePacer(PausedPacer::new(&schedule));
    let stock = FakeStock::new(100);
    bench.driver(&stock).open(&claims(100), &schedule, &mut pacer, &stock).await;
    let lag = bench.quantile(|arm| arm.send_lag.quantile_us(1.0));
    let service = bench.quantile(|arm| arm.service.quantile_us(1.0));
    let response = bench.quantile(|arm| arm.response.quantile_us(1.0));
    assert!((lag - 500_000.0).abs() < 500.0, "{lag}");
    assert!((service - 1_000.0).abs() < 1.0, "{service}");
    assert!((response - 501_000.0).abs() < 501.0, "{response}");
    assert_eq!(bench.recorder.borrow().arms()[0].outcomes.claimed, 100);
}

#[tokio::test(start_paused = true)]
async fn bare_round_trips_among_the_claims_take_no_grant_and_are_timed_by_themselves() {
    let mut bench = Bench::new(MS * 3);
    bench.recorder = RefCell::new(Recorder::new(1, [1]));
    let mut planned = claims(10);
    for claim in &mut planned {
        claim.purpose = Purpose::Stratum { stratum: 0, side: 0 };
    }
    for place in [0, 4, 4, 12] {
        let purpose = Purpose::Ruler { stratum: 0 };
        planned.insert(place, PlannedClaim { execution: 7, arm: 0, purpose, site: 0 });
    }
    let purpose = Purpose::Ruler { stratum: 0 };
    planned.push(PlannedClaim { execution: UNANSWERED, arm: 0, purpose, site: 0 });
    let stock = FakeStock::new(10);
    let took = bench.driver(&stock).closed(&planned, (Instant::now(), 1), &stock).await;
    assert_eq!((took, stock.stock.get(), bench.path.claims.get()), (MS * 35, 0, 10));
    let recorder = bench.recorder.borrow();
    assert_eq!((recorder.rulers()[0].0.as_slice(), recorder.rulers_unanswered()), (&[10_000; 4][..], 1));
    assert_eq!(recorder.strata()[0][0].0, [30_000; 10]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_stock_is_its_own_outcome_and_no_latency() {
    let bench = Bench::new(MS);
    let stock = FakeStock::new(60);
    bench.driver(&stock).closed(&claims(100), (Instant::now(), 4), &stock).await;
    let recorder = bench.recorder.borrow();
    let outcomes = &recorder.arms()[0].outcomes;
    assert_eq!((outcomes.claimed, outcomes.empty_stock), (60, 40));
    assert_eq!((outcomes.planned(), outcomes.sent()), (100, 60));
    assert_eq!(recorder.arms()[0].service.count(), 60);
}

#[tokio::test(start_paused = true)]
async fn cancelling_lets_claims_in_flight_end_and_counts_the_rest_as_dropped() {
    let bench = Bench::new(MS * 10);
    let stock = FakeStock::new(100);
    let cancel = bench.cancel.clone();
    let planned = claims(100);
    let driver = bench.driver(&stock);
    let run = driver.closed(&planned, (Instant::now(), 2), &stock);
    let stop = async {
        tokio::time::sleep(MS * 25).await;
        cancel.cancel();
    };
    tokio::join!(run, stop);
    let recorder = bench.recorder.borrow();
    let outcomes = &recorder.arms()[0].outcomes;
    assert_eq!((outcomes.claimed, outcomes.dropped), (6, 94));
    assert_eq!(stock.settled.borrow().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn every_contender_races_for_every_grant() {
    let mut bench = Bench::new(MS);
    bench.contenders = 4;
    let stock = FakeStock::new(10);
    bench.driver(&stock).closed(&claims(10), (Instant::now(), 1), &stock).await;
    assert_eq!(bench.path.claims.get(), 40);
    assert_eq!(bench.path.most_in_flight.get(), 4);
    assert_eq!(stock.stock.get(), 0);
}

/// Answers in the order in which it was asked, from a task of its own, as a connection does.
struct EchoPath {
    ask: mpsc::Sender<oneshot::Sender<()>>,
    ended: Cell<u32>,
    most_overtaken: Cell<u32>,
}

impl ClaimPath for EchoPath {
    fn path(&self) -> VariantPath {
        VariantPath::FullGrant
    }

    fn claim<'a>(&'a self, _: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            let begun = self.ended.get();
            let (reply, answer) = oneshot::channel();
            self.ask.send(reply).await.unwrap();
            tokio::time::timeout(MS * 5_000, answer).await.unwrap().unwrap();
            self.most_overtaken.set(self.most_overtaken.get().max(self.ended.get() - begun));
            self.ended.set(self.ended.get() + 1);
            let (outcome, cost) = (Outcome::Claimed, WireCost::default());
            ClaimReceipt::bare(outcome, cost)
        })
    }

    fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.claim(order)
    }
}

/// A reply that has come must not lie there while other claims have their second and third turn.
#[tokio::test]
async fn with_thousands_in_flight_every_worker_has_its_turn() {
    const WORKERS: u32 = 4_096;
    let (ask, mut asked) = mpsc::channel::<oneshot::Sender<()>>(65_536);
    tokio::spawn(async move {
        while let Some(reply) = asked.recv().await {
            reply.send(()).unwrap();
        }
    });
    let path = Rc::new(EchoPath { ask, ended: Cell::new(0), most_overtaken: Cell::new(0) });
    let mut bench = Bench::new(MS);
    bench.paths = vec![Rc::clone(&path) as Rc<dyn ClaimPath>];
    let count = 10 * WORKERS;
    let planned = claims(count);
    let stock = FakeStock::new(u64::from(count));
    bench.driver(&stock).closed(&planned, (Instant::now(), WORKERS), &stock).await;
    assert_eq!(path.ended.get(), count);
    let overtaken = path.most_overtaken.get();
    assert!(overtaken < 2 * WORKERS, "{overtaken} claims ended while one waited");
}

/// An open loop of 30 s, 100 claims per second that take `service`, in a run that is ended beyond 200 ms.
async fn with_a_level(service: Duration, endings: Vec<Outcome>) -> (Bench, FakeStock) {
    let mut bench = Bench::new(service);
    bench.level = Some(LevelWatch::new(MS * 200, bench.cancel.clone()));
    *bench.path.endings.borrow_mut() = endings;
    let draw = Draw { rate_per_sec: 100.0, seed: 1, part: "0", trace: &[] };
    let schedule = Schedule::new(&Arrivals::Constant, 3_000, &draw);
    let mut pacer = PausedPacer::new(&schedule);
    let stock = FakeStock::new(3_000);
    bench.driver(&stock).open(&claims(3_000), &schedule, &mut pacer, &stock).await;
    (bench, stock)
}

#[tokio::test(start_paused = true)]
async fn a_service_level_that_is_hopelessly_missed_ends_the_run_after_five_seconds() {
    let (bench, stock) = with_a_level(MS * 201, Vec::new()).await;
    let aborted = bench.level.as_ref().unwrap().reached().unwrap();
    assert_eq!((aborted.seconds, aborted.limit_us), (5, 200_000.0));
    assert!((aborted.after_s - 5.0).abs() < 0.02, "{aborted:?}");
    let outcomes = bench.recorder.borrow().arms()[0].outcomes.clone();
    assert_eq!(outcomes.claimed + stock.stock.get(), 3_000, "claims in flight came back");
    assert!(outcomes.claimed < 560 && outcomes.dropped == stock.stock.get(), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_warm_up_ends_no_run_and_what_comes_after_it_does() {
    let mut bench = Bench::new(MS * 201);
    let level = LevelWatch::new(MS * 200, bench.cancel.clone());
    level.disregard();
    bench.level = Some(level);
    let draw = Draw { rate_per_sec: 100.0, seed: 1, part: "0", trace: &[] };
    let schedule = Schedule::new(&Arrivals::Constant, 3_000, &draw);
    for window in [false, true] {
        let stock = FakeStock::new(3_000);
        bench.driver(&stock).open(&claims(3_000), &schedule, &mut PausedPacer::new(&schedule), &stock).await;
        let level = bench.level.as_ref().unwrap();
        assert_eq!((level.reached().is_some(), bench.cancel.is_cancelled()), (window, window));
        level.forget();
    }
}

#[tokio::test(start_paused = true)]
async fn claims_without_an_answer_miss_the_level_whatever_they_took() {
    let (bench, _) = with_a_level(MS, vec![Outcome::TimedOut; 600]).await;
    assert!(bench.level.unwrap().reached().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_level_that_is_missed_now_and_then_ends_nothing() {
    for (service, endings) in [
        (MS * 199, Vec::new()),
        // Four seconds are bad; then all is well.
        (MS, vec![Outcome::TimedOut; 400]),
        // Refused at once, all of them: that is no time.
        (MS, vec![Outcome::Expired; 3_000]),
    ] {
        let (bench, stock) = with_a_level(service, endings).await;
        assert_eq!((bench.level.unwrap().reached(), stock.stock.get()), (None, 0));
        assert!(!bench.cancel.is_cancelled());
    }
}
