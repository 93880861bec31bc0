//! The page of several runs of one scenario: one estimate, and every run behind it.

use maud::{Markup, html};

use super::parts::{Answer, Belief, blocks, figure, of_several, ratio_figure};
use super::shell::{Body, Section};
use crate::judge::{
    CONTROLLED, Gate, MIN_RUNS, Repeated, RepeatedComparison, SeriesTrust, Undecided, Verdict,
};
use crate::report::chart::{Chart, Forest, ForestRow, Tone};
use crate::report::format::difference_within;
use crate::report::levels_repeated::levels;
use crate::report::remarks_repeated::remarks;
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
    sections.push(Section::in_words(blocks(&report)));
    Body {
        title: format!("{scenario}, {}", said::runs(repeated)),
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
            Verdict::Regression | Verdict::Improvement => {
                let than = words::than(first.verdict, first.metric);
                let tone = if first.verdict == Verdict::Regression { "bad" } else { "good" };
                (format!("{candidate} {than} {baseline}"), tone)
            }
            Verdict::NoChange => (format!("{candidate} and {baseline} do not differ"), ""),
            Verdict::Inconclusive => (untold(repeated, first), ""),
        };
        let title = format!("{} over {} runs", first.metric.row().title, in_estimate(first));
        figure = first.ratio.map(|ratio| ratio_figure(&title, &ratio, "/comparisons/0/ratio"));
    }
    let simulated = said::simulated_network(repeated);
    let details =
        rest(repeated).into_iter().chain(said::savings(repeated)).chain(levels(repeated)).chain(simulated);
    Answer {
        sentence,
        figure,
        tone,
        details: details.map(|said| html! { p { (said) } }).collect(),
        belief: belief(repeated, gate),
    }
}

/// Runs that an estimate is made of.
fn in_estimate(one: &RepeatedComparison) -> usize {
    one.per_run.iter().flatten().count()
}

/// What there is beside the candidate that the sentence names; nothing where it is the only one.
fn rest(repeated: &Repeated) -> Option<String> {
    let first = repeated.comparisons.first()?;
    let by_first_metric = repeated.comparisons.iter().filter(|one| one.metric == first.metric);
    let verdicts: Vec<Verdict> = by_first_metric.map(|one| one.verdict).collect();
    (verdicts.len() > 1).then(|| of_several(&first.baseline, first.metric, &verdicts))
}

/// Whether to believe it, and why.
fn belief(repeated: &Repeated, gate: &Gate) -> Belief {
    let mut reasons: Vec<Markup> = said::unused(repeated).iter().map(|said| html! { (said) }).collect();
    if let Some(error) = &repeated.ended_by {
        reasons.push(html! { "The series was ended by an error: " (error) });
    }
    reasons.extend(said::control(repeated).map(|control| html! { (control) }));
    reasons.extend(said::beside_others(repeated).map(|said| html! { (said) }));
    let remarks = remarks(repeated).len();
    if remarks > 0 {
        reasons
            .push(html! { (remarks) @if remarks == 1 { " thing" } @else { " things" } " to keep in mind." });
    }
    let trust = repeated.trust(gate.conclusion);
    let headline = match trust {
        SeriesTrust::Invalid => "Do not use these figures.",
        SeriesTrust::ControlFailed => "Do not draw a conclusion: the control over all runs failed.",
        SeriesTrust::Noted => "Usable, with something to keep in mind.",
        SeriesTrust::Undecided => "These figures hold, and they decide nothing.",
        SeriesTrust::Sound => {
            "You can believe this: all runs are valid, and the interval holds what differs between them."
        }
    };
    Belief { level: trust.level(), headline: headline.into(), reasons }
}

/// That a comparison over all runs says nothing, and why.
fn untold(repeated: &Repeated, one: &RepeatedComparison) -> String {
    let RepeatedComparison { candidate, baseline, .. } = one;
    let undecided = repeated.undecided(one);
    if let Some(Undecided::TooFew(_)) = undecided {
        return format!("{candidate} against {baseline} is not judged: that takes {MIN_RUNS} valid runs");
    }
    words::with_why(&format!("These runs cannot tell {candidate} from {baseline}"), undecided.as_ref())
}

fn forest(repeated: &Repeated, one: &RepeatedComparison) -> Chart {
    // By the numbers that the list of runs gives them.
    let mut rows: Vec<ForestRow> = repeated
        .used()
        .zip(&one.per_run)
        .map(|(n, ratio)| ForestRow { control: true, ..ForestRow::new(format!("run {n}"), *ratio) })
        .collect();
    let tone = match one.verdict {
        Verdict::Regression => Tone::Bad,
        Verdict::Improvement => Tone::Good,
        Verdict::NoChange | Verdict::Inconclusive => Tone::Level,
    };
    let verdict = words::verdict_of(one.verdict, one.metric);
    let figures = words::difference_or_why(one.ratio.as_ref(), one.too_few.as_ref());
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
        description: format!("{} runs; over all of them {figures}, {verdict}.", in_estimate(one)),
        plot: Box::new(Forest { rows, band: repeated.noise_threshold, sides: ["less", "more"] }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::fixtures::{self, GRANT_LANE, HGET_LANE, SimulatedArm, TWIN};
    use crate::judge::spoilt_fixture::{aborted, control_fails, damaged, held_to, interrupted};
    use crate::judge::{GatePolicy, RunResult, Trust, analyse, gate_repeated, repeat};
    use crate::record::{RunRecord, Warning};
    use crate::scenario::Metric;

    const ARMS: [SimulatedArm; 2] = [GRANT_LANE, HGET_LANE];

    /// So many runs, to the record of each of which something was done before it was judged, by its number from 0.
    fn runs_but(runs: usize, change: impl Fn(usize, &mut RunRecord)) -> Vec<RunResult> {
        let run = |n: usize| {
            let mut record = fixtures::record(&ARMS, n as u64);
            change(n, &mut record);
            analyse(record).unwrap()
        };
        (0..runs).map(run).collect()
    }

    /// All of these runs, and what their scenario's gate says of them.
    fn concluded(results: &[RunResult]) -> (Repeated, Gate) {
        let repeated = repeat(results, results.len() as u64);
        let policy = GatePolicy::from_scenario(&results[0].record.scenario);
        let gate = gate_repeated(results, &repeated, &policy);
        (repeated, gate)
    }

    /// What stands below the answer.
    fn details(results: &[RunResult]) -> String {
        let (repeated, gate) = concluded(results);
        answer(&repeated, &gate).details.into_iter().map(Markup::into_string).collect()
    }

    /// How far a series of four is believed, its headline and its reasons.
    fn believed(change: impl Fn(usize, &mut RunRecord)) -> (Trust, String, String) {
        let (repeated, gate) = concluded(&runs_but(4, change));
        let Belief { level, headline, reasons } = belief(&repeated, &gate);
        let reasons: Vec<String> = reasons.into_iter().map(Markup::into_string).collect();
        (level, headline, reasons.join("\n"))
    }

    /// As the page of the run that warns does.
    #[test]
    fn a_series_is_believed_no_more_than_what_its_runs_warn_of_allows() {
        let (level, headline, reasons) = believed(|_, _| ());
        assert!(level == Trust::Yes && headline.contains("all runs are valid"), "{headline}");
        assert!(!reasons.contains("keep in mind"), "{reasons}");
        // Of a machine that generator and servers share, differences are what they are.
        let shared = believed(|_, record| record.warnings.push(Warning::SharedMachine { cores: 2 }));
        assert!(shared.0 == Trust::Yes && shared.2.contains("1 thing to keep in mind."), "{}", shared.2);
        let (level, headline, reasons) = believed(|n, record| {
            if n == 2 {
                record.warnings.push(Warning::NoRealTime);
            }
        });
        assert!(level == Trust::Careful && reasons.contains("1 thing to keep in mind."), "{reasons}");
        assert_eq!(headline, "Usable, with something to keep in mind.");
    }

    #[test]
    fn a_run_that_was_ended_early_is_counted_among_those_that_are_left_out() {
        let (level, headline, reasons) = believed(|n, record| {
            if n == 3 {
                aborted(record);
            }
        });
        assert!(level == Trust::Careful && !headline.contains("all runs are valid"), "{headline}");
        assert!(reasons.contains("1 of 4 runs is left out: 1 ended early."), "{reasons}");
        let (level, _, reasons) = believed(|n, record| match n {
            0 => damaged(record),
            1 => interrupted(record),
            _ => (),
        });
        assert!(level == Trust::No, "no answer");
        assert!(reasons.contains("2 of 4 runs are left out: 1 invalid, 1 ended early."), "{reasons}");
    }

    /// What a series of so many runs answers that compare these metrics.
    fn answered(
        runs: usize,
        metrics: &[Metric],
        change: impl Fn(usize, &mut RunRecord),
    ) -> (String, Repeated) {
        let (repeated, gate) = concluded(&runs_but(runs, |n, record| {
            change(n, record);
            let compare = record.scenario.compare.as_mut().unwrap();
            compare.metrics = metrics.iter().map(|metric| metric.name().to_owned()).collect();
        }));
        (answer(&repeated, &gate).sentence, repeated)
    }

    /// As the page of a run does.
    #[test]
    fn the_answer_names_the_service_level_and_in_how_many_runs_it_was_missed() {
        assert!(!details(&runs_but(3, |_, _| ())).contains("Service level"), "none was asked for");
        let said = details(&runs_but(3, |_, record| held_to(record, Duration::from_micros(1))));
        assert!(
            said.contains("Service level, ") && said.contains("grant-lane (MISSED in 3 of 3 runs)"),
            "{said}"
        );
    }

    #[test]
    fn runs_are_numbered_as_in_their_list_and_counted_where_an_estimate_uses_them() {
        let shown = |results: &[RunResult]| {
            let (repeated, gate) = concluded(results);
            let (_, small) = answer(&repeated, &gate).figure.unwrap();
            let forest = forest(&repeated, &repeated.comparisons[0]);
            (small.into_string(), forest.both_widths().into_string(), forest.description)
        };
        let (small, drawn, described) = shown(&runs_but(5, |_, _| ()));
        assert!(small.contains(" over 5 runs") && described.starts_with("5 runs;"), "{small} {described}");
        assert!(drawn.contains(">run 2<") && drawn.contains(">run 5<"), "{drawn}");
        // Too little of the fourth is there for an estimate.
        let some = runs_but(5, |n, record| match n {
            1 => damaged(record),
            3 => record.strata.truncate(4),
            _ => (),
        });
        let (small, drawn, described) = shown(&some);
        assert!(small.contains(" over 3 runs") && described.starts_with("3 runs;"), "{small} {described}");
        assert!(!drawn.contains(">run 2<") && drawn.contains(">run 5<"), "{drawn}");
    }

    /// As the page of a run does.
    #[test]
    fn a_series_of_several_candidates_says_how_many_of_them_there_are() {
        let arms = [GRANT_LANE, HGET_LANE, TWIN];
        let of_two = details(&runs_but(3, |n, record| *record = fixtures::record(&arms, n as u64)));
        assert!(of_two.contains("Of 2 candidates against grant-lane, by service time, median: "), "{of_two}");
        assert!(of_two.contains("1 worse"), "{of_two}");
        assert!(!details(&runs_but(3, |_, _| ())).contains(" candidates"));
    }

    #[test]
    fn what_costs_more_is_not_more() {
        let by = |metric| answered(4, &[metric], |_, _| ()).0;
        assert_eq!(by(Metric::ServerCpu), "hget-lane costs more than grant-lane");
        assert_eq!(by(Metric::ServiceP50), "hget-lane is slower than grant-lane");
    }

    #[test]
    fn a_series_that_cannot_tell_says_why() {
        let cannot = "These runs cannot tell hget-lane from grant-lane";
        // Surely more than noise by the median alone, but something else was asked as well: CPU, which goes up
        // and down.
        let apart = |n: usize, record: &mut RunRecord| {
            let (slower, cpu_us) = ([1.2, 1.5, 1.9, 2.4][n], [66.0, 54.0][n % 2]);
            *record = fixtures::record(&[GRANT_LANE, SimulatedArm { slower, cpu_us, ..HGET_LANE }], n as u64);
        };
        let (said, repeated) = answered(4, &[Metric::ServiceP50, Metric::ServerCpu], apart);
        let p_value = repeated.comparisons[0].p_value.unwrap();
        assert!(p_value > 0.05, "{p_value}");
        assert_eq!(said, format!("{cannot}: may be chance, p = {p_value:.3}"));
        let (alone, _) = answered(4, &[Metric::ServiceP50], apart);
        assert_eq!(alone, "hget-lane is slower than grant-lane");
        let (failed, repeated) = answered(4, &[Metric::ServiceP50], |_, record| control_fails(record));
        assert!(repeated.comparisons[0].p_value.unwrap() < 0.001, "{:?}", repeated.comparisons[0]);
        assert_eq!(failed, format!("{cannot}: the control failed"));
        let (two, _) = answered(2, &[Metric::ServiceP50], |_, _| ());
        assert_eq!(two, "hget-lane against grant-lane is not judged: that takes 3 valid runs");
    }
}
