//! One plan as one, two and eight generators: the same claims, by the same arms, in the same order, due at
//! the same times.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ff_core::types::{WorkerId, WorkerInstanceId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::driving::{Driver, Seat};
use super::super::fixtures::{FakePath, FakeRuler, FakeStock, PausedPacer, scenario};
use super::super::timing::{Draw, Schedule};
use super::plan::{Plan, claims_wanted};
use super::planned::{Batch, PlannedClaim};
use super::share::Share;
use crate::claim::ClaimPath;
use crate::flowfabric::WorkerIdentity;
use crate::workload::{ExecIndex, Slice};
use reclaim_analysis::record::{Outcomes, Recorder};
use reclaim_analysis::scenario::VariantPath::{FirstClaim, GrantLane};
use reclaim_analysis::scenario::{Amount, Arrivals, Compare, ControlSides, Metric, Mixing, Model, Scenario};

const MS: Duration = Duration::from_millis(1);

fn compared(model: Model) -> Scenario {
    let mut scenario = scenario(&[GrantLane, FirstClaim]);
    scenario.load.amount = Amount::Claims(600);
    scenario.load.warmup = 20;
    scenario.load.model = model;
    scenario.population.executions = 300;
    scenario.compare = Some(Compare {
        baseline: "grant-lane".into(),
        strata: 3,
        counter_blocks: 2,
        block_claims: 50,
        metrics: vec![Metric::ServiceP50],
        noise_threshold: 0.02,
        confidence: 0.95,
        mixing: Mixing::Blocks,
        control: ControlSides::SideOfItsOwn,
    });
    scenario
}

fn parts(of: u32) -> Vec<Slice> {
    (1..=of).map(|number| Slice::new(number, of).unwrap()).collect()
}

/// Every batch of a plan.
fn batches(plan: &Plan) -> impl Iterator<Item = &Batch> {
    plan.rounds.iter().flat_map(|round| &round.batches)
}

#[test]
fn every_claim_is_made_by_one_generator_in_the_order_of_the_plan() {
    let scenario = compared(Model::Closed { concurrency: 16 });
    let plan = Plan::staged(&scenario, 7, claims_wanted(&scenario, &[]), &|| false).unwrap();
    assert!(plan.fresh > 0 && batches(&plan).count() > 5);
    for of in [1, 2, 8] {
        for batch in batches(&plan) {
            let mut seen: BTreeMap<usize, PlannedClaim> = BTreeMap::new();
            for slice in parts(of) {
                let share = Share::of_claims(&batch.claims, slice);
                let mut after = 0;
                for claim in share.claims.iter() {
                    assert!(slice.owns(ExecIndex(claim.execution)));
                    // Each stands behind the one before: executions are claimed once in a round.
                    let place = after + batch.claims[after..].iter().position(|all| all == claim).unwrap();
                    assert!(seen.insert(place, *claim).is_none());
                    after = place + 1;
                }
            }
            assert_eq!(seen.into_values().collect::<Vec<_>>(), batch.claims, "{of}");
        }
    }
}

#[test]
fn the_shares_of_a_schedule_are_the_schedule() {
    let arrivals = [
        Arrivals::Constant,
        Arrivals::Poisson,
        Arrivals::Burst { size: 7, every: 10 * MS },
        Arrivals::Ramp { from_per_sec: 10.0, over: Duration::from_secs(1) },
    ];
    for arrivals in arrivals {
        let scenario = compared(Model::Open { rate_per_sec: 1_000.0, arrivals: arrivals.clone() });
        let plan = Plan::staged(&scenario, 7, claims_wanted(&scenario, &[]), &|| false).unwrap();
        for batch in batches(&plan) {
            let draw = Draw { rate_per_sec: 1_000.0, seed: 7, part: "0", trace: &[] };
            let whole = Schedule::new(&arrivals, batch.claims.len(), &draw);
            for of in [1, 2, 8] {
                let mut dealt: Vec<Duration> = Vec::new();
                for slice in parts(of) {
                    let share = Share::of_claims(&batch.claims, slice);
                    let own = share.schedule(whole.clone());
                    assert_eq!((own.offsets().len(), own.length()), (share.claims.len(), whole.length()));
                    // Its claims are due when the whole schedule has them due.
                    for (claim, at) in share.claims.iter().zip(own.offsets()) {
                        let due = batch.claims.iter().zip(whole.offsets());
                        assert!(due.clone().any(|(all, when)| all == claim && when == at));
                    }
                    dealt.extend(own.offsets());
                }
                dealt.sort_unstable();
                assert_eq!(dealt, whole.offsets(), "{of} of {arrivals:?}");
            }
        }
    }
}

/// All batches of a plan, made by so many generators one after the other, against fake paths: outcomes of all
/// arms together, what was settled, and the most that was in flight over all.
async fn made(scenario: &Scenario, plan: &Plan, of: u32) -> (Vec<Outcomes>, Vec<u32>, u32) {
    let (mut outcomes, mut settled, mut in_flight) = (Vec::new(), Vec::new(), 0);
    for slice in parts(of) {
        let path = FakePath::new(MS);
        let paths: Vec<Rc<dyn ClaimPath>> = (0..2).map(|_| Rc::clone(&path) as Rc<dyn ClaimPath>).collect();
        let worker =
            WorkerIdentity { worker_id: WorkerId::new("w"), instance_id: WorkerInstanceId::new("w-1") };
        let sides = plan.strata.iter().map(|stratum| stratum.sides.len());
        let (recorder, cancel) = (RefCell::new(Recorder::new(2, sides)), CancellationToken::new());
        let stock = FakeStock::new(10_000);
        let driver = Driver {
            twin: None,
            seats: vec![Seat { paths: &paths, worker: &worker, book: &stock, ruler: &FakeRuler(MS) }],
            lease_ttl: Duration::from_secs(30),
            contenders: 1,
            recorder: &recorder,
            level: None,
            faults: None,
            cancel: &cancel,
        };
        for batch in batches(plan) {
            let share = Share::of_claims(&batch.claims, slice);
            match &scenario.load.model {
                Model::Closed { concurrency } => {
                    driver
                        .closed(&share.claims, (Instant::now(), slice.share_of(*concurrency)), &stock)
                        .await;
                }
                Model::Open { rate_per_sec, arrivals } => {
                    let draw = Draw { rate_per_sec: *rate_per_sec, seed: 7, part: "0", trace: &[] };
                    let schedule = share.schedule(Schedule::new(arrivals, batch.claims.len(), &draw));
                    let mut pacer = PausedPacer::new(&schedule);
                    driver.open(&share.claims, &schedule, &mut pacer, &stock).await;
                }
            }
        }
        in_flight += path.most_in_flight.get();
        settled.extend(stock.settled.take());
        outcomes.extend(recorder.borrow().arms().iter().map(|arm| arm.outcomes.clone()));
    }
    settled.sort_unstable();
    let mut sums = vec![Outcomes::default(); 2];
    for (place, one) in outcomes.into_iter().enumerate() {
        sums[place % 2].claimed += one.claimed;
        assert_eq!(one.sent(), one.claimed);
    }
    (sums, settled, in_flight)
}

#[tokio::test(start_paused = true)]
async fn several_generators_make_together_what_one_makes() {
    let open = Model::Open { rate_per_sec: 2_000.0, arrivals: Arrivals::Poisson };
    for model in [Model::Closed { concurrency: 16 }, open] {
        let scenario = compared(model);
        let plan = Plan::staged(&scenario, 7, claims_wanted(&scenario, &[]), &|| false).unwrap();
        let alone = made(&scenario, &plan, 1).await;
        for of in [2, 8] {
            let together = made(&scenario, &plan, of).await;
            assert_eq!((&together.0, &together.1), (&alone.0, &alone.1), "{of}");
            if matches!(scenario.load.model, Model::Closed { .. }) {
                assert_eq!(together.2, alone.2, "claims in flight");
            }
        }
    }
}
