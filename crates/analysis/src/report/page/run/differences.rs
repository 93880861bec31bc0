//! Every comparison of a run against the band of noise, and whether the difference held from begin to end.

use maud::{Markup, html};

use super::super::parts::{
    Column, behind, blocks, drawn, figure, figures, maybe, table, value, words as word_column,
};
use crate::judge::{self, Comparison, RunResult, Verdict};
use crate::report::chart::{Axis, Chart, Forest, ForestRow, Layer, Look, Point, Scale, Series, Tone, Xy};
use crate::report::format::{self, count, difference, share};
use crate::report::{run_report, words};
use crate::scenario::{Direction, Metric};

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
    let extra: Vec<_> = run_report::fused(result).into_iter().collect();
    Some(html! {
        p {
            "Each difference from " (first.baseline) " with its interval. "
            @if let Some(threshold) = threshold {
                "Inside the grey band, ±" (share(threshold)) ", is what counts as noise: a verdict needs the whole interval on one side of its edge. "
            }
            "The last row is the baseline against itself."
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
        .collect();
    let described = rows.iter().map(|row| format!("{}: {} {}", row.label, row.figures, row.verdict));
    let description = described.collect::<Vec<_>>().join("; ");
    if let Some(control) = &result.control {
        rows.push(ForestRow {
            verdict: if control.passed { "passed" } else { "FAILED" }.into(),
            tone: if control.passed { Tone::Neutral } else { Tone::Bad },
            control: true,
            ..ForestRow::new("control: baseline, itself".into(), control.ratio)
        });
    }
    let title = match metrics {
        [one] => format!("Differences by {}", one.row().title),
        _ => "All differences".to_owned(),
    };
    let lower = metrics.iter().all(|metric| metric.row().direction == Direction::LowerIsBetter);
    let sides = if lower { ["better (less)", "worse (more)"] } else { ["less", "more"] };
    Chart { title, description, plot: Box::new(Forest { rows, band: threshold, sides }) }
}

fn row(comparison: &Comparison, both: bool) -> ForestRow {
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

fn comparisons(result: &RunResult) -> Markup {
    let columns: Vec<Column> = vec![
        word_column("variant"),
        word_column("metric"),
        figures("baseline"),
        figures("value"),
        figures("difference"),
        figures("low"),
        figures("high"),
        figures("p"),
        word_column("verdict"),
    ];
    let rows: Vec<Vec<Markup>> = result
        .comparisons
        .iter()
        .enumerate()
        .map(|(n, one)| {
            let at = |key: &str| format!("/comparisons/{n}/{key}");
            let ratio = |of: Option<f64>, key: &str| maybe(difference, of, &at(&format!("ratio/{key}")));
            let (what, [baseline, candidate]) = words::measured(one);
            vec![
                html! { (one.candidate) },
                html! { (what) },
                value(&baseline, one.baseline_value, &at("baseline_value")),
                value(&candidate, one.candidate_value, &at("candidate_value")),
                ratio(one.ratio.map(|r| r.estimate), "estimate"),
                ratio(one.ratio.map(|r| r.low), "low"),
                ratio(one.ratio.map(|r| r.high), "high"),
                maybe(|p| format!("{p:.4}"), one.p_value, &at("p_value")),
                html! { (run_report::verdict_cell(one, result)) },
            ]
        })
        .collect();
    let confidence = result.comparisons.iter().find_map(|one| Some(one.ratio?.confidence)).unwrap_or(0.95);
    let baseline = result.comparisons.first().map_or("", |one| one.baseline.as_str());
    table(&format!("Compared with {baseline}, {} intervals", share(confidence)), &columns, &rows)
}

/// Stratum by stratum: a difference that drifts or jumps says more than its mean.
pub(super) fn over_time(result: &RunResult) -> Option<Markup> {
    let baseline = &result.comparisons.first()?.baseline;
    let threshold = result.record.scenario.compare.as_ref().map_or(0.0, |compare| compare.noise_threshold);
    let names: Vec<&str> =
        result.variants.iter().map(|v| v.name.as_str()).filter(|name| name != baseline).collect();
    let mut layers = vec![Layer::AcrossY { from: 1.0 / (1.0 + threshold), to: 1.0 + threshold }];
    let mut all = Vec::new();
    for (candidate, name, tone, look) in names
        .iter()
        .take(DRAWN)
        .enumerate()
        .map(|(n, name)| (Some(*name), (*name).to_owned(), Tone::Nth(n + 1), Look::Dots))
        .chain([(None, "control".to_owned(), Tone::Neutral, Look::Hollow)])
    {
        let strata = judge::stratum_ratios(&result.record, baseline, candidate);
        if strata.is_empty() {
            continue;
        }
        let points = strata.iter().map(|stratum| Point {
            tip: format!("stratum {}: {}", stratum.position + 1, difference(stratum.ratio)),
            ..Point::at((stratum.position + 1) as f64, stratum.ratio)
        });
        layers.push(Layer::Series(Series { name: name.clone(), tone, look, points: points.collect() }));
        all.push((name, strata));
    }
    if all.is_empty() {
        return None;
    }
    let ratios = || all.iter().flat_map(|(_, strata)| strata.iter().map(|stratum| stratum.ratio));
    let last = result.record.strata.len() as f64;
    let chart = Chart {
        title: format!("Median of each stratum against {baseline}, in the order of time"),
        description: format!(
            "{} strata; the band is the noise threshold.",
            count(result.record.strata.len() as u64)
        ),
        plot: Box::new(Xy {
            x: Axis {
                label: "stratum".into(),
                scale: Scale::Whole { high: last + 1.0 },
                format: Box::new(|n| count(n as u64)),
            },
            y: Axis {
                label: "difference of the medians".into(),
                scale: Scale::around(ratios().chain([1.0])),
                format: Box::new(format::round_difference),
            },
            layers,
            height: 230.0,
        }),
    };
    let rows: Vec<Vec<Markup>> = all
        .iter()
        .flat_map(|(name, strata)| {
            strata.iter().map(move |stratum| {
                vec![
                    html! { (stratum.position + 1) },
                    html! { (name) },
                    html! { (difference(stratum.ratio)) },
                ]
            })
        })
        .collect();
    let columns = [figures("stratum"), word_column("variant"), figures("difference")];
    let hidden = names.len().saturating_sub(DRAWN);
    Some(html! {
        (figure(&chart, &table("Difference of the medians, stratum by stratum", &columns, &rows)))
        @if hidden > 0 { p class="soft" { "Of " (names.len()) " candidates the first " (DRAWN) " are drawn." } }
    })
}

/// The headline comparisons of several runs in one picture, and their figures in one table.
pub(in crate::report::page) fn beside(results: &[&RunResult]) -> Markup {
    let label = |n: usize, result: &RunResult| {
        format!("{}. {} {}", n + 1, result.record.label(), result.record.started)
    };
    let rows: Vec<ForestRow> = results
        .iter()
        .enumerate()
        .flat_map(|(n, result)| {
            let first = result.comparisons.first().map(|one| one.metric);
            result.comparisons.iter().filter(move |one| Some(one.metric) == first).map(move |one| {
                let row = row(one, true);
                let verdict = if result.valid { row.verdict } else { "INVALID".into() };
                let tone = if result.valid { row.tone } else { Tone::Bad };
                ForestRow { label: format!("{}. {}", n + 1, row.label), verdict, tone, ..row }
            })
        })
        .collect();
    let columns = [
        word_column("run"),
        word_column("variant"),
        figures("claims"),
        figures("claims/s"),
        figures("p50"),
        figures("p99"),
        word_column("valid"),
    ];
    let table_rows: Vec<Vec<Markup>> = results
        .iter()
        .enumerate()
        .flat_map(|(n, result)| {
            result.variants.iter().map(move |variant| {
                let time = |of: fn(&judge::LatencySummary) -> f64| {
                    html! { (variant.service_us.as_ref().map_or("-".into(), |service| format::time_us(of(service)))) }
                };
                vec![
                    html! { (label(n, result)) },
                    html! { (variant.name) },
                    html! { (count(variant.outcomes.claimed)) },
                    html! { (format::figure(variant.throughput_per_s)) },
                    time(|service| service.p50),
                    time(|service| service.p99),
                    html! { (if result.valid { "valid" } else { "INVALID" }) },
                ]
            })
        })
        .collect();
    let description = rows.iter().map(|row| format!("{}: {} {}", row.label, row.figures, row.verdict));
    let chart = Chart {
        title: "Differences, run by run".into(),
        description: description.collect::<Vec<_>>().join("; "),
        plot: Box::new(Forest { rows, band: None, sides: ["less", "more"] }),
    };
    let table = table("Runs side by side: service time", &columns, &table_rows);
    html! {
        @if results.iter().any(|result| !result.comparisons.is_empty()) { (drawn(&chart)) }
        (table)
    }
}
