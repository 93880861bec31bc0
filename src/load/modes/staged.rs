//! Staged runs: fill the stock, open the window, claim, round after round.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::{spawn_blocking, yield_now};

use super::super::error::LoadError;
use super::super::faults::Faults;
use super::super::measuring::stretch::{self, Around, Beginning, Stretched};
use super::super::measuring::{Measured, MeasuredBlock, OpenStretch, recorder};
use super::super::observe::observe;
use super::super::planning::{
    Batch, BlockKind, BlockPlan, Plan, PlanDigest, PlannedClaim, Round, Share, UnsentClaims, claims_wanted,
    is_warmup,
};
use super::super::progress::Activity;
use super::super::run_record::{Closing, run_record};
use super::super::session::Session;
use super::super::striking::beside_strikes;
use super::super::timing::{Pacer, Schedule};
use super::grant_stock::GrantStock;
use super::prepare::create;
use super::stocking;
use crate::workload::ExecIndex;
use reclaim_analysis::record::{CounterDelta, Inside, Purpose};
use reclaim_analysis::scenario::Model;

/// Runs all rounds of a staged scenario. Cancelling ends it between two steps; what was measured stays.
pub(in crate::load) async fn staged(session: &Session<'_>) -> Measured {
    let scenario = session.scenario();
    let mut measured = Measured::nothing(scenario, session.setup.clusters, &session.arrangement);
    let (plan, digest) = match planned(session).await {
        Ok(planned) => planned,
        Err(error) => return Measured { ended_by: Some(error), ..measured },
    };
    measured.plan_sha256 = digest;
    measured.planned_executions = scenario.population.executions + plan.fresh;
    if let Err(error) = session.meet(&measured.plan_sha256).await {
        return Measured { ended_by: Some(error), ..measured };
    }
    measured.recorder = RefCell::new(
        recorder(scenario, plan.strata.iter().map(|stratum| stratum.sides.len()))
            .keeping_for_merging(!session.slice().is_whole()),
    );
    measured.strata.clone_from(&plan.strata);
    let run = StagedRun { session, plan: &plan, unsent: UnsentClaims::new(&plan) };
    measured.ended_by = run.rounds(&mut measured).await.err();
    run.unsent.drop_rest(session.slice(), &measured.recorder);
    measured
}

/// Claims of a plan between two looks at whether it is still wanted.
const DIGESTED_AT_ONCE: usize = 1 << 16;

/// The plan and its digest. A large one takes seconds, in which a signal is heard.
async fn planned(session: &Session<'_>) -> Result<(Plan, String), LoadError> {
    let total = claims_wanted(session.scenario(), &session.trace);
    session.watch().begin(Activity::Plan, Some(total));
    let (scenario, seed, cancel) = (session.scenario().clone(), session.setup.seed, session.cancel().clone());
    // The one place where a second thread works: this one listens meanwhile.
    let made = spawn_blocking(move || Plan::staged(&scenario, seed, total, &|| cancel.is_cancelled()));
    let plan = made.await.map_err(|_| LoadError::Cancelled)??;
    let mut digest = PlanDigest::default();
    let ids = session.first_site().workload.plan();
    for (n, claim) in plan.claims().enumerate() {
        if n.is_multiple_of(DIGESTED_AT_ONCE) {
            session.watch().advance(n as u64);
            yield_now().await;
            if session.cancel().is_cancelled() {
                return Err(LoadError::Cancelled);
            }
        }
        digest.add(claim, ids.execution_id(ExecIndex(claim.execution)).as_str());
    }
    Ok((plan, digest.finish(&session.trace)))
}

/// A staged run and its plan.
struct StagedRun<'a> {
    session: &'a Session<'a>,
    plan: &'a Plan,
    unsent: UnsentClaims<'a>,
}

impl StagedRun<'_> {
    async fn rounds(&self, measured: &mut Measured) -> Result<(), LoadError> {
        let session = self.session;
        measured.arm_libraries = session.load_arm_libraries().await?;
        measured.prepared += create(session).await?;
        let mut windows = 0;
        for round in &self.plan.rounds {
            let stock = GrantStock::default();
            measured.prepared += stocking::fill(session, round, &stock).await?;
            // Until the stock is empty, not for each batch anew: a thread that has just come to another core
            // is slow for a while, and a block with several claims in flight lasts some tens of milliseconds.
            let arranged = session.arrange();
            for batch in &round.batches {
                if session.cancel().is_cancelled() {
                    return Ok(());
                }
                // Blocks of one group are compared with each other, so they see the same arrivals.
                let part = if let Some(block) = batch.block {
                    format!("block {}", self.plan.blocks[block as usize].group)
                } else {
                    windows += 1;
                    (windows - 1).to_string()
                };
                self.claim(measured, batch, &stock, &part).await?;
            }
            drop(arranged);
            self.claim_late(measured, round, &stock).await?;
            session.watch().snapshot_now(run_record(session, measured, &Closing::default(), true));
        }
        Ok(())
    }

    /// Claims one batch between two readings of the counters.
    async fn claim(
        &self,
        measured: &mut Measured,
        batch: &Batch,
        stock: &GrantStock,
        part: &str,
    ) -> Result<(), LoadError> {
        let session = self.session;
        let warmup = is_warmup(batch);
        let block = batch.block.map(|block| self.plan.blocks[block as usize]);
        let counters_only = block.is_some_and(|block| block.kind == BlockKind::Counters);
        let share = Share::of_claims(&batch.claims, session.slice());
        session.watch().begin(activity(warmup, counters_only), Some(share.claims.len() as u64));
        let inside = block.filter(|_| counters_only).map(|block| block.arm);
        let work = async |measured: &mut Measured,
                          open: &mut OpenStretch,
                          beginning: Beginning|
               -> Result<(Driven, u64), LoadError> {
            if !warmup {
                self.count_by_primary(&mut measured.claims_by_primary, &share.claims);
            }
            if block.is_some() && !counters_only {
                self.begin_side(measured);
            }
            let claimed_before = measured.recorder.borrow().claimed();
            let zero = beginning.zero();
            let drive = self.drive(measured, (&share, batch.claims.len()), stock, (part, beginning));
            let driven = observe(session, measured, (zero, drive)).await?;
            measured.meter.claims_made(open);
            if !warmup {
                measured.note_faults(session.faults.as_ref().map(Faults::done));
                measured.began_us.extend(driven.began_us);
            }
            Ok((driven, claimed_before))
        };
        let made = stretch::around(session, measured, Around { keep: !warmup, inside }, work).await?;
        let Some(Stretched { work: (driven, claimed_before), by_cluster, inside }) = made else {
            return Ok(());
        };
        measured.note_real_time(driven.real_time);
        if warmup {
            measured.recorder.get_mut().end_warmup();
            session.end_warmup();
            return Ok(());
        }
        let own = share.claims.len() as u64;
        note_batch(
            measured,
            (batch, block),
            Claimed { own, before: claimed_before, driven, by_cluster, inside },
        );
        Ok(())
    }

    /// A side of a stratum begins: in a closed loop its steady part is that with all in flight.
    fn begin_side(&self, measured: &mut Measured) {
        if let Model::Closed { concurrency } = self.session.scenario().load.model {
            let in_flight = self.session.slice().share_of(concurrency) as usize;
            measured.recorder.get_mut().begin_block(in_flight);
        }
    }

    fn count_by_primary(&self, counts: &mut [u64], claims: &[PlannedClaim]) {
        let mut before = 0;
        for (number, site) in self.session.sites.iter().enumerate() {
            let topology = site.cluster.topology();
            let own = claims.iter().filter(|claim| usize::from(claim.site) == number);
            for claim in own.filter(|claim| !claim.is_ruler()) {
                let partition = site.workload.plan().partition(ExecIndex(claim.execution));
                if let Some(count) = counts.get_mut(before + usize::from(topology.owner_of(partition).0)) {
                    *count += 1;
                }
            }
            before += topology.primaries().len();
        }
    }

    async fn drive(
        &self,
        measured: &Measured,
        (share, all): (&Share<'_>, usize),
        stock: &GrantStock,
        (part, beginning): (&str, Beginning),
    ) -> Result<Driven, LoadError> {
        let driver = self.session.driver(&measured.recorder);
        let claims = &share.claims[..];
        match &self.session.scenario().load.model {
            Model::Closed { concurrency } => {
                let (start, began_us) = beginning.wait().await;
                let own = self.session.slice().share_of(*concurrency);
                self.unsent.begins();
                let active = driver.closed(claims, (start, own), stock).await;
                Ok(Driven { active, schedule: None, real_time: None, began_us })
            }
            Model::Open { rate_per_sec, arrivals } => {
                let draw = self.session.draw(*rate_per_sec, part);
                let schedule = share.schedule(Schedule::new(arrivals, all, &draw));
                let (mut pacer, began_us) = beginning.pacer(&schedule)?;
                let (start, real_time) = (Pacer::start(&pacer), Some(pacer.real_time()));
                self.unsent.begins();
                let open = driver.open(claims, &schedule, &mut pacer, stock);
                let warmup = claims.first().is_some_and(|claim| claim.purpose == Purpose::Warmup);
                let active =
                    if warmup { open.await } else { beside_strikes(self.session, start, open).await };
                Ok(Driven { active, schedule: Some(schedule.length()), real_time, began_us })
            }
        }
    }

    /// Waits until the grants that were held back have expired, then claims them too late. All generators
    /// wait for the last of their grants: also one that has none. That none was in stock is recorded as well.
    async fn claim_late(
        &self,
        measured: &mut Measured,
        round: &Round,
        stock: &GrantStock,
    ) -> Result<(), LoadError> {
        let session = self.session;
        if round.late.is_empty() || session.cancel().is_cancelled() {
            return Ok(());
        }
        let share = Share::of_claims(&round.late, session.slice());
        // Each by the clock of its own server.
        let left_ms = |(exec, expiry_ms): (ExecIndex, u64)| {
            // Only a single variant leaves grants to expire, and so on one cluster.
            let site = session.first_site();
            let topology = site.cluster.topology();
            let holder = topology.owner_of(site.workload.plan().partition(exec));
            let now_ms = site.clocks.now_ms(&topology.primaries()[usize::from(holder.0)].addr);
            expiry_ms.saturating_sub(now_ms)
        };
        if let Some(left_ms) = stock.expiries_ms(&share.claims).into_iter().map(left_ms).max() {
            session.watch().begin(Activity::Expire, None);
            let left = Duration::from_millis(left_ms + 1);
            session.watch().waiting("for grants to expire", left);
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = session.cancel().cancelled() => return Ok(()),
            }
        }
        // These claims are no part of the time in which claims were made, and what they cost this machine is no
        // part of what those did. The servers' counters are held against all that was sent.
        let used = measured.meter.usage;
        let around = Around { keep: true, inside: None };
        let work = async |measured: &mut Measured,
                          _: &mut OpenStretch,
                          beginning: Beginning|
               -> Result<(), LoadError> {
            let (start, _) = beginning.wait().await;
            self.unsent.begins();
            session.driver(&measured.recorder).closed(&share.claims, (start, 1), stock).await;
            Ok(())
        };
        let made = stretch::around(session, measured, around, work).await;
        measured.meter.usage = used;
        made.map(drop)
    }
}

/// A batch whose claims are made.
struct Claimed {
    /// How many claims of the batch were this generator's.
    own: u64,
    /// Claims of the run that had succeeded before.
    before: u64,
    driven: Driven,
    by_cluster: Vec<CounterDelta>,
    inside: Option<Inside>,
}

/// What those who watch are told of a batch.
fn activity(warmup: bool, counters_only: bool) -> Activity {
    match (warmup, counters_only) {
        (true, _) => Activity::Warmup,
        (false, true) => Activity::Blocks,
        (false, false) => Activity::Window,
    }
}

/// Takes a batch into what is measured.
fn note_batch(measured: &mut Measured, (batch, block): (&Batch, Option<BlockPlan>), claimed: Claimed) {
    let Claimed { own, before, driven, by_cluster, inside } = claimed;
    let arms: BTreeSet<usize> = batch.claims.iter().map(|claim| usize::from(claim.arm)).collect();
    // What the control's side and the counters' blocks take counts for no arm.
    let counted = block.is_none_or(|block| block.kind == BlockKind::Side);
    let counters_only = block.is_some_and(|block| block.kind == BlockKind::Counters);
    let recorder = measured.recorder.get_mut();
    let steady = recorder.steady_part();
    recorder.end_batch(driven.active, arms.into_iter().filter(|_| counted));
    let claims = recorder.claimed() - before;
    if let Some(length) = driven.schedule.filter(|_| !counters_only) {
        let offered = measured.offered.get_or_insert_default();
        offered.claims += own;
        offered.schedule_s += length.as_secs_f64();
    }
    if let Some(plan) = block {
        let duration = driven.active;
        // All of its claims go to one cluster.
        let site = batch.claims.first().map_or(0, |claim| usize::from(claim.site));
        let counters = by_cluster.into_iter().nth(site).unwrap_or_default();
        measured.blocks.push(MeasuredBlock { plan, claims, duration, counters, steady, inside });
    }
}

/// One batch as it went.
struct Driven {
    active: Duration,
    /// In an open loop, the time from the schedule's start to its last claim.
    schedule: Option<Duration>,
    /// In an open loop, whether the generator had real-time priority.
    real_time: Option<bool>,
    /// When it began, by the clock that several generators have in common.
    began_us: Option<u64>,
}
