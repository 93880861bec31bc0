//! Faults, warnings and verdicts in words: the cause, and what to do about it. A sentence each, so that
//! `match` finds the one that is missing.

pub(super) mod conclusion;
mod event;
mod few_for_p99;
mod invalid_reason;
mod not_comparable;
mod others;
mod shortfall;
mod undecided;
mod warning;

use super::document::Block;
use super::format::{TimeUnit, count, figure, several};
use crate::judge::{Comparison, GateRole, RunState, SettingDifference, StoredFailures, Verdict};
use crate::record::RunRecord;
use crate::scenario::{Direction, Metric, MetricName, Unit};
use crate::stats::TooFew;

pub(super) use event::{event, last_second};
pub(super) use few_for_p99::few_for_p99;
pub(super) use invalid_reason::invalid_reason;
pub(super) use not_comparable::not_comparable;
pub(super) use shortfall::shortfall;
pub(super) use undecided::{difference_or_why, p_value, undecided_by, with_why};
pub(super) use warning::warning;

/// What is said of a tool that is slower than it has to be, without a full stop.
pub(super) const DEBUG_BUILD: &str =
    "built without optimisation: use cargo run --release for figures that count";

/// Said above every figure of a simulated network, with how long for and what contains it.
pub(super) fn simulated_network(how_long: &str) -> String {
    format!("SIMULATED NETWORK: the tool held every reply of a claim back{how_long}")
}

/// How busy a generator was, after whose thread it was.
pub(super) fn thread_busy(whose: &str, busy: &str) -> String {
    format!("{whose} thread was busy for {busy} of the window")
}

/// What commands left behind that were to remove something and failed, without a full stop.
pub(super) fn left_over(commands: u64) -> String {
    let failed = several(
        commands,
        "command that was to remove something failed, and it leaves",
        "commands that were to remove something failed, and each leaves",
    );
    format!("{failed} at least one key or entry behind")
}

/// What is said of two reports that are figures alone.
pub(super) const WITHOUT_INTERVALS: &str =
    "Figures without intervals: a difference may be noise, however large it looks.";

/// Why nobody sizes by a skewed load on one primary.
pub(super) const UNSEEN_ON_ONE_PRIMARY: &str = "on one primary nobody sees how much of a skewed load is one partition's, which more primaries do not divide";

/// What stands above claims that did not succeed.
pub(super) const NOT_SUCCESSFUL: &str = "Claims without a lease";

/// Claims that did not succeed, of how many: the base's and the candidate's.
pub(super) fn failures(failures: &StoredFailures) -> [String; 2] {
    [(failures.base, failures.base_of), (failures.candidate, failures.candidate_of)]
        .map(|(claims, of)| format!("{} of {}", count(claims), count(of)))
}

/// What a primary is called over the time of a window, by its place among them in the order of their slots.
/// After a fault these may be another server's than at the beginning, and the record knows the last one alone:
/// then by its number, from 0, as metrics have it.
pub(super) fn primary_over_time(record: &RunRecord, n: usize) -> String {
    let stays = record.primaries.get(n).filter(|_| record.injected.is_none());
    stays.map_or_else(|| format!("primary {n}"), |primary| primary.addr.clone())
}

/// What two results differ in; nothing where they do not.
pub(super) fn differing(differences: &[SettingDifference]) -> Option<Block> {
    let items: Vec<String> = differences.iter().map(ToString::to_string).collect();
    (!items.is_empty()).then(|| Block::List { heading: "The runs differ in".into(), items })
}

/// The verdict as one word or two, from the reader's side: slower and faster rather than worse and better.
pub(super) fn verdict(comparison: &Comparison) -> &'static str {
    verdict_of(comparison.verdict, comparison.metric)
}

/// Why a run's figures may not be used, in a word; `None` where they may.
pub(super) fn not_usable(state: RunState) -> Option<&'static str> {
    match state {
        RunState::Invalid => Some("invalid"),
        RunState::Aborted | RunState::Interrupted => Some("interrupted"),
        RunState::ControlFailed | RunState::Judged => None,
    }
}

/// The verdict, and whether it counts where it is for the worse: an A/B by design is no failure.
pub(super) fn verdict_in_its_role(comparison: &Comparison, role: GateRole) -> String {
    let word = verdict(comparison);
    match (comparison.verdict, role) {
        (Verdict::Regression, GateRole::ByDesign) => format!("{word} (by design)"),
        (Verdict::Regression, GateRole::NotGated) => format!("{word} (not gated)"),
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

/// What a candidate that differs is, or does, to its baseline: `is slower than`, `costs more than`.
pub(super) fn than(verdict: Verdict, metric: Metric) -> String {
    let word = verdict_of(verdict, metric);
    let row = metric.row();
    let is_cost = row.direction == Direction::LowerIsBetter && !row.is_time;
    if is_cost { format!("{word} than") } else { format!("is {word} than") }
}

/// A value of a scenario's key for a reader: a time with its unit apart (`250us` is `250 µs`), any other as
/// it is.
pub(super) fn setting(value: &str) -> String {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &value[number.len()..] {
        "us" => "µs",
        unit @ ("ms" | "s") => unit,
        _ => return value.to_owned(),
    };
    if number.parse::<f64>().is_ok() { format!("{number} {unit}") } else { value.to_owned() }
}

/// A metric's name where there is little room: `service p50`.
pub(super) fn metric_label(metric: Metric) -> String {
    metric.name().replace('_', " ").replace("cpu", "CPU").replace("p999", "p99.9")
}

/// The same of what is counted: `round trips`, `EXISTS calls`.
pub(super) fn counted_label(name: &MetricName) -> String {
    match &name.command {
        Some(command) => format!("{} calls", command.to_uppercase().replace('|', " ")),
        None => metric_label(name.metric),
    }
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
    let unit = TimeUnit::fitting(values);
    (unit.heading(&metric_label(comparison.metric)), values.map(|us| unit.figure(us)))
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

/// What several places say, each thing once: with its places, or without them where all of `total` places say
/// it.
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

/// Why figures have no interval, in one line: (place, what it is of, reason). Reasons that differ only in how
/// many there are become one.
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
    fn what_costs_more_is_not_more() {
        let said = [
            (Verdict::Regression, Metric::ServiceP50),
            (Verdict::Improvement, Metric::ServiceP99),
            (Verdict::Regression, Metric::ServerCpu),
            (Verdict::Improvement, Metric::ServerCpu),
            (Verdict::Regression, Metric::Throughput),
        ]
        .map(|(verdict, metric)| than(verdict, metric));
        let expected =
            ["is slower than", "is faster than", "costs more than", "costs less than", "is worse than"];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_time_of_a_scenario_has_its_unit_apart() {
        let said = ["250us", "0us", "1.5ms", "4s", "zipf 1.0", "valkeys", "1m 30s", "s", "8"].map(setting);
        assert_eq!(said, ["250 µs", "0 µs", "1.5 ms", "4 s", "zipf 1.0", "valkeys", "1m 30s", "s", "8"]);
        assert_eq!(metric_label(Metric::ServiceP999), "service p99.9");
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
