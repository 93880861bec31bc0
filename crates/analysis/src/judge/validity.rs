//! Whether a run's numbers may be used: what it found wrong with itself, and the rules that need the whole record.

use std::collections::BTreeMap;

use crate::record::{
    ArmRecord, Audit, CounterBlock, CounterDelta, Fault, GeneratorUse, RunRecord, SEND_LAG_SHARE, Violation,
    Warning,
};
use crate::scenario::{MOST_IN_FLIGHT, Mode, Model, Scenario, expected_cost};
use crate::stats::{Latencies, mser};

use super::calibration::generator_limit;
use super::summary::{arm_blocks, arm_samples, wire_per_claim};

/// Without a service level, a calibrated generator that is late by less than this at p99 is as good as timer and scheduler
/// let it be: local claims take so little that a tenth of their median lies below that on any machine.
const SEND_LAG_FLOOR_US: f64 = 100.0;

/// What the send lag may be over the one that was calibrated at the same rate.
const OVER_CALIBRATED: f64 = 1.5;

/// A span without a claim is worth a warning if it is this share of the window, and beyond the second the quantiles of a
/// closed loop are refused; both only for spans that no claim's own time explains.
const STALL_WARNS: f64 = 0.05;
const STALL_REFUSED: f64 = 0.2;
const SHORTEST_STALL_S: f64 = 0.25;

/// Values per batch of the warm-up rule (MSER-5).
const MSER_BATCH: usize = 5;

/// Every fault, the run's own first.
pub(super) fn faults(record: &RunRecord, scenario: &Scenario) -> Vec<Fault> {
    let mut faults = record.faults.clone();
    faults.extend(damaged(record));
    faults.extend(audit_faults(&record.audit));
    let claims: u64 = record.arms.iter().map(|arm| arm.outcomes.unanswered()).sum();
    let unanswered = claims + record.rulers_unanswered;
    // Where others may use the cluster, what they sent is a warning of the run's own.
    let shared = record.environment.valkey.shared == Some(true);
    for primary in &record.primaries {
        let counters = &primary.counters;
        faults.extend(disagreements(&primary.addr, counters, scenario.load.mode, (unanswered, shared)));
    }
    for block in &record.blocks {
        let arm = record.arms.get(block.arm as usize).map_or("an unknown arm", |arm| arm.name.as_str());
        let place = format!("all primaries, block {} of {arm}", block.group);
        faults.extend(disagreements(&place, &block.counters, Mode::Staged, (0, shared)));
    }
    faults.extend(
        (0..record.arms.len()).flat_map(|arm| unexpected_commands(record, arm, scenario.load.task_context)),
    );
    if matches!(scenario.load.model, Model::Open { .. }) {
        let claims: u64 = record.arms.iter().map(|arm| arm.outcomes.empty_stock).sum();
        if claims > 0 {
            faults.push(Fault::StockRanOut { claims });
        }
        let lags = record.arms.iter().filter_map(|arm| send_lag(arm, record, scenario));
        faults.extend(
            lags.filter(SendLag::is_fault)
                .map(|lag| Fault::SendLag { p99_us: lag.p99, limit_us: lag.allowed }),
        );
    }
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
    if let Some(warning) = record.generator.and_then(throttled) {
        add(warning);
    }
    for arm in &record.arms {
        let (errors, sent) = (arm.outcomes.errors(), arm.outcomes.sent());
        if errors > 0 {
            add(Warning::Errors { arm: arm.name.clone(), errors, sent });
        }
        if arm.outcomes.dropped > 0 {
            add(Warning::NotSent { arm: arm.name.clone(), claims: arm.outcomes.dropped });
        }
        if arm.outcomes.empty_stock > 0 && matches!(scenario.load.model, Model::Closed { .. }) {
            add(Warning::EmptyStock { arm: arm.name.clone(), claims: arm.outcomes.empty_stock });
        }
    }
    let stalled = stall(record, scenario).filter(|(_, share)| *share > STALL_WARNS);
    if let Some((longest_s, share)) = stalled {
        add(Warning::Stall { longest_s, share });
    }
    for arm in &record.arms {
        if let Some(lag) = send_lag(arm, record, scenario)
            && lag.is_late()
            && !lag.is_fault()
        {
            add(Warning::LateSends { p99_us: lag.p99, limit_us: lag.wanted });
        }
    }
    let late = |arm: &ArmRecord| send_lag(arm, record, scenario).is_some_and(|lag| lag.is_late());
    if record.generator.is_some_and(|used| used.real_time == Some(false)) && record.arms.iter().any(late) {
        add(Warning::NoRealTime);
    }
    if record.rulers_unanswered > 0 {
        add(Warning::RulersUnanswered { round_trips: record.rulers_unanswered });
    }
    if let Some(warning) = unsettled(record) {
        add(warning);
    }
    if record.was_interrupted() {
        add(Warning::Interrupted);
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
    arms.chain(seconds).chain(added).filter_map(|(histogram, packed)| {
        let bad = Latencies::decode(packed).err()?;
        Some(Fault::DamagedHistogram { histogram, detail: bad.0 })
    })
}

fn audit_faults(audit: &Audit) -> impl Iterator<Item = Fault> {
    let explained = audit.claimed + audit.expired + audit.outstanding + audit.lost;
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

/// Executions that a storm left behind. One that was interrupted did not have the time to bring all back.
fn never_resumed(record: &RunRecord) -> Option<Fault> {
    let storm = record.storm.as_ref().filter(|storm| !record.partial && storm.without_lease() > 0)?;
    Some(Fault::NeverResumed { executions: storm.without_lease(), of: storm.executions })
}

/// Commands that no function of the claim path runs inside, so that sent and counted must agree. In churn other
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
        missing.map_or(!shared, |missing| missing > unanswered).then(|| Fault::CountersDisagree {
            primary: place.to_owned(),
            command: command.to_owned(),
            sent,
            counted,
        })
    })
}

/// What an arm's successful claims sent, against its variant's definition: in all, and by command in the counter
/// blocks in which every claim succeeded.
fn unexpected_commands(record: &RunRecord, index: usize, task_context: bool) -> Vec<Fault> {
    let arm = &record.arms[index];
    let expected = expected_cost(arm.path, task_context);
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
    let whole: Vec<_> =
        arm_blocks(record, index).filter(|block| sent(block, "fcall") == block.claims).collect();
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

/// How late an arm's claims were sent, in microseconds.
struct SendLag {
    /// 99th percentile.
    p99: f64,
    /// A tenth of what it is measured against.
    wanted: f64,
    /// What makes the run invalid.
    allowed: f64,
}

impl SendLag {
    fn is_late(&self) -> bool {
        self.p99 > self.wanted
    }

    fn is_fault(&self) -> bool {
        self.p99 > self.allowed
    }
}

/// `None` without a schedule. A service level says how late is too late; without one it is the median response time, but
/// never less than a generator can do, as far as that is known.
fn send_lag(arm: &ArmRecord, record: &RunRecord, scenario: &Scenario) -> Option<SendLag> {
    let lag = Latencies::readable(&arm.send_lag)?;
    let p99_us = lag.quantile_us(0.99);
    if let Some(slo) = &scenario.slo {
        let limit = SEND_LAG_SHARE * slo.response_p99.as_secs_f64() * 1e6;
        return Some(SendLag { p99: p99_us, wanted: limit, allowed: limit });
    }
    let response = Latencies::readable(&arm.response)?;
    let wanted_us = SEND_LAG_SHARE * response.quantile_us(0.5);
    let floor = match record.calibration.as_ref().and_then(|note| note.send_lag.as_ref()) {
        Some(lag) => OVER_CALIBRATED * lag.p99_us,
        // Nobody knows what this generator can do. Late by no more than a slow claim takes it is at least not what the
        // response times mostly show.
        None => Latencies::readable(&arm.service).map_or(0.0, |service| service.quantile_us(0.99)),
    };
    let floor = SEND_LAG_FLOOR_US.max(floor);
    Some(SendLag { p99: p99_us, wanted: wanted_us, allowed: wanted_us.max(floor) })
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
}
