//! Faults, warnings and verdicts in words: the cause, and what to do about it.

use std::collections::BTreeMap;

use super::format::{count, figure, share, time_us};
use crate::judge::{Comparison, Conclusion, Gate, Verdict};
use crate::record::{Fault, Warning};
use crate::scenario::{Direction, Metric, Unit};
use crate::stats::TooFew;

/// What a gate says whose verdicts are binding, with the exit code that follows and the first reasons; `None` where they
/// are not.
pub(super) fn gate(gate: &Gate, interrupted: bool) -> Option<String> {
    const SHOWN: usize = 3;
    if !gate.enforced {
        return None;
    }
    if interrupted {
        return Some("GATE: NOT JUDGED (exit 130): it was interrupted".to_owned());
    }
    let word = match gate.conclusion {
        Conclusion::Pass => "passed",
        Conclusion::Regression => "FAILED",
        Conclusion::Inconclusive => "INCONCLUSIVE",
        Conclusion::Invalid => "INVALID",
    };
    let mut reasons: Vec<_> = gate.findings.iter().take(SHOWN).map(|finding| finding.text.clone()).collect();
    if let Some(more) = gate.findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        reasons.push(format!("{more} more"));
    }
    let colon = if reasons.is_empty() { "" } else { ": " };
    Some(format!("GATE: {word} (exit {}){colon}{}", gate.conclusion.exit_code(), reasons.join("; ")))
}

/// Cause and remedy of a fault, in one line.
pub(super) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::CountersDisagree { primary, command, sent, counted } => format!(
            "{primary} counted {} {command} where {} were sent. Someone else uses the cluster, or claims were sent \
             twice: keep other clients away and run again.",
            count(*counted),
            count(*sent)
        ),
        Fault::UnexpectedCommands { arm, command, expected, measured } => format!(
            "{arm} sent {} {command} per claim, its definition says {}. This is a mistake in the tool: please \
             report it with this result.",
            figure(*measured),
            figure(*expected)
        ),
        Fault::ServerChanged { primary, detail } => format!(
            "{primary} changed during the window: {detail}. Make sure that servers stay up and that nobody resets \
             their counters, and run again."
        ),
        Fault::ForeignCommands { primary, commands } => format!(
            "somebody else's commands ran on {primary}: {}. Its counters and times are not the claims' alone: keep other \
             clients and monitors away, or give --shared, which withholds the servers' figures.",
            listed(commands)
        ),
        Fault::ConditionChanged { primary, condition, before, after } => format!(
            "{condition} on {primary} was {before} at the start and {after} at the end of a window. The figures belong to \
             neither: keep the cluster as it is and run again."
        ),
        Fault::Evicted { primary, keys } => format!(
            "{primary} evicted {} keys, for it reached its maxmemory: executions are lost. Raise maxmemory, or lower \
             population.executions or payload_bytes.",
            count(*keys)
        ),
        Fault::OutOfMemory { primary, commands } => format!(
            "{primary} refused {} commands, for it was out of memory. Raise maxmemory, or lower population.executions or \
             payload_bytes.",
            count(*commands)
        ),
        Fault::StockRanOut { claims } => format!(
            "{} claims were due when no grant was in stock. Raise population.executions, or lower the rate.",
            count(*claims)
        ),
        Fault::NeverResumed { executions, of } => format!(
            "{} of {} executions never got their lease back. See how claims ended; a longer load.timeout or fewer \
             workers (load.concurrency) leave each claim more time.",
            count(*executions),
            count(*of)
        ),
        Fault::NothingClaimed { arm, planned: 0 } => format!(
            "no claim of {arm} was due in the window. Give the load a higher rate or a longer load.duration."
        ),
        Fault::NothingClaimed { arm, planned } => format!(
            "none of the {} claims of {arm} succeeded: there is nothing to measure. See how claims ended.",
            count(*planned)
        ),
        Fault::TooManyFailed { arm, failed, sent, limit } => format!(
            "{} of {} claims of {arm} failed, {} may (gate.failed): the times of the others say nothing. See how claims \
             ended.",
            count(*failed),
            count(*sent),
            share(*limit)
        ),
        Fault::Stalled { longest_s, share: part } => format!(
            "nothing was claimed for {} on end, {} of the window: claims that should have been made then are in no \
             quantile. Find out what stopped the servers, or use an open loop (load.rate), which counts them.",
            time_us(longest_s * 1e6),
            share(*part)
        ),
        Fault::SharedQueue { in_flight, limit } => format!(
            "claims of all arms waited in one queue: {} in flight on average, and arms that take turns claim by claim \
             need at most {}. Use compare.mixing = \"blocks\", or a lower rate.",
            figure(*in_flight),
            figure(*limit)
        ),
        Fault::SendLag { p99_us, limit_us } => format!(
            "the generator sent late: {} at p99, {} are allowed. Lower the rate, or give it a core of its own.",
            time_us(*p99_us),
            time_us(*limit_us)
        ),
        Fault::Audit { detail } => format!(
            "the audit found: {detail}. Claims are lost or made twice; keep this result and look at audit.examples."
        ),
        Fault::Infrastructure { detail } => format!("{detail}. Mend this and run again."),
    }
}

/// Cause and remedy of a warning, in one line.
pub(super) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::DebugBuild => {
            "the tool was built without optimisation: use cargo run --release for figures that count.".into()
        }
        Warning::SharedMachine { cores } => format!(
            "generator and servers share {cores} cores: differences between variants hold, absolute figures are \
             those of a busy machine. Use --nodes for a cluster elsewhere."
        ),
        Warning::Errors { arm, errors, sent } => format!(
            "{} of {} claims of {arm} failed; their times are kept apart. See its outcomes in result.json.",
            count(*errors),
            count(*sent)
        ),
        Warning::Stall { longest_s, share: part } => format!(
            "nothing was claimed for {} on end, {} of the window. A closed loop waits then: only as many claims as it has \
             workers show that time.",
            time_us(longest_s * 1e6),
            share(*part)
        ),
        Warning::LateSends { p99_us, limit_us } => format!(
            "claims were sent {} late at p99, a tenth of the median response time is {}: response times hold some of the \
             generator's own. Set an [slo] to say how late is too late, or run `reclaim-bench calibrate` to know what is \
             the machine's.",
            time_us(*p99_us),
            time_us(*limit_us)
        ),
        Warning::GeneratorBusy { share: busy } => format!(
            "the generator's thread was busy for {} of the window: it may be the limit, not the cluster. Lower the \
             rate or the concurrency.",
            share(*busy)
        ),
        Warning::GeneratorCeiling { requests_per_sec, ceiling_per_sec } => format!(
            "the run sent {} requests per second; with a function that does nothing the generator reached {} with as \
             many in flight. It is the limit, not the cluster: lower the rate or the concurrency.",
            figure(*requests_per_sec),
            figure(*ceiling_per_sec)
        ),
        Warning::BusyMachine { share: busy } => format!(
            "other programs took {} of the machine during the window. Stop them for quieter figures.",
            share(*busy)
        ),
        Warning::CoresStolen { share: stolen } => format!(
            "the host of this virtual machine took {} of its cores away during the window: tails and rates are the \
             host's as well. Measure when it is less busy, or elsewhere.",
            share(*stolen)
        ),
        Warning::Throttled { periods, seconds } => format!(
            "a control group's CPU quota was used up in {} periods of the window and held threads back for {} in all: \
             times are the quota's. Raise it, or measure where there is none.",
            count(*periods),
            time_us(1e6 * seconds)
        ),
        Warning::ForeignCommands { primary, commands } => format!(
            "somebody else's commands ran on {primary}: {}. Figures of the servers are withheld; times are those of a \
             shared cluster.",
            listed(commands)
        ),
        Warning::Forked { primary, times } => format!(
            "{primary} forked {} times in the window, to save or to rewrite its log, which slows it down. Switch off save \
             and appendonly for figures of the claim path alone.",
            count(*times)
        ),
        Warning::Swapping { pages } => format!(
            "the machine moved {} pages of memory to or from disk in the window: times are the disk's as well. Leave it \
             more memory.",
            count(*pages)
        ),
        Warning::LeftOver { keys } => {
            format!(
                "{} commands that remove failed, and each leaves at least one key. Run `reclaim-bench clean` on the cluster.",
                count(*keys)
            )
        }
        Warning::Note { text } => format!("{text}."),
    }
}

/// Commands with their number, the most frequent first; a few of them.
fn listed(commands: &BTreeMap<String, u64>) -> String {
    const SHOWN: usize = 5;
    let mut sorted: Vec<_> = commands.iter().collect();
    sorted.sort_by_key(|(_, calls)| std::cmp::Reverse(**calls));
    let more = sorted.len().saturating_sub(SHOWN);
    let mut words: Vec<_> = sorted
        .into_iter()
        .take(SHOWN)
        .map(|(command, calls)| format!("{} {command}", count(*calls)))
        .collect();
    if more > 0 {
        words.push(format!("{more} other commands"));
    }
    words.join(", ")
}

/// The verdict as one word or two, from the reader's side: slower and faster rather than worse and better.
pub(super) fn verdict(comparison: &Comparison) -> &'static str {
    verdict_of(comparison.verdict, comparison.metric)
}

/// The same of any verdict about this metric.
pub(super) fn verdict_of(verdict: Verdict, metric: Metric) -> &'static str {
    let row = metric.row();
    match (verdict, row.direction) {
        (Verdict::NoChange, _) => "no change",
        (Verdict::Inconclusive, _) => "inconclusive",
        (Verdict::Regression, Direction::LowerIsBetter) if row.is_time => "slower",
        (Verdict::Improvement, Direction::LowerIsBetter) if row.is_time => "faster",
        (Verdict::Regression, Direction::LowerIsBetter) => "costs more",
        (Verdict::Improvement, Direction::LowerIsBetter) => "costs less",
        (Verdict::Regression, Direction::HigherIsBetter) => "worse",
        (Verdict::Improvement, Direction::HigherIsBetter) => "better",
    }
}

/// A metric's name where there is little room: `service p50`.
pub(super) fn metric_label(metric: Metric) -> String {
    metric.name().replace('_', " ").replace("cpu", "CPU")
}

/// A unit for a reader.
pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Microseconds => "µs",
        Unit::RoundTrips | Unit::ClaimsPerSecond | Unit::PerClaim | Unit::BytesPerClaim => unit.name(),
    }
}

/// What several places say, each thing once: with its places, or without them where all of `total` places say it.
pub(super) fn merged(said: impl IntoIterator<Item = (String, String)>, total: usize) -> Vec<String> {
    let mut once: Vec<(String, Vec<String>)> = Vec::new();
    for (place, text) in said {
        match once.iter_mut().find(|(known, _)| *known == text) {
            Some((_, places)) if places.contains(&place) => {}
            Some((_, places)) => places.push(place),
            None => once.push((text, vec![place])),
        }
    }
    once.into_iter()
        .map(
            |(text, places)| {
                if places.len() == total { text } else { format!("{}: {text}", places.join(", ")) }
            },
        )
        .collect()
}

/// Why figures have no interval, in one line: (place, what it is of, reason). Reasons that differ only in how many
/// there are become one.
pub(super) fn no_interval<'a>(
    missing: impl IntoIterator<Item = (&'a str, &'a str, &'a TooFew)>,
    total: usize,
) -> Option<String> {
    let missing: Vec<_> = missing.into_iter().collect();
    let said = missing.iter().map(|(place, of, too_few)| {
        let same = missing.iter().filter(|(_, other, _)| other == of).map(|(_, _, other)| *other);
        ((*place).to_owned(), format!("{of} {}", reason(too_few, same)))
    });
    let merged = merged(said, total);
    (!merged.is_empty()).then(|| format!("No interval: {}.", merged.join("; ")))
}

fn reason<'a>(too_few: &TooFew, same: impl Iterator<Item = &'a TooFew>) -> String {
    let TooFew::Samples { what, needed, .. } = too_few else { return format!("has none, {too_few}") };
    let have = same.filter_map(|other| match other {
        TooFew::Samples { what: counted, have, .. } if counted == what => Some(*have),
        _ => None,
    });
    let (low, high) = have.fold((u64::MAX, 0), |(low, high), have| (low.min(have), high.max(have)));
    let range = if low == high { count(low) } else { format!("{} to {}", count(low), count(high)) };
    format!("needs at least {} {what}, has {range}", count(*needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_several_places_is_said_once() {
        let said =
            [("a", "x"), ("b", "x"), ("b", "x"), ("b", "y")].map(|(p, t)| (p.to_owned(), t.to_owned()));
        assert_eq!(merged(said.clone(), 2), ["x", "b: y"]);
        assert_eq!(merged(said, 3), ["a, b: x", "b: y"]);
    }

    #[test]
    fn reasons_that_differ_in_their_number_alone_are_one() {
        let few = |have| TooFew::Samples { what: "whole seconds".into(), needed: 8, have };
        let (three, five) = (few(3), few(5));
        let same = TooFew::Constant { what: "samples".into() };
        let line = no_interval([("a", "p50", &three), ("b", "p50", &five), ("b", "p99", &same)], 2);
        assert_eq!(
            line.as_deref(),
            Some(
                "No interval: p50 needs at least 8 whole seconds, has 3 to 5; b: p99 has none, samples do not vary."
            )
        );
        assert_eq!(no_interval([], 2), None);
    }
}
