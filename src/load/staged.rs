//! Staged runs: fill the stock, open the window, claim, round after round.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::error::LoadError;
use super::plan::{Batch, Plan, PlannedClaim, Round, claims_wanted, is_warmup};
use super::progress::Phase;
use super::schedule::Schedule;
use super::session::{MeasuredBlock, Session};
use super::stock::Stock;
use super::watched::watched;
use crate::workload::{self, Control, ExecIndex, ScanRequest, Seek};
use reclaim_analysis::record::Recorder;
use reclaim_analysis::scenario::{Model, VariantPath};

/// Runs all rounds of a staged scenario. Cancelling ends it between two steps; what was measured stays.
pub(super) async fn staged(session: &mut Session<'_>) -> Result<(), LoadError> {
    let scenario = session.scenario();
    let plan = Plan::staged(scenario, session.setup.seed, claims_wanted(scenario, &session.trace))?;
    let name = |n| session.workload.plan().execution_id(ExecIndex(n)).as_str().to_owned();
    session.plan_sha256 = plan.digest(name, &session.trace);
    let sides: Vec<usize> = plan.strata.iter().map(|stratum| stratum.sides.len()).collect();
    let recorder = Recorder::new(scenario.variants.len(), sides);
    session.recorder.replace(recorder.keeping_responses(scenario.load.model.is_ramp()));
    session.strata.clone_from(&plan.strata);
    match rounds(session, &plan).await {
        // What was measured until then is the result; it is marked as partial.
        Err(_) if session.cancel().is_cancelled() => Ok(()),
        other => other,
    }
}

async fn rounds(session: &mut Session<'_>, plan: &Plan) -> Result<(), LoadError> {
    session.load_arm_libraries().await?;
    create(session).await?;
    for round in &plan.rounds {
        let workload = std::rc::Rc::clone(&session.workload);
        let stock = Stock::new(&workload, Duration::ZERO, session.setup.cancel);
        stage(session, round, &stock).await?;
        for batch in &round.batches {
            if session.cancel().is_cancelled() {
                return Ok(());
            }
            claim(session, plan, batch, &stock).await?;
        }
        claim_late(session, round, &stock).await?;
        session.watch().snapshot(&session.record(true));
    }
    Ok(())
}

/// Creates the population and makes its first claims.
pub(super) async fn create(session: &mut Session<'_>) -> Result<(), LoadError> {
    let watch = session.watch();
    let population = session.scenario().population.executions;
    watch.phase(Phase::Create, Some(2 * u64::from(population)));
    let begun = Instant::now();
    let progress = |done: u64, _: u64| watch.advance(done);
    let control = Control { cancel: session.cancel(), progress: &progress };
    let execs = session.workload.create(population, &control).await?;
    let after = |done: u64, _: u64| watch.advance(u64::from(population) + done);
    let control = Control { cancel: session.cancel(), progress: &after };
    session.workload.first_claims(&execs, &control).await?;
    session.staging.executions += u64::from(population);
    session.staging.duration_s += begun.elapsed().as_secs_f64();
    Ok(())
}

/// Makes every execution of a round resumable and fills the stock with their tickets.
async fn stage(session: &mut Session<'_>, round: &Round, stock: &Stock<'_>) -> Result<(), LoadError> {
    let begun = Instant::now();
    let of = |wanted: fn(VariantPath) -> bool| -> Vec<u32> {
        let variants = &session.setup.scenario.variants;
        let claims = round.claims().filter(|claim| wanted(variants[usize::from(claim.arm)].path));
        claims.map(|claim| claim.execution).collect()
    };
    let granted = of(|path| !matches!(path, VariantPath::Fused | VariantPath::FirstClaim));
    let ungranted = of(|path| path == VariantPath::Fused);
    let fresh = of(|path| path == VariantPath::FirstClaim);
    session.watch().phase(Phase::Stage, Some(3 * (granted.len() + ungranted.len()) as u64));
    // One after the other: a scan hands out tickets of one sort to everything that it finds.
    for (executions, issue) in [(granted, true), (ungranted, false)] {
        make_resumable(session, &executions).await?;
        scan(session, stock, &executions, Seek::Interrupted, issue).await?;
    }
    // The plan numbers them after the population, round after round: so does the workload.
    let control = Control { cancel: session.cancel(), progress: &|_, _| () };
    session.workload.create(fresh.len() as u32, &control).await?;
    session.staging.executions += fresh.len() as u64;
    scan(session, stock, &fresh, Seek::Fresh, true).await?;
    session.staging.duration_s += begun.elapsed().as_secs_f64();
    Ok(())
}

pub(super) async fn make_resumable(session: &mut Session<'_>, executions: &[u32]) -> Result<(), LoadError> {
    let watch = session.setup.watch;
    let count = executions.len() as u64;
    let execs: Vec<ExecIndex> = executions.iter().map(|&n| ExecIndex(n)).collect();
    // Those whose last grant nobody consumed are runnable still.
    let active: Vec<ExecIndex> =
        execs.into_iter().filter(|&exec| session.workload.phase(exec) == workload::Phase::Active).collect();
    let first = |done: u64, _: u64| watch.advance(done);
    session.workload.interrupt(&active, &Control { cancel: session.cancel(), progress: &first }).await?;
    let second = |done: u64, _: u64| watch.advance(count + done);
    session.workload.make_runnable(&active, &Control { cancel: session.cancel(), progress: &second }).await?;
    session.staging.interruptions += active.len() as u64;
    Ok(())
}

pub(super) async fn scan(
    session: &mut Session<'_>,
    stock: &Stock<'_>,
    executions: &[u32],
    seek: Seek,
    issue: bool,
) -> Result<(), LoadError> {
    if executions.is_empty() {
        return Ok(());
    }
    let watch = session.setup.watch;
    let count = executions.len() as u64;
    let wanted: BTreeSet<u32> = executions.iter().copied().collect();
    let sets = session.workload.lane_sets();
    let progress = |done: u64, _: u64| watch.advance(2 * count + done);
    let control = Control { cancel: session.cancel(), progress: &progress };
    let before = main_thread_cpu(session).await?;
    let request = ScanRequest { sets: &sets, seek, issue, limit: usize::MAX };
    let report = session.workload.scan(&request, &control).await?;
    if issue {
        session.grant_cpu_us += main_thread_cpu(session).await? - before;
        session.staging.grants += report.tickets.len() as u64;
    }
    for (code, n) in &report.refused {
        session.watch().note(&format!("{n} grants were refused: {code}"));
    }
    let found = stock.add(report.tickets);
    let missing = wanted.iter().filter(|n| !stock.has(**n)).count();
    if missing > 0 {
        session.watch().note(&format!(
            "{missing} of {} executions could not be put in stock ({} others were)",
            wanted.len(),
            found.len()
        ));
    }
    Ok(())
}

async fn main_thread_cpu(session: &Session<'_>) -> Result<f64, LoadError> {
    Ok(session.cluster.counters().await?.iter().map(|node| node.main_thread_cpu_us).sum())
}

/// Claims one batch between two readings of the counters.
async fn claim(
    session: &mut Session<'_>,
    plan: &Plan,
    batch: &Batch,
    stock: &Stock<'_>,
) -> Result<(), LoadError> {
    let warmup = is_warmup(batch);
    let phase = match (warmup, batch.block) {
        (true, _) => Phase::Warmup,
        (false, Some(_)) => Phase::Blocks,
        _ => Phase::Window,
    };
    session.watch().phase(phase, Some(batch.claims.len() as u64));
    if !warmup {
        for claim in &batch.claims {
            let partition = session.workload.plan().partition(ExecIndex(claim.execution));
            let node = session.cluster.topology().owner_of(partition);
            if let Some(claims) = session.claims_by_primary.get_mut(usize::from(node.0)) {
                *claims += 1;
            }
        }
    }
    // Blocks of one group are compared with each other, so they see the same arrivals.
    let part = match batch.block {
        Some(block) => format!("block {}", plan.blocks[block as usize].group),
        None => session.next_part(),
    };
    let before = session.meter.begin().await?;
    let claimed_before = session.recorder.borrow().claimed();
    let (active, schedule) = watched(session, drive(session, &batch.claims, stock, &part)).await?;
    let counters = session.meter.end(before, !warmup).await?;
    if warmup {
        if let Some(distance) = &session.distance {
            distance.forget();
        }
        return Ok(());
    }
    let arms: BTreeSet<usize> = batch.claims.iter().map(|claim| usize::from(claim.arm)).collect();
    let mut recorder = session.recorder.borrow_mut();
    let counted = batch.block.is_none();
    recorder.end_batch(active, arms.into_iter().filter(|_| counted));
    if let Some(length) = schedule.filter(|_| counted) {
        let offered = session.offered.get_or_insert_default();
        offered.claims += batch.claims.len() as u64;
        offered.schedule_s += length.as_secs_f64();
    }
    if let Some(block) = batch.block {
        let claims = recorder.claimed() - claimed_before;
        let plan = plan.blocks[block as usize];
        drop(recorder);
        session.blocks.push(MeasuredBlock { plan, claims, duration: active, counters });
    }
    Ok(())
}

/// Returns the time it took and, in an open loop, the time from the schedule's start to its last claim.
async fn drive(
    session: &Session<'_>,
    claims: &[PlannedClaim],
    stock: &Stock<'_>,
    part: &str,
) -> Result<(Duration, Option<Duration>), LoadError> {
    let driver = session.driver();
    match &session.scenario().load.model {
        Model::Closed { concurrency } => {
            Ok((driver.closed(claims, *concurrency, stock, &session.recorder).await, None))
        }
        Model::Open { rate_per_sec, arrivals } => {
            let schedule = Schedule::new(arrivals, claims.len(), &session.draw(*rate_per_sec, part));
            let mut pacer = session.pacer(&schedule)?;
            let active = driver.open(claims, &schedule, &mut pacer, stock, &session.recorder).await;
            Ok((active, Some(schedule.length())))
        }
    }
}

/// Waits until the grants that were held back have expired, then claims them too late.
async fn claim_late(session: &mut Session<'_>, round: &Round, stock: &Stock<'_>) -> Result<(), LoadError> {
    let Some(expiry_ms) = stock.last_expiry_ms(&round.late) else { return Ok(()) };
    session.watch().phase(Phase::Expire, None);
    let left = Duration::from_millis(expiry_ms.saturating_sub(session.clock.now_ms()) + 1);
    tokio::select! {
        () = tokio::time::sleep(left) => {}
        () = session.cancel().cancelled() => return Ok(()),
    }
    let before = session.meter.begin().await?;
    let active = session.driver().closed(&round.late, 1, stock, &session.recorder).await;
    session.meter.end(before, true).await?;
    // Late claims are no part of the time in which claims were made.
    session.recorder.borrow_mut().end_batch(active, []);
    Ok(())
}
