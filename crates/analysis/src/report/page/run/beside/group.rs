//! Runs on one page by their scenario, and what is said where a verdict does not count.

use crate::judge::{RunResult, RunState};

/// A run with its number on the page, from 1.
pub(super) type Run<'a> = (usize, &'a RunResult);

/// The runs of each scenario, in the order given.
pub(super) fn groups<'a>(results: &[&'a RunResult]) -> Vec<Vec<Run<'a>>> {
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

/// What takes the place of a verdict that does not count.
pub(super) fn unusable(result: &RunResult) -> &'static str {
    match result.state() {
        RunState::Invalid => "not judged: invalid",
        RunState::Aborted | RunState::Interrupted => "not judged: interrupted",
        RunState::ControlFailed | RunState::Judged => "inconclusive",
    }
}
