//! The page of one run.

mod answer;
pub(super) mod beside;
mod costs;
mod differences;
mod inside;
mod latency;
mod timeline;
mod waterfall;
mod worth;

use maud::{Markup, html};

use super::parts::{Answer, blocks, folded, list};
use super::shell::{Body, Section};
use crate::judge::RunResult;
use crate::report::document::Block;
use crate::report::{faults, generators, profile, ramp, run_report, storm, words};

/// All of it.
pub(super) fn body(result: &RunResult) -> Body {
    let record = &result.record;
    let mut sections = Vec::new();
    let mut add = |id: &'static str, title: &str, body: Option<Markup>| {
        sections.extend(body.map(|body| Section { id, title: title.to_owned(), body }));
    };
    if let Some(profile) = &result.profile {
        add("inside", "Inside the functions", Some(inside::section(result, profile)));
    }
    add("differences", "Differences", differences::section(result));
    add("latency", "Latency", Some(latency::section(result)));
    add("waterfall", "Where the time of a claim goes", waterfall::section(result));
    add("costs", "What one claim costs", Some(costs::section(result)));
    add("worth", "Primaries needed", worth::section(result));
    add("strata", "Did the difference hold all the time?", differences::over_time(result));
    add("storm", "The storm", storm_section(result));
    add("faults", "Faults", Some(faults::blocks(result)).filter(|b| !b.is_empty()).map(|b| blocks(&b)));
    add("window", "The window, second by second", timeline::section(result));
    add(
        "ramp",
        "The ramp, step by step",
        Some(ramp::blocks(record)).filter(|b| !b.is_empty()).map(|b| blocks(&b)),
    );
    add(
        "generators",
        "The generators",
        Some(generators::blocks(result)).filter(|b| !b.is_empty()).map(|b| blocks(&b)),
    );
    add("warnings", "Keep in mind", warnings(result));
    add("checks", "Checks", Some(items(&run_report::trust(result))));
    add("origin", "Where this was measured", Some(origin(result)));
    Body {
        title: match &result.profile {
            Some(_) => profile::title(result),
            None => format!("{}: {}", record.label(), record.scenario.summary),
        },
        kind: format!("run of {}", record.started),
        answer: answer_of(result),
        sections,
    }
}

/// The answer, after that of the gate where there is one: text and summary begin with it as well.
fn answer_of(result: &RunResult) -> Answer {
    let mut answer = match &result.profile {
        Some(profile) => inside::answer(result, profile),
        None => answer::answer(result),
    };
    if let Some(gate) = run_report::gate(result) {
        answer.sentence = format!("{gate}.\n{}", answer.sentence);
    }
    answer
}

fn storm_section(result: &RunResult) -> Option<Markup> {
    result.record.storm.as_ref()?;
    let said: Vec<_> = storm::producer(result).into_iter().chain(storm::retries(result)).collect();
    Some(html! { @for chart in latency::completion(result) { (chart) } (blocks(&said)) })
}

/// The items of a list whose heading the section has.
fn items(block: &Block) -> Markup {
    match block {
        Block::List { items, .. } => list(items),
        other => blocks(std::slice::from_ref(other)),
    }
}

fn warnings(result: &RunResult) -> Option<Markup> {
    let items: Vec<String> = result.warnings.iter().map(words::warning).collect();
    (!items.is_empty()).then(|| list(&items))
}

fn origin(result: &RunResult) -> Markup {
    let configuration = result.record.scenario.to_toml().unwrap_or_else(|error| error.to_string());
    html! {
        (items(&run_report::origin(result)))
        (folded("The full configuration", &html! { pre { code { (configuration) } } }))
    }
}
