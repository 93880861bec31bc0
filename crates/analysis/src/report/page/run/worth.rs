//! What a way of claiming is worth in servers: primaries needed over the rate, variant by variant.

use maud::{Markup, html};

use super::super::parts::{figure, figures, maybe, table, value, words};
use super::super::primaries;
use crate::judge::{RunResult, Worth, WorthRow};
use crate::report::format::{count, share};
use crate::report::run_report;

/// `None` where nothing can be told (`RunResult::worth_missing`).
pub(super) fn section(result: &RunResult) -> Option<Markup> {
    let last =
        result.worth.iter().flat_map(|arm| &arm.rows).map(|row| row.sizing.rate_per_s).fold(0.0, f64::max);
    let each: Vec<_> = result.worth.iter().map(|arm| (arm.name.as_str(), &arm.basis)).collect();
    let chart = primaries::chart(&each, last)?;
    let utilisation = result.worth.first()?.basis.utilisation;
    Some(html! {
        p {
            "From the server CPU of one claim, with main threads at most " (share(utilisation)) " busy. Low and high are for the "
            "ends of its interval. " (run_report::of_which_load(result))
        }
        (figure(&chart, &rows(&result.worth)))
    })
}

fn rows(worth: &[Worth]) -> Markup {
    let row = |n: usize, arm: &Worth, m: usize, row: &WorthRow| {
        let place = |key: &str| format!("/worth/{n}/rows/{m}/{key}");
        let primaries =
            |of: Option<u32>, key: &str| maybe(|n| count(n as u64), of.map(f64::from), &place(key));
        vec![
            html! { (arm.name) },
            value(&count(row.sizing.rate_per_s as u64), row.sizing.rate_per_s, &place("rate_per_s")),
            primaries(row.sizing.primaries, "primaries"),
            primaries(row.fewest, "fewest"),
            primaries(row.most, "most"),
        ]
    };
    let rows: Vec<Vec<Markup>> = worth
        .iter()
        .enumerate()
        .flat_map(|(n, arm)| arm.rows.iter().enumerate().map(move |(m, of)| row(n, arm, m, of)))
        .collect();
    let columns =
        [words("variant"), figures("claims/s"), figures("primaries"), figures("low"), figures("high")];
    table("Primaries needed", &columns, &rows)
}
