//! The driver against a fake claim path, on a paused clock: exact counts and exact times.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ff_core::types::{WorkerId, WorkerInstanceId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::driver::Driver;
use super::fixtures::{FakeDeck, FakePath};
use super::pacer::Pacer;
use super::plan::PlannedClaim;
use super::schedule::Schedule;
use crate::claim::ClaimPath;
use crate::flowfabric::WorkerIdentity;
use crate::measure::{Purpose, Recorder};
use crate::scenario::Arrivals;

const MS: Duration = Duration::from_millis(1);

fn worker() -> WorkerIdentity {
    WorkerIdentity { worker_id: WorkerId::new("w"), instance_id: WorkerInstanceId::new("w-1") }
}

fn claims(count: u32) -> Vec<PlannedClaim> {
    (0..count).map(|execution| PlannedClaim { execution, arm: 0, purpose: Purpose::Plain }).collect()
}

/// A pacer on tokio's clock, which tests can pause.
struct TestPacer {
    start: Instant,
    offsets: Vec<Duration>,
    next: usize,
}

impl TestPacer {
    fn new(schedule: &Schedule) -> Self {
        Self { start: Instant::now(), offsets: schedule.offsets().to_vec(), next: 0 }
    }
}

impl Pacer for TestPacer {
    fn start(&self) -> Instant {
        self.start
    }

    async fn next(&mut self) -> Option<usize> {
        let due = self.start + *self.offsets.get(self.next)?;
        tokio::time::sleep_until(due).await;
        self.next += 1;
        Some(self.next - 1)
    }
}

struct Bench {
    path: Rc<FakePath>,
    paths: Vec<Rc<dyn ClaimPath>>,
    worker: WorkerIdentity,
    cancel: CancellationToken,
    recorder: RefCell<Recorder>,
    contenders: u16,
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
        }
    }

    fn driver(&self) -> Driver<'_> {
        Driver {
            paths: &self.paths,
            worker: &self.worker,
            lease_ttl: Duration::from_secs(30),
            contenders: self.contenders,
            cancel: &self.cancel,
        }
    }

    fn quantile(&self, what: impl Fn(&crate::measure::ArmRecorder) -> Option<f64>) -> f64 {
        what(&self.recorder.borrow().arms()[0]).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_keeps_exactly_as_many_claims_in_flight_as_asked() {
    for (concurrency, took) in [(1, 100), (8, 13), (4_096, 1)] {
        let bench = Bench::new(MS);
        let deck = FakeDeck::new(100);
        let time = bench.driver().closed(&claims(100), concurrency, &deck, &bench.recorder).await;
        assert_eq!(bench.path.most_in_flight.get(), concurrency.min(100));
        assert_eq!(time, MS * took);
        assert_eq!(bench.recorder.borrow().arms()[0].outcomes.claimed, 100);
        let mut settled = deck.settled.take();
        settled.sort_unstable();
        assert_eq!(settled, (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_does_not_wait_for_slow_claims_and_response_counts_from_the_schedule() {
    let bench = Bench::new(MS * 50);
    let schedule = Schedule::new(Arrivals::Constant, 1_000.0, 100, 1, 0);
    let mut pacer = TestPacer::new(&schedule);
    let deck = FakeDeck::new(100);
    bench.driver().open(&claims(100), &schedule, &mut pacer, &deck, &bench.recorder).await;
    assert_eq!(bench.path.most_in_flight.get(), 50);
    let response = bench.quantile(|arm| arm.response.quantile_us(0.99));
    assert!((response - 50_000.0).abs() < 100.0, "{response}");
    assert_eq!(bench.recorder.borrow().arms()[0].send_lag.count(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_late_generator_records_its_lag_and_skips_nothing() {
    /// Delivers everything half a second late.
    struct LatePacer(TestPacer);
    impl Pacer for LatePacer {
        fn start(&self) -> Instant {
            self.0.start
        }
        async fn next(&mut self) -> Option<usize> {
            tokio::time::sleep_until(self.0.start + MS * 500).await;
            self.0.next().await
        }
    }
    let bench = Bench::new(MS);
    let schedule = Schedule::new(Arrivals::Constant, 1_000.0, 100, 1, 0);
    let mut pacer = LatePacer(TestPacer::new(&schedule));
    bench.driver().open(&claims(100), &schedule, &mut pacer, &FakeDeck::new(100), &bench.recorder).await;
    let lag = bench.quantile(|arm| arm.send_lag.quantile_us(1.0));
    let service = bench.quantile(|arm| arm.service.quantile_us(1.0));
    let response = bench.quantile(|arm| arm.response.quantile_us(1.0));
    assert!((lag - 500_000.0).abs() < 500.0, "{lag}");
    assert!((service - 1_000.0).abs() < 1.0, "{service}");
    assert!((response - 501_000.0).abs() < 501.0, "{response}");
    assert_eq!(bench.recorder.borrow().arms()[0].outcomes.claimed, 100);
}

#[tokio::test(start_paused = true)]
async fn an_empty_stock_is_its_own_outcome_and_no_latency() {
    let bench = Bench::new(MS);
    let deck = FakeDeck::new(60);
    bench.driver().closed(&claims(100), 4, &deck, &bench.recorder).await;
    let recorder = bench.recorder.borrow();
    let outcomes = &recorder.arms()[0].outcomes;
    assert_eq!((outcomes.claimed, outcomes.empty_stock), (60, 40));
    assert_eq!((outcomes.planned(), outcomes.sent()), (100, 60));
    assert_eq!(recorder.arms()[0].service.count(), 60);
}

#[tokio::test(start_paused = true)]
async fn cancelling_lets_claims_in_flight_end_and_counts_the_rest_as_dropped() {
    let bench = Bench::new(MS * 10);
    let deck = FakeDeck::new(100);
    let cancel = bench.cancel.clone();
    let planned = claims(100);
    let driver = bench.driver();
    let run = driver.closed(&planned, 2, &deck, &bench.recorder);
    let stop = async {
        tokio::time::sleep(MS * 25).await;
        cancel.cancel();
    };
    tokio::join!(run, stop);
    let recorder = bench.recorder.borrow();
    let outcomes = &recorder.arms()[0].outcomes;
    assert_eq!((outcomes.claimed, outcomes.dropped), (6, 94));
    assert_eq!(deck.settled.borrow().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn every_contender_races_for_every_grant() {
    let mut bench = Bench::new(MS);
    bench.contenders = 4;
    let deck = FakeDeck::new(10);
    bench.driver().closed(&claims(10), 1, &deck, &bench.recorder).await;
    assert_eq!(bench.path.claims.get(), 40);
    assert_eq!(bench.path.most_in_flight.get(), 4);
    assert_eq!(deck.stock.get(), 0);
}
