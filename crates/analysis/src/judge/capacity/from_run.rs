//! A probe from the run that made it.

use super::limit::{OneGenerator, Resources};
use super::load::ProbeLoad;
use super::probe::{Probe, ProbeVerdict, Reason};
use crate::judge::beside_others::ran_beside_others;
use crate::judge::generators;
use crate::judge::primary_load::PrimaryLoad;
use crate::judge::result::RunResult;
use crate::judge::validity::stall::STALL_WARNS;
use crate::record::{ArmRecord, InvalidReason, MainThreadDoubt, Offered, RunRecord, Warning};
use crate::scenario::{ModelForm, P99};
use crate::stats::Latencies;

impl Probe {
    /// Judges a stored run. `slo_us` is the service level's bound of the response time's 99th percentile.
    ///
    /// Returns `None` for a run without an arm, which no scenario allows.
    pub fn from_result(result: &RunResult, dir: &str, slo_us: f64) -> Option<Self> {
        let (record, arm) = (&result.record, result.record.arms.first()?);
        let variant = result.variants.first()?;
        let response = Latencies::readable(&arm.response);
        let p99 = response.as_ref().map(|latencies| latencies.quantile_interval(P99));
        let resources = resources(result);
        let offer = offer(record);
        let open = matches!(offer, ProbeLoad::Open { .. });
        let mut probe = Self {
            dir: dir.to_owned(),
            offer,
            started: record.started.clone(),
            duration_s: record.duration_s,
            claims: arm.outcomes.planned(),
            errors: arm.outcomes.planned() - arm.outcomes.claimed,
            offered_per_s: record.offered.filter(|o| o.schedule_s > 0.0).map(|o| o.rate_per_s()),
            achieved_per_s: variant.throughput_per_s,
            response_p50_us: response.as_ref().map(|latencies| latencies.quantile_us(0.5)),
            response_p99_us: p99.as_ref().and_then(|p99| p99.as_ref().ok().copied()),
            service_p50_us: variant.service_us.map(|service| service.p50),
            service_p99_us: variant.service_us.map(|service| service.p99),
            send_lag_p99_us: send_lag_p99_us(result).or(variant.send_lag_us.map(|lag| lag.p99)),
            drain_us: record.offered.map(|offered| drain_us(arm, &offered)),
            cpu_us_per_claim: variant.server.main_thread_cpu_us_per_claim,
            grant_cpu_us: record.staging.grant_cpu_us.filter(|_| !main_threads_poll(record)),
            primaries: primaries(record),
            resources,
            near_generator_ceiling: result
                .warnings
                .iter()
                .any(|warning| matches!(warning.itself(), Warning::GeneratorCeiling { .. })),
            beside_others: ran_beside_others(&result.warnings),
            verdict: ProbeVerdict::Passed,
            reasons: Vec::new(),
            limit: None,
        };
        probe.reasons = match p99 {
            _ if !open => probe.too_many_failed().into_iter().collect(),
            Some(Err(too_few)) => vec![Reason::TooFew { too_few }],
            _ => probe.shortfalls(slo_us),
        };
        probe.reasons.extend(invalid(result, open));
        probe.reasons.extend(done_early(result));
        (probe.verdict, probe.limit) = probe.judge(slo_us);
        Some(probe)
    }
}

fn offer(record: &RunRecord) -> ProbeLoad {
    let load = &record.scenario.load;
    match load.model {
        ModelForm::Open => ProbeLoad::Open { rate_per_s: load.rate.unwrap_or_default() },
        ModelForm::Closed => ProbeLoad::Closed { concurrency: load.in_flight() },
    }
}

/// What a growing queue leaves behind: the claims that were due last cannot be done in time.
fn drain_us(arm: &ArmRecord, offered: &Offered) -> f64 {
    (arm.active_s - offered.schedule_s).max(0.0) * 1e6
}

/// The highest of several generators: among the claims of all, those of one may be too few to show.
fn send_lag_p99_us(result: &RunResult) -> Option<f64> {
    let each = result.generator_summaries.iter().filter_map(|one| Some(one.send_lag_us?.p99));
    each.max_by(f64::total_cmp)
}

/// The generator that was the limit of a run of several, else the one that began last of those that began
/// late.
fn worst_generator(result: &RunResult) -> Option<OneGenerator> {
    let all = &result.generator_summaries;
    let late = |reason: &InvalidReason| match reason {
        InvalidReason::BeganLate { part, late_us, .. } => Some((*late_us, *part)),
        _ => None,
    };
    let limiting = all.iter().find(|one| one.limit.is_some()).map(|one| one.part);
    let part = limiting.or_else(|| Some(result.invalid_reasons.iter().filter_map(late).max()?.1))?;
    Some(OneGenerator { part, busy: all.iter().find(|one| one.part == part)?.busy })
}

/// Whether polling counts as work in what main threads ran, and in what the servers used.
fn main_threads_poll(record: &RunRecord) -> bool {
    record.main_thread_doubt() == Some(MainThreadDoubt::Polling)
}

fn resources(result: &RunResult) -> Resources {
    let record = &result.record;
    // Of several generators those on the first one's machine, where the servers may be; the busiest thread is
    // anybody's.
    let used = generators::at_the_first(record);
    let busiest = generators::busiest(record);
    let window_s = used.map_or(0.0, |used| used.window_s);
    let share = |cpu_s: f64| (window_s > 0.0).then(|| cpu_s / window_s);
    let threads = used.and_then(|used| share(used.thread_cpu_s));
    Resources {
        generator: busiest.map(|(_, busy)| busy).or(threads),
        busiest_part: busiest.map(|(part, _)| part),
        worst_generator: worst_generator(result),
        generators: threads.filter(|_| busiest.is_some()),
        generator_process: used.and_then(|used| share(used.process_cpu_s?)),
        servers: used.and_then(|used| share(used.servers_cpu_s)),
        primaries: used.and_then(|used| share(used.primaries_cpu_s?)),
        polling: main_threads_poll(record),
        machine: used.and_then(|used| Some(used.machine_used_s()? / used.clocks_s()?)),
        stolen: used.and_then(|used| Some(used.stolen_cpu_s? / used.clocks_s()?)),
        servers_waited: used.and_then(|used| share(used.servers_waited_s?)),
        server_cores: record
            .environment
            .conditions
            .as_ref()
            .map(|conditions| conditions.servers_on.len() as u32)
            .filter(|cores| *cores > 0),
        throttled: used.and_then(|used| share(used.throttled_s?)),
        clocks_over_window: used.and_then(|used| share(used.clocks_s()?)),
        cores: record.environment.host.cores,
        same_machine: record.environment.valkey.same_machine,
    }
}

fn primaries(record: &RunRecord) -> Vec<PrimaryLoad> {
    let window_us = record.generator.map_or(0.0, |used| used.window_s) * 1e6;
    let is_told = window_us > 0.0 && !main_threads_poll(record);
    let load = |primary: &crate::record::PrimaryRecord| PrimaryLoad {
        addr: primary.addr.clone(),
        partitions: primary.partitions,
        claims: primary.claims,
        busy: is_told.then(|| primary.counters.main_thread_cpu_us / window_us),
    };
    record.primaries.iter().map(load).collect()
}

/// What makes the run invalid. A late generator is a reason of its own; a closed loop has no schedule to be
/// late for, but its rate is that of generators that all make claims.
fn invalid(result: &RunResult, open: bool) -> impl Iterator<Item = Reason> {
    result.invalid_reasons.iter().filter_map(move |why| match why.itself() {
        InvalidReason::SendLag { p99_us, limit_us } => {
            open.then_some(Reason::SendLag { p99_us: *p99_us, limit_us: *limit_us })
        }
        InvalidReason::BeganLate { part, late_us, limit_us, .. } if open => {
            Some(Reason::BeganLate { part: *part, late_us: *late_us, limit_us: *limit_us })
        }
        // A load that the cluster could not serve: the probe's own errors say so.
        InvalidReason::TooManyFailed { .. } | InvalidReason::NothingClaimed { planned: 1.., .. } => None,
        _ => Some(Reason::Invalid { why: why.clone() }),
    })
}

/// Generators that were done before the others by less than makes a run invalid, or for a moment of a short
/// window: a point of the curve is of so many in flight all the time.
fn done_early(result: &RunResult) -> impl Iterator<Item = Reason> {
    let refused = move |part: u32| {
        result.invalid_reasons.iter().any(|why| match why {
            InvalidReason::DoneEarly { part: early, .. } => *early == part,
            _ => false,
        })
    };
    result.generator_summaries.iter().filter_map(move |one| {
        let share = one.done_early.filter(|_| !refused(one.part))?;
        let why = InvalidReason::DoneEarly { part: one.part, share, limit: STALL_WARNS };
        Some(Reason::Invalid { why })
    })
}
