//! Faults, warnings and verdicts in words: the cause, and what to do about it.

use std::collections::BTreeMap;

use super::format::{TimeUnit, count, figure, share, time_us};
use crate::judge::{Comparison, Standing, Verdict};
use crate::record::{Fault, RedirectKind, Violation, Warning, WindowEventKind};
use crate::scenario::{Direction, Metric, Unit};
use crate::stats::TooFew;

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
        Fault::AuditViolation { violation: kind, count: n } => {
            audited(&format!("{} {}", count(*n), violation(*kind)))
        }
        Fault::Audit { detail } => audited(detail),
        Fault::DamagedHistogram { histogram, detail } => format!(
            "the histogram {histogram} is damaged ({detail}). Make the result again or take the original file."
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
        Warning::NotSent { arm, claims } => {
            format!("{} planned claims of {arm} were not sent before the end.", count(*claims))
        }
        Warning::EmptyStock { arm, claims } => {
            format!("{} claims of {arm} found no grant in stock.", count(*claims))
        }
        Warning::RulersUnanswered { round_trips } => format!(
            "{} bare round trips had no answer: figures in round trips are of the others.",
            count(*round_trips)
        ),
        Warning::NoRealTime => {
            "the generator had no real-time priority, so that claims left when the scheduler got round \
                                to it: run it as root or with CAP_SYS_NICE."
                .into()
        }
        Warning::LevelShifted { arm, share: part } => format!(
            "latency of {arm} shifted {} of the way through; percentiles mix both levels. Use a longer load.warmup or a \
             quieter machine.",
            share(*part)
        ),
        Warning::Interrupted => "interrupted: this is what was measured until then.".into(),
        Warning::NoBaseline { name } => format!("no arm is named {name}: nothing is compared."),
        Warning::NotMeasured { metric, arm } => {
            format!("{metric} was to be judged, but this run has no values of it for {arm}.")
        }
        Warning::Note { text } => format!("{text}."),
    }
}

fn audited(found: &str) -> String {
    format!(
        "the audit found: {found}. Claims are lost or made twice; keep this result and look at audit.examples."
    )
}

fn violation(violation: Violation) -> &'static str {
    match violation {
        Violation::GrantsUnaccounted => "grants are unaccounted for",
        Violation::GrantsConsumedTwice => "grants were consumed more than once",
        Violation::AttemptLost => "executions lost the attempt of their first claim",
        Violation::WrongLeaseEpoch => "executions have a lease epoch other than their number of claims",
        Violation::WrongState => "executions are in a state that the run did not leave them in",
        Violation::WritesMissing => {
            "executions lack what the claim promises to write (lease record, attempt, indexes, history)"
        }
        Violation::SumOfGrants => "grants are missing from the audit's own sum",
    }
}

/// What happened in a window.
pub(super) fn event(event: &WindowEventKind) -> String {
    match event {
        WindowEventKind::StallBegan => "the longest span without a successful claim begins".into(),
        WindowEventKind::StallEnded => "the longest span without a successful claim ends".into(),
        WindowEventKind::FirstRefused { code } => format!("the first claim refused with {code}"),
        WindowEventKind::FirstRedirected { redirect } => {
            let reply = match redirect {
                RedirectKind::Moved => "MOVED",
                RedirectKind::Ask => "ASK",
                RedirectKind::TryAgain => "TRYAGAIN",
            };
            format!("the first claim answered with {reply}")
        }
        WindowEventKind::FirstExpired => "the first claim whose grant was past its time".into(),
        WindowEventKind::FirstLostRace => "the first claim that another worker was before".into(),
        WindowEventKind::FirstTimedOut => "the first claim without a reply in time".into(),
        WindowEventKind::FirstAmbiguous => {
            "the first claim without a reply that took effect, or of which nobody can tell".into()
        }
        WindowEventKind::FirstFailed => {
            "the first claim whose connection broke or that the server refused".into()
        }
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

/// The verdict, and whether it counts where it is for the worse: an A/B by design is no failure.
pub(super) fn standing_verdict(comparison: &Comparison, standing: Standing) -> String {
    let word = verdict(comparison);
    match (comparison.verdict, standing) {
        (Verdict::Regression, Standing::ByDesign) => format!("{word} (by design)"),
        (Verdict::Regression, Standing::NotGated) => format!("{word} (not gated)"),
        _ => word.to_owned(),
    }
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

/// A metric's name and unit where there is little room: `service p50 (µs)`.
pub(super) fn with_unit(metric: Metric) -> String {
    format!("{} ({})", metric_label(metric), unit(metric.row().unit))
}

/// What is compared, with the unit that fits, and the two values in it.
pub(super) fn measured(comparison: &Comparison) -> (String, [String; 2]) {
    let values = [comparison.baseline_value, comparison.candidate_value];
    if comparison.metric.row().unit != Unit::Microseconds {
        return (with_unit(comparison.metric), values.map(figure));
    }
    let unit = TimeUnit::of(values);
    (format!("{} ({})", metric_label(comparison.metric), unit.name), values.map(|us| unit.figure(us)))
}

/// A unit for a reader.
pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Microseconds => "µs",
        Unit::RoundTrips | Unit::ClaimsPerSecond | Unit::PerClaim | Unit::BytesPerClaim => unit.name(),
    }
}

/// The same of a unit as results and histories write it.
pub(super) fn unit_named(unit: &str) -> &str {
    if unit == Unit::Microseconds.name() { self::unit(Unit::Microseconds) } else { unit }
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
