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
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
    use crate::judge::{GatePolicy, RunResult, Trust, analyse_as, gate_repeated, repeat};
    use crate::record::Aborted;
    use crate::record::Warning;
    use crate::scenario::{HumanDuration, Metric, SloSection};

    /// How far a series of four is believed, its headline and its reasons.
    fn believed(change: impl FnOnce(&mut Vec<RunResult>)) -> (Trust, String, String) {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut results: Vec<_> =
            (0..4).map(|seed| analyse_as(record(&arms, seed), &scenario(&arms))).collect();
        change(&mut results);
        let repeated = repeat(&results, 4);
        let gate =
            gate_repeated(&results, &repeated, &GatePolicy::from_scenario(&results[0].record.scenario));
        let Belief { level, headline, reasons } = belief(&repeated, &gate);
        let reasons: Vec<String> = reasons.into_iter().map(Markup::into_string).collect();
        (level, headline, reasons.join("\n"))
    }

    /// As the page of the run that warns does.
    #[test]
    fn a_series_is_believed_no_more_than_what_its_runs_warn_of_allows() {
        let (level, headline, reasons) = believed(|_| ());
        assert!(level == Trust::Yes && headline.contains("all runs are valid"), "{headline}");
        assert!(!reasons.contains("keep in mind"), "{reasons}");
        // Of a machine that generator and servers share, differences are what they are.
        let shared = believed(|results| {
            for run in results {
                run.warnings.push(Warning::SharedMachine { cores: 2 });
            }
        });
        assert!(shared.0 == Trust::Yes && shared.2.contains("1 thing to keep in mind."), "{}", shared.2);
        let (level, headline, reasons) = believed(|results| results[2].warnings.push(Warning::NoRealTime));
        assert!(level == Trust::Careful && reasons.contains("1 thing to keep in mind."), "{reasons}");
        assert_eq!(headline, "Usable, with something to keep in mind.");
    }

    #[test]
    fn a_run_that_was_ended_early_is_counted_among_those_that_are_left_out() {
        let aborted = Aborted { limit_us: 1e6, seconds: 5, after_s: 7.0 };
        let (level, headline, reasons) = believed(|results| {
            (results[3].record.partial, results[3].record.aborted) = (true, Some(aborted));
        });
        assert!(level == Trust::Careful && !headline.contains("all runs are valid"), "{headline}");
        assert!(reasons.contains("1 of 4 runs is left out: 1 ended early."), "{reasons}");
        let (level, _, reasons) = believed(|results| {
            results[0].valid = false;
            results[1].record.partial = true;
        });
        assert!(level == Trust::No, "no answer");
        assert!(reasons.contains("2 of 4 runs are left out: 1 invalid, 1 ended early."), "{reasons}");
    }

    /// What a series of so many runs answers, by this metric alone.
    fn answered(runs: u64, metric: Metric, change: impl FnOnce(&mut Repeated)) -> String {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut results: Vec<_> =
            (0..runs).map(|seed| analyse_as(record(&arms, seed), &scenario(&arms))).collect();
        for result in &mut results {
            result.comparisons.retain(|comparison| comparison.metric == metric);
        }
        let mut repeated = repeat(&results, runs);
        change(&mut repeated);
        let policy = GatePolicy::from_scenario(&results[0].record.scenario);
        answer(&repeated, &gate_repeated(&results, &repeated, &policy)).sentence
    }

    /// As the page of a run does.
    #[test]
    fn the_answer_names_the_service_level_and_in_how_many_runs_it_was_missed() {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut results: Vec<_> =
            (0..3).map(|seed| analyse_as(record(&arms, seed), &scenario(&arms))).collect();
        let details = |results: &[RunResult]| {
            let repeated = repeat(results, 3);
            let policy = GatePolicy::from_scenario(&results[0].record.scenario);
            let answer = answer(&repeated, &gate_repeated(results, &repeated, &policy));
            answer.details.into_iter().map(Markup::into_string).collect::<String>()
        };
        assert!(!details(&results).contains("Service level"), "none was asked for");
        for result in &mut results {
            let bound = Some(HumanDuration::from_millis(0));
            result.record.scenario.slo = Some(SloSection { response_p99: bound, ..SloSection::default() });
        }
        let said = details(&results);
        assert!(
            said.contains("Service level, ") && said.contains("grant-lane (MISSED in 3 of 3 runs)"),
            "{said}"
        );
    }

    #[test]
    fn runs_are_numbered_as_in_their_list_and_counted_where_an_estimate_uses_them() {
        let arms = [GRANT_LANE, HGET_LANE];
        let results: Vec<_> = (0..5).map(|seed| analyse_as(record(&arms, seed), &scenario(&arms))).collect();
        let shown = |results: &[RunResult]| {
            let repeated = repeat(results, 5);
            let policy = GatePolicy::from_scenario(&results[0].record.scenario);
            let (_, small) = answer(&repeated, &gate_repeated(results, &repeated, &policy)).figure.unwrap();
            let forest = forest(&repeated, &repeated.comparisons[0]);
            (small.into_string(), forest.both_widths().into_string(), forest.description)
        };
        let (small, drawn, described) = shown(&results);
        assert!(small.contains(" over 5 runs") && described.starts_with("5 runs;"), "{small} {described}");
        assert!(drawn.contains(">run 2<") && drawn.contains(">run 5<"), "{drawn}");
        let mut some = results.clone();
        some[1].valid = false;
        let first = some[3].comparisons[0].metric;
        some[3].comparisons.retain(|one| one.metric != first);
        let (small, drawn, described) = shown(&some);
        assert!(small.contains(" over 3 runs") && described.starts_with("3 runs;"), "{small} {described}");
        assert!(!drawn.contains(">run 2<") && drawn.contains(">run 5<"), "{drawn}");
    }

    /// As the page of a run does.
    #[test]
    fn a_series_of_several_candidates_says_how_many_of_them_there_are() {
        let details = |arms: &[SimulatedArm]| {
            let results: Vec<_> =
                (0..3).map(|seed| analyse_as(record(arms, seed), &scenario(arms))).collect();
            let repeated = repeat(&results, 3);
            let policy = GatePolicy::from_scenario(&results[0].record.scenario);
            let answer = answer(&repeated, &gate_repeated(&results, &repeated, &policy));
            answer.details.into_iter().map(Markup::into_string).collect::<String>()
        };
        let of_two = details(&[GRANT_LANE, HGET_LANE, TWIN]);
        assert!(of_two.contains("Of 2 candidates against grant-lane, by service time, median: "), "{of_two}");
        assert!(of_two.contains("1 worse"), "{of_two}");
        assert!(!details(&[GRANT_LANE, HGET_LANE]).contains(" candidates"));
    }

    #[test]
    fn what_costs_more_is_not_more() {
        let by = |metric| answered(4, metric, |_| ());
        assert_eq!(by(Metric::ServerCpu), "hget-lane costs more than grant-lane");
        assert_eq!(by(Metric::ServiceP50), "hget-lane is slower than grant-lane");
    }

    #[test]
    fn a_series_that_cannot_tell_says_why() {
        let undecided = |p_value: f64, control_passed: bool| {
            answered(4, Metric::ServiceP50, |repeated| {
                repeated.comparisons[0].verdict = Verdict::Inconclusive;
                repeated.comparisons[0].p_value = Some(p_value);
                repeated.control_passed = control_passed;
            })
        };
        let cannot = "These runs cannot tell hget-lane from grant-lane";
        assert_eq!(undecided(0.08, true), format!("{cannot}: may be chance, p = 0.080"));
        assert_eq!(undecided(0.0001, false), format!("{cannot}: the control failed"));
        let two = answered(2, Metric::ServiceP50, |_| ());
        assert_eq!(two, "hget-lane against grant-lane is not judged: that takes 3 valid runs");
    }
}
