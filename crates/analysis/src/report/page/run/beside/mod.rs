//! Several runs beside each other: what each of them says and whether to believe it, then their differences
//! and times. Runs of different scenarios measured different things: each scenario has a part of its own.

mod answer;
mod group;
mod part;

use maud::{Markup, html};

use self::answer::answer;
use self::group::groups;
use self::part::part;
use crate::judge::RunResult;

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
