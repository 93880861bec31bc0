//! The page of several runs of one scenario: one estimate, and every run behind it.

use maud::{Markup, html};

use super::parts::{Answer, Belief, Trust, blocks, figure, ratio_figure};
use super::shell::{Body, Section};
use crate::judge::{CONTROLLED, Conclusion, Gate, MIN_RUNS, Repeated, RepeatedComparison, Verdict};
use crate::report::chart::{Chart, Forest, ForestRow, Tone};
use crate::report::format::difference_within;
use crate::report::{series as said, words};

pub(super) fn body(scenario: &str, repeated: &Repeated, gate: &Gate) -> Body {
    let report = said::repeated(scenario, repeated, gate);
    let mut sections: Vec<Section> = Vec::new();
    if !repeated.comparisons.is_empty() {
        let charts = repeated.comparisons.iter().enumerate().map(|(n, one)| {
            let behind = if n == 0 {
                blocks(&report)
            } else {
                html! { p { "In the table at the first of these charts." } }
            };
            figure(&forest(repeated, one), &behind)
        });
        let body = html! { @for chart in charts { (chart) } };
        sections.push(Section { id: "differences", title: "Run by run, and over all of them".into(), body });
    }
    sections.push(Section {
        id: "report",
        title: "Everything in words and tables".into(),
        body: blocks(&report),
    });
    Body {
        title: format!("{scenario}, {} runs", repeated.attempts.len()),
        kind: match repeated.attempts.as_slice() {
            [first, .., last] => format!("series of runs from {} to {}", first.started, last.started),
            _ => "series of runs".into(),
        },
        answer: answer(repeated, gate),
        sections,
    }
}

fn answer(repeated: &Repeated, gate: &Gate) -> Answer {
    let (mut sentence, mut tone, mut figure) = ("Nothing was compared".to_owned(), "", None);
    if let Some(first) = repeated.comparisons.first() {
        let RepeatedComparison { candidate, baseline, .. } = first;
        (sentence, tone) = match first.verdict {
            Verdict::Regression => (format!("{candidate} is {} than {baseline}", word(first)), "bad"),
            Verdict::Improvement => (format!("{candidate} is {} than {baseline}", word(first)), "good"),
            Verdict::NoChange => (format!("{candidate} and {baseline} do not differ"), ""),
            Verdict::Inconclusive if first.too_few.is_some() => (
                format!("{candidate} against {baseline} is not judged: that takes {MIN_RUNS} valid runs"),
                "",
            ),
            Verdict::Inconclusive => {
                let word = said::verdict_over_runs(first, repeated.noise_threshold);
                let why = word.split_once(": ").map(|(_, why)| format!(": {why}")).unwrap_or_default();
                (format!("These runs cannot tell {candidate} from {baseline}{why}"), "")
            }
        };
        let title = format!("{} over {} runs", first.metric.row().title, repeated.attempts.len());
        figure = first.ratio.map(|ratio| ratio_figure(&title, &ratio, "/comparisons/0/ratio"));
    }
    let invalid = repeated.attempts.iter().filter(|attempt| !attempt.valid).count();
    let mut reasons: Vec<Markup> = Vec::new();
    if invalid > 0 {
        reasons.push(html! { (invalid) " of " (repeated.attempts.len()) " runs are invalid and left out." });
    }
    if let Some(error) = &repeated.ended_by {
        reasons.push(html! { "The series was ended by an error: " (error) });
    }
    reasons.extend(said::control(repeated).map(|control| html! { (control) }));
    let beside_others = said::beside_others(repeated);
    reasons.extend(beside_others.as_ref().map(|said| html! { (said) }));
    let undecided = repeated.comparisons.first().is_some_and(|first| first.verdict == Verdict::Inconclusive);
    let (level, headline) = match gate.conclusion {
        Conclusion::Invalid => (Trust::No, "Do not use these figures."),
        _ if !repeated.control_passed => {
            (Trust::No, "Do not draw a conclusion: the control over all runs failed.")
        }
        _ if invalid > 0 || repeated.control.is_none() || (beside_others.is_some() && !undecided) => {
            (Trust::Careful, "Usable, with something to keep in mind.")
        }
        _ if undecided => (Trust::Careful, "These figures hold, and they decide nothing."),
        _ => (
            Trust::Yes,
            "You can believe this: all runs are valid, and the interval holds what differs between them.",
        ),
    };
    Answer {
        sentence,
        figure,
        tone,
        details: said::savings(repeated).into_iter().map(|saving| html! { p { (saving) } }).collect(),
        belief: Belief { level, headline: headline.into(), reasons },
    }
}

fn word(one: &RepeatedComparison) -> &'static str {
    words::verdict_of(one.verdict, one.metric)
}

fn forest(repeated: &Repeated, one: &RepeatedComparison) -> Chart {
    let mut rows: Vec<ForestRow> = one
        .per_run
        .iter()
        .enumerate()
        .map(|(n, ratio)| ForestRow {
            control: true,
            ..ForestRow::new(format!("valid run {}", n + 1), *ratio)
        })
        .collect();
    let tone = match one.verdict {
        Verdict::Regression => Tone::Bad,
        Verdict::Improvement => Tone::Good,
        Verdict::NoChange | Verdict::Inconclusive => Tone::Level,
    };
    let verdict = match one.verdict {
        Verdict::NoChange => "no change",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Regression | Verdict::Improvement => word(one),
    };
    let figures = match (&one.ratio, &one.too_few) {
        (Some(ratio), _) => difference_within(ratio),
        (None, reason) => reason.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    rows.push(ForestRow {
        figures: figures.clone(),
        verdict: verdict.into(),
        tone,
        ..ForestRow::new("over all runs".to_owned(), one.ratio)
    });
    if let Some(control) = repeated.control.filter(|_| one.metric == CONTROLLED) {
        rows.push(ForestRow {
            control: true,
            figures: difference_within(&control),
            verdict: if repeated.control_passed { "passed" } else { "FAILED" }.into(),
            ..ForestRow::new("control: baseline, itself".to_owned(), Some(control))
        });
    }
    Chart {
        title: format!("{} against {}, {}", one.candidate, one.baseline, one.metric.row().title),
        description: format!("{} runs; over all of them {figures}, {verdict}.", one.per_run.len()),
        plot: Box::new(Forest { rows, band: repeated.noise_threshold, sides: ["less", "more"] }),
    }
}
