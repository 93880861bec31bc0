//! Several runs beside each other: what each of them says and whether to believe it, then their differences
//! and times. Runs of different scenarios measured different things: each scenario has a part of its own.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::parts::{
    Answer, Belief, Column, Trust, behind, drawn, figures, list, table, value, words as word_column,
};
use super::differences::{cells, columns, control_row, row, unjudged};
use crate::judge::{self, CONTROLLED, Clock, Comparison, LatencySummary, RunResult, Verdict};
use crate::report::chart::{Chart, Forest, ForestRow};
use crate::report::format::{count, difference, difference_within, figure as number, share, time_us};
use crate::report::{findings, run_report, words};
use crate::scenario::Metric;

/// Rows of one picture; of more, only the scenario's first metric is drawn.
const ROWS: usize = 16;

/// Settings that are named where two runs of a scenario differ; more are counted.
const NAMED: usize = 6;

/// Candidates that are named in a line; more are counted.
const NAMED_CANDIDATES: usize = 3;

/// A run with its number on the page, from 1.
type Run<'a> = (usize, &'a RunResult);

/// What stands above the single runs.
pub(in crate::report::page) fn overview(results: &[&RunResult]) -> Markup {
    let groups = groups(results);
    html! {
        (answer(results, &groups).markup())
        @for group in &groups { (part(group, groups.len() > 1)) }
    }
}

/// The title of the page.
pub(in crate::report::page) fn title(results: &[&RunResult]) -> String {
    let names: Vec<String> = groups(results).iter().map(|group| group[0].1.record.label()).collect();
    format!("{}: {} runs side by side", names.join(", "), results.len())
}

/// The runs of each scenario, in the order given.
fn groups<'a>(results: &[&'a RunResult]) -> Vec<Vec<Run<'a>>> {
    let mut groups: Vec<Vec<Run<'a>>> = Vec::new();
    for (n, result) in results.iter().enumerate() {
        let label = result.record.label();
        match groups.iter_mut().find(|group| group[0].1.record.label() == label) {
            Some(group) => group.push((n + 1, result)),
            None => groups.push(vec![(n + 1, result)]),
        }
    }
    groups
}

/// Whether the verdicts of a run count.
fn usable(result: &RunResult) -> bool {
    result.is_usable() && !result.is_vetoed()
}

fn answer(results: &[&RunResult], groups: &[Vec<Run<'_>>]) -> Answer {
    let usable_runs = results.iter().filter(|result| usable(result)).count();
    let sentence = match groups {
        _ if usable_runs == 0 => "No answer: none of these runs can be used".to_owned(),
        [one] => agreement(one),
        several => format!(
            "{} runs of {} scenarios: each scenario answers a question of its own",
            results.len(),
            several.len()
        ),
    };
    let each: Vec<String> =
        results.iter().enumerate().map(|(n, result)| format!("{}. {}", n + 1, said(result))).collect();
    let mut reasons: Vec<Markup> =
        results.iter().enumerate().map(|(n, result)| html! { (n + 1) ". " (checked(n, result)) }).collect();
    let differing: Vec<String> = groups.iter().flat_map(|group| settings(group)).collect();
    reasons.extend(differing.iter().map(|text| html! { (text) }));
    if groups.len() > 1 {
        reasons.push(html! { "Runs of different scenarios measured different things: hold figures against each other only within one of the parts below." });
    }
    reasons.push(html! { "A difference within a run has its control. From one run to the next the machine may have changed as well: " code { "reclaim-bench compare" } " judges two of them." });
    let (level, headline) = if usable_runs == 0 {
        (Trust::No, "Do not believe any figure on this page.".to_owned())
    } else if usable_runs < results.len() {
        (Trust::Careful, format!("Of {} runs {usable_runs} can be used.", results.len()))
    } else if groups.len() > 1 || !differing.is_empty() {
        (Trust::Careful, "Every run can be used, but they did not measure the same.".to_owned())
    } else {
        (Trust::Yes, "Every run is valid, and no control failed.".to_owned())
    };
    Answer {
        sentence,
        figure: None,
        tone: if usable_runs == 0 { "bad" } else { "" },
        details: gates(results).as_deref().map(list).into_iter().chain([list(&each)]).collect(),
        belief: Belief { level, headline, reasons },
    }
}

/// What the gate of each run says, before anything else: exit codes follow from it.
fn gates(results: &[&RunResult]) -> Option<Vec<String>> {
    let each = results.iter().enumerate();
    let gates: Vec<String> =
        each.filter_map(|(n, result)| Some(format!("{}. {}", n + 1, run_report::gate(result)?))).collect();
    (!gates.is_empty()).then_some(gates)
}

/// What a run says, in a line.
fn said(result: &RunResult) -> String {
    let name = format!("{} of {}", result.record.label(), result.record.started);
    if !result.valid {
        return format!("{name}: INVALID, do not use its figures");
    }
    if result.record.partial {
        return format!("{name}: {}", unusable(result));
    }
    if result.is_vetoed() {
        return format!("{name}: no verdict, its control failed");
    }
    let headline = headline(result);
    if headline.is_empty() {
        return format!("{name}: {}", run_report::uncompared(result));
    }
    let metric = words::metric_label(headline[0].metric);
    if headline.len() > NAMED_CANDIDATES {
        let verdicts = counted(headline.iter().map(|one| words::verdict(one)));
        let baseline = &headline[0].baseline;
        return format!("{name}, {metric}: of {} candidates against {baseline}, {verdicts}", headline.len());
    }
    let pairs: Vec<String> = headline
        .iter()
        .map(|one| {
            let amount = one.ratio.as_ref().map(difference_within).unwrap_or_default();
            format!("{} against {} {}: {}", one.candidate, one.baseline, amount, words::verdict(one))
        })
        .collect();
    format!("{name}, {metric}: {}", pairs.join("; "))
}

/// How often each word comes, in the order of the first of each.
fn counted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for word in words {
        match counted.iter_mut().find(|(known, _)| *known == word) {
            Some((_, n)) => *n += 1,
            None => counted.push((word, 1)),
        }
    }
    counted.into_iter().map(|(word, n)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

fn headline(result: &RunResult) -> Vec<&Comparison> {
    result.by_first_metric().into_iter().map(|(_, one)| one).collect()
}

/// What the runs of one scenario say together.
fn agreement(group: &[Run<'_>]) -> String {
    let usable: Vec<&RunResult> =
        group.iter().map(|(_, result)| *result).filter(|result| usable(result)).collect();
    let name = group[0].1.record.label();
    let runs = if usable.len() == group.len() {
        format!("{} runs of {name}", group.len())
    } else {
        format!("{} usable runs of {name}", usable.len())
    };
    let Some(first) = usable.first().and_then(|result| headline(result).first().copied()) else {
        return format!("{runs}, without a comparison in them");
    };
    let same = |one: &&Comparison| {
        (&one.candidate, &one.baseline, one.metric) == (&first.candidate, &first.baseline, first.metric)
    };
    let told = usable.iter().filter_map(|result| result.comparisons.iter().find(same));
    let verdicts: Vec<Verdict> = told.map(|one| one.verdict).collect();
    let (candidate, baseline) = (&first.candidate, &first.baseline);
    let others = match headline(usable[0]).len() {
        0 | 1 => String::new(),
        n => format!(" (and {} other candidates, below)", n - 1),
    };
    if verdicts.iter().all(|verdict| *verdict == first.verdict) {
        let all = match verdicts.len() {
            1 if usable.len() == 1 => "in it",
            n if n == usable.len() => "in each",
            1 => "in the one that compares them",
            _ => "in each that compares them",
        };
        return match first.verdict {
            Verdict::NoChange => format!("{runs}: {candidate} and {baseline} do not differ {all}{others}"),
            Verdict::Inconclusive => format!("{runs}: none can tell {candidate} from {baseline}{others}"),
            Verdict::Regression | Verdict::Improvement => {
                let than = words::than(first.verdict, first.metric);
                format!("{runs}: {candidate} {than} {baseline} {all}{others}")
            }
        };
    }
    let each = counted(verdicts.iter().map(|verdict| words::verdict_of(*verdict, first.metric)));
    format!("{runs} do not agree on {candidate} against {baseline}: {each}{others}")
}

/// Whether a run can be used, and why.
fn checked(n: usize, result: &RunResult) -> Markup {
    if !result.valid {
        let reasons: Vec<String> = result.invalid_reasons.iter().map(words::invalid_reason).collect();
        return html! { "Invalid: " (reasons.join(" ")) };
    }
    let partial = if result.record.partial { "interrupted" } else { "valid" };
    html! {
        (partial)
        @if let Some(control) = &result.control {
            @match findings::failed_control(control) {
                None => { ", its control passed" }
                Some(reason) => { ", its control failed (" (reason) ")" }
            }
            @if let Some(ratio) = &control.ratio {
                ": the baseline against itself "
                (value(&difference(ratio.estimate), ratio.estimate, &format!("/{n}/control/ratio/estimate")))
            }
        } @else { ", without a control" }
        @if !result.warnings.is_empty() {
            "; " (result.warnings.len()) (if result.warnings.len() == 1 { " thing" } else { " things" }) " to keep in mind"
        }
        "."
    }
}

/// In what the runs of one scenario differ from the first of them, their validity and the library aside.
fn settings(group: &[Run<'_>]) -> Vec<String> {
    let Some(((first, base), others)) = group.split_first() else { return Vec::new() };
    others
        .iter()
        .filter_map(|(n, other)| {
            let all: Vec<_> = judge::differences(base, other)
                .into_iter()
                .filter(|one| one.forbids && !one.what.ends_with(" result"))
                .collect();
            let named: Vec<String> = all
                .iter()
                .take(NAMED)
                .map(|one| format!("{} {} against {}", one.what, one.base, one.candidate))
                .collect();
            let more = all.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            (!all.is_empty())
                .then(|| format!("{first}. and {n}. did not measure the same: {}{more}.", named.join("; ")))
        })
        .collect()
}

/// The runs of one scenario.
fn part(group: &[Run<'_>], several: bool) -> Markup {
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
                rows.push(if usable(result) { row } else { unjudged(row, unusable(result)) });
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

/// What takes the place of a verdict that does not count.
fn unusable(result: &RunResult) -> &'static str {
    if !result.valid {
        "not judged: invalid"
    } else if result.record.partial {
        "not judged: interrupted"
    } else {
        "inconclusive"
    }
}

fn differences(group: &[Run<'_>]) -> Markup {
    let columns: Vec<Column> =
        [word_column("run")].into_iter().chain(columns()).chain([word_column("verdict")]).collect();
    let rows = group.iter().flat_map(|(n, result)| {
        result.comparisons.iter().enumerate().map(move |(place, one)| {
            let mut row = vec![html! { (n) ". " (result.record.started) }];
            row.extend(cells(one, &format!("/{}/comparisons/{place}", n - 1)));
            row.push(html! { (if usable(result) { words::verdict(one) } else { unusable(result) }) });
            row
        })
    });
    let title = format!("Differences from the baseline of each run, {}", intervals(group));
    table(&title, &columns, &rows.collect::<Vec<_>>())
}

/// The intervals of a scenario's comparisons by their confidence, which runs may have set apart:
/// `95 % intervals`.
fn intervals(group: &[Run<'_>]) -> String {
    let ratios =
        group.iter().flat_map(|(_, result)| &result.comparisons).filter_map(|one| one.ratio.as_ref());
    let levels: BTreeSet<String> = ratios.map(|ratio| share(ratio.confidence)).collect();
    let levels = levels.into_iter().collect::<Vec<_>>().join(" or ");
    format!("{levels} intervals").trim_start().to_owned()
}

/// What a run is good for, in a table of figures.
fn state(result: &RunResult) -> &'static str {
    match result {
        result if usable(result) => "usable",
        result if !result.valid => "INVALID",
        result if result.record.partial => "interrupted",
        _ => "without a verdict",
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
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};

    #[test]
    fn of_a_run_that_was_interrupted_no_verdict_is_told() {
        let arms = [GRANT_LANE, HGET_LANE];
        let whole = analyse_as(record(&arms, 1), &scenario(&arms));
        assert!(said(&whole).contains("hget-lane against grant-lane"), "{}", said(&whole));
        let mut partial = whole.clone();
        partial.record.partial = true;
        assert!(said(&partial).ends_with(": not judged: interrupted"), "{}", said(&partial));
    }

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
        assert_eq!(intervals(&[(1, &wide), (2, &wide)]), "99 % intervals");
        assert_eq!(intervals(&[(1, &usual), (2, &wide)]), "95 % or 99 % intervals");
        let page = overview(&[&of(0.9), &of(0.9)]).into_string();
        assert!(page.contains("of each run, 90 % intervals") && !page.contains("95 % intervals"), "{page}");
        // The control has a confidence of its own.
        assert!(page.contains("(99 % interval)"), "{page}");
    }
}
