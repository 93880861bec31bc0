//! What does not vary from claim to claim, variants side by side.

use super::super::document::Block;
use super::super::format::{apart, per_claim};
use crate::judge::{ExactMetric, RunResult};
use crate::scenario::MetricName;

/// Candidates side by side in one table: more do not fit into 80 columns.
const SIDE_BY_SIDE: usize = 3;

/// What is counted, for a reader: the calls of one command are named as results name them.
fn title(name: &MetricName) -> String {
    if name.command.is_some() { name.to_string() } else { name.metric.row().title.to_owned() }
}

/// Variants by the SDK, whose round trips and commands nobody counts: what stands there is what the variant is
/// defined to send. Of those that workers of their own make there is none.
fn by_definition(result: &RunResult) -> Option<String> {
    let defined = result
        .variants
        .iter()
        .filter(|variant| variant.path.is_sdk() && variant.server.round_trips_per_claim.is_some());
    let names: Vec<&str> = defined.map(|variant| variant.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The same behind a heading over figures that were counted; nothing without such a variant.
pub(in crate::report) fn but_for_defined(result: &RunResult) -> String {
    by_definition(result)
        .map_or_else(String::new, |names| format!("; of {names} round trips and commands by definition"))
}

/// The same in a sentence.
pub(in crate::report) fn defined(result: &RunResult) -> Option<String> {
    let names = by_definition(result)?;
    Some(format!(
        "Round trips and commands of {names} are by the variant's definition: what the SDK sends nobody counts."
    ))
}

/// A row for everything that differs anywhere, a column for each variant.
pub(super) fn blocks(result: &RunResult) -> Vec<Block> {
    let Some(first) = result.exact.first() else { return Vec::new() };
    let mut names: Vec<&MetricName> = Vec::new();
    let mut candidates: Vec<&str> = Vec::new();
    for one in &result.exact {
        if !one.equal && !names.contains(&&one.metric) {
            names.push(&one.metric);
        }
        if !candidates.contains(&one.candidate.as_str()) {
            candidates.push(&one.candidate);
        }
    }
    let heading = format!("Counted exactly, per claim{}", but_for_defined(result));
    if names.is_empty() {
        let on_the_wire = result.exact.iter().any(|one| one.metric.command.is_none());
        let same = if on_the_wire {
            "round trips, commands and bytes"
        } else {
            "calls of every command on the servers"
        };
        let items = vec![format!("no difference: same {same}")];
        return vec![Block::List { heading, items }];
    }
    let heading = format!("{heading} (▲ more than {}, ▼ less)", first.baseline);
    let matrix = |candidates: &[&str]| {
        let row = |name: &&MetricName| row(result, name, candidates);
        let header = ["", &first.baseline].into_iter().chain(candidates.iter().copied());
        Block::Matrix {
            heading: heading.clone(),
            header: header.map(str::to_owned).collect(),
            rows: names.iter().map(row).collect(),
        }
    };
    candidates.chunks(SIDE_BY_SIDE).map(matrix).collect()
}

fn row(result: &RunResult, name: &MetricName, candidates: &[&str]) -> Vec<String> {
    let of =
        |candidate: &str| result.exact.iter().find(|one| one.candidate == candidate && one.metric == *name);
    let baseline =
        result.exact.iter().find(|one| one.metric == *name).map(|one| per_claim(one.baseline_value));
    let cell = |candidate: &&str| of(candidate).map_or_else(|| "-".to_owned(), cell);
    [title(name), baseline.unwrap_or_default()].into_iter().chain(candidates.iter().map(cell)).collect()
}

fn cell(one: &ExactMetric) -> String {
    let [value, _] = apart([one.candidate_value, one.baseline_value], per_claim);
    match (one.equal, one.is_more()) {
        (true, _) => value,
        (false, true) => format!("▲ {value}"),
        (false, false) => format!("▼ {value}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record, scenario};
    use crate::report::ci::pull_request;
    use crate::report::{html, markdown};
    use crate::scenario::VariantPath;

    #[test]
    fn what_nobody_counted_is_not_said_to_be_counted() {
        let sdk = SimulatedArm { name: "sdk-resume", path: VariantPath::SdkResume, ..HGET_LANE };
        for (candidate, by_definition) in [(HGET_LANE, false), (sdk, true)] {
            let arms = [GRANT_LANE, candidate];
            let result = analyse_as(record(&arms, 1), &scenario(&arms));
            let text = markdown(&result);
            let of_sdk = "per claim; of sdk-resume round trips and commands by definition";
            assert_eq!(text.contains(of_sdk), by_definition, "{text}");
            let sentence = "commands of sdk-resume are by the variant's definition";
            for said in [text, html::runs(&[&result])] {
                assert_eq!(said.contains(sentence), by_definition, "{said}");
            }
            let comment = pull_request(&result);
            let marked = "**Not equal; of sdk-resume round trips and commands by definition**";
            assert!(comment.contains("**Not equal"), "{comment}");
            assert_eq!(comment.contains(marked), by_definition, "{comment}");
        }
    }
}
