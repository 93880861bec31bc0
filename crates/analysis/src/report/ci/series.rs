//! A series of runs of one scenario: verdicts over all of them, and what counts wherever it was seen.

use super::super::document::Block;
use super::super::format::difference_within;
use super::super::words::{self, conclusion};
use super::super::{findings, levels_repeated, markdown, series};
use super::junit::{Case, Suite, add_nothing_judged, document, run_suite, with_its_unit};
use super::pull_request::{place, sign};
use crate::judge::{Gate, Repeated, RepeatedComparison, RunResult};

/// `JUnit` XML: a suite with the verdicts over all runs, and one for each of the runs (`results`). As for the
/// exit code, a regression fails only where `gate` is enforced.
pub fn junit_repeated(repeated: &Repeated, gate: &Gate, results: &[RunResult]) -> String {
    let Some(first) = results.first() else { return document(&[]) };
    let label = first.record.label();
    let mut over_all = Suite::new(&format!("{label} over all runs"), &first.record.started, 0.0);
    let (made, wanted) = (results.len() as u64, repeated.wanted.unwrap_or(results.len() as u64));
    let why = repeated.ended_by.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    let cut_short = || Case::Error(format!("{made} of {wanted} runs were made{why}"));
    over_all.add("series", "complete", if made < wanted { cut_short() } else { Case::Passed });
    if repeated.attempts.iter().any(|attempt| attempt.control_passed.is_some()) {
        let case = match (&repeated.control, &repeated.control_failure) {
            (_, Some(failure)) => Case::Skipped(findings::control_failure(failure)),
            (Some(_), None) => Case::Passed,
            (None, None) => Case::Skipped(series::no_control(repeated)),
        };
        over_all.add("series", "control", case);
    }
    for comparison in &repeated.comparisons {
        let class = format!("{} against {}", comparison.candidate, comparison.baseline);
        over_all.add(&class, comparison.metric.name(), verdict(comparison, gate.enforced));
    }
    add_nothing_judged(&mut over_all, "series", gate);
    let of_run = |(n, result)| run_suite(&format!("{label} run {}", n + 1), result, false);
    let runs = results.iter().enumerate().map(of_run);
    document(&std::iter::once(over_all).chain(runs).collect::<Vec<_>>())
}

fn verdict(comparison: &RepeatedComparison, enforced: bool) -> Case {
    let word = words::verdict_of(comparison.verdict, comparison.metric);
    let difference = comparison.difference.as_ref().map(|over_all| &over_all.mean);
    let text = format!("{word}: {}", with_its_unit(amount(comparison), comparison.metric, difference));
    Case::from_consequence(comparison.verdict.consequence(enforced), text)
}

/// A short comment for a pull request.
pub fn pull_request_repeated(repeated: &Repeated, gate: &Gate, results: &[RunResult]) -> String {
    let Some(first) = results.first() else { return String::new() };
    let concluded = conclusion::concluded(gate, conclusion::in_comment);
    let label = first.record.label();
    let mut blocks =
        vec![Block::Title(format!("reclaim-bench {label}, {}: {concluded}", series::runs(repeated)))];
    let said = |found| findings::with_conclusion(found, conclusion::in_comment);
    let items: Vec<String> = gate.findings.iter().map(said).collect();
    if !items.is_empty() {
        blocks.push(Block::List { heading: "Findings".into(), items });
    }
    blocks.extend(series::savings(repeated).into_iter().map(Block::Line));
    // Each run's suite has a case of it, gate or no gate.
    blocks.extend(levels_repeated::levels(repeated).into_iter().map(Block::Line));
    if !repeated.comparisons.is_empty() {
        blocks.push(verdicts(repeated, gate.enforced));
    }
    blocks.extend(series::beside_others(repeated).map(Block::Line));
    // Of all runs: the first one's own control says nothing of the series.
    blocks.extend(series::control(repeated).map(Block::Line));
    let items: Vec<String> = repeated.comparisons.iter().filter_map(series::disagreement).collect();
    if !items.is_empty() {
        blocks.push(Block::List { heading: "Runs differ more than their intervals allow".into(), items });
    }
    blocks.push(Block::Line(format!("{}, first seed {}", place(first), first.record.seed)));
    markdown::render(&blocks)
}

fn verdicts(repeated: &Repeated, enforced: bool) -> Block {
    let row = |comparison: &RepeatedComparison| {
        let sign = sign(comparison.verdict.consequence(enforced));
        vec![
            comparison.candidate.clone(),
            words::metric_label(comparison.metric),
            amount(comparison),
            comparison.next_run.as_ref().map_or_else(|| "-".to_owned(), difference_within),
            format!("{sign} {}", words::verdict_of(comparison.verdict, comparison.metric)),
        ]
    };
    Block::Table {
        heading: format!("Against {}, over all runs", repeated.comparisons[0].baseline),
        header: vec!["variant", "metric", "difference", "the next run", "verdict"],
        rows: repeated.comparisons.iter().map(row).collect(),
        words: vec![1, 4],
    }
}

fn amount(comparison: &RepeatedComparison) -> String {
    words::difference_or_why(comparison.ratio.as_ref(), comparison.too_few.as_ref())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::fixtures::{self, GRANT_LANE, HGET_LANE, SimulatedArm};
    use crate::judge::ruler_fixture::in_round_trips;
    use crate::judge::spoilt_fixture::{control_is_uncertain, damaged, held_to, without_control};
    use crate::judge::{GatePolicy, analyse, gate_repeated, repeat};
    use crate::record::RunRecord;

    const ARMS: [SimulatedArm; 2] = [GRANT_LANE, HGET_LANE];

    /// Three runs, to the record of each of which something was done before it was judged, by its number from 0.
    fn runs(change: impl Fn(usize, &mut RunRecord)) -> Vec<RunResult> {
        let run = |n: usize| {
            let mut record = fixtures::record(&ARMS, n as u64);
            change(n, &mut record);
            analyse(record).unwrap()
        };
        (0..3).map(run).collect()
    }

    /// What a build server and a comment say of these runs, of three that were wanted.
    fn said(results: &[RunResult], enforce: bool) -> [String; 2] {
        let repeated = repeat(results, 3);
        let gate =
            gate_repeated(results, &repeated, &GatePolicy { enforce, response_p99: None, recovery: None });
        [junit_repeated(&repeated, &gate, results), pull_request_repeated(&repeated, &gate, results)]
    }

    fn series(enforce: bool, change: impl Fn(usize, &mut RunRecord)) -> [String; 2] {
        said(&runs(change), enforce)
    }

    #[test]
    fn a_series_has_verdicts_over_all_runs_and_a_suite_for_each() {
        let [junit, comment] = series(true, |_, _| ());
        insta::assert_snapshot!("series_junit", junit);
        insta::assert_snapshot!("series_pull_request", comment);
        let [junit, comment] = series(false, |_, _| ());
        assert!(!junit.contains("<failure") && comment.contains("measured, not gated"), "{junit}{comment}");
    }

    #[test]
    fn a_comment_has_the_control_of_the_series_and_not_that_of_its_first_run() {
        let over_all = "Control over all runs passed: ";
        let [_, comment] = series(false, |_, _| ());
        assert!(comment.contains(over_all), "{comment}");
        let first_failed = runs(|n, record| {
            if n == 0 {
                control_is_uncertain(record);
            }
        });
        assert!(first_failed[0].is_vetoed(), "{:?}", first_failed[0].control);
        let [_, comment] = said(&first_failed, false);
        assert!(comment.contains(over_all) && !comment.contains("FAILED"), "{comment}");
        let [_, comment] = series(false, |_, record| without_control(record));
        assert!(comment.contains("There is no control") && !comment.contains("passed"), "{comment}");
    }

    #[test]
    fn a_series_says_what_is_saved_and_what_the_next_run_will_say() {
        let results: Vec<RunResult> = (0..3).map(|seed| in_round_trips(&ARMS, seed, 1)).collect();
        let [_, comment] = said(&results, false);
        let saved = comment
            .lines()
            .find(|line| line.starts_with("Over all runs"))
            .unwrap_or_else(|| panic!("{comment}"));
        assert!(
            saved.contains("grant-lane saves ") && saved.contains(" round trips of 50.0 µs, "),
            "{saved}"
        );
        assert!(saved.contains(" of a claim by hget-lane. The next run: "), "{saved}");
        // Where nothing may be concluded nothing is said to be saved.
        let [_, comment] = said(&results[..2], false);
        assert!(!comment.contains("saves"), "{comment}");
    }

    /// What is red on the build server is to be read in the comment as well.
    #[test]
    fn a_comment_says_in_how_many_runs_the_service_level_was_missed() {
        let quick = ARMS.map(|arm| SimulatedArm { slower: arm.slower / 2.0, ..arm });
        for enforce in [false, true] {
            let [junit, comment] = series(enforce, |n, record| {
                if n == 1 {
                    *record = fixtures::record(&quick, 1);
                }
                held_to(record, Duration::from_micros(200));
            });
            assert_eq!(junit.matches("name=\"service level\"").count(), 6, "{junit}");
            let said = "grant-lane (MISSED in 2 of 3 runs, kept in 1), hget-lane (MISSED in 2 of 3 runs, kept in 1).";
            assert!(comment.contains(said), "{comment}");
        }
        let [_, comment] = series(false, |_, _| ());
        assert!(!comment.contains("MISSED") && !comment.contains("Service level"), "{comment}");
    }

    #[test]
    fn what_is_wrong_with_one_run_or_with_the_series_does_not_pass() {
        let results = runs(|n, record| {
            if n == 1 {
                damaged(record);
            }
        });
        let [junit, comment] = said(&results[..2], false);
        let of_run = "<error message=\"the histogram service of grant-lane is damaged (";
        assert!(junit.contains("2 of 3 runs were made") && junit.contains(of_run), "{junit}");
        assert_eq!(junit.matches("<error ").count(), 2, "{junit}");
        assert!(comment.starts_with("## reclaim-bench lane-ab, 2 of 3 runs: invalid run"), "{comment}");
    }
}
