//! Whether a run's numbers may be used: what it found wrong with itself, and the rules that need the whole record.

use std::collections::BTreeMap;

use crate::record::{
    ArmRecord, Audit, CounterBlock, CounterDelta, Fault, GeneratorUse, InjectionFailure, RedirectKind,
    RunRecord, Violation, Warning,
};
use crate::scenario::{Extras, MOST_IN_FLIGHT, Mode, Model, Scenario, expected_cost};
use crate::stats::{Latencies, mser};

use super::arm_counts::{arm_blocks, arm_samples, wire_per_claim};
use super::calibration::generator_limit;
use super::generators;
use super::send_lag::{SendLag, of_arms};
use super::servers::other_servers;

/// A span without a claim is worth a warning if it is this share of the window, and beyond the second the quantiles of a
/// closed loop are refused; both only for spans that no claim's own time explains.
const STALL_WARNS: f64 = 0.05;
const STALL_REFUSED: f64 = 0.2;
const SHORTEST_STALL_S: f64 = 0.25;

/// Values per batch of the warm-up rule (MSER-5).
const MSER_BATCH: usize = 5;

/// Every fault, the run's own first.
pub(super) fn faults(record: &RunRecord, scenario: &Scenario) -> Vec<Fault> {
    let part = record.part.as_ref();
    let mut faults: Vec<Fault> =
        part.map(|part| Fault::PartOfARun { part: part.number, of: part.of }).into_iter().collect();
    faults.extend(record.faults.clone());
    faults.extend(damaged(record));
    faults.extend(generators::began_late(record));
    // Each by itself: what one cluster has too much another may lack.
    let of_clusters = record.clusters.iter().map(|cluster| &cluster.audit);
    let audits: Vec<&Audit> =
        if record.is_server_duet() { of_clusters.collect() } else { vec![&record.audit] };
    faults.extend(audits.into_iter().flat_map(audit_faults));
    faults.extend(other_servers(record));
    let unanswered: u64 = record.arms.iter().map(|arm| arm.outcomes.unanswered()).sum();
    // Where others may use the cluster, what they sent is a warning of the run's own.
    let shared = record.environment.valkey.shared == Some(true);
    // What a worker of its own sends, and so may run inside functions, the servers alone count.
    let workers = record.arms.iter().any(|arm| arm.sdk.is_some());
    for primary in record.primaries.iter().filter(|_| !workers) {
        let counters = &primary.counters;
        // Where claims are tried again, what they ended in does not say how many commands had no reply: each server's
        // own count does.
        let unanswered = if record.injected.is_some() { primary.unanswered } else { unanswered };
        faults.extend(disagreements(&primary.addr, counters, scenario.load.mode, (unanswered, shared)));
    }
    for block in &record.blocks {
        let arm = record.arms.get(block.arm as usize).map_or("an unknown arm", |arm| arm.name.as_str());
        let place = format!("all primaries, block {} of {arm}", block.group);
        if workers {
            faults.extend(too_few_calls(&place, block));
        } else {
            faults.extend(disagreements(&place, &block.counters, Mode::Staged, (0, shared)));
        }
    }
    faults.extend(
        (0..record.arms.len()).flat_map(|arm| unexpected_commands(record, arm, extras(scenario, arm))),
    );
    if matches!(scenario.load.model, Model::Open { .. }) {
        let claims: u64 = record.arms.iter().map(|arm| arm.outcomes.empty_stock).sum();
        if claims > 0 {
            faults.push(Fault::StockRanOut { claims });
        }
        let late = of_arms(record, scenario).filter(SendLag::is_fault);
        faults.extend(late.map(|lag| lag.fault()));
        faults.extend(generators::sent_late(record, scenario));
    }
    faults.extend(not_injected(record));
    faults.extend(redirect_disagreements(record, shared));
    faults.extend(never_resumed(record));
    faults.extend(record.arms.iter().filter(|_| !record.partial).filter_map(|arm| failed(arm, record)));
    faults.extend(
        stall(record, scenario)
            .filter(|(_, share)| *share > STALL_REFUSED && scenario.load.mode == Mode::Staged)
            .map(|(longest_s, share)| Fault::Stalled { longest_s, share }),
    );
    faults.extend(shared_queue(record, scenario));
    // The run may have found the same itself; one reason is said once.
    let mut once: Vec<Fault> = Vec::with_capacity(faults.len());
    for fault in faults {
        if !once.contains(&fault) {
            once.push(fault);
        }
    }
    once
}

/// Every warning, the run's own first.
pub(super) fn warnings(record: &RunRecord, scenario: &Scenario) -> Vec<Warning> {
    let mut warnings = record.warnings.clone();
    let mut add = |warning: Warning| {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    };
    if record.tool.debug_build {
        add(Warning::DebugBuild);
    }
    if let Some(warning) = generator_limit(record) {
        add(warning);
    }
    generators::warnings(record, scenario).into_iter().for_each(&mut add);
    if let Some(warning) = record.generator.and_then(throttled) {
        add(warning);
    }
    record.arms.iter().flat_map(|arm| of_outcomes(arm, scenario)).for_each(&mut add);
    let stalled = stall(record, scenario).filter(|(_, share)| *share > STALL_WARNS);
    if let Some((longest_s, share)) = stalled {
        add(Warning::Stall { longest_s, share });
    }
    of_arms(record, scenario).filter_map(|lag| lag.warning()).for_each(&mut add);
    let without_priority = record.generator.is_some_and(|used| used.real_time == Some(false));
    if without_priority && of_arms(record, scenario).any(|lag| lag.is_late()) {
        add(Warning::NoRealTime);
    }
    if record.rulers_unanswered > 0 {
        add(Warning::RulersUnanswered { round_trips: record.rulers_unanswered });
    }
    if let Some(warning) = unsettled(record) {
        add(warning);
    }
    let Audit { lost_by_server: grants, rolled_back: executions, .. } = record.audit;
    if grants + executions > 0 {
        add(Warning::LostByServer { grants, executions });
    }
    for warning in outlasting(record) {
        add(warning);
    }
    if record.was_interrupted() {
        add(Warning::Interrupted);
    }
    warnings
}

/// What became of an arm's claims beside success.
fn of_outcomes(arm: &ArmRecord, scenario: &Scenario) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let (errors, sent) = (arm.outcomes.errors(), arm.outcomes.sent());
    if errors > 0 {
        warnings.push(Warning::Errors { arm: arm.name.clone(), errors, sent });
    }
    if arm.unreplicated > 0 {
        let of = arm.outcomes.claimed;
        warnings.push(Warning::Unreplicated { arm: arm.name.clone(), claims: arm.unreplicated, of });
    }
    if arm.outcomes.dropped > 0 {
        warnings.push(Warning::NotSent { arm: arm.name.clone(), claims: arm.outcomes.dropped });
    }
    if arm.outcomes.empty_stock > 0 && matches!(scenario.load.model, Model::Closed { .. }) {
        warnings.push(Warning::EmptyStock { arm: arm.name.clone(), claims: arm.outcomes.empty_stock });
    }
    warnings
}

/// A control group that held this process back: each time is up to a whole period, 100 ms as a rule.
fn throttled(used: GeneratorUse) -> Option<Warning> {
    let periods = used.throttled_periods.filter(|periods| *periods > 0)?;
    Some(Warning::Throttled { periods, seconds: used.throttled_s.unwrap_or_default() })
}

/// Every histogram of the record that cannot be read.
fn damaged(record: &RunRecord) -> impl Iterator<Item = Fault> {
    let arms = record.arms.iter().flat_map(|arm| {
        let steps = arm.steps.iter().map(|step| (step.title.as_str(), &step.time));
        arm.clocks()
            .into_iter()
            .chain(steps)
            .map(|(what, histogram)| (format!("{what} of {}", arm.name), histogram))
    });
    let seconds =
        record.timeline.iter().map(|point| (format!("response in second {:.0}", point.t_s), &point.response));
    let added = record.added_rtt.iter().map(|added| ("added_rtt".to_owned(), &added.given));
    let lags = record.generators.iter().map(|one| (format!("send_lag of part {}", one.part), &one.send_lag));
    arms.chain(seconds).chain(added).chain(lags).filter_map(|(histogram, packed)| {
        let bad = Latencies::decode(packed).err()?;
        Some(Fault::DamagedHistogram { histogram, detail: bad.0 })
    })
}

fn audit_faults(audit: &Audit) -> impl Iterator<Item = Fault> {
    let explained = audit.claimed + audit.expired + audit.outstanding + audit.lost + audit.lost_by_server;
    let counts = [
        (audit.lost, Violation::GrantsUnaccounted),
        (audit.double_claims, Violation::GrantsConsumedTwice),
        (audit.attempt_changed, Violation::AttemptLost),
        (audit.epoch_errors, Violation::WrongLeaseEpoch),
        (audit.state_errors, Violation::WrongState),
        (audit.contract_errors, Violation::WritesMissing),
        (audit.grants_issued.abs_diff(explained), Violation::SumOfGrants),
    ];
    counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, violation)| Fault::AuditViolation { violation, count })
}

/// Whether arms that were mixed claim by claim waited for each other: with several in flight an arm's latency follows its
/// number of round trips, not what users of that arm alone would see. Of an open loop by Little's law.
fn shared_queue(record: &RunRecord, scenario: &Scenario) -> Option<Fault> {
    let mixed = || record.strata.iter().filter(|stratum| !stratum.apart);
    if record.arms.len() < 2 || mixed().next().is_none() {
        return None;
    }
    let (in_flight, limit) = match scenario.load.model {
        Model::Closed { concurrency } => (f64::from(concurrency), 1.0),
        Model::Open { .. } => {
            let waited_s: f64 = mixed()
                .flat_map(|stratum| &stratum.sides)
                .flat_map(|side| side.service.iter_us())
                .sum::<f64>()
                / 1e6;
            let active_s = record.arms.iter().map(|arm| arm.active_s).fold(0.0, f64::max);
            (waited_s / active_s, MOST_IN_FLIGHT * f64::from(record.environment.valkey.primaries))
        }
    };
    (in_flight > limit).then_some(Fault::SharedQueue { in_flight, limit })
}

/// Faults that were asked for and not carried out: without them the run answers nothing. Of one that was stopped, only
/// those that were tried.
fn not_injected(record: &RunRecord) -> impl Iterator<Item = Fault> {
    let all = record.injected.iter().flat_map(|injected| &injected.faults).enumerate();
    let failed = all.filter_map(|(number, fault)| Some((number as u32, fault, fault.failure.clone()?)));
    failed.filter(|(_, _, failure)| *failure != InjectionFailure::Interrupted).map(
        |(number, fault, failure)| Fault::NotInjected {
            number,
            kind: fault.kind,
            target: fault.target,
            failure,
        },
    )
}

/// Faults that went on after the load had ended.
fn outlasting(record: &RunRecord) -> impl Iterator<Item = Warning> {
    let loaded_s = record.loaded_s();
    // Whoever stopped a run knows that its load ended early.
    let injected = record.injected.as_ref().filter(|_| !record.was_interrupted());
    let faults = injected.into_iter().flat_map(|injected| &injected.faults).enumerate();
    faults.filter(|(_, fault)| fault.failure.is_none()).filter_map(move |(number, fault)| {
        let by_s = fault.ended_s? - loaded_s;
        let warning = Warning::FaultOutlastedLoad { number: number as u32, kind: fault.kind, by_s };
        (by_s > 0.0).then_some(warning)
    })
}

/// Redirects that a server counted and the tool did not meet, or the other way round. A redirect without a reply was lost
/// with its connection.
fn redirect_disagreements(record: &RunRecord, shared: bool) -> Vec<Fault> {
    let Some(injected) = record.injected.as_ref().filter(|_| !shared) else { return Vec::new() };
    let of_primary = |server: &String| {
        record.primaries.iter().find(|primary| primary.addr == *server).map_or(0, |found| found.unanswered)
    };
    let unanswered = |server: &String| {
        injected.unanswered.get(server).copied().unwrap_or_default().max(of_primary(server))
    };
    let of = |counts: Option<&BTreeMap<RedirectKind, u64>>, kind| {
        counts.and_then(|counts| counts.get(&kind)).copied().unwrap_or_default()
    };
    let mut faults = Vec::new();
    for (server, by_kind) in &injected.redirects_counted {
        for redirect in RedirectKind::ALL {
            let (met, counted) = (of(injected.redirects.get(server), redirect), of(Some(by_kind), redirect));
            if !(met..=met + unanswered(server)).contains(&counted) {
                faults.push(Fault::RedirectsDisagree { primary: server.clone(), redirect, met, counted });
            }
        }
    }
    faults
}

/// Executions that a storm left behind. One that was interrupted did not have the time to bring all back.
fn never_resumed(record: &RunRecord) -> Option<Fault> {
    let storm = record.storm.as_ref().filter(|storm| !record.partial && storm.without_lease() > 0)?;
    // A signal or a grant that a failover took away is sent by nobody again: the audit names these.
    let lost = record.audit.rolled_back + record.audit.lost_by_server;
    if record.injected.is_some() && storm.without_lease() <= lost {
        return None;
    }
    Some(Fault::NeverResumed { executions: storm.without_lease(), of: storm.executions })
}

/// Commands that no function of FlowFabric's claim path runs inside, so that sent and counted must agree; of a library
/// whose functions run them, as many more may be counted as its source allows. In churn other
/// functions run that read hashes themselves; FCALL is always the tool's own. What was given up before its reply may not
/// have reached the server: that many commands may be missing there, and none may be there that was not sent.
fn disagreements(
    place: &str,
    counters: &CounterDelta,
    mode: Mode,
    (unanswered, shared): (u64, bool),
) -> impl Iterator<Item = Fault> {
    let compared: &[&str] = match mode {
        Mode::Staged => &["fcall", "hget", "hmget"],
        Mode::Churn | Mode::Storm => &["fcall"],
    };
    compared.iter().filter_map(move |&command| {
        let of = |counts: &BTreeMap<String, u64>| counts.get(command).copied().unwrap_or_default();
        let (sent, counted) = (of(&counters.sent), of(&counters.calls));
        let missing = sent.checked_sub(counted);
        let too_many = counted.saturating_sub(sent) > of(&counters.by_functions);
        missing.map_or(!shared && too_many, |missing| missing > unanswered).then(|| Fault::CountersDisagree {
            primary: place.to_owned(),
            command: command.to_owned(),
            sent,
            counted,
        })
    })
}

/// No lease comes without a call of a function: fewer than claims, and what the servers counted is not these claims' doing.
fn too_few_calls(place: &str, block: &CounterBlock) -> Option<Fault> {
    let counted = block.counters.calls.get("fcall").copied().unwrap_or_default();
    (counted < block.claims).then(|| Fault::CountersDisagree {
        primary: place.to_owned(),
        command: "fcall".to_owned(),
        sent: block.claims,
        counted,
    })
}

/// What an arm's successful claims sent, against its variant's definition: in all, and by command in the counter
/// blocks in which every claim succeeded.
fn unexpected_commands(record: &RunRecord, index: usize, extras: Extras) -> Vec<Fault> {
    let arm = &record.arms[index];
    let expected = expected_cost(arm.path, extras);
    let commands = f64::from(expected.commands.values().sum::<u32>());
    let mut checks = vec![
        ("commands".to_owned(), commands, wire_per_claim(arm, |wire| wire.commands)),
        (
            "round trips".to_owned(),
            f64::from(expected.round_trips),
            wire_per_claim(arm, |wire| wire.round_trips),
        ),
    ];
    let sent = |block: &CounterBlock, command: &str| block.counters.sent.get(command).copied().unwrap_or(0);
    let calls = arm.path.functions().len() as u64;
    let whole: Vec<_> =
        arm_blocks(record, index).filter(|block| sent(block, "fcall") == calls * block.claims).collect();
    let claims: u64 = whole.iter().map(|block| block.claims).sum();
    for (command, count) in expected.commands {
        let total: u64 = whole.iter().map(|block| sent(block, command)).sum();
        checks.push((
            command.to_owned(),
            f64::from(count),
            (claims > 0).then(|| total as f64 / claims as f64),
        ));
    }
    checks
        .into_iter()
        .filter_map(|(command, expected, measured)| Some((command, expected, measured?)))
        .filter(|(_, expected, measured)| (measured - expected).abs() > 1e-9)
        .map(|(command, expected, measured)| Fault::UnexpectedCommands {
            arm: arm.name.clone(),
            command,
            expected,
            measured,
        })
        .collect()
}

/// What the claims of an arm do beside taking their leases.
fn extras(scenario: &Scenario, arm: usize) -> Extras {
    let task_context = scenario.load.task_context;
    let variant = scenario.variants.get(arm);
    variant.map_or(Extras { task_context, ..Extras::default() }, |variant| variant.extras(task_context))
}

/// Whether an arm's claims are too few that succeeded, or too many that failed.
fn failed(arm: &ArmRecord, record: &RunRecord) -> Option<Fault> {
    let (outcomes, limit) = (&arm.outcomes, record.scenario.gate.failed);
    if outcomes.claimed == 0 {
        return Some(Fault::NothingClaimed { arm: arm.name.clone(), planned: outcomes.planned() });
    }
    let (failed, sent) = (outcomes.errors(), outcomes.sent());
    (failed as f64 > limit * sent as f64).then(|| Fault::TooManyFailed {
        arm: arm.name.clone(),
        failed,
        sent,
        limit,
    })
}

/// The longest span without a claim of a closed loop, in seconds, and its share of the window. Where grants are left to
/// expire the run itself waits; an open loop's response times hold a stall, and a storm has one clock for all.
fn stall(record: &RunRecord, scenario: &Scenario) -> Option<(f64, f64)> {
    let waits = matches!(scenario.load.model, Model::Open { .. })
        || scenario.load.mode == Mode::Storm
        || scenario.grant.unconsumed > 0.0;
    let longest_s = record.longest_gap_s.filter(|gap| !waits && *gap >= SHORTEST_STALL_S)?;
    // With thousands in flight nothing ends before the first of many has: half of the claims took as long, so that the
    // quantiles show it.
    let median_s = |arm: &ArmRecord| Some(Latencies::readable(&arm.service)?.quantile_us(0.5) / 1e6);
    if record.arms.iter().filter_map(median_s).any(|median_s| median_s >= longest_s) {
        return None;
    }
    let blocks: f64 = record.blocks.iter().map(|block| block.duration_s).sum();
    let window_s = record.arms.iter().map(|arm| arm.active_s).fold(0.0, f64::max) + blocks;
    (window_s > 0.0).then(|| (longest_s, longest_s / window_s))
}

/// Whether an arm's latencies settled only in the second half. A paired comparison cancels that, so it is no fault;
/// the arm's own quantiles mix two regimes, so it is said. Logarithms, or one stall would look like a warm-up.
fn unsettled(record: &RunRecord) -> Option<Warning> {
    (0..record.arms.len()).find_map(|arm| {
        let logs: Vec<f64> = arm_samples(record, arm).iter().map(|us| us.max(0.1).ln()).collect();
        let cut = mser(&logs, MSER_BATCH)?;
        let share = cut as f64 / logs.len() as f64;
        (share > 0.5).then(|| Warning::LevelShifted { arm: record.arms[arm].name.clone(), share })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_was_used_up_is_said_and_one_that_was_not_is_no_warning() {
        let used = |periods, seconds| GeneratorUse {
            throttled_periods: periods,
            throttled_s: seconds,
            ..GeneratorUse::default()
        };
        assert_eq!(throttled(used(None, None)), None);
        assert_eq!(throttled(used(Some(0), Some(0.0))), None);
        assert_eq!(
            throttled(used(Some(3), Some(0.2))),
            Some(Warning::Throttled { periods: 3, seconds: 0.2 })
        );
    }

    /// A server that lost its slots counts on; what was not heard of it may be in its count.
    #[test]
    fn redirects_of_a_former_primary_are_compared_and_unanswered_ones_may_be_missing() {
        use crate::judge::fault_fixture::outage;
        let found = |counted: u64, unanswered: u64| {
            let mut record = outage(8.0, 1.0);
            let injected = record.injected.as_mut().unwrap();
            let former = "127.0.0.1:7099".to_owned();
            let of = |n| [(RedirectKind::Moved, n)].into();
            injected.redirects.insert(former.clone(), of(10));
            injected.redirects_counted.insert(former.clone(), of(counted));
            injected.unanswered.insert(former, unanswered);
            redirect_disagreements(&record, false).len()
        };
        assert_eq!([found(10, 0), found(12, 2), found(12, 0), found(9, 2), found(13, 2)], [0, 0, 1, 1, 1]);
    }
}
