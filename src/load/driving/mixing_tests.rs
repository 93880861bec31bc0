//! Arms that queue, against a server whose service times are known: what mixing claim by claim makes of them,
//! and what blocks of one arm alone do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ff_core::types::{WorkerId, WorkerInstanceId};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::fixtures::{FakePath, FakeRuler, FakeStock, PausedPacer, scenario};
use super::super::planning::{Plan, claims_wanted, is_warmup};
use super::super::timing::{Draw, Schedule};
use super::driver::{Driver, Seat};
use crate::claim::{ClaimOrder, ClaimPath, ClaimReceipt, Line, LocalFuture};
use crate::flowfabric::WorkerIdentity;
use rand::Rng as _;
use reclaim_analysis::record::{CounterBlock, Recorder, Samples, stream};
use reclaim_analysis::scenario::VariantPath::{GrantLane, HgetLane};
use reclaim_analysis::scenario::{
    Amount, Arrivals, Compare, ControlSides, Metric, Mixing, Model, Scenario, VariantPath,
};
use reclaim_analysis::stats::{Estimate, paired_quantile};

/// One server that serves claims one after the other, whichever arm they come from.
struct Server {
    busy_until: Cell<Instant>,
    rng: RefCell<ChaCha8Rng>,
}

impl Server {
    /// Waits in the queue and is served for `service`, give or take up to a tenth.
    async fn serve(&self, service: Duration) {
        let spread = 0.9 + 0.2 * f64::from(self.rng.borrow_mut().next_u32()) / f64::from(u32::MAX);
        let begins = self.busy_until.get().max(Instant::now());
        self.busy_until.set(begins + service.mul_f64(spread));
        tokio::time::sleep_until(self.busy_until.get()).await;
    }
}

/// A claim of some round trips to that server, each with a service time of its own.
struct Queued {
    server: Rc<Server>,
    steps: Vec<Duration>,
    reply: Rc<FakePath>,
}

impl ClaimPath for Queued {
    fn path(&self) -> VariantPath {
        VariantPath::GrantLane
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(async move {
            for &step in &self.steps {
                self.server.serve(step).await;
            }
            self.reply.claim(order).await
        })
    }

    fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.claim(order)
    }
}

fn compared(model: Model, mixing: Mixing) -> Scenario {
    let mut scenario = scenario(&[GrantLane, HgetLane]);
    scenario.load.model = model;
    scenario.load.amount = Amount::Claims(16_000);
    scenario.population.executions = 20_000;
    scenario.compare = Some(Compare {
        baseline: "grant-lane".into(),
        // Blocks of four generations with 16 in flight, the shortest that there are.
        strata: 125,
        counter_blocks: 0,
        block_claims: 0,
        metrics: vec![Metric::ServiceP50],
        noise_threshold: 0.02,
        confidence: 0.95,
        mixing,
        control: ControlSides::OwnStrata(40),
    });
    scenario
}

/// What a run came to: the candidate's median and its claims per second over the baseline's, and the control.
struct Ratios {
    median: Estimate,
    throughput: f64,
    control: Estimate,
}

/// Makes all claims of the scenario's plan in front of the simulated server; seconds of service by arm and
/// step. A paused clock moves in whole milliseconds: shorter steps would all take one.
async fn seen(scenario: &Scenario, steps_s: [&[f64]; 2], seed: u64) -> Ratios {
    let plan = Plan::staged(scenario, seed, claims_wanted(scenario, &[]), &|| false).unwrap();
    let server =
        Rc::new(Server { busy_until: Cell::new(Instant::now()), rng: RefCell::new(stream(seed, "server")) });
    let path = |steps: &[f64]| -> Rc<dyn ClaimPath> {
        let steps = steps.iter().map(|&s| Duration::from_secs_f64(s)).collect();
        Rc::new(Queued { server: Rc::clone(&server), steps, reply: FakePath::new(Duration::ZERO) })
    };
    let paths = steps_s.map(path);
    let worker = WorkerIdentity { worker_id: WorkerId::new("w"), instance_id: WorkerInstanceId::new("w-1") };
    let (stock, cancel) = (FakeStock::new(u64::MAX), CancellationToken::new());
    let recorder = RefCell::new(Recorder::new(2, plan.strata.iter().map(|stratum| stratum.sides.len())));
    let driver = Driver {
        twin: None,
        seats: vec![Seat { paths: &paths, worker: &worker, book: &stock, ruler: &FakeRuler(Duration::ZERO) }],
        lease_ttl: Duration::from_secs(30),
        contenders: 1,
        recorder: &recorder,
        level: None,
        faults: None,
        cancel: &cancel,
    };
    let mut rates = [(0.0, 0.0); 2];
    for batch in plan.rounds.iter().flat_map(|round| &round.batches).filter(|batch| !is_warmup(batch)) {
        let active = match &scenario.load.model {
            Model::Closed { concurrency } => {
                recorder.borrow_mut().begin_block(*concurrency as usize);
                driver.closed(&batch.claims, (Instant::now(), *concurrency), &stock).await
            }
            Model::Open { rate_per_sec, arrivals } => {
                let draw = Draw { rate_per_sec: *rate_per_sec, seed, part: "0", trace: &[] };
                let schedule = Schedule::new(arrivals, batch.claims.len(), &draw);
                driver.open(&batch.claims, &schedule, &mut PausedPacer::new(&schedule), &stock).await
            }
        };
        let block = CounterBlock {
            claims: batch.claims.len() as u64,
            duration_s: active.as_secs_f64(),
            steady: recorder.borrow().steady_part(),
            ..CounterBlock::default()
        };
        let (rate, (claims, seconds)) = (&mut rates[usize::from(batch.claims[0].arm)], block.rate_parts());
        *rate = (rate.0 + claims, rate.1 + seconds);
        recorder.borrow_mut().end_batch(Duration::ZERO, []);
    }
    let recorder = recorder.into_inner();
    let [a, b] = rates.map(|(claims, seconds)| claims / seconds);
    let ratio = |control| median_ratio(&plan, &recorder, control, seed);
    Ratios { median: ratio(false), throughput: b / a, control: ratio(true) }
}

/// The candidate's median over the baseline's; or of the control, the baseline's second side over its first.
fn median_ratio(plan: &Plan, recorder: &Recorder, control: bool, seed: u64) -> Estimate {
    let us = |samples: &Samples| samples.iter_us().collect::<Vec<_>>();
    let pairs: Vec<_> = (plan.strata.iter().zip(recorder.strata()))
        .filter_map(|(stratum, sides)| match (stratum.control, control) {
            (false, true) => Some((us(&sides[0]), us(sides.get(2)?))),
            (true, true) | (false, false) => Some((us(&sides[0]), us(&sides[1]))),
            (true, false) => None,
        })
        .collect();
    let pairs: Vec<_> = pairs.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect();
    paired_quantile(&pairs, 0.5, seed).unwrap().ratio(0.95)
}

const CLOSED_16: Model = Model::Closed { concurrency: 16 };

/// The baseline's two round trips, the candidate's three.
const TWO_STEPS: &[f64] = &[0.1, 0.4];
const THREE_STEPS: &[f64] = &[0.1, 0.1, 0.4];

#[tokio::test(start_paused = true)]
async fn in_blocks_arms_that_queue_differ_by_what_each_alone_would_show() {
    // 0.6 s of the server against 0.5.
    let seen = seen(&compared(CLOSED_16, Mixing::Blocks), [TWO_STEPS, THREE_STEPS], 1).await;
    assert!((seen.median.estimate / 1.2 - 1.0).abs() < 0.02, "{:?}", seen.median);
    assert!((seen.throughput * 1.2 - 1.0).abs() < 0.02, "Little's law: {}", seen.throughput);
    assert!((seen.control.estimate - 1.0).abs() < 0.02, "{:?}", seen.control);
}

#[tokio::test(start_paused = true)]
async fn mixed_claim_by_claim_they_differ_by_their_round_trips() {
    let seen = seen(&compared(CLOSED_16, Mixing::Claims), [TWO_STEPS, THREE_STEPS], 1).await;
    assert!(seen.median.estimate > 1.3, "what blocks are there for: {:?}", seen.median);
    assert!(
        seen.control.contains(1.0) || (seen.control.estimate - 1.0).abs() < 0.02,
        "and no control shows it"
    );
}

#[tokio::test(start_paused = true)]
async fn equal_arms_in_blocks_are_equal_and_five_per_cent_are_found() {
    const SLOWER: &[f64] = &[0.1, 0.425];
    for seed in 0..4 {
        let scenario = compared(CLOSED_16, Mixing::Blocks);
        let equal = seen(&scenario, [TWO_STEPS, TWO_STEPS], seed).await;
        assert!(equal.median.low > 1.0 / 1.02 && equal.median.high < 1.02, "{:?}", equal.median);
        let slower = seen(&scenario, [TWO_STEPS, SLOWER], seed).await;
        assert!(
            slower.median.low > 1.02 && (slower.median.estimate / 1.05 - 1.0).abs() < 0.02,
            "{:?}",
            slower.median
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_in_blocks_shows_each_arm_at_the_stated_rate() {
    let model = Model::Open { rate_per_sec: 1.0, arrivals: Arrivals::Constant };
    let seen = seen(&compared(model, Mixing::Blocks), [TWO_STEPS, THREE_STEPS], 1).await;
    assert!((seen.median.estimate / 1.2 - 1.0).abs() < 0.02, "{:?}", seen.median);
    assert!((seen.throughput - 1.0).abs() < 0.02, "the schedule's own: {}", seen.throughput);
}

/// Claims go out when they are due, whether the server keeps up or not: a rate of sending would be the
/// schedule's.
#[tokio::test(start_paused = true)]
async fn an_arm_that_cannot_carry_the_rate_makes_fewer_claims_per_second() {
    let model = Model::Open { rate_per_sec: 1.9, arrivals: Arrivals::Constant };
    let seen = seen(&compared(model, Mixing::Blocks), [TWO_STEPS, THREE_STEPS], 1).await;
    // 1.9 against the 1.67 that 0.6 s each allow.
    assert!((seen.throughput * 1.9 * 0.6 - 1.0).abs() < 0.03, "{}", seen.throughput);
}
