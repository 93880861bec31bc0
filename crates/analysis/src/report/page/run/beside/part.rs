//! The runs of one scenario beside each other: their differences and their times.

use maud::{Markup, html};

use super::group::{Run, unusable};
use crate::judge::{CONTROLLED, Clock, LatencySummary, RunResult, RunState};
use crate::report::chart::{Chart, Forest, ForestRow};
use crate::report::format::{count, figure as number, share, time_us};
use crate::report::page::parts::{Column, behind, drawn, figures, table, words as word_column};
use crate::report::page::run::differences::{cells, columns, control_row, row, unjudged};
use crate::report::{run_report, words};
use crate::scenario::Metric;

/// Rows of one picture; of more, only the scenario's first metric is drawn.
const ROWS: usize = 16;

/// The runs of one scenario.
pub(super) fn part(group: &[Run<'_>], several: bool) -> Markup {
    let record = &group[0].1.record;
    let bands: Vec<Option<f64>> = group
        .iter()
        .map(|(_, result)| result.record.scenario.compare.as_ref().map(|compare| compare.noise_threshold))
        .collect();
    let band = bands[0]
        .filter(|first| bands.iter().all(|band| band.is_some_and(|band| (band - first).abs() < 1e-12)));
    let compares = group.iter().any(|(_, result)| !result.comparisons.is_empty());
    html! {
        @if several { h2 { (record.label()) ": " (record.scenario.summary) } }
        @if compares {
            p {
                "Each difference with its interval, run by run. "
                @match band {
                    Some(band) => { "Inside the grey band, ±" (share(band)) ", is what counts as noise. " }
                    None => { "The runs have different noise thresholds: no band is drawn. " }
                }
                "A control is the baseline against itself."
            }
            (drawn(&forest(group, band)))
            (behind("The figures behind this chart", &differences(group)))
        }
        (times(group))
    }
}

fn forest(group: &[Run<'_>], band: Option<f64>) -> Chart {
    let mut metrics: Vec<Metric> = Vec::new();
    for (_, result) in group {
        for one in &result.comparisons {
            if !metrics.contains(&one.metric) {
                metrics.push(one.metric);
            }
        }
    }
    if group.iter().map(|(_, result)| result.comparisons.len() + 1).sum::<usize>() > ROWS {
        metrics.truncate(1);
    }
    let mut rows: Vec<ForestRow> = Vec::new();
    for metric in &metrics {
        for (n, result) in group {
            for one in result.comparisons.iter().filter(|one| one.metric == *metric) {
                let row = row(one, true);
                let row = ForestRow { label: format!("{n}. {}", row.label), ..row };
                rows.push(if result.is_judged() { row } else { unjudged(row, unusable(result)) });
            }
        }
    }
    let described = rows.iter().map(|row| format!("{}: {} {}", row.label, row.figures, row.verdict));
    let description = described.collect::<Vec<_>>().join("; ");
    for (n, result) in group {
        if let Some(control) = result.control.as_ref().filter(|_| metrics.contains(&CONTROLLED)) {
            rows.push(control_row(format!("{n}. control, {}", words::metric_label(CONTROLLED)), control));
        }
    }
    let title = match metrics.as_slice() {
        [one] => format!("Differences by {}, run by run", one.row().title),
        _ => "Differences, run by run".to_owned(),
    };
    Chart { title, description, plot: Box::new(Forest { rows, band, sides: ["less", "more"] }) }
}

fn differences(group: &[Run<'_>]) -> Markup {
    let columns: Vec<Column> =
        [word_column("run")].into_iter().chain(columns()).chain([word_column("verdict")]).collect();
    let rows = group.iter().flat_map(|(n, result)| {
        result.comparisons.iter().enumerate().map(move |(place, one)| {
            let mut row = vec![html! { (n) ". " (result.record.started) }];
            row.extend(cells(one, &format!("/{}/comparisons/{place}", n - 1)));
            row.push(html! { (if result.is_judged() { words::verdict(one) } else { unusable(result) }) });
            row
        })
    });
    let title = format!("Differences from the baseline of each run, {} intervals", compared_at(group));
    table(&title, &columns, &rows.collect::<Vec<_>>())
}

/// The confidence of a scenario's comparisons, which runs may have set apart.
fn compared_at(group: &[Run<'_>]) -> String {
    let results: Vec<&RunResult> = group.iter().map(|(_, result)| *result).collect();
    run_report::compared_at(&results)
}

/// What a run is good for, in a table of figures.
fn state(result: &RunResult) -> &'static str {
    match result.state() {
        RunState::Invalid => "INVALID",
        RunState::Aborted | RunState::Interrupted => "interrupted",
        RunState::ControlFailed => "without a verdict",
        RunState::Judged => "usable",
    }
}

/// Clocks whose times stand side by side, and their names in a heading.
const CLOCKS: [(&str, Clock); 3] =
    [("service", Clock::Service), ("response", Clock::Response), ("to resume", Clock::Resume)];

/// Times of every variant, as far as any run has them.
fn times(group: &[Run<'_>]) -> Markup {
    let variants = || group.iter().flat_map(|(_, result)| &result.variants);
    let is_known = |clock: Clock| variants().any(|variant| clock.summary(variant).is_some());
    let clocks: Vec<_> = CLOCKS.into_iter().filter(|(_, clock)| is_known(*clock)).collect();
    let mut columns: Vec<Column> =
        vec![word_column("run"), word_column("variant"), figures("claims"), figures("claims/s")];
    for (name, _) in &clocks {
        columns.extend(["p50", "p99", "p99.9"].map(|quantile| figures(format!("{name} {quantile}"))));
    }
    columns.extend([figures("round trips"), figures("server CPU"), word_column("run is")]);
    let rows = group.iter().flat_map(|(n, result)| {
        let clocks = &clocks;
        result.variants.iter().enumerate().map(move |(position, variant)| {
            let mut cells = vec![
                html! { (n) ". " (result.record.started) },
                html! { (variant.name) },
                html! { (count(variant.outcomes.claimed)) },
                html! { (result.own_rate_per_s(position).map_or("-".to_owned(), number)) },
            ];
            for (_, clock) in clocks {
                for quantile in
                    [|t: &LatencySummary| t.p50, |t: &LatencySummary| t.p99, |t: &LatencySummary| t.p999]
                {
                    cells.push(
                        html! { (clock.summary(variant).map_or("-".to_owned(), |times| time_us(quantile(times)))) },
                    );
                }
            }
            let cpu = variant.server.main_thread_cpu_us_per_claim;
            cells.extend([
                html! { (variant.server.round_trips_per_claim.map_or("-".to_owned(), number)) },
                html! { (cpu.map_or("-".to_owned(), time_us)) },
                html! { (state(result)) },
            ]);
            cells
        })
    });
    table(
        "Times of each run: the clocks that any of them has; round trips and server CPU per claim",
        &columns,
        &rows.collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::overview;
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};

    #[test]
    fn intervals_are_called_by_the_confidence_that_they_have() {
        let of = |confidence: f64| {
            let arms = [GRANT_LANE, HGET_LANE];
            let mut result = analyse_as(record(&arms, 1), &scenario(&arms));
            for ratio in result.comparisons.iter_mut().filter_map(|one| one.ratio.as_mut()) {
                ratio.confidence = confidence;
            }
            result
        };
        let (usual, wide) = (of(0.95), of(0.99));
        assert_eq!(compared_at(&[(1, &wide), (2, &wide)]), "99 %");
        assert_eq!(compared_at(&[(1, &usual), (2, &wide)]), "95 % or 99 %");
        let page = overview(&[&of(0.9), &of(0.9)]).into_string();
        assert!(page.contains("of each run, 90 % intervals") && !page.contains("95 % intervals"), "{page}");
        // The control has a confidence of its own.
        assert!(page.contains("(99 % interval)"), "{page}");
    }
}
