//! Two stored results, one against the other.

use maud::{Markup, html};

use super::parts::{
    Answer, Belief, ONE_AFTER_THE_OTHER, UNKNOWN_WHETHER_WORSE, changed, figure, figures, list, ratio_figure,
    table, value, words as word_column,
};
use crate::judge::{
    Conclusion, StoredComparison, StoredFailures, StoredHeadline, StoredMetric, StoredPair, StoredVerdict,
    Trust,
};
use crate::report::chart::{Chart, Forest, ForestRow, Tone};
use crate::report::format::{apart, difference, figure as number, per_claim, signed};
use crate::report::{own_arms, words};
use crate::stats::Estimate;

/// What stands above the two runs.
pub(super) fn overview(compared: &StoredComparison) -> Markup {
    let rows: Vec<ForestRow> = compared.metrics.iter().map(row).collect();
    let described = rows.iter().map(|row| format!("{}: {} {}", row.label, row.figures, row.verdict));
    let chart = Chart {
        title: "Candidate less base, metric by metric".into(),
        description: described.collect::<Vec<_>>().join("; "),
        plot: Box::new(Forest { rows, band: None, sides: ["less", "more"] }),
    };
    html! {
        (answer(compared).markup())
        (figure(&chart, &metrics(compared)))
        @if !compared.exact.is_empty() { (exact(compared)) }
        p { (compared.exact_equal) " counts per claim are equal in both." }
        @if !compared.failures.is_empty() { (failures(compared)) }
        @if !compared.own_arms.is_empty() { (of_own_arms(&compared.own_arms)) }
    }
}

/// In what the candidate is worse, or cannot be told to be, and the figure of it.
fn in_what(headline: StoredHeadline<'_>) -> (String, Option<(Markup, Markup)>) {
    match headline {
        StoredHeadline::Metric(n, metric) => {
            let title = metric.metric.row().title;
            let path = format!("/metrics/{n}/ratio");
            let figure = metric.ratio.map(|ratio| ratio_figure(title, &ratio, &path));
            (format!("{} of {}", words::metric_label(metric.metric), metric.variant), figure)
        }
        StoredHeadline::Failures(failures) => {
            let [base, candidate] = words::failures(failures);
            (format!("claims of {} without a lease, {base} → {candidate}", failures.variant), None)
        }
        StoredHeadline::Exact(exact) => {
            let [base, candidate] = apart([exact.base_value, exact.candidate_value], per_claim);
            (format!("{} of {}, {base} → {candidate} per claim", exact.metric, exact.variant), None)
        }
    }
}

fn answer(compared: &StoredComparison) -> Answer {
    let (sentence, tone) = match compared.conclusion {
        Conclusion::Pass => ("The candidate is not worse than the base", "good"),
        Conclusion::Regression => ("The candidate is worse than the base", "bad"),
        Conclusion::Inconclusive => (UNKNOWN_WHETHER_WORSE, ""),
        Conclusion::Invalid => ("No answer: a result is invalid", "bad"),
    };
    let side = |name: &str, run: &crate::judge::RunLabel| {
        format!("{name}: {} of {}, tool {}, library {}", run.scenario, run.started, run.commit, run.library)
    };
    let sides = vec![side("base", &compared.base), side("candidate", &compared.candidate)];
    let mut reasons = vec![html! { (ONE_AFTER_THE_OTHER) }];
    reasons.extend(compared.differences.iter().map(|difference| html! { (difference) "." }));
    let level = compared.trust();
    let headline = match level {
        Trust::Yes => "Both runs measured the same, with coarse thresholds.",
        Trust::Careful => "To be read with care.",
        Trust::No => "Do not use these figures.",
    };
    reasons.extend(compared.metrics.iter().filter_map(|metric| {
        let why = why(metric)?;
        Some(html! { (metric.metric.row().title) " of " (metric.variant) " is inconclusive: " (why) "." })
    }));
    let (sentence, figure) = match compared.headline().map(in_what) {
        Some((what, figure)) => (format!("{sentence}: {what}"), figure),
        None => (sentence.to_owned(), None),
    };
    Answer {
        sentence,
        figure,
        tone,
        details: vec![list(&sides)],
        belief: Belief { level, headline: headline.into(), reasons },
    }
}

/// Why a metric is inconclusive; `None` where it is not.
fn why(metric: &StoredMetric) -> Option<String> {
    metric.undecided().as_ref().and_then(words::undecided_by)
}

fn verdict(verdict: StoredVerdict) -> (&'static str, Tone) {
    match verdict {
        StoredVerdict::Fail => ("FAIL", Tone::Bad),
        StoredVerdict::Warn => ("warning", Tone::Nth(1)),
        StoredVerdict::Inconclusive => ("inconclusive", Tone::Neutral),
        StoredVerdict::Pass => ("pass", Tone::Good),
        StoredVerdict::NotJudged => ("not judged", Tone::Neutral),
    }
}

fn row(metric: &StoredMetric) -> ForestRow {
    let (word, tone) = verdict(metric.verdict);
    ForestRow {
        verdict: word.into(),
        tone,
        control: metric.verdict == StoredVerdict::NotJudged,
        ..ForestRow::new(format!("{}, {}", metric.variant, words::metric_label(metric.metric)), metric.ratio)
    }
}

fn metrics(compared: &StoredComparison) -> Markup {
    let rows: Vec<Vec<Markup>> = compared
        .metrics
        .iter()
        .enumerate()
        .map(|(n, metric)| {
            let at = |key: &str| format!("/metrics/{n}/{key}");
            let shown = |of: Option<f64>, key: &str| {
                of.map_or_else(|| html! { "-" }, |of| value(&number(of), of, &at(key)))
            };
            vec![
                html! { (metric.variant) },
                html! { (words::metric_label(metric.metric)) },
                shown(metric.base_value, "base_value"),
                shown(metric.candidate_value, "candidate_value"),
                metric.ratio.map_or_else(
                    || html! { (words::difference_or_why(None, metric.too_few.as_ref())) },
                    |ratio| value(&difference(ratio.estimate), ratio.estimate, &at("ratio/estimate")),
                ),
                html! { (verdict(metric.verdict).0) @if let Some(why) = why(metric) { ": " (why) } },
            ]
        })
        .collect();
    let columns = [
        word_column("variant"),
        word_column("metric"),
        figures("base"),
        figures("candidate"),
        figures("difference"),
        word_column("verdict"),
    ];
    table("Metric by metric", &columns, &rows)
}

fn failures(compared: &StoredComparison) -> Markup {
    let row = |one: &StoredFailures| {
        let [base, candidate] = words::failures(one);
        vec![
            html! { (one.variant) },
            html! { (base) },
            html! { (candidate) },
            html! { (verdict(one.verdict).0) },
        ]
    };
    let rows: Vec<Vec<Markup>> = compared.failures.iter().map(row).collect();
    let columns = [word_column("variant"), figures("base"), figures("candidate"), word_column("verdict")];
    table(words::NOT_SUCCESSFUL, &columns, &rows)
}

/// What each result says of two arms that both have compared.
fn of_own_arms(pairs: &[StoredPair]) -> Markup {
    let side = |of: Option<Estimate>, at: &str| {
        let Some(of) = of else { return html! { "-" } };
        let shown = |text: String, of: f64, key: &str| value(&text, of, &format!("{at}/{key}"));
        html! {
            (shown(signed(of.estimate), of.estimate, "estimate"))
            " [" (shown(number(of.low), of.low, "low")) ", " (shown(number(of.high), of.high, "high")) "]"
        }
    };
    let row = |(n, pair): (usize, &StoredPair)| {
        vec![
            html! { (pair.pair()) },
            html! { (words::unit(pair.metric.row().unit)) },
            side(pair.in_base, &format!("/own_arms/{n}/in_base")),
            side(pair.in_candidate, &format!("/own_arms/{n}/in_candidate")),
            html! { (own_arms::agreement(pair)) },
        ]
    };
    let rows: Vec<Vec<Markup>> = pairs.iter().enumerate().map(row).collect();
    let columns = [
        word_column("arms"),
        word_column("in"),
        figures("base"),
        figures("candidate"),
        word_column("the two"),
    ];
    html! { (table(own_arms::HEADING, &columns, &rows)) p { (own_arms::reading(pairs)) } }
}

fn exact(compared: &StoredComparison) -> Markup {
    let rows: Vec<Vec<Markup>> = compared
        .exact
        .iter()
        .map(|one| {
            let more = one.candidate_value > one.base_value;
            let [value, base] = apart([one.candidate_value, one.base_value], per_claim);
            vec![
                html! { (one.variant) },
                html! { (one.metric.to_string()) },
                html! { (base) },
                changed(more, &html! { (value) }),
                html! { (verdict(one.verdict).0) },
            ]
        })
        .collect();
    let columns = [
        word_column("variant"),
        word_column("count"),
        figures("base"),
        figures("candidate"),
        word_column("verdict"),
    ];
    table("Counts per claim that changed", &columns, &rows)
}
