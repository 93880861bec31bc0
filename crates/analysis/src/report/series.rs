//! Several runs: the repetitions of one scenario, the nights of a history.

use super::document::Block;
use super::format::{difference, difference_within, figure};
use super::{findings, words};
use crate::judge::{Conclusion, Gate, Repeated, RepeatedComparison, Trend, TrendPoint, Verdict};
use crate::record::short_sha256;

/// Nights that a report lists; what lies before them is summed up.
const NIGHTS_SHOWN: usize = 14;

/// The same as [`repeated`], begun with what a gate says that is binding.
pub(super) fn answered(scenario: &str, repeated: &Repeated, gate: &Gate) -> Vec<Block> {
    let interrupted = repeated.wanted.is_some_and(|wanted| wanted > repeated.attempts.len() as u64);
    let answer = findings::gate(gate, interrupted).map(Block::Line);
    answer.into_iter().chain(self::repeated(scenario, repeated, gate)).collect()
}

/// A series of runs of `scenario`: what it concludes, metric by metric, run by run.
pub(super) fn repeated(scenario: &str, repeated: &Repeated, gate: &Gate) -> Vec<Block> {
    let title = format!("{scenario}, {}: {}", runs(repeated), headline(gate.conclusion));
    let mut blocks = vec![Block::Title(title)];
    if !gate.findings.is_empty() {
        let items = gate
            .findings
            .iter()
            .map(|f| format!("{}: {}", headline(f.conclusion), findings::finding(f)))
            .collect();
        blocks.push(Block::List { heading: "Findings".into(), items });
    }
    let rows = repeated
        .comparisons
        .iter()
        .map(|c| {
            let over_all = match (&c.ratio, &c.too_few) {
                (Some(ratio), _) => difference_within(ratio),
                (None, reason) => reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            };
            let next = c.next_run.as_ref().map_or_else(|| "-".to_owned(), difference_within);
            let each = c.per_run.iter().map(|run| run.map_or("-".into(), |run| difference(run.estimate)));
            vec![
                format!("{} against {}", c.candidate, c.baseline),
                words::metric_label(c.metric),
                over_all,
                next,
                each.collect::<Vec<_>>().join("  "),
                verdict(c.verdict).to_owned(),
            ]
        })
        .collect();
    blocks.push(Block::Table {
        heading: "Over all runs (the interval holds what differs from run to run)".into(),
        header: vec!["variant", "metric", "difference", "the next run", "run by run", "verdict"],
        rows,
        words: vec![1, 4, 5],
    });
    let differing: Vec<String> = repeated.comparisons.iter().filter_map(disagreement).collect();
    if !differing.is_empty() {
        blocks.push(Block::List {
            heading: "Runs differ more than their intervals allow".into(),
            items: differing,
        });
    }
    let attempts = repeated.attempts.iter().enumerate().map(|(n, attempt)| {
        let control = match attempt.control_passed {
            None => "no control",
            Some(true) => "control passed",
            Some(false) => "control failed",
        };
        let valid = if attempt.valid { "valid" } else { "INVALID" };
        format!("{}: {}, seed {}, {valid}, {control}", n + 1, attempt.started, attempt.seed)
    });
    blocks.push(Block::List { heading: "Runs".into(), items: attempts.collect() });
    blocks
}

/// How many runs were made, and of how many where there should be more.
pub(super) fn runs(repeated: &Repeated) -> String {
    let made = repeated.attempts.len();
    match repeated.wanted.filter(|wanted| *wanted > made as u64) {
        Some(wanted) => format!("{made} of {wanted} runs"),
        None => format!("{made} runs"),
    }
}

/// Runs whose own intervals do not explain how far they are apart.
pub(super) fn disagreement(comparison: &RepeatedComparison) -> Option<String> {
    let beyond = comparison.disagreement()?;
    Some(format!(
        "{} of {}: something outside a run moves it by {:.1} % or so from run to run (p = {}). The interval of one run does \
         not hold for another; that of the next run does.",
        words::metric_label(comparison.metric),
        comparison.candidate,
        100.0 * beyond,
        comparison.agreement.map_or_else(String::new, |agreement| p_value(agreement.p_value)),
    ))
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "under 0.001".to_owned() } else { format!("{p:.3}") }
}

fn headline(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Pass => "pass",
        Conclusion::Regression => "regression",
        Conclusion::Inconclusive => "inconclusive",
        Conclusion::Invalid => "invalid",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "regression",
        Verdict::Improvement => "improvement",
        Verdict::NoChange => "no change",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// One metric over time: where it moved, then night by night.
pub(super) fn trend(trend: &Trend) -> Vec<Block> {
    let mut blocks = vec![Block::Title(format!(
        "{}: {} ({})",
        trend.scenario,
        trend.metric,
        words::unit_named(&trend.unit)
    ))];
    let changes: Vec<String> = trend
        .changes
        .iter()
        .map(|change| {
            let point = trend.points.get(change.index as usize);
            format!(
                "{} at {}: {} became {}{}",
                difference(change.after / change.before),
                change.started,
                figure(change.before),
                figure(change.after),
                point.map(|point| format!(", first with {}", origin(point))).unwrap_or_default()
            )
        })
        .collect();
    blocks.push(if changes.is_empty() {
        let runs = if trend.points.len() == 1 { "run" } else { "runs" };
        Block::Line(format!("No change of level in {} {runs}.", trend.points.len()))
    } else {
        Block::List { heading: "The level moved".into(), items: changes }
    });
    let updates: Vec<String> = trend
        .points
        .iter()
        .zip(trend.points.iter().skip(1))
        .filter_map(|(before, after)| {
            let (old, new) = (before.kernel.as_ref()?, after.kernel.as_ref()?);
            (old != new).then(|| format!("{}: from {old} to {new}", after.started))
        })
        .collect();
    if !updates.is_empty() {
        let heading = "The machine's kernel changed, which may move the level by itself".into();
        blocks.push(Block::List { heading, items: updates });
    }
    let hidden = trend.points.len().saturating_sub(NIGHTS_SHOWN);
    let rows = trend
        .points
        .iter()
        .enumerate()
        .skip(hidden)
        .map(|(n, point)| {
            let moved = trend.changes.iter().any(|change| change.index as usize == n);
            let interval =
                point.interval.map_or("-".to_owned(), |i| format!("[{}, {}]", figure(i.low), figure(i.high)));
            let mark = if moved { "<- moved" } else { "" };
            vec![point.started.clone(), figure(point.value), interval, origin(point), mark.to_owned()]
        })
        .collect();
    blocks.push(Block::Table {
        heading: if hidden > 0 { format!("The last {NIGHTS_SHOWN} runs") } else { "Runs".to_owned() },
        header: vec!["started", "value", "interval", "from", ""],
        rows,
        words: vec![3, 4],
    });
    let left_out = match trend.left_out {
        0 => String::new(),
        n => format!(
            "; {n} other runs are left out: invalid, from another machine, with other settings, or without it"
        ),
    };
    blocks.push(Block::Line(format!("Machine: {}{left_out}.", trend.machine)));
    blocks
}

fn origin(point: &TrendPoint) -> String {
    let library = short_sha256(&point.library_sha256);
    format!("library {library}, tool {}", point.commit)
}
