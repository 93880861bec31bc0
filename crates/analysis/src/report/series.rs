//! Several runs: the repetitions of one scenario, the nights of a history.

use super::document::Block;
use super::format::{difference, difference_within, figure, share, time_us};
use super::trend_words::{library, moved_by};
use super::words::{self, conclusion};
use super::{conditions, faults_repeated, findings, levels_repeated, remarks_repeated, run_report, saving};
use crate::judge::{
    Attempt, Gate, LeftOut, MIN_RUNS, RUNS_FOR_A_CHANGE, Repeated, RepeatedComparison, Trend, TrendChange,
    TrendPoint, Undecided, Verdict,
};

/// Nights that a report lists; what lies before them is summed up.
const NIGHTS_SHOWN: usize = 14;

/// The same as [`repeated`], begun with what a gate says that is binding.
pub(super) fn answered(scenario: &str, repeated: &Repeated, gate: &Gate) -> Vec<Block> {
    let short = repeated.wanted.is_some_and(|wanted| wanted > repeated.attempts.len() as u64);
    // An error is a reason of the gate's own, with its exit code.
    let interrupted = short && repeated.ended_by.is_none();
    let answer = findings::gate(gate, interrupted).map(Block::Line);
    answer.into_iter().chain(self::repeated(scenario, repeated, gate)).collect()
}

/// A series of runs of `scenario`: what it concludes, metric by metric, run by run.
pub(super) fn repeated(scenario: &str, repeated: &Repeated, gate: &Gate) -> Vec<Block> {
    let concluded = conclusion::concluded(gate, conclusion::in_series);
    let title = format!("{scenario}, {}: {concluded}", runs(repeated));
    let mut blocks = vec![Block::Title(title)];
    if let Some(error) = &repeated.ended_by {
        blocks.push(Block::Alarm(format!(
            "ENDED BY AN ERROR: {error}. What follows is of the runs before it."
        )));
    }
    blocks.extend(simulated_network(repeated).map(Block::Line));
    if !gate.findings.is_empty() {
        let said = |finding| findings::with_conclusion(finding, conclusion::in_series);
        let items = gate.findings.iter().map(said).collect();
        blocks.push(Block::List { heading: "Findings".into(), items });
    }
    blocks.extend(savings(repeated).into_iter().map(Block::Line));
    blocks.extend(levels_repeated::levels(repeated).into_iter().map(Block::Line));
    blocks.extend(over_all_runs(repeated));
    blocks.extend(beside_others(repeated).map(Block::Line));
    blocks.extend(control(repeated).map(Block::Line));
    blocks.extend(faults_repeated::blocks(repeated));
    let differing: Vec<String> = repeated.comparisons.iter().filter_map(disagreement).collect();
    if !differing.is_empty() {
        blocks.push(Block::List {
            heading: "Runs differ more than their intervals allow".into(),
            items: differing,
        });
    }
    blocks.push(Block::List { heading: "Runs".into(), items: attempts(repeated) });
    if let Some(environment) = &repeated.environment {
        let items = run_report::surroundings(environment);
        blocks.push(Block::List { heading: "Where this was measured".into(), items });
    }
    let items = remarks_repeated::remarks(repeated);
    if !items.is_empty() {
        blocks.push(Block::List { heading: "Keep in mind".into(), items });
    }
    blocks
}

/// Said above every figure: none of them is of the network that is there. Nothing where none is simulated.
pub(super) fn simulated_network(repeated: &Repeated) -> Option<String> {
    let added = || repeated.attempts.iter().filter_map(|attempt| attempt.added_rtt_us);
    let [low, high] = [added().reduce(f64::min)?, added().reduce(f64::max)?].map(time_us);
    let each = if low == high { low } else { format!("{low} to {high}") };
    Some(words::simulated_network(&format!(" ({each} at the median of a run); all times below contain it.")))
}

/// How many runs no estimate uses, and why; `None` where all are used.
pub(super) fn unused(repeated: &Repeated) -> Option<String> {
    let all = repeated.attempts.len();
    let count = |of: fn(&&Attempt) -> bool| repeated.attempts.iter().filter(of).count();
    let invalid = count(|attempt| !attempt.valid);
    let early = count(|attempt| attempt.valid && attempt.partial);
    let why: Vec<String> = [(invalid, "invalid"), (early, "ended early")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, why)| format!("{n} {why}"))
        .collect();
    let are = if invalid + early == 1 { "is" } else { "are" };
    (!why.is_empty())
        .then(|| format!("{} of {all} runs {are} left out: {}.", invalid + early, why.join(", ")))
}

/// Each metric of each arm over all runs, for the next one, and run by run; nothing where nothing was
/// compared.
fn over_all_runs(repeated: &Repeated) -> Option<Block> {
    let rows = repeated
        .comparisons
        .iter()
        .map(|c| {
            let next = c.next_run.as_ref().map_or_else(|| "-".to_owned(), difference_within);
            let each = c.per_run.iter().map(|run| run.map_or("-".into(), |run| difference(run.estimate)));
            vec![
                format!("{} against {}", c.candidate, c.baseline),
                words::metric_label(c.metric),
                words::difference_or_why(c.ratio.as_ref(), c.too_few.as_ref()),
                next,
                each.collect::<Vec<_>>().join("  "),
                verdict_over_runs(repeated, c),
            ]
        })
        .collect::<Vec<_>>();
    (!rows.is_empty()).then(|| Block::Table {
        heading: "Over all runs (the interval holds what differs from run to run)".into(),
        header: vec!["variant", "metric", "difference", "the next run", "run by run", "verdict"],
        rows,
        words: vec![1, 4, 5],
    })
}

/// The verdict, and why there is none. Without an estimate the reason stands where the difference would.
fn verdict_over_runs(repeated: &Repeated, comparison: &RepeatedComparison) -> String {
    let is_said = |why: &Undecided| matches!(why, Undecided::TooFew(_) | Undecided::NoEstimate);
    let undecided = repeated.undecided(comparison).filter(|why| !is_said(why));
    words::with_why(verdict(comparison.verdict), undecided.as_ref())
}

/// When each run began, with which seed, and what it is worth.
fn attempts(repeated: &Repeated) -> Vec<String> {
    let attempt = |(n, attempt): (usize, &Attempt)| {
        let control = match attempt.control_passed {
            None => "no control",
            Some(true) => "control passed",
            Some(false) => "control failed",
        };
        let worth = match (attempt.valid, attempt.partial) {
            (false, _) => "INVALID",
            (true, true) => "ended early, left out",
            (true, false) => "valid",
        };
        format!("{}: {}, seed {}, {worth}, {control}", n + 1, attempt.started, attempt.seed)
    };
    repeated.attempts.iter().enumerate().map(attempt).collect()
}

/// What the faster variant of each pair saves over all runs, and what the next run would say.
pub(super) fn savings(repeated: &Repeated) -> Vec<String> {
    repeated.savings().iter().map(saving::over_runs).collect()
}

/// How many runs were made, and of how many where there should be more.
pub(super) fn runs(repeated: &Repeated) -> String {
    let made = repeated.attempts.len();
    match repeated.wanted.filter(|wanted| *wanted > made as u64) {
        Some(wanted) => format!("{made} of {wanted} runs"),
        None => format!("{made} runs"),
    }
}

/// Why there is no control over all runs, without a full stop.
pub(super) fn no_control(repeated: &Repeated) -> String {
    let with = repeated.attempts.iter().filter(|attempt| attempt.control_passed.is_some()).count();
    if with == 0 {
        return "no control: the scenario has none".to_owned();
    }
    let failed = repeated.attempts.iter().filter(|attempt| attempt.control_passed == Some(false)).count();
    let of_runs = match failed {
        0 => "the runs' own controls passed".to_owned(),
        n if n == with => "the runs' own controls failed".to_owned(),
        n => format!("{n} of the runs' own controls failed"),
    };
    format!("no control over all runs: that takes {MIN_RUNS} valid runs; {of_runs}")
}

/// The control over all runs, in a sentence; nothing where nothing was compared.
pub(super) fn control(repeated: &Repeated) -> Option<String> {
    if repeated.comparisons.is_empty() {
        return None;
    }
    Some(match (&repeated.control, &repeated.control_failure) {
        (_, Some(failure)) => {
            format!("Control over all runs FAILED: {}.", findings::control_failure(failure))
        }
        (Some(control), None) => {
            format!(
                "Control over all runs passed: the baseline against itself {}.",
                difference_within(control)
            )
        }
        (None, None) => format!("There is {}.", no_control(repeated)),
    })
}

/// What intervals over all runs allow for, where others ran beside some; nothing where they allow for
/// nothing.
pub(super) fn beside_others(repeated: &Repeated) -> Option<String> {
    // The runs' neighbours are those of all metrics.
    let allowed = repeated.comparisons.iter().find_map(|comparison| comparison.allowed_for_others)?;
    Some(format!(
        "Other programs ran beside {} of {}: intervals of a median's effect are wider for that on either side, that of the mean by {} \
         of the effect and that of the next run by {}.",
        allowed.runs,
        runs(repeated),
        share(allowed.of_mean),
        share(allowed.of_next_run)
    ))
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
        comparison.agreement.map_or_else(String::new, |agreement| words::p_value(agreement.p_value)),
    ))
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "regression",
        Verdict::Improvement => "improvement",
        Verdict::NoChange => "no change",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// Metrics over time, and once for all of them what was measured where, and what is left out.
pub(super) fn trends(trends: &[Trend]) -> Vec<Block> {
    let mut blocks: Vec<Block> = trends.iter().flat_map(trend).collect();
    blocks.push(Block::List { heading: "Which runs these are".into(), items: which_runs(trends) });
    blocks
}

/// Of which machine the runs are, and which ones of the history are left out and why. What holds for several
/// metrics is said once.
pub(super) fn which_runs(trends: &[Trend]) -> Vec<String> {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    let mut say = |text: String, metric| match said.iter_mut().find(|(known, _)| *known == text) {
        Some((_, metrics)) => metrics.push(metric),
        None => said.push((text, vec![metric])),
    };
    for trend in trends {
        let metric = trend.metric.as_str();
        say(format!("machine: {}", conditions::stored(&trend.machine)), metric);
        if let Some(left_out) = left_out(trend) {
            say(format!("runs of {} that are left out: {left_out}", trend.scenario), metric);
        }
        if !trend.other_scenarios.is_empty() {
            let others: Vec<String> = trend
                .other_scenarios
                .iter()
                .map(|(name, n)| format!("{n} {} of {name}", if *n == 1 { "run" } else { "runs" }))
                .collect();
            let text = format!(
                "in the same history and no part of it: {} (another scenario measures something else: keep a history for each)",
                others.join(", ")
            );
            say(text, metric);
        }
    }
    let all = trends.len();
    said.into_iter()
        .map(|(text, metrics)| match metrics.len() {
            n if n == all => text,
            _ => format!("{}: {text}", metrics.join(", ")),
        })
        .collect()
}

/// Why how many runs of the scenario are no points.
fn left_out(trend: &Trend) -> Option<String> {
    let because = |(reason, n): (&LeftOut, &u64)| {
        let why = match reason {
            LeftOut::Invalid => "invalid or interrupted",
            LeftOut::WithoutMetric if trend.is_of_two_arms() => {
                "without this difference (their control failed, or their version did not tell it)"
            }
            LeftOut::WithoutMetric => "without this metric",
            LeftOut::OtherSettings => "with other settings than the latest",
            LeftOut::OtherMachine => "from another machine than the latest, or one arranged otherwise",
            LeftOut::OtherCluster => "against another cluster than the latest",
        };
        format!("{n} {why}")
    };
    let all: Vec<String> = trend.left_out_because.iter().map(because).collect();
    // Of a form that did not keep the reasons.
    let unknown = (trend.left_out > 0 && all.is_empty()).then(|| trend.left_out.to_string());
    unknown.or_else(|| (!all.is_empty()).then(|| all.join(", ")))
}

/// What so few runs cannot show; `None` where there are enough.
pub(super) fn too_few_for_a_level(trend: &Trend) -> Option<String> {
    let runs = trend.points.len();
    let word = if runs == 1 { "run" } else { "runs" };
    trend
        .has_too_few_runs()
        .then(|| format!("{runs} {word}: a change of level is seen from {RUNS_FOR_A_CHANGE} on"))
}

/// One metric over time: where it moved, then night by night.
pub(super) fn trend(trend: &Trend) -> Vec<Block> {
    let title = format!("{}: {} ({})", trend.scenario, trend.metric, words::unit_named(&trend.unit));
    let mut blocks = vec![Block::Title(title), level_changes(trend)];
    blocks.extend(kernel_updates(trend));
    blocks.push(nights(trend));
    blocks
}

fn level_changes(trend: &Trend) -> Block {
    let moved = |change: &TrendChange| {
        let first = trend.points.get(change.index as usize);
        format!(
            "{} at {}: {} became {}{}",
            moved_by(trend, change),
            change.started,
            figure(change.before),
            figure(change.after),
            first.map(|point| format!(", first with {}", origin(point))).unwrap_or_default()
        )
    };
    if trend.changes.is_empty() {
        let none = || format!("No change of level in {} runs", trend.points.len());
        return Block::Line(too_few_for_a_level(trend).unwrap_or_else(none) + ".");
    }
    Block::List { heading: "The level moved".into(), items: trend.changes.iter().map(moved).collect() }
}

fn kernel_updates(trend: &Trend) -> Option<Block> {
    let pairs = trend.points.iter().zip(trend.points.iter().skip(1));
    let items: Vec<String> = pairs
        .filter_map(|(before, after)| {
            let (old, new) = (before.kernel.as_ref()?, after.kernel.as_ref()?);
            (old != new).then(|| format!("{}: from {old} to {new}", after.started))
        })
        .collect();
    let heading = "The machine's kernel changed, which may move the level by itself".into();
    (!items.is_empty()).then_some(Block::List { heading, items })
}

fn nights(trend: &Trend) -> Block {
    let hidden = trend.points.len().saturating_sub(NIGHTS_SHOWN);
    let row = |(n, point): (usize, &TrendPoint)| {
        let moved = trend.changes.iter().any(|change| change.index as usize == n);
        let interval =
            point.interval.map_or("-".to_owned(), |i| format!("[{}, {}]", figure(i.low), figure(i.high)));
        let mark = if moved { "<- moved" } else { "" };
        vec![point.started.clone(), figure(point.value), interval, origin(point), mark.to_owned()]
    };
    Block::Table {
        heading: if hidden > 0 { format!("The last {NIGHTS_SHOWN} runs") } else { "Runs".to_owned() },
        header: vec!["started", "value", "interval", "from", ""],
        rows: trend.points.iter().enumerate().skip(hidden).map(row).collect(),
        words: vec![3, 4],
    }
}

fn origin(point: &TrendPoint) -> String {
    let sdk = point.sdk.as_ref().map_or(String::new(), |sdk| format!("SDK {sdk}, "));
    format!("{sdk}library {}, tool {}", library(point), point.commit)
}
