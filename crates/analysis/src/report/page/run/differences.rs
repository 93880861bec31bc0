//! Every comparison of a run against the band of noise, and whether the difference held from begin to end.

use maud::{Markup, html};

use super::super::parts::{
    Column, behind, blocks, drawn, figure, figures, maybe, table, value, words as word_column,
};
use crate::judge::{self, CONTROLLED, Comparison, Control, RunResult, StratumRatio, Verdict, noise_band};
use crate::report::chart::{
    Axis, Chart, Forest, ForestRow, Layer, Look, Point, PointSeries, Scale, Tone, Xy,
};
use crate::report::format::{self, count, difference, share};
use crate::report::{findings, run_report, words};
use crate::scenario::{Direction, Metric};
use crate::stats::Estimate;

/// Candidates whose strata are drawn: more lines than this are a tangle.
const DRAWN: usize = 4;

pub(super) fn section(result: &RunResult) -> Option<Markup> {
    let first = result.comparisons.first()?;
    let threshold = result.record.scenario.compare.as_ref().map(|compare| compare.noise_threshold);
    let mut metrics: Vec<Metric> = Vec::new();
    for comparison in &result.comparisons {
        if !metrics.contains(&comparison.metric) {
            metrics.push(comparison.metric);
        }
    }
    // Few candidates: all metrics in one picture. Many: one picture each.
    let many = result.comparisons.len() > 12;
    let groups: Vec<Vec<Metric>> =
        if many { metrics.iter().map(|m| vec![*m]).collect() } else { vec![metrics] };
    let charts: Vec<Chart> = groups.iter().map(|group| forest(result, group, threshold)).collect();
    let extra = run_report::other_work(result);
    let shown = result.control.is_some() && groups.iter().any(|group| group.contains(&CONTROLLED));
    let where_to = match groups.len() {
        1 => "The last row".to_owned(),
        _ => format!("The last row of the picture of {}", CONTROLLED.row().title),
    };
    Some(html! {
        p {
            "Each difference from " (first.baseline) " with its interval. "
            @if let Some(threshold) = threshold {
                "Inside the grey band, ±" (share(threshold)) ", is what counts as noise: a verdict needs the whole interval on one side of its edge. "
            }
            @if shown { (where_to) " is the control: the baseline against itself." }
        }
        @for chart in &charts { (drawn(chart)) }
        (behind(if charts.len() == 1 { "The figures behind this chart" } else { "The figures behind these charts" }, &comparisons(result)))
        (blocks(&extra))
    })
}

fn forest(result: &RunResult, metrics: &[Metric], threshold: Option<f64>) -> Chart {
    let several = result.variants.len() > 2;
    let mut rows: Vec<ForestRow> = metrics
        .iter()
        .flat_map(|name| result.comparisons.iter().filter(move |comparison| comparison.metric == *name))
        .map(|comparison| row(comparison, several || metrics.len() > 1))
        .map(|row| if result.is_usable() { row } else { unjudged(row, "not judged") })
        .collect();
    let described = rows.iter().map(|row| format!("{}: {} {}", row.label, row.figures, row.verdict));
    let description = described.collect::<Vec<_>>().join("; ");
    if let Some(control) = result.control.as_ref().filter(|_| metrics.contains(&CONTROLLED)) {
        rows.push(control_row(format!("control: {}, itself", words::metric_label(CONTROLLED)), control));
    }
    let title = match metrics {
        [one] => format!("Differences by {}", one.row().title),
        _ => "All differences".to_owned(),
    };
    let lower = metrics.iter().all(|metric| metric.row().direction == Direction::LowerIsBetter);
    let sides = if lower { ["better (less)", "worse (more)"] } else { ["less", "more"] };
    Chart { title, description, plot: Box::new(Forest { rows, band: threshold, sides }) }
}

/// A row of a forest; `both` has the candidate in its label.
pub(super) fn row(comparison: &Comparison, both: bool) -> ForestRow {
    let label = words::metric_label(comparison.metric);
    let label = if both { format!("{}, {label}", comparison.candidate) } else { label };
    ForestRow {
        verdict: words::verdict(comparison).to_owned(),
        tone: match comparison.verdict {
            Verdict::Improvement => Tone::Good,
            Verdict::Regression => Tone::Bad,
            Verdict::NoChange | Verdict::Inconclusive => Tone::Neutral,
        },
        ..ForestRow::new(label, comparison.ratio)
    }
}

/// The control's row.
pub(super) fn control_row(label: String, control: &Control) -> ForestRow {
    ForestRow {
        figures: findings::control_within(control).unwrap_or_default(),
        verdict: if control.passed { "passed" } else { "FAILED" }.into(),
        tone: if control.passed { Tone::Neutral } else { Tone::Bad },
        control: true,
        ..ForestRow::new(label, control.ratio)
    }
}

/// A row of a run whose verdicts do not count: grey, for red is what is worse.
pub(super) fn unjudged(row: ForestRow, why: &str) -> ForestRow {
    ForestRow { verdict: why.to_owned(), tone: Tone::Neutral, ..row }
}

/// What a table of comparisons has of each.
pub(super) fn columns() -> [Column; 7] {
    [
        word_column("variant"),
        word_column("metric"),
        figures("baseline"),
        figures("value"),
        figures("difference"),
        figures("low"),
        figures("high"),
    ]
}

/// The cells of [`columns`] of one that stands there in its file.
pub(super) fn cells(one: &Comparison, at: &str) -> Vec<Markup> {
    let ratio = |of: fn(&Estimate) -> f64, key: &str| {
        maybe(difference, one.ratio.as_ref().map(of), &format!("{at}/ratio/{key}"))
    };
    let (what, [baseline, candidate]) = words::measured(one);
    vec![
        html! { (one.candidate) },
        html! { (what) },
        value(&baseline, one.baseline_value, &format!("{at}/baseline_value")),
        value(&candidate, one.candidate_value, &format!("{at}/candidate_value")),
        ratio(|r| r.estimate, "estimate"),
        ratio(|r| r.low, "low"),
        ratio(|r| r.high, "high"),
    ]
}

fn comparisons(result: &RunResult) -> Markup {
    let columns: Vec<Column> = columns().into_iter().chain([figures("p"), word_column("verdict")]).collect();
    let rows: Vec<Vec<Markup>> = result
        .comparisons
        .iter()
        .enumerate()
        .map(|(n, one)| {
            let at = format!("/comparisons/{n}");
            let verdict = if result.is_usable() {
                run_report::verdict_cell(one, result)
            } else {
                "not judged".to_owned()
            };
            let mut row = cells(one, &at);
            row.push(maybe(|p| format!("{p:.4}"), one.p_value, &format!("{at}/p_value")));
            row.push(html! { (verdict) });
            row
        })
        .collect();
    let confidence = run_report::compared_at(&[result]);
    let baseline = result.comparisons.first().map_or("", |one| one.baseline.as_str());
    table(&format!("Compared with {baseline}, {confidence} intervals"), &columns, &rows)
}

/// Stratum by stratum: a difference that drifts or jumps says more than its mean.
pub(super) fn over_time(result: &RunResult) -> Option<Markup> {
    let baseline = &result.comparisons.first()?.baseline;
    let names: Vec<&str> =
        result.variants.iter().map(|v| v.name.as_str()).filter(|name| name != baseline).collect();
    let lines = lines(result, baseline, &names);
    if lines.is_empty() {
        return None;
    }
    let rows: Vec<Vec<Markup>> = lines
        .iter()
        .flat_map(|line| {
            line.strata.iter().map(move |stratum| {
                vec![
                    html! { (stratum.position + 1) },
                    html! { (line.name) },
                    html! { (difference(stratum.ratio)) },
                ]
            })
        })
        .collect();
    let columns = [figures("stratum"), word_column("variant"), figures("difference")];
    let table = table("Difference of the medians, stratum by stratum", &columns, &rows);
    let hidden = names.len().saturating_sub(DRAWN);
    Some(html! {
        (figure(&strata_chart(result, baseline, &lines), &table))
        @if hidden > 0 { p class="soft" { "Of " (names.len()) " candidates the first " (DRAWN) " are drawn." } }
    })
}

/// A candidate's strata, or the control's, and how they are drawn.
struct Line {
    name: String,
    tone: Tone,
    look: Look,
    strata: Vec<StratumRatio>,
}

/// Of the first candidates and the control, those that have strata.
fn lines(result: &RunResult, baseline: &str, names: &[&str]) -> Vec<Line> {
    let line = |candidate: Option<&str>, tone, look| Line {
        name: candidate.unwrap_or("control").to_owned(),
        tone,
        look,
        strata: judge::stratum_ratios(&result.record, baseline, candidate),
    };
    let candidates = names.iter().take(DRAWN).enumerate();
    candidates
        .map(|(n, name)| line(Some(name), Tone::Nth(n + 1), Look::Dots))
        .chain([line(None, Tone::Neutral, Look::Hollow)])
        .filter(|line| !line.strata.is_empty())
        .collect()
}

fn strata_chart(result: &RunResult, baseline: &str, lines: &[Line]) -> Chart {
    let threshold = result.record.scenario.noise_threshold();
    let [from, to] = noise_band(threshold);
    let mut layers = vec![Layer::AcrossY { from, to }];
    layers.extend(lines.iter().map(|line| {
        let points = line.strata.iter().map(|stratum| Point {
            tip: format!("stratum {}: {}", stratum.position + 1, difference(stratum.ratio)),
            ..Point::at((stratum.position + 1) as f64, stratum.ratio)
        });
        let (name, tone, look) = (line.name.clone(), line.tone, line.look);
        Layer::Series(PointSeries { name, tone, look, points: points.collect() })
    }));
    let ratios = lines.iter().flat_map(|line| &line.strata).map(|stratum| stratum.ratio);
    let strata = result.record.strata.len();
    Chart {
        title: format!("Median of each stratum against {baseline}, in the order of time"),
        description: format!("{} strata; the band is the noise threshold.", count(strata as u64)),
        plot: Box::new(Xy {
            x: Axis {
                label: "stratum".into(),
                scale: Scale::Whole { high: strata as f64 + 1.0 },
                format: Box::new(|n| count(n as u64)),
            },
            y: Axis {
                label: "difference of the medians".into(),
                scale: Scale::around(ratios.chain([1.0])),
                format: Box::new(format::round_difference),
            },
            layers,
            height: 230.0,
        }),
    }
}
