//! What one claim costs on the wire and on the servers, and what changed against the baseline.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::parts::{Column, changed, escaped, figures, maybe, table, words};
use crate::judge::{RunResult, ServerCost, VariantSummary};
use crate::report::format::{figure, per_claim};
use crate::report::run_report;
use crate::scenario::{Metric, MetricName};

/// A cost: its metric, its key in the result, and where it is.
type Cost = (Metric, &'static str, fn(&ServerCost) -> Option<f64>);

const COSTS: [Cost; 3] = [
    (Metric::RoundTrips, "round_trips_per_claim", |server| server.round_trips_per_claim),
    (Metric::RequestBytes, "bytes_in_per_claim", |server| server.bytes_in_per_claim),
    (Metric::ReplyBytes, "bytes_out_per_claim", |server| server.bytes_out_per_claim),
];

pub(super) fn section(result: &RunResult) -> Markup {
    html! {
        @if !result.exact.is_empty() {
            p { "These figures do not vary from claim to claim, so any difference is a finding: ▲ more than the baseline, ▼ less." }
        }
        @if let Some(defined) = run_report::defined(result) { p { (defined) } }
        (wire(result))
        (calls(result))
    }
}

/// How a variant's exact metric differs from the baseline's.
fn change(result: &RunResult, variant: &VariantSummary, metric: &MetricName) -> Option<(bool, f64)> {
    let exact = result.exact.iter().find(|one| one.candidate == variant.name && one.metric == *metric)?;
    (!exact.equal).then_some((exact.candidate_value > exact.baseline_value, exact.baseline_value))
}

fn cell(result: &RunResult, variant: &VariantSummary, metric: &MetricName, shown: &Markup) -> Markup {
    match change(result, variant, metric) {
        Some((more, before)) => changed(more, &html! { (shown) " (was " (per_claim(before)) ")" }),
        None => shown.clone(),
    }
}

fn wire(result: &RunResult) -> Markup {
    let mut columns: Vec<Column> = vec![words("variant")];
    columns.extend(COSTS.iter().map(|(metric, ..)| figures(metric.row().title)));
    columns.push(figures("server CPU (µs)"));
    let rows: Vec<Vec<Markup>> = result
        .variants
        .iter()
        .enumerate()
        .map(|(n, variant)| {
            let mut row = vec![html! { (variant.name) }];
            row.extend(COSTS.iter().map(|(metric, key, of)| {
                let of = of(&variant.server);
                let shown = maybe(per_claim, of, &format!("/variants/{n}/server/{key}"));
                cell(result, variant, &MetricName::from(*metric), &shown)
            }));
            let place = format!("/variants/{n}/server/main_thread_cpu_us_per_claim");
            row.push(maybe(figure, variant.server.main_thread_cpu_us_per_claim, &place));
            row
        })
        .collect();
    table("On the wire, and main-thread CPU, per claim", &columns, &rows)
}

/// A row per command, a column per variant; the other way round where there are many variants.
fn calls(result: &RunResult) -> Markup {
    let commands: BTreeSet<&String> =
        result.variants.iter().flat_map(|variant| variant.server.calls_per_claim.keys()).collect();
    if commands.is_empty() {
        return html! {};
    }
    let cell = |n: usize, variant: &VariantSummary, command: &str| {
        let place = format!("/variants/{n}/server/calls_per_claim/{}", escaped(command));
        let shown = maybe(per_claim, variant.server.calls_per_claim.get(command).copied(), &place);
        cell(result, variant, &MetricName::calls(command), &shown)
    };
    let variants = || result.variants.iter().enumerate();
    let (first, names, rows): (_, Vec<&str>, Vec<Vec<Markup>>) = if result.variants.len() <= 6 {
        let names = result.variants.iter().map(|variant| variant.name.as_str()).collect();
        let row = |command: &&String| {
            let cells = variants().map(|(n, variant)| cell(n, variant, command));
            [html! { (command) }].into_iter().chain(cells).collect()
        };
        ("command", names, commands.iter().map(row).collect())
    } else {
        let row = |(n, variant): (usize, &VariantSummary)| {
            let cells = commands.iter().map(|command| cell(n, variant, command));
            [html! { (variant.name) }].into_iter().chain(cells).collect()
        };
        ("variant", commands.iter().map(|command| command.as_str()).collect(), variants().map(row).collect())
    };
    let columns: Vec<Column> = [words(first)].into_iter().chain(names.into_iter().map(figures)).collect();
    table("Calls on the servers per claim, those inside functions included", &columns, &rows)
}
