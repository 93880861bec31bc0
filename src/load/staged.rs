//! Staged runs: fill the stock, open the window, claim, round after round.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::task::{spawn_blocking, yield_now};

use super::digest::PlanDigest;
use super::error::LoadError;
use super::measured::{Measured, MeasuredBlock, Prepared, recorder};
use super::observe::observe;
use super::pacer::ThreadPacer;
use super::plan::{Plan, claims_wanted};
use super::planned::{Batch, BlockKind, PlannedClaim, Round, is_warmup};
use super::prepare::{create, make_resumable, scan};
use super::progress::Activity;
use super::run_record::{Closing, run_record};
use super::schedule::Schedule;
use super::session::Session;
use super::stock::Stock;
use crate::workload::{ExecIndex, Seek};
use reclaim_analysis::scenario::{Model, VariantPath};

/// Runs all rounds of a staged scenario. Cancelling ends it between two steps; what was measured stays.
pub(super) async fn staged(session: &Session<'_>) -> Measured {
    let scenario = session.scenario();
    let mut measured = Measured::nothing(scenario, &session.cluster, &session.arrangement);
    let (plan, digest) = match planned(session).await {
        Ok(planned) => planned,
        Err(error) => return Measured { ended_by: Some(error), ..measured },
    };
    measured.plan_sha256 = digest;
    measured.recorder =
        RefCell::new(recorder(scenario, plan.strata.iter().map(|stratum| stratum.sides.len())));
    measured.strata.clone_from(&plan.strata);
    let run = StagedRun { session, plan: &plan };
    measured.ended_by = run.rounds(&mut measured).await.err();
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
    for (n, claim) in plan.claims().enumerate() {
        if n.is_multiple_of(DIGESTED_AT_ONCE) {
            session.watch().advance(n as u64);
            yield_now().await;
            if session.cancel().is_cancelled() {
                return Err(LoadError::Cancelled);
            }
        }
        digest.add(claim, session.workload.plan().execution_id(ExecIndex(claim.execution)).as_str());
    }
    Ok((plan, digest.finish(&session.trace)))
}

/// A staged run and its plan.
struct StagedRun<'a> {
    session: &'a Session<'a>,
    plan: &'a Plan,
}

impl StagedRun<'_> {
    async fn rounds(&self, measured: &mut Measured) -> Result<(), LoadError> {
        let session = self.session;
        measured.arm_libraries = session.load_arm_libraries().await?;
        measured.prepared += create(session).await?;
        let mut windows = 0;
        for round in &self.plan.rounds {
            let stock = Stock::default();
            measured.prepared += self.stage(round, &stock).await?;
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
            self.claim_late(measured, round, &stock).await?;
            session.watch().snapshot(&run_record(session, measured, &Closing::default(), true));
        }
        Ok(())
    }

    /// Makes every execution of a round resumable and fills the stock with their tickets.
    async fn stage(&self, round: &Round, stock: &Stock) -> Result<Prepared, LoadError> {
        let session = self.session;
        let begun = Instant::now();
        let mut prepared = Prepared::default();
        let of = |wanted: fn(VariantPath) -> bool| -> Vec<u32> {
            let variants = &session.scenario().variants;
            let claims = round.claims().filter(|claim| wanted(variants[usize::from(claim.arm)].path));
            claims.map(|claim| claim.execution).collect()
        };
        let granted = of(|path| path != VariantPath::Fused && !path.is_first_claim());
        let ungranted = of(|path| path == VariantPath::Fused);
        let fresh = of(VariantPath::is_first_claim);
        session.watch().begin(Activity::Stage, Some(3 * (granted.len() + ungranted.len()) as u64));
        // One after the other: a scan hands out tickets of one sort to everything that it finds.
        for (executions, issue) in [(granted, true), (ungranted, false)] {
            prepared += make_resumable(session, &executions).await?;
            prepared += self.put_in_stock(stock, &executions, Seek::Interrupted, issue).await?;
        }
        // The plan numbers them after the population, round after round: so does the workload.
        session.workload.create(fresh.len() as u32, &session.quietly()).await?;
        prepared.executions += fresh.len() as u64;
        prepared += self.put_in_stock(stock, &fresh, Seek::Fresh, true).await?;
        Ok(Prepared { took: begun.elapsed(), ..prepared })
    }

    async fn put_in_stock(
        &self,
        stock: &Stock,
        executions: &[u32],
        seek: Seek,
        issue: bool,
    ) -> Result<Prepared, LoadError> {
        let (prepared, tickets) = scan(self.session, executions, seek, issue).await?;
        let found = tickets.len();
        stock.add(tickets);
        let missing = stock.missing(executions);
        if missing > 0 {
            self.session.watch().note(&format!(
                "{missing} of {} executions could not be put in stock ({found} others were)",
                executions.len(),
            ));
        }
        Ok(prepared)
    }

    /// Claims one batch between two readings of the counters.
    async fn claim(
        &self,
        measured: &mut Measured,
        batch: &Batch,
        stock: &Stock,
        part: &str,
    ) -> Result<(), LoadError> {
        let session = self.session;
        let warmup = is_warmup(batch);
        let block = batch.block.map(|block| self.plan.blocks[block as usize]);
        let counters_only = block.is_some_and(|block| block.kind == BlockKind::Counters);
        let activity = match (warmup, counters_only) {
            (true, _) => Activity::Warmup,
            (false, true) => Activity::Blocks,
            _ => Activity::Window,
        };
        session.watch().begin(activity, Some(batch.claims.len() as u64));
        if !warmup {
            self.count_by_primary(&mut measured.claims_by_primary, &batch.claims);
        }
        let before = measured.meter.begin().await?;
        let claimed_before = measured.recorder.borrow().claimed();
        let drive = self.drive(measured, &batch.claims, stock, part);
        let driven = observe(session, measured, drive).await?;
        let counters = measured.meter.end(before, !warmup).await?;
        measured.note_real_time(driven.real_time);
        if warmup {
            session.end_warmup();
            return Ok(());
        }
        let arms: BTreeSet<usize> = batch.claims.iter().map(|claim| usize::from(claim.arm)).collect();
        // What the control's side and the counters' blocks take counts for no arm.
        let counted = block.is_none_or(|block| block.kind == BlockKind::Side);
        let recorder = measured.recorder.get_mut();
        let steady = recorder.steady_part();
        recorder.end_batch(driven.active, arms.into_iter().filter(|_| counted));
        let claims = recorder.claimed() - claimed_before;
        if let Some(length) = driven.schedule.filter(|_| !counters_only) {
            let offered = measured.offered.get_or_insert_default();
            offered.claims += batch.claims.len() as u64;
            offered.schedule_s += length.as_secs_f64();
        }
        if let Some(plan) = block {
            measured.blocks.push(MeasuredBlock { plan, claims, duration: driven.active, counters, steady });
        }
        Ok(())
    }

    fn count_by_primary(&self, counts: &mut [u64], claims: &[PlannedClaim]) {
        let topology = self.session.cluster.topology();
        for claim in claims.iter().filter(|claim| !claim.is_ruler()) {
            let partition = self.session.workload.plan().partition(ExecIndex(claim.execution));
            if let Some(count) = counts.get_mut(usize::from(topology.owner_of(partition).0)) {
                *count += 1;
            }
        }
    }

    async fn drive(
        &self,
        measured: &Measured,
        claims: &[PlannedClaim],
        stock: &Stock,
        part: &str,
    ) -> Result<Driven, LoadError> {
        let driver = self.session.driver(&measured.recorder);
        match &self.session.scenario().load.model {
            Model::Closed { concurrency } => {
                let active = driver.closed(claims, *concurrency, stock).await;
                Ok(Driven { active, schedule: None, real_time: None })
            }
            Model::Open { rate_per_sec, arrivals } => {
                let draw = self.session.draw(*rate_per_sec, part);
                let schedule = Schedule::new(arrivals, claims.len(), &draw);
                let mut pacer = ThreadPacer::start(&schedule).map_err(LoadError::Pacer)?;
                let active = driver.open(claims, &schedule, &mut pacer, stock).await;
                let real_time = Some(pacer.real_time());
                Ok(Driven { active, schedule: Some(schedule.length()), real_time })
            }
        }
    }

    /// Waits until the grants that were held back have expired, then claims them too late.
    async fn claim_late(
        &self,
        measured: &mut Measured,
        round: &Round,
        stock: &Stock,
    ) -> Result<(), LoadError> {
        let session = self.session;
        // Each by the clock of its own server.
        let left_ms = |(exec, expiry_ms): (ExecIndex, u64)| {
            let topology = session.cluster.topology();
            let holder = topology.owner_of(session.workload.plan().partition(exec));
            let now_ms = session.clocks.now_ms(&topology.primaries()[usize::from(holder.0)].addr);
            expiry_ms.saturating_sub(now_ms)
        };
        let Some(left_ms) = stock.expiries_ms(&round.late).into_iter().map(left_ms).max() else {
            return Ok(());
        };
        session.watch().begin(Activity::Expire, None);
        let left = Duration::from_millis(left_ms + 1);
        session.watch().waiting("for grants to expire", left);
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = session.cancel().cancelled() => return Ok(()),
        }
        let before = measured.meter.begin().await?;
        let active = session.driver(&measured.recorder).closed(&round.late, 1, stock).await;
        measured.meter.end(before, true).await?;
        // Late claims are no part of the time in which claims were made.
        measured.recorder.get_mut().end_batch(active, []);
        Ok(())
    }
}

/// One batch as it went.
struct Driven {
    active: Duration,
    /// In an open loop, the time from the schedule's start to its last claim.
    schedule: Option<Duration>,
    /// In an open loop, whether the generator had real-time priority.
    real_time: Option<bool>,
}
