//! The answer of a run in one sentence, and whether to believe it.

use maud::{Markup, html};

use super::super::parts::{Answer, Belief, of_several, ratio_figure, value};
use super::latency::medians;
use crate::judge::{Comparison, Control, RunResult, RunTrust, Verdict};
use crate::report::format::{count, difference, share, time_us};
use crate::report::{faults, findings, run_report, servers, words};

/// What a reader of ten seconds takes with them.
pub(super) fn answer(result: &RunResult) -> Answer {
    let mut answer = said(result);
    if result.valid {
        let savings = [run_report::savings(result), run_report::next_run(result)].concat();
        answer.details.extend((!savings.is_empty()).then(|| super::blocks(&savings)));
    }
    answer.details.extend(servers::head(&result.record).map(|block| super::blocks(&[block])));
    answer.details.extend(run_report::simulated_network(&result.record).map(|block| super::blocks(&[block])));
    answer.details.extend(run_report::service_level(result).map(|block| super::blocks(&[block])));
    answer.details.extend(faults::level(result).map(|block| super::blocks(&[block])));
    answer
}

fn said(result: &RunResult) -> Answer {
    let belief = belief(result);
    if !result.valid {
        let sentence = "No answer: this run is invalid, do not use its figures.".to_owned();
        return Answer { sentence, figure: None, tone: "bad", details: Vec::new(), belief };
    }
    let details = medians(result).into_iter().collect();
    if result.is_vetoed() {
        let sentence =
            "No verdict: the baseline differs from itself, or is too noisy to judge by.".to_owned();
        return Answer { sentence, figure: None, tone: "", details, belief };
    }
    if let Some(state) = words::not_usable(result.state()).filter(|_| result.headline().is_some()) {
        let sentence = format!("No verdict: this run is {state}");
        return Answer { sentence, figure: None, tone: "", details, belief };
    }
    let Some((place, named)) = result.headline() else {
        return Answer { sentence: run_report::uncompared(result), figure: None, tone: "", details, belief };
    };
    let mut answer = pair(named, place, details, belief);
    let verdicts: Vec<Verdict> = result.by_first_metric().iter().map(|(_, one)| one.verdict).collect();
    if verdicts.len() > 1 {
        let all = of_several(&named.baseline, named.metric, &verdicts);
        answer.details.insert(0, html! { p { (all) } });
    }
    answer
}

fn pair(comparison: &Comparison, place: usize, mut details: Vec<Markup>, belief: Belief) -> Answer {
    let Comparison { baseline, candidate, .. } = comparison;
    let (sentence, tone) = match comparison.verdict {
        Verdict::NoChange => (format!("{candidate} and {baseline} do not differ"), ""),
        Verdict::Inconclusive => (format!("This run cannot tell {candidate} from {baseline}"), ""),
        Verdict::Regression | Verdict::Improvement => {
            let than = words::than(comparison.verdict, comparison.metric);
            let tone = if comparison.verdict == Verdict::Regression { "bad" } else { "good" };
            (format!("{candidate} {than} {baseline}"), tone)
        }
    };
    if let Some(reason) = &comparison.too_few {
        details.insert(
            0,
            html! { p { (comparison.metric.row().title) " cannot be judged: " (reason.to_string()) "." } },
        );
    }
    let title = comparison.metric.row().title;
    let figure =
        comparison.ratio.map(|ratio| ratio_figure(title, &ratio, &format!("/comparisons/{place}/ratio")));
    Answer { sentence, figure, tone, details, belief }
}

fn belief(result: &RunResult) -> Belief {
    let trust = result.trust();
    let reasons = if trust == RunTrust::Invalid {
        result.invalid_reasons.iter().map(|reason| html! { (words::invalid_reason(reason)) }).collect()
    } else {
        reasons(result)
    };
    Belief { level: trust.level(), headline: headline(trust).into(), reasons }
}

fn headline(trust: RunTrust) -> &'static str {
    match trust {
        RunTrust::Invalid => "Do not believe any figure on this page. Why:",
        RunTrust::ControlFailed => "Do not draw a conclusion from this run.",
        RunTrust::Aborted => "Incomplete: the run was ended, for it missed its service level.",
        RunTrust::Interrupted => "Incomplete: the run was interrupted.",
        RunTrust::NotReadBack => "Valid as far as it was checked.",
        RunTrust::Undecided => "Every check passed, but this run is too small or too noisy to tell.",
        RunTrust::OfDifference => "You can believe that there is a difference: every check passed.",
        RunTrust::Warned => "Valid: every check passed, with something to keep in mind.",
        RunTrust::Sound => "You can believe this: every check passed.",
    }
}

/// What a valid run's checks say for it and against it.
fn reasons(result: &RunResult) -> Vec<Markup> {
    let mut reasons = Vec::new();
    if let Some(aborted) = &result.record.aborted {
        reasons.push(html! { "It missed its service level: " (findings::aborted(aborted)) "." });
    } else if result.record.partial {
        reasons.push(html! { "It was interrupted: all that is here was measured before that." });
    }
    if let Some(control) = &result.control {
        let itself = control.ratio.as_ref().map(|ratio| {
            html! { " (" (value(&difference(ratio.estimate), ratio.estimate, "/control/ratio/estimate")) ", should be 0)" }
        });
        reasons.push(match findings::failed_control(control) {
            None => html! { "The control passed: the baseline against itself shows no difference" (itself.unwrap_or_default()) "." },
            Some(reason) => html! {
                "The control failed: " (reason) (itself.unwrap_or_default()) "."
            },
        });
    }
    let audit = &result.record.audit;
    reasons.push(if audit.executions_checked == 0 {
        html! { "The executions were not read back: whether each was claimed exactly once is not known." }
    } else {
        html! {
            (count(audit.executions_checked)) " executions were read back: "
            @if audit.lost_by_server > 0 { "but for " (count(audit.lost_by_server)) " that servers lost, " }
            "each was claimed as often as it should be."
        }
    });
    reasons.extend(gaps(result));
    let warnings = result.warnings.len();
    if warnings > 0 {
        // No link: among several results on a page, parts of one have no names to link to.
        let things = if warnings == 1 { " thing" } else { " things" };
        reasons.push(html! { (warnings) (things) " to keep in mind." });
    }
    let passed = result.control.as_ref().filter(|control| control.passed);
    let told = result.headline().is_some();
    reasons.extend(passed.filter(|_| told).and_then(|control| resolution(result, control)));
    reasons
}

/// How small a difference a run of this size can tell, so that nobody takes its verdict for more than it is.
fn resolution(result: &RunResult, control: &Control) -> Option<Markup> {
    let threshold = result.record.scenario.compare.as_ref()?.noise_threshold;
    let ratio = control.ratio?;
    Some(html! {
        "Only differences of more than " (share(threshold)) " count: this run knows the baseline against itself to between "
        (value(&difference(ratio.low), ratio.low, "/control/ratio/low")) " and "
        (value(&difference(ratio.high), ratio.high, "/control/ratio/high"))
        " (" (share(ratio.confidence)) " interval)."
        @if result.headline().is_none_or(|(_, one)| one.with_runs_before.is_none()) {
            " How far another run would be from its figures, it cannot say: " code { "--repeat" } " can."
        }
    })
}

/// What the figures leave out: the network between machines, where one is simulated.
fn gaps(result: &RunResult) -> Option<Markup> {
    let added = result.record.added_rtt.as_ref()?;
    Some(html! { "The network is simulated: every reply was held back for " (time_us(added.asked_us)) "." })
}
