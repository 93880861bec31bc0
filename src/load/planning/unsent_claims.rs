//! What of a plan is never begun where a run ends before its plan does.

use std::cell::{Cell, RefCell};

use super::plan::Plan;
use super::share::Share;
use crate::workload::Slice;
use reclaim_analysis::record::Recorder;

/// How far a run has come in its plan. Of a batch that was begun the driver records every claim, whatever ends
/// it; of the others nobody would.
pub(in crate::load) struct UnsentClaims<'a> {
    plan: &'a Plan,
    /// Of [`Plan::parts`].
    begun: Cell<usize>,
}

impl<'a> UnsentClaims<'a> {
    /// Nothing is begun yet.
    pub fn new(plan: &'a Plan) -> Self {
        Self { plan, begun: Cell::new(0) }
    }

    /// The next part's claims are the driver's from here on. Parts are begun in order, and none behind one that
    /// was not.
    pub fn begins(&self) {
        self.begun.set(self.begun.get() + 1);
    }

    /// Counts this generator's claims of all parts that were not begun as not sent.
    pub fn drop_rest(&self, slice: Slice, recorder: &RefCell<Recorder>) {
        let mut recorder = recorder.borrow_mut();
        for part in self.plan.parts().skip(self.begun.get()) {
            for claim in Share::of_claims(part, slice).claims.iter() {
                recorder.dropped(usize::from(claim.arm), claim.purpose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use ff_core::types::{WorkerId, WorkerInstanceId};
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::super::super::driving::{Driver, Seat};
    use super::super::super::fixtures::{FakePath, FakeRuler, FakeStock, scenario};
    use super::*;
    use crate::claim::ClaimPath;
    use crate::flowfabric::WorkerIdentity;
    use reclaim_analysis::record::Outcomes;
    use reclaim_analysis::scenario::VariantPath::{GrantLane, HgetLane};

    const MS: Duration = Duration::from_millis(1);

    /// 2,500 claims over three rounds, a tenth of them late, behind a warm-up.
    fn plan() -> Plan {
        let mut scenario = scenario(&[GrantLane, HgetLane]);
        scenario.load.warmup = 20;
        scenario.grant.unconsumed = 0.1;
        let plan = Plan::staged(&scenario, 1, 2_500, &|| false).unwrap();
        assert!(plan.rounds.len() == 3 && plan.rounds.iter().all(|round| !round.late.is_empty()));
        plan
    }

    fn outcomes(recorder: RefCell<Recorder>) -> Vec<Outcomes> {
        recorder.into_inner().arms().iter().map(|arm| arm.outcomes.clone()).collect()
    }

    /// Goes through the plan with two claims of a millisecond in flight, and is told to end after so long.
    async fn ended_after(limit: Duration) -> Vec<Outcomes> {
        let (plan, path, cancel) = (plan(), FakePath::new(MS), CancellationToken::new());
        let paths: Vec<Rc<dyn ClaimPath>> = (0..2).map(|_| Rc::clone(&path) as Rc<dyn ClaimPath>).collect();
        let worker =
            WorkerIdentity { worker_id: WorkerId::new("w"), instance_id: WorkerInstanceId::new("w-1") };
        let (stock, recorder) = (FakeStock::new(10_000), RefCell::new(Recorder::new(2, [])));
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
        let unsent = UnsentClaims::new(&plan);
        let run = async {
            for part in plan.parts() {
                if cancel.is_cancelled() {
                    break;
                }
                unsent.begins();
                driver.closed(part, (Instant::now(), 2), &stock).await;
            }
        };
        let stop = async {
            tokio::time::sleep(limit).await;
            cancel.cancel();
        };
        tokio::join!(run, stop);
        unsent.drop_rest(Slice::WHOLE, &recorder);
        outcomes(recorder)
    }

    #[tokio::test(start_paused = true)]
    async fn planned_claims_are_those_that_were_sent_and_those_that_were_not() {
        // In the warm-up, among the first round's claims, among its late ones, in the second round.
        for (limit, some) in [(MS * 5, false), (MS * 300, true), (MS * 480, true), (MS * 600, true)] {
            let arms = ended_after(limit).await;
            for outcomes in &arms {
                assert_eq!(outcomes.planned(), 1_250, "{limit:?}: {outcomes:?}");
                assert_eq!(outcomes.claimed + outcomes.dropped, 1_250, "{limit:?}: {outcomes:?}");
                assert_eq!(outcomes.claimed > 0, some, "{limit:?}: {outcomes:?}");
            }
            // More than the rest of the batch in hand.
            assert!(arms.iter().any(|outcomes| outcomes.dropped > 500), "{limit:?}: {arms:?}");
        }
        let done = ended_after(MS * 5_000).await;
        assert!(done.iter().all(|outcomes| (outcomes.claimed, outcomes.dropped) == (1_250, 0)), "{done:?}");
    }

    #[test]
    fn several_generators_drop_together_what_one_would() {
        let plan = plan();
        for of in [1, 2, 7] {
            let dropped = (1..=of).map(|number| {
                let recorder = RefCell::new(Recorder::new(2, []));
                UnsentClaims::new(&plan).drop_rest(Slice::new(number, of).unwrap(), &recorder);
                outcomes(recorder).iter().map(|outcomes| outcomes.dropped).sum::<u64>()
            });
            assert_eq!(dropped.sum::<u64>(), 2_500, "{of}");
        }
    }
}
