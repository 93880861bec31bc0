//! Faults, warnings and verdicts in words: the cause, and what to do about it.

use super::numbers::{count, figure, share, time_us};
use crate::judge::{Comparison, Verdict};
use crate::measure::{Direction, Fault, Warning, metric};

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
        Warning::LeftOver { keys } => {
            format!("{} keys could not be removed. Run `reclaim-bench clean` on the cluster.", count(*keys))
        }
        Warning::Note { text } => format!("{text}."),
    }
}

/// The verdict as one word or two, from the reader's side: slower and faster rather than worse and better.
pub(super) fn verdict(comparison: &Comparison) -> &'static str {
    let faster_is = metric(&comparison.metric).map(|row| (row.unit, row.direction));
    match (comparison.verdict, faster_is) {
        (Verdict::NoChange, _) => "no change",
        (Verdict::Inconclusive, _) => "inconclusive",
        (Verdict::Regression, Some(("us", Direction::LowerIsBetter))) if is_time(&comparison.metric) => {
            "slower"
        }
        (Verdict::Improvement, Some(("us", Direction::LowerIsBetter))) if is_time(&comparison.metric) => {
            "faster"
        }
        (Verdict::Regression, Some((_, Direction::LowerIsBetter))) => "costs more",
        (Verdict::Improvement, Some((_, Direction::LowerIsBetter))) => "costs less",
        (Verdict::Regression, _) => "worse",
        (Verdict::Improvement, _) => "better",
    }
}

fn is_time(metric: &str) -> bool {
    ["service_", "response_", "resume_"].iter().any(|clock| metric.starts_with(clock))
}

/// A metric's name for a reader.
pub(super) fn metric_title(name: &str) -> String {
    metric(name).map_or_else(|| name.to_owned(), |row| row.title.to_owned())
}

/// A metric's name where there is little room: `service p50`.
pub(super) fn metric_label(name: &str) -> String {
    name.replace('_', " ").replace("cpu", "CPU")
}
