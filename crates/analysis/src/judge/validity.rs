//! Whether a run's numbers may be used: what it found wrong with itself, and the rules that need the whole
//! record.

pub(super) mod stall;

use crate::record::{
    ArmRecord, Audit, GeneratorUse, InjectionFailure, InvalidReason, Outcomes, RunRecord, Warning,
};
use crate::scenario::{MOST_IN_FLIGHT, Model, Scenario};
use crate::stats::{Latencies, mser};

use super::arm_counts::{arm_samples, blocks_without_rate};
use super::calibration_of_run::generator_limit;
use super::counter_rules;
use super::generators;
use super::metric_source::other_definitions;
use super::send_lag::{SendLag, of_arms};
use super::servers::other_servers;
use super::untimed;

/// Values per batch of the warm-up rule (MSER-5).
const MSER_BATCH: usize = 5;

/// Every reason why they may not, the run's own first.
pub(super) fn invalid_reasons(record: &RunRecord, scenario: &Scenario) -> Vec<InvalidReason> {
    // What ended a run says more than that its other parts are missing.
    let mut reasons = record.invalid_reasons.clone();
    let part = record.part.as_ref().filter(|part| part.of > 1);
    reasons.extend(part.map(|part| InvalidReason::PartOfARun { part: part.number, of: part.of }));
    reasons.extend(damaged(record));
    reasons.extend(generators::began_late(record));
    reasons.extend(record.audits().into_iter().flat_map(audit_violations));
    reasons.extend(other_servers(record));
    reasons.extend(counter_rules::disagreements(record, scenario));
    if matches!(scenario.load.model, Model::Open { .. }) {
        let by_arms: u64 = record.arms.iter().map(|arm| arm.outcomes.empty_stock).sum();
        let claims = by_arms + in_no_arm(record, |outcomes| outcomes.empty_stock);
        if claims > 0 {
            reasons.push(InvalidReason::StockRanOut { claims });
        }
        let late = of_arms(record, scenario).filter(SendLag::is_too_late);
        reasons.extend(late.map(|lag| lag.invalid_reason()));
        reasons.extend(generators::sent_late(record, scenario));
    }
    reasons.extend(not_injected(record));
    reasons.extend(never_resumed(record));
    reasons.extend(record.arms.iter().filter(|_| !record.partial).filter_map(|arm| failed(arm, record)));
    reasons.extend(record.arms.iter().filter_map(claimed_late));
    reasons.extend(failed_in_no_arm(record).filter(|_| !record.partial));
    reasons.extend(stall::invalid_reasons(record, scenario));
    reasons.extend(shared_queue(record, scenario));
    // The run may have found the same itself; one reason is said once.
    let mut once: Vec<InvalidReason> = Vec::with_capacity(reasons.len());
    for reason in reasons {
        if !once.contains(&reason) {
            once.push(reason);
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
    record.arms.iter().filter_map(|arm| untimed::warning(arm, record)).for_each(&mut add);
    warnings_of_no_arm(record, scenario).for_each(&mut add);
    stall::warnings(record, scenario).into_iter().for_each(&mut add);
    of_arms(record, scenario).filter_map(|lag| lag.warning()).for_each(&mut add);
    let without_priority = record.generator.is_some_and(|used| used.real_time == Some(false));
    if without_priority && of_arms(record, scenario).any(|lag| lag.is_late()) {
        add(Warning::NoRealTime);
    }
    if record.rulers_unanswered > 0 {
        add(Warning::RulersUnanswered { round_trips: record.rulers_unanswered });
    }
    other_definitions(record).for_each(&mut add);
    if let Some(warning) = without_rate(record) {
        add(warning);
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
    warnings.extend(Failures::from_arm(arm, scenario.grant.unconsumed).warning());
    if arm.unreplicated > 0 {
        let of = arm.outcomes.claimed;
        warnings.push(Warning::Unreplicated { arm: arm.name.clone(), claims: arm.unreplicated, of });
    }
    if arm.outcomes.dropped > 0 {
        warnings.push(Warning::NotSent { arm: arm.name.clone(), claims: arm.outcomes.dropped });
    }
    warnings.extend(empty_stock(Whose::Arm(&arm.name), arm.outcomes.empty_stock, scenario));
    warnings
}

/// The same of the claims that are no arm's.
fn warnings_of_no_arm(record: &RunRecord, scenario: &Scenario) -> impl Iterator<Item = Warning> {
    let claims = in_no_arm(record, |outcomes| outcomes.empty_stock);
    let failures = of_no_arm(record).and_then(Failures::warning);
    failures.into_iter().chain(empty_stock(Whose::NoArm, claims, scenario))
}

/// Claims without a grant in a closed loop: its workers take the next one. In an open loop, where they were due,
/// they are a reason against the run.
fn empty_stock(whose: Whose<'_>, claims: u64, scenario: &Scenario) -> Option<Warning> {
    let closed = matches!(scenario.load.model, Model::Closed { .. });
    (closed && claims > 0).then(|| Warning::EmptyStock { arm: whose.name(), claims })
}

/// Blocks that no rate is of.
fn without_rate(record: &RunRecord) -> Option<Warning> {
    let [blocks, of] = blocks_without_rate(record);
    (blocks > 0).then_some(Warning::BlocksWithoutRate { blocks, of })
}

/// A control group that held this process back: each time is up to a whole period, 100 ms as a rule.
fn throttled(used: GeneratorUse) -> Option<Warning> {
    let periods = used.throttled_periods.filter(|periods| *periods > 0)?;
    Some(Warning::Throttled { periods, seconds: used.throttled_s.unwrap_or_default() })
}

/// Every histogram of the record that cannot be read.
fn damaged(record: &RunRecord) -> impl Iterator<Item = InvalidReason> {
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
    let slices = record
        .injected
        .iter()
        .flat_map(|injected| injected.slices.iter().enumerate())
        .map(|(n, slice)| (format!("response in slice {n} around the faults"), &slice.response));
    arms.chain(seconds).chain(added).chain(lags).chain(slices).filter_map(|(histogram, packed)| {
        let bad = Latencies::decode(packed).err()?;
        Some(InvalidReason::DamagedHistogram { histogram, detail: bad.0 })
    })
}

fn audit_violations(audit: &Audit) -> impl Iterator<Item = InvalidReason> {
    let found = audit.found().into_iter().filter(|(_, count)| *count > 0);
    found.map(|(violation, count)| InvalidReason::AuditViolation { violation, count })
}

/// Whether arms that were mixed claim by claim waited for each other: with several in flight an arm's latency
/// follows its number of round trips, not what users of that arm alone would see. Of an open loop by Little's
/// law.
fn shared_queue(record: &RunRecord, scenario: &Scenario) -> Option<InvalidReason> {
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
            // Those that lost their grant to another waited beside each of these.
            let in_flight = waited_s * f64::from(scenario.load.contenders.max(1)) / active_s;
            (in_flight, MOST_IN_FLIGHT * f64::from(record.environment.valkey.primaries))
        }
    };
    (in_flight > limit).then_some(InvalidReason::SharedQueue { in_flight, limit })
}

/// Faults that were asked for and not carried out: without them the run answers nothing. Of one that was
/// stopped, only those that were tried.
fn not_injected(record: &RunRecord) -> impl Iterator<Item = InvalidReason> {
    let all = record.injected.iter().flat_map(|injected| &injected.faults).enumerate();
    let failed = all.filter_map(|(number, fault)| Some((number as u32, fault, fault.failure.clone()?)));
    failed.filter(|(_, _, failure)| *failure != InjectionFailure::Interrupted).map(
        |(number, fault, failure)| InvalidReason::NotInjected {
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

/// Executions that a storm left behind. One that was interrupted did not have the time to bring all back.
fn never_resumed(record: &RunRecord) -> Option<InvalidReason> {
    let storm = record.storm.as_ref().filter(|storm| !record.partial && storm.without_lease() > 0)?;
    // A signal or a grant that a failover took away is sent by nobody again: the audit names these.
    let lost = record.audit.rolled_back + record.audit.lost_by_server;
    if record.injected.is_some() && storm.without_lease() <= lost {
        return None;
    }
    Some(InvalidReason::NeverResumed { executions: storm.without_lease(), of: storm.executions })
}

/// Whose claims were counted.
#[derive(Clone, Copy)]
enum Whose<'a> {
    /// An arm's, by its name.
    Arm(&'a str),
    /// No arm's: those of the control's second side, and of the blocks that servers' counters are read around.
    NoArm,
}

impl Whose<'_> {
    /// As it is stored, where an arm's name stands as a rule; that has no blank.
    fn name(self) -> String {
        match self {
            Self::Arm(name) => name,
            Self::NoArm => "control and counter blocks",
        }
        .to_owned()
    }
}

/// Claims that were sent, and those of them that failed.
#[derive(Clone, Copy)]
struct Failures<'a> {
    whose: Whose<'a>,
    failed: u64,
    sent: u64,
}

impl<'a> Failures<'a> {
    fn from_arm(arm: &'a ArmRecord, unconsumed: f64) -> Self {
        let (failed, sent) = (arm.failures(unconsumed), arm.outcomes.sent());
        Self { whose: Whose::Arm(&arm.name), failed, sent }
    }

    fn warning(self) -> Option<Warning> {
        let Self { whose, failed: errors, sent } = self;
        (errors > 0).then(|| Warning::Errors { arm: whose.name(), errors, sent })
    }

    /// Where more than this share failed.
    fn too_many(self, limit: f64) -> Option<InvalidReason> {
        let Self { whose, failed, sent } = self;
        (failed as f64 > limit * sent as f64).then(|| InvalidReason::TooManyFailed {
            arm: whose.name(),
            failed,
            sent,
            limit,
        })
    }
}

/// So many of the window's claims as are no arm's; 0 where the window was not kept.
fn in_no_arm(record: &RunRecord, count: fn(&Outcomes) -> u64) -> u64 {
    let of_arms: u64 = record.arms.iter().map(|arm| count(&arm.outcomes)).sum();
    record.window.as_ref().map_or(0, |window| count(&window.outcomes).saturating_sub(of_arms))
}

/// Failures among the claims that are no arm's; `None` without any.
fn of_no_arm(record: &RunRecord) -> Option<Failures<'static>> {
    // Only a single variant leaves grants to expire, and it makes all claims: those are subtracted again.
    let failed = in_no_arm(record, |outcomes| outcomes.errors() + outcomes.expired);
    let sent = in_no_arm(record, Outcomes::sent);
    (failed > 0).then_some(Failures { whose: Whose::NoArm, failed, sent })
}

fn failed_in_no_arm(record: &RunRecord) -> Option<InvalidReason> {
    of_no_arm(record)?.too_many(record.scenario.gate.failed)
}

/// Whether an arm's claims are too few that succeeded, or too many that failed.
fn failed(arm: &ArmRecord, record: &RunRecord) -> Option<InvalidReason> {
    let outcomes = &arm.outcomes;
    if outcomes.claimed == 0 {
        return Some(InvalidReason::NothingClaimed { arm: arm.name.clone(), planned: outcomes.planned() });
    }
    Failures::from_arm(arm, record.scenario.grant.unconsumed).too_many(record.scenario.gate.failed)
}

/// Whether claims of an arm got their leases though their grants had run out.
fn claimed_late(arm: &ArmRecord) -> Option<InvalidReason> {
    let (claimed, late) = (arm.late.claimed, arm.late.planned());
    (claimed > 0).then(|| InvalidReason::ExpiredGrantsClaimed { arm: arm.name.clone(), claimed, late })
}

/// Whether an arm's latencies settled only in the second half. A paired comparison cancels that, so it is no
/// reason against the run; the arm's own quantiles mix two regimes, so it is said. Logarithms, or one stall
/// would look like a warm-up.
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
    use crate::judge::fixtures::{self, GRANT_LANE, HGET_LANE};
    use crate::record::WindowTotals;
    use crate::scenario::Arrivals;

    const OPEN: Model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
    const CLOSED: Model = Model::Closed { concurrency: 1 };

    /// What is said of a run in which so many claims of the first arm found no grant, and of the whole window,
    /// which results of earlier versions do not have: claims that are against the run, and those warned of.
    fn short_of_grants(model: Model, of_arm: u64, of_window: Option<u64>) -> (Vec<u64>, Vec<(String, u64)>) {
        let arms = [GRANT_LANE, HGET_LANE];
        let (mut record, mut scenario) = (fixtures::record(&arms, 1), fixtures::scenario(&arms));
        scenario.load.model = model;
        record.arms[0].outcomes.empty_stock = of_arm;
        record.window = of_window.map(|empty_stock| {
            let claimed = record.arms.iter().map(|arm| arm.outcomes.claimed).sum();
            let outcomes = Outcomes { claimed, empty_stock, ..Outcomes::default() };
            WindowTotals { active_s: 20.0, outcomes, ..WindowTotals::default() }
        });
        let against = |reason: &InvalidReason| match reason {
            InvalidReason::StockRanOut { claims } => Some(*claims),
            _ => None,
        };
        let warned = |warning: Warning| match warning {
            Warning::EmptyStock { arm, claims } => Some((arm, claims)),
            _ => None,
        };
        (
            invalid_reasons(&record, &scenario).iter().filter_map(against).collect(),
            warnings(&record, &scenario).into_iter().filter_map(warned).collect(),
        )
    }

    /// The control's claims are held to their schedule as the arms' are.
    #[test]
    fn an_open_loop_whose_control_found_no_grants_is_invalid_as_one_whose_arms_did() {
        let against = |of_arm, of_window| {
            let (against, warned) = short_of_grants(OPEN, of_arm, of_window);
            assert_eq!(warned, [], "it is said once");
            against
        };
        assert_eq!(against(0, Some(4)), [4]);
        assert_eq!([against(3, Some(3)), against(3, Some(5)), against(3, None)], [[3], [5], [3]]);
        assert!(against(0, Some(0)).is_empty() && against(0, None).is_empty());
    }

    #[test]
    fn a_closed_loop_whose_control_found_no_grants_says_so() {
        let warned = |of_arm, of_window| {
            let (against, warned) = short_of_grants(CLOSED, of_arm, of_window);
            assert!(against.is_empty(), "{against:?}");
            warned
        };
        let own = |claims: u64| ("grant-lane".to_owned(), claims);
        let rest = |claims: u64| ("control and counter blocks".to_owned(), claims);
        assert_eq!(warned(0, Some(4)), [rest(4)]);
        assert_eq!(warned(3, Some(5)), [own(3), rest(2)]);
        assert_eq!(warned(3, Some(3)), [own(3)]);
        assert!(warned(0, Some(0)).is_empty() && warned(0, None).is_empty());
    }

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
