//! Faults on the timeline in words: what was done to the servers, and when all was as before. What claims met:
//! `faults_met`.

use super::document::Block;
use super::format::{count, figure, time_us};
use super::{faults_met, redirects};
use crate::judge::{self, Recovery, RecoveryLevel, RecoveryOutcome, RunResult, Untold};
use crate::record::{InjectedFault, InjectedRecord, InjectionFailure, MovedSlots, SlotMoveWay};
use crate::scenario::{CutFrom, FaultKind, FaultTarget};

/// All there is to say about a run's faults; nothing for a run without one.
pub(super) fn blocks(result: &RunResult) -> Vec<Block> {
    let Some(injected) = &result.record.injected else { return Vec::new() };
    let mut blocks = vec![struck(injected)];
    blocks.extend(injected.faults.iter().filter_map(moved));
    blocks.extend(injected.faults.iter().filter_map(emptied));
    blocks.extend(injected.faults.iter().filter_map(cut_off));
    blocks.extend(injected.faults.iter().filter_map(busy));
    blocks.extend(recovered(result, injected));
    blocks.extend(noise(result));
    blocks.extend(faults_met::claims(injected));
    blocks.extend(redirects::table(injected));
    blocks.extend(redirects::not_compared(injected));
    blocks.extend(faults_met::lost(&result.record));
    blocks
}

/// One sentence for each fault, for the answer.
pub(super) fn answer(result: &RunResult) -> Option<String> {
    let injected = result.record.injected.as_ref()?;
    let said = result.recoveries.iter().filter_map(|recovery| {
        let fault = injected.faults.get(recovery.fault as usize)?;
        let back = came_of_it(recovery.outcome(&result.record)?);
        let taken = recovery.took_over_s.map(|s| format!("a replica had taken over after {}, ", seconds(s)));
        let taken = taken.or_else(|| arrived(fault));
        let server = fault.server.as_deref().unwrap_or("no server");
        let (what, of) = (named(fault.kind), preposition(fault.kind));
        Some(format!("{what} {of} {server}: {}{back}.", taken.unwrap_or_default()))
    });
    let mut said: Vec<String> = said.collect();
    let lost = result.record.audit.lost_by_server;
    if lost > 0 {
        said.push(format!("{} grants or claims that servers had acknowledged were LOST.", count(lost)));
    }
    (!said.is_empty()).then(|| said.join(" "))
}

/// What came of a fault, without a full stop.
fn came_of_it(outcome: RecoveryOutcome) -> String {
    match outcome {
        RecoveryOutcome::OutlastedLoad { by_s } => format!(
            "the load had ended {} before it was over, so that nobody can say when all was as before",
            seconds(by_s)
        ),
        RecoveryOutcome::HiddenByNoise { first_success_s } => {
            let first = first_success_s.map_or_else(|| "-".to_owned(), seconds);
            format!(
                "its slots were without a success for {first}; the run was so restless before it that nobody can say when all \
                 was as before"
            )
        }
        RecoveryOutcome::NothingSeen => "nothing beyond the noise was seen of it".to_owned(),
        RecoveryOutcome::Recovered { after_s, with_earlier } => {
            let with = if with_earlier { ", with what was left of the fault before it" } else { "" };
            format!("response time and rate were as before after {}{with}", seconds(after_s))
        }
        RecoveryOutcome::NotBeforeNextFault { struck_s } => format!(
            "response time and rate had NOT come back to what they had been when the next fault struck, {} later",
            seconds(struck_s)
        ),
        RecoveryOutcome::NotBeforeEnd { ended_s } => format!(
            "response time and rate had NOT come back to what they had been when the load ended, {} later",
            seconds(ended_s)
        ),
        RecoveryOutcome::InStorm => "the storm's times have it in them".to_owned(),
        RecoveryOutcome::TooLittleBefore => {
            "too little of the run lies before it to say when all was as before".to_owned()
        }
    }
}

/// Whether each fault was over within the scenario's time for it.
pub(super) fn level(result: &RunResult) -> Option<Block> {
    let bound = result.record.scenario.slo.as_ref()?.recovery?.0;
    let each: Vec<String> = judge::recovery_levels(result, bound).map(|level| level_of(&level)).collect();
    (!each.is_empty()).then(|| {
        Block::Line(format!("Recovery within {}: {}.", seconds(bound.as_secs_f64()), each.join(", ")))
    })
}

/// Whether one fault was over in time, and how long it took.
pub(super) fn level_of(level: &RecoveryLevel<'_>) -> String {
    let took = match (level.recovery.recovered_s, level.recovery.first_success_s) {
        (Some(recovered_s), _) => seconds(recovered_s),
        (None, _) if level.why == Some(Untold::NextFault) => "not before the next fault".to_owned(),
        (None, Some(first_s)) if level.why.is_some() => {
            format!("no success for {}", seconds(first_s))
        }
        (None, _) => "never".to_owned(),
    };
    match level.kept {
        Some(true) => format!("kept after the {} ({took})", noun(level.kind)),
        Some(false) => format!("MISSED after the {} ({took})", noun(level.kind)),
        None => format!("not known after the {}", noun(level.kind)),
    }
}

/// Why a fault was not carried out, without a full stop.
pub(super) fn failure(kind: FaultKind, target: FaultTarget, failure: &InjectionFailure) -> String {
    let what = format!("the {} {} the {}", noun(kind), preposition(kind), target.as_str());
    match failure {
        InjectionFailure::WindowOver => {
            format!(
                "{what} did not strike: the window was over before its time. Strike earlier or load for longer"
            )
        }
        InjectionFailure::Interrupted => {
            format!("{what} did not strike: the run was stopped before its time")
        }
        InjectionFailure::NoSuchServer => {
            format!(
                "{what} did not strike: there was no such server. See cluster.replicas and what other faults had done"
            )
        }
        InjectionFailure::Refused { detail } => format!("{what} could not be carried out: {detail}"),
        InjectionFailure::NoTakeover { waited_s } => format!(
            "after {what} no replica took over within {}. See the servers' logs; an election needs more than half of the \
             primaries and a replica that was in sync",
            seconds(*waited_s)
        ),
    }
}

/// Between a fault and its server.
fn preposition(kind: FaultKind) -> &'static str {
    if kind == FaultKind::MoveSlots { "from" } else { "of" }
}

/// A fault within a sentence.
pub(super) fn noun(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::MoveSlots => "move of slots",
        kind => kind.as_str(),
    }
}

/// A fault as the subject of a sentence.
fn named(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Pause => "Pause",
        FaultKind::Kill => "Kill",
        FaultKind::Failover => "Planned failover",
        FaultKind::Disconnect => "Cut connections",
        FaultKind::Busy => "Busy script",
        FaultKind::Restart => "Restart",
        FaultKind::Partition => "Partition",
        FaultKind::MoveSlots => "Move of slots",
    }
}

/// Where the slots of a fault are, for its sentence.
fn arrived(fault: &InjectedFault) -> Option<String> {
    let (moved, took_s) = (fault.moved.as_ref()?, fault.ended_s? - fault.struck_s?);
    Some(format!("{} were at {} after {}, ", slots(moved), moved.to, seconds(took_s)))
}

fn slots(moved: &MovedSlots) -> String {
    match moved.slots.len() as u64 {
        1 => "one slot".to_owned(),
        n => format!("{} slots", count(n)),
    }
}

/// What moved, and how.
fn moved(fault: &InjectedFault) -> Option<Block> {
    let (moved, from) = (fault.moved.as_ref()?, fault.server.as_deref()?);
    let way = match moved.way {
        SlotMoveWay::Atomic => "as one migration (CLUSTER MIGRATESLOTS)",
        SlotMoveWay::OneByOne => "one by one (CLUSTER SETSLOT, MIGRATE)",
    };
    let (keys, to) = (count(moved.keys), &moved.to);
    Some(Block::Line(format!("Moved from {from} to {to}: {} with {keys} keys, {way}.", slots(moved))))
}

/// That nothing came back.
fn emptied(fault: &InjectedFault) -> Option<Block> {
    let server = fault.server.as_deref().filter(|_| fault.emptied)?;
    Some(Block::Line(format!(
        "{server} came back EMPTY and serves its slots again: it had nothing on disk, and no replica had taken over. All that \
         was on them is gone, and claims on it are refused."
    )))
}

/// From whom a server was cut off, and what that means.
fn cut_off(fault: &InjectedFault) -> Option<Block> {
    let server = fault.server.as_deref()?;
    Some(Block::Line(match (fault.cut_from?, &fault.heir) {
        (CutFrom::Everybody, _) => format!("{server} was cut off from clients and servers alike."),
        (CutFrom::Servers, None) => {
            format!("{server} was cut off from the other servers alone: clients reached it all the time.")
        }
        (CutFrom::Servers, Some(heir)) => format!(
            "{server} was cut off from the other servers alone: clients reached it all the time, and what it acknowledged \
             until it noticed is not on {heir}, which took over."
        ),
    }))
}

/// For how long a script held everybody up: its own clock is the CPU's.
fn busy(fault: &InjectedFault) -> Option<Block> {
    let asked_s = fault.lasting_s.filter(|_| fault.kind == FaultKind::Busy)?;
    let (server, took_s) = (fault.server.as_deref()?, fault.ended_s? - fault.struck_s?);
    Some(Block::Line(format!(
        "The script on {server} used {} of CPU, the one clock that a script has, and held everybody up for {}.",
        seconds(asked_s),
        seconds(took_s)
    )))
}

/// Until the first success after a fault, or that there was nothing to succeed after.
pub(super) fn first_success(recovery: &Recovery) -> String {
    match recovery.first_success_s {
        _ if recovery.nothing_failed => "nothing failed".to_owned(),
        Some(s) => seconds(s),
        None => "-".to_owned(),
    }
}

/// That a fault went on when nobody claimed any more, and what to do.
pub(super) fn outlasted_load(kind: FaultKind, by_s: f64) -> String {
    let shorter = match kind {
        FaultKind::MoveSlots => "move fewer slots (slots)",
        FaultKind::Pause | FaultKind::Busy | FaultKind::Partition => "let it last for less (for)",
        FaultKind::Kill | FaultKind::Failover | FaultKind::Restart | FaultKind::Disconnect => {
            "lower cluster.node_timeout"
        }
    };
    format!(
        "the {} was over only {} after the load had ended: what claims would have met until then is in no figure, and late \
         claims are those of the load. Load for longer (load.duration), strike earlier \
         (at), or {shorter}.",
        noun(kind),
        seconds(by_s)
    )
}

/// Seconds that are not known to more than a hundredth.
pub(super) fn seconds(s: f64) -> String {
    if s <= 0.0 { "at once".to_owned() } else { time_us((s * 1e6).round()) }
}

fn struck(injected: &InjectedRecord) -> Block {
    let at = |moment: Option<f64>| moment.map_or_else(|| "-".to_owned(), |moment| format!("{moment:.2}"));
    let row = |fault: &InjectedFault| {
        let heir = fault.heir.as_ref().or(fault.moved.as_ref().map(|moved| &moved.to));
        vec![
            fault.kind.as_str().to_owned(),
            fault.server.clone().unwrap_or_else(|| format!("({})", fault.target.as_str())),
            at(fault.struck_s),
            at(fault.marked_failed_s),
            at(fault.took_over_s),
            heir.cloned().unwrap_or_else(|| "-".to_owned()),
            at(fault.ended_s),
        ]
    };
    Block::Table {
        heading: "Faults (seconds of the window; the cluster's own view as another primary had it)".into(),
        header: vec!["fault", "server", "struck", "marked failed", "taken over", "by", "over"],
        rows: injected.faults.iter().map(row).collect(),
        words: vec![1, 5],
    }
}

/// Claims that were late; of a fault that outlasted the load no more is known than that there were so many.
pub(super) fn late(recovery: &Recovery) -> String {
    let at_least = if recovery.outlasted_load_s.is_some() { "at least " } else { "" };
    recovery.late.map_or_else(|| "-".to_owned(), |late| format!("{at_least}{}", count(late)))
}

fn recovered(result: &RunResult, injected: &InjectedRecord) -> Option<Block> {
    let row = |recovery: &Recovery| {
        let kind = injected.faults.get(recovery.fault as usize).map_or("fault", |fault| fault.kind.as_str());
        let told = recovery.untold().is_none();
        let never = || if told { "never".to_owned() } else { "-".to_owned() };
        let back = |s: Option<f64>| s.map_or_else(never, seconds);
        vec![
            kind.to_owned(),
            first_success(recovery),
            back(recovery.rate_back_s),
            back(recovery.p99_back_s),
            late(recovery),
            recovery.slowest_us.map_or_else(|| "-".to_owned(), time_us),
        ]
    };
    let with_earlier = result.recoveries.iter().any(|recovery| recovery.with_earlier);
    let rows: Vec<_> = result.recoveries.iter().map(row).collect();
    (!rows.is_empty()).then(|| {
        Block::figures(
            &format!(
                "After each fault: time until claims on its slots succeeded, until rate and response time were as before{}",
                if with_earlier { " (some struck before that of the one before: what was left is in their times)" } else { "" }
            ),
            vec!["fault", "first success", "rate back", "p99 back", "late claims", "slowest"],
            rows,
        )
    })
}

/// What else is late, where claims were sent that have no time ([`crate::record::TimeSlice::untimed`]).
const UNTIMED: &str =
    ", and what has no time, for its reply was lost, or a server refused it or sent it elsewhere";

/// What "as before" means.
fn noise(result: &RunResult) -> Option<Block> {
    let before = result.recoveries.first()?.before?;
    let slices = result.record.injected.iter().flat_map(|injected| &injected.slices);
    let untimed = slices.map(|slice| slice.untimed).sum::<u64>() > 0;
    Some(Block::Line(format!(
        "Before the first fault, in {} parts of {}: {} claims per second, noise reaches down to {}; p99 of the response \
         time {}, noise reaches up to {}. Late is what lies beyond{}.",
        count(before.groups.into()),
        seconds(before.group_s),
        figure(before.claims_per_s),
        figure(before.least_claims_per_s.max(0.0)),
        time_us(before.p99_us),
        time_us(before.p99_limit_us),
        if untimed { UNTIMED } else { "" }
    )))
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
