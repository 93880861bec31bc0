//! Makes executions claimable: creates, interrupts, makes runnable, issues grants. Outside the window, in
//! pipelines.

use std::time::Instant;

use super::super::error::LoadError;
use super::super::measuring::Prepared;
use super::super::progress::Activity;
use super::super::session::Session;
use super::super::site::Site;
use crate::claim::ClaimTicket;
use crate::workload::{self, ExecIndex, Oversight, ScanRequest, Seek};
use reclaim_analysis::record::MainThreadClock;

/// Creates the population on every cluster and makes its first claims.
pub(super) async fn create(session: &Session<'_>) -> Result<Prepared, LoadError> {
    let mut prepared = Prepared::default();
    for site in &session.sites {
        prepared += create_on(session, site).await?;
    }
    Ok(prepared)
}

async fn create_on(session: &Session<'_>, site: &Site) -> Result<Prepared, LoadError> {
    let watch = session.watch();
    let planned = session.scenario().population.executions;
    let population = session.slice().share_of(planned);
    watch.begin(Activity::Create, Some(2 * u64::from(population)));
    let begun = Instant::now();
    let progress = |done: u64, _: u64| watch.advance(done);
    let control = Oversight { cancel: session.cancel(), progress: &progress };
    let execs = site.workload.create(planned, &control).await?;
    let after = |done: u64, _: u64| watch.advance(u64::from(population) + done);
    let control = Oversight { cancel: session.cancel(), progress: &after };
    site.workload.first_claims(&execs, &control).await?;
    let executions = u64::from(population);
    Ok(Prepared { executions, took: begun.elapsed(), ..Prepared::default() })
}

/// Makes those of the executions resumable that hold a lease. The others' last grant was not consumed: they
/// are runnable still.
pub(super) async fn make_resumable(
    session: &Session<'_>,
    site: &Site,
    executions: &[u32],
) -> Result<Prepared, LoadError> {
    let watch = session.watch();
    let count = executions.len() as u64;
    let execs = executions.iter().map(|&n| ExecIndex(n));
    let active: Vec<ExecIndex> =
        execs.filter(|&exec| site.workload.phase(exec) == workload::Phase::Active).collect();
    let begun = Instant::now();
    let first = |done: u64, _: u64| watch.advance(done);
    site.workload.interrupt(&active, &Oversight { cancel: session.cancel(), progress: &first }).await?;
    let second = |done: u64, _: u64| watch.advance(count + done);
    site.workload.make_runnable(&active, &Oversight { cancel: session.cancel(), progress: &second }).await?;
    let interruptions = active.len() as u64;
    Ok(Prepared { interruptions, took: begun.elapsed(), ..Prepared::default() })
}

/// Takes the leases of those that hold one, and issues grants for all whose lease was lost: also for those
/// whose last grant was not consumed.
pub(super) async fn lose_leases(
    session: &Session<'_>,
    site: &Site,
    executions: &[u32],
) -> Result<(Prepared, Vec<(ExecIndex, ClaimTicket)>), LoadError> {
    let execs: Vec<ExecIndex> = executions.iter().map(|&n| ExecIndex(n)).collect();
    let held = |exec: &ExecIndex| site.workload.phase(*exec) == workload::Phase::Active;
    let active: Vec<ExecIndex> = execs.iter().copied().filter(held).collect();
    let begun = Instant::now();
    let control = session.quietly();
    site.workload.lose_leases(&active, &control).await?;
    let issued = site.workload.issue_reclaim_grants(&execs, &control).await?;
    for (code, n) in &issued.refused {
        session.watch().note(&format!("{n} grants for lost leases were refused: {code}"));
    }
    let (interruptions, reclaim_grants) = (active.len() as u64, issued.tickets.len() as u64);
    let prepared = Prepared { interruptions, reclaim_grants, took: begun.elapsed(), ..Prepared::default() };
    Ok((prepared, issued.tickets))
}

/// Looks for these executions and hands out their tickets: with a grant each, or only the ticket.
pub(super) async fn scan(
    session: &Session<'_>,
    site: &Site,
    executions: &[u32],
    seek: Seek,
    issue: bool,
) -> Result<(Prepared, Vec<(ExecIndex, ClaimTicket)>), LoadError> {
    if executions.is_empty() {
        return Ok((Prepared::default(), Vec::new()));
    }
    let watch = session.watch();
    let count = executions.len() as u64;
    let begun = Instant::now();
    let sets = site.workload.lane_sets();
    let progress = |done: u64, _: u64| watch.advance(2 * count + done);
    let control = Oversight { cancel: session.cancel(), progress: &progress };
    // Beside other generators it would be for their grants too.
    let alone = session.slice().is_whole();
    let before = if alone { main_thread_cpu_us(site).await? } else { 0.0 };
    let request = ScanRequest { sets: &sets, seek, issue, forgiving: false };
    let report = site.workload.scan(&request, &control).await?;
    let mut prepared = Prepared::default();
    if issue {
        prepared.grant_cpu_us = if alone { main_thread_cpu_us(site).await? - before } else { 0.0 };
        prepared.grants = report.tickets.len() as u64;
    }
    for (code, n) in &report.refused {
        watch.note(&format!("{n} grants were refused: {code}"));
    }
    prepared.took = begun.elapsed();
    Ok((prepared, report.tickets))
}

/// Of all primaries, so far; 0 where it is CPU time of threads that poll, which is no work.
async fn main_thread_cpu_us(site: &Site) -> Result<f64, LoadError> {
    let counters = site.cluster.counters().await?;
    let by_cpu = counters.iter().any(|node| node.main_thread_clock == MainThreadClock::Cpu);
    if site.valkey.io_threads > 1 && by_cpu {
        return Ok(0.0);
    }
    Ok(counters.iter().map(|node| node.main_thread_cpu_us).sum())
}
