//! What several runs say, each by itself and those of one scenario together, and whether to believe it.

use maud::{Markup, html};

use super::group::{Run, unusable};
use crate::judge::{self, Comparison, PairAgreement, RunResult, RunState, SideBySideTrust, Verdict};
use crate::report::format::{difference, difference_within};
use crate::report::page::parts::{Answer, Belief, list, value};
use crate::report::{findings, run_report, words};

/// Settings that are named where two runs of a scenario differ; more are counted.
const NAMED: usize = 6;

/// Candidates that are named in a line; more are counted.
const NAMED_CANDIDATES: usize = 3;

/// The answer above all of them.
pub(super) fn answer(results: &[&RunResult], groups: &[Vec<Run<'_>>]) -> Answer {
    let differing: Vec<String> = groups.iter().flat_map(|group| settings(group)).collect();
    let trust = SideBySideTrust::from_runs(results, groups.len() <= 1 && differing.is_empty());
    let none = trust == SideBySideTrust::NoneUsable;
    let sentence = match groups {
        _ if none => "No answer: none of these runs can be used".to_owned(),
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
    reasons.extend(differing.iter().map(|text| html! { (text) }));
    if groups.len() > 1 {
        reasons.push(html! { "Runs of different scenarios measured different things: hold figures against each other only within one of the parts below." });
    }
    reasons.push(html! { "A difference within a run has its control. From one run to the next the machine may have changed as well: " code { "reclaim-bench compare" } " judges two of them." });
    let headline = match trust {
        SideBySideTrust::NoneUsable => "Do not believe any figure on this page.".to_owned(),
        SideBySideTrust::SomeUsable { usable } => {
            format!("Of {} runs {usable} can be used.", results.len())
        }
        SideBySideTrust::Unlike => "Every run can be used, but they did not measure the same.".to_owned(),
        SideBySideTrust::Sound => "Every run is valid, and no control failed.".to_owned(),
    };
    Answer {
        sentence,
        figure: None,
        tone: if none { "bad" } else { "" },
        details: gates(results).as_deref().map(list).into_iter().chain([list(&each)]).collect(),
        belief: Belief { level: trust.level(), headline, reasons },
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
    match result.state() {
        RunState::Invalid => return format!("{name}: INVALID, do not use its figures"),
        RunState::Aborted | RunState::Interrupted => return format!("{name}: {}", unusable(result)),
        RunState::ControlFailed => return format!("{name}: no verdict, its control failed"),
        RunState::Judged => (),
    }
    let headline = by_first_metric(result);
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

/// Each candidate's comparison of the first metric.
fn by_first_metric(result: &RunResult) -> Vec<&Comparison> {
    result.by_first_metric().into_iter().map(|(_, one)| one).collect()
}

/// What the runs of one scenario say together.
fn agreement(group: &[Run<'_>]) -> String {
    let results: Vec<&RunResult> = group.iter().map(|(_, result)| *result).collect();
    let usable = results.iter().filter(|result| result.is_judged()).count();
    let name = group[0].1.record.label();
    let runs = if usable == group.len() {
        format!("{usable} runs of {name}")
    } else {
        format!("{usable} usable runs of {name}")
    };
    let Some(pair) = PairAgreement::from_runs(&results) else {
        return format!("{runs}, without a comparison in them");
    };
    let PairAgreement { candidate, baseline, metric, verdicts, other_candidates } = &pair;
    let others = match other_candidates {
        0 => String::new(),
        n => format!(" (and {n} other candidates, below)"),
    };
    let all = match verdicts.len() {
        1 if usable == 1 => "in it",
        n if n == usable => "in each",
        1 => "in the one that compares them",
        _ => "in each that compares them",
    };
    match pair.common() {
        Some(Verdict::NoChange) => format!("{runs}: {candidate} and {baseline} do not differ {all}{others}"),
        Some(Verdict::Inconclusive) => format!("{runs}: none can tell {candidate} from {baseline}{others}"),
        Some(change @ (Verdict::Regression | Verdict::Improvement)) => {
            let than = words::than(change, *metric);
            format!("{runs}: {candidate} {than} {baseline} {all}{others}")
        }
        None => {
            let each = counted(verdicts.iter().map(|verdict| words::verdict_of(*verdict, *metric)));
            format!("{runs} do not agree on {candidate} against {baseline}: {each}{others}")
        }
    }
}

/// Whether a run can be used, and why.
fn checked(n: usize, result: &RunResult) -> Markup {
    if !result.valid {
        let reasons: Vec<String> = result.invalid_reasons.iter().map(words::invalid_reason).collect();
        return html! { "Invalid: " (reasons.join(" ")) };
    }
    html! {
        (words::not_usable(result.state()).unwrap_or("valid"))
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
                .filter(|one| one.forbids && !one.what.is_unusable_result())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, TWIN, record, scenario};
    use crate::judge::server_fixture::server_duet;

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
    fn a_difference_of_a_variant_is_told_whatever_it_is_called_and_validity_is_said_elsewhere() {
        let of = |config: &str, valid: bool| {
            let mut result = judge::analyse(server_duet(&[GRANT_LANE, TWIN], 1)).unwrap();
            result.record.arms[1].name = "result".into();
            result.record.clusters[1].server.config.insert("appendonly".into(), config.into());
            result.valid = valid;
            result
        };
        let (base, other) = (of("yes", true), of("no", false));
        let [text] = &settings(&[(1, &base), (2, &other)])[..] else { panic!("one pair") };
        assert!(text.starts_with("1. and 2. did not measure the same: server of result "), "{text}");
        assert!(!text.contains("candidate result"), "{text}");
    }
}
