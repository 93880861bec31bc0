//! Makes executions claimable: creates, interrupts, makes runnable, issues grants. Outside the window, in pipelines.

use std::time::Instant;

use super::error::LoadError;
use super::measured::Prepared;
use super::progress::Activity;
use super::session::Session;
use crate::claim::ClaimTicket;
use crate::workload::{self, Control, ExecIndex, ScanRequest, Seek};

/// Creates the population and makes its first claims.
pub(super) async fn create(session: &Session<'_>) -> Result<Prepared, LoadError> {
    let watch = session.watch();
    let population = session.scenario().population.executions;
    watch.begin(Activity::Create, Some(2 * u64::from(population)));
    let begun = Instant::now();
    let progress = |done: u64, _: u64| watch.advance(done);
    let control = Control { cancel: session.cancel(), progress: &progress };
    let execs = session.workload.create(population, &control).await?;
    let after = |done: u64, _: u64| watch.advance(u64::from(population) + done);
    let control = Control { cancel: session.cancel(), progress: &after };
    session.workload.first_claims(&execs, &control).await?;
    let executions = u64::from(population);
    Ok(Prepared { executions, took: begun.elapsed(), ..Prepared::default() })
}

/// Makes those of the executions resumable that hold a lease. The others' last grant was not consumed: they are
/// runnable still.
pub(super) async fn make_resumable(session: &Session<'_>, executions: &[u32]) -> Result<Prepared, LoadError> {
    let watch = session.watch();
    let count = executions.len() as u64;
    let execs = executions.iter().map(|&n| ExecIndex(n));
    let active: Vec<ExecIndex> =
        execs.filter(|&exec| session.workload.phase(exec) == workload::Phase::Active).collect();
    let begun = Instant::now();
    let first = |done: u64, _: u64| watch.advance(done);
    session.workload.interrupt(&active, &Control { cancel: session.cancel(), progress: &first }).await?;
    let second = |done: u64, _: u64| watch.advance(count + done);
    session.workload.make_runnable(&active, &Control { cancel: session.cancel(), progress: &second }).await?;
    let interruptions = active.len() as u64;
    Ok(Prepared { interruptions, took: begun.elapsed(), ..Prepared::default() })
}

/// Looks for these executions and hands out their tickets: with a grant each, or only the ticket.
pub(super) async fn scan(
    session: &Session<'_>,
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
    let sets = session.workload.lane_sets();
    let progress = |done: u64, _: u64| watch.advance(2 * count + done);
    let control = Control { cancel: session.cancel(), progress: &progress };
    let before = main_thread_cpu_us(session).await?;
    let request = ScanRequest { sets: &sets, seek, issue, limit: usize::MAX };
    let report = session.workload.scan(&request, &control).await?;
    let mut prepared = Prepared::default();
    if issue {
        prepared.grant_cpu_us = main_thread_cpu_us(session).await? - before;
        prepared.grants = report.tickets.len() as u64;
    }
    for (code, n) in &report.refused {
        watch.note(&format!("{n} grants were refused: {code}"));
    }
    prepared.took = begun.elapsed();
    Ok((prepared, report.tickets))
}

async fn main_thread_cpu_us(session: &Session<'_>) -> Result<f64, LoadError> {
    Ok(session.cluster.counters().await?.iter().map(|node| node.main_thread_cpu_us).sum())
}
