//! The page of a history: each metric over its runs, where its level moved, and the commit of every point.

use maud::{Markup, html};

use super::parts::{Answer, Belief, blocks, figure, figures, table, value, words as word_column};
use super::shell::{Body, Section};
use crate::judge::{HistoryTrust, Trend, TrendChange, TrendPoint};
use crate::report::chart::{Axis, Chart, Layer, Look, Point, PointSeries, Scale, Tone, Xy};
use crate::report::format::{figure as number, round_number};
use crate::report::trend_words::{library, moved_by};
use crate::report::{series as said, words};

/// Sections can be jumped to as far as they have names; more metrics than this are on the page all the same.
const NAMES: [&str; 8] = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"];

pub(super) fn body(trends: &[Trend]) -> Body {
    let (named, others) = trends.split_at(trends.len().min(NAMES.len()));
    let mut sections: Vec<Section> = named
        .iter()
        .enumerate()
        .zip(NAMES)
        .map(|((n, trend), id)| Section { id, title: trend.metric.clone(), body: one(n, trend) })
        .collect();
    if !others.is_empty() {
        let rest = others.iter().enumerate();
        let body = html! { @for (n, trend) in rest { h3 { (trend.metric) } (one(NAMES.len() + n, trend)) } };
        sections.push(Section { id: "others", title: "More metrics".into(), body });
    }
    let scenario = trends.first().map_or("", |trend| trend.scenario.as_str());
    Body {
        title: format!("{scenario}: history"),
        kind: trends.first().map_or(String::new(), |trend| match trend.points.len() {
            1 => "1 run".to_owned(),
            runs => format!("{runs} runs"),
        }),
        answer: answer(trends),
        sections,
    }
}

fn answer(trends: &[Trend]) -> Answer {
    let last = |trend: &Trend| trend.changes.last().map(|change| moved(trend, change));
    let moves: Vec<String> = trends.iter().filter_map(last).collect();
    let trust = HistoryTrust::from_trends(trends);
    let sentence = match moves.len() {
        0 if trust == HistoryTrust::TooFewRuns => "Too few runs to say whether a level has moved".to_owned(),
        0 => "No level has moved".to_owned(),
        1 => "One metric has moved".to_owned(),
        n => format!("{n} metrics have moved"),
    };
    let runs = trends.iter().map(|trend| trend.points.len()).max().unwrap_or_default();
    let details = vec![html! { ul { @for one in &moves { li { (one) } } } }];
    let runs = if runs == 1 { "1 valid run".to_owned() } else { format!("{runs} valid runs") };
    let mut reasons = vec![html! { (runs) " of one scenario, of one machine, with the same settings." }];
    reasons.extend(said::which_runs(trends).into_iter().map(|text| html! { (text) "." }));
    let headline = match trust {
        HistoryTrust::TooFewRuns => {
            let most = trends.iter().max_by_key(|trend| trend.points.len());
            most.and_then(said::too_few_for_a_level).unwrap_or_default() + "."
        }
        HistoryTrust::Sound => "Only valid, comparable runs are in these pictures.".to_owned(),
    };
    let details = if moves.is_empty() { Vec::new() } else { details };
    let belief = Belief { level: trust.level(), headline, reasons };
    Answer { sentence, figure: None, tone: "", details, belief }
}

fn moved(trend: &Trend, change: &TrendChange) -> String {
    let first = trend.points.get(change.index as usize).map(commit).unwrap_or_default();
    format!("{}: {} at {} (first with {first})", trend.metric, moved_by(trend, change), change.started)
}

fn commit(point: &TrendPoint) -> String {
    let sdk = point.sdk.as_ref().map_or(String::new(), |sdk| format!(", SDK {sdk}"));
    format!("tool {}, library {}{sdk}", point.commit, library(point))
}

fn one(n: usize, trend: &Trend) -> Markup {
    let report = said::trend(trend);
    html! { (figure(&chart(trend), &runs(n, trend))) (blocks(&report[..report.len().min(2)])) }
}

fn chart(trend: &Trend) -> Chart {
    let points: Vec<Point> = trend
        .points
        .iter()
        .enumerate()
        .map(|(n, point)| Point {
            x: n as f64,
            y: point.value,
            interval: point.interval.map(|interval| (interval.low, interval.high)),
            tip: format!("{}, {}: {}", point.started, commit(point), number(point.value)),
        })
        .collect();
    let values: Vec<f64> = points
        .iter()
        .flat_map(|p| [Some(p.y), p.interval.map(|i| i.0), p.interval.map(|i| i.1)])
        .flatten()
        .collect();
    let mut layers: Vec<Layer> = trend
        .changes
        .iter()
        .map(|change| Layer::MarkX {
            at: change.index as f64 - 0.5,
            name: moved_by(trend, change),
            tone: Tone::Level,
        })
        .collect();
    layers.extend(levels(trend));
    layers.push(Layer::Series(PointSeries {
        name: String::new(),
        tone: Tone::Nth(0),
        look: Look::Dots,
        points,
    }));
    let (label, starts) = starts(&trend.points);
    Chart {
        title: match trend.points.len() {
            1 => format!("{} in 1 run", trend.metric),
            runs => format!("{} over {runs} runs", trend.metric),
        },
        description: said::too_few_for_a_level(trend)
            .unwrap_or_else(|| format!("{} changes of level", trend.changes.len()))
            + ".",
        plot: Box::new(Xy {
            x: Axis {
                label,
                scale: Scale::Places { count: starts.len() },
                format: Box::new(move |place| starts.get(place as usize).cloned().unwrap_or_default()),
            },
            y: Axis {
                label: words::unit_named(&trend.unit).to_owned(),
                scale: Scale::around(values),
                format: Box::new(round_number),
            },
            layers,
            height: 220.0,
        }),
    }
}

/// What names each run on the axis, and the axis: the day, where each has its own; else the time as well, so
/// that no two are the same as long as their starts are not.
fn starts(points: &[TrendPoint]) -> (String, Vec<String>) {
    let part = |from: usize, to: usize| -> Vec<String> {
        let start =
            |point: &TrendPoint| point.started.get(from..to).unwrap_or(&point.started).replace('T', " ");
        points.iter().map(start).collect()
    };
    let differ = |texts: &[String]| texts.windows(2).all(|pair| pair[0] != pair[1]);
    // RFC 3339: 2026-01-02T03:04:05Z.
    let days = part(0, 10);
    let same_day = days.iter().all(|day| *day == days[0]);
    let (forms, label) = match days.first() {
        Some(day) if same_day && days.len() > 1 => {
            ([(11, 16), (11, 19)], format!("runs of {day}, oldest first"))
        }
        _ => ([(0, 10), (5, 16)], "runs, oldest first".to_owned()),
    };
    let named = forms.into_iter().map(|(from, to)| part(from, to)).find(|texts| differ(texts));
    (label, named.unwrap_or_else(|| if same_day { part(11, 19) } else { part(5, 19) }))
}

/// A line at each level, from change to change.
fn levels(trend: &Trend) -> Vec<Layer> {
    let mut ends: Vec<f64> = trend.changes.iter().map(|change| change.index as f64 - 0.5).collect();
    ends.push(trend.points.len() as f64 - 0.5);
    let mut from = -0.5;
    let mut lines = Vec::new();
    for (n, to) in ends.into_iter().enumerate() {
        let level = match n {
            0 => trend.changes.first().map(|change| change.before),
            n => trend.changes.get(n - 1).map(|change| change.after),
        };
        lines.extend(level.map(|level| {
            let points = [from, to].map(|x| Point::at(x, level)).to_vec();
            Layer::Series(PointSeries { name: String::new(), tone: Tone::Neutral, look: Look::Fit, points })
        }));
        from = to;
    }
    lines
}

fn runs(n: usize, trend: &Trend) -> Markup {
    let rows: Vec<Vec<Markup>> = trend
        .points
        .iter()
        .enumerate()
        .map(|(place, point)| {
            let moved = trend.changes.iter().find(|change| change.index as usize == place);
            vec![
                html! { (point.started) },
                value(&number(point.value), point.value, &format!("/{n}/points/{place}/value")),
                html! { (point.interval.map_or("-".to_owned(), |i| format!("{} to {}", number(i.low), number(i.high)))) },
                html! { (point.commit) },
                html! { (library(point)) @if let Some(sdk) = &point.sdk { ", SDK " (sdk) } },
                html! { (moved.map_or(String::new(), |change| format!("moved {}", moved_by(trend, change)))) },
            ]
        })
        .collect();
    let columns = [
        word_column("started"),
        figures("value"),
        figures("interval"),
        word_column("commit"),
        word_column("library"),
        word_column("level"),
    ];
    table("Run by run", &columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::history_fixture::trend_point;

    #[test]
    fn runs_of_one_day_are_told_apart_by_their_times() {
        let of = |starts_at: &[&str]| {
            let point = |started: &&str| trend_point(started);
            let (label, texts) = starts(&starts_at.iter().map(point).collect::<Vec<_>>());
            format!("{label}: {}", texts.join(", "))
        };
        let [first, later, soon, next] =
            ["2026-01-02T03:04:05Z", "2026-01-02T14:00:00Z", "2026-01-02T03:04:59Z", "2026-01-03T03:04:05Z"];
        assert_eq!(of(&[first]), "runs, oldest first: 2026-01-02");
        assert_eq!(of(&[first, next]), "runs, oldest first: 2026-01-02, 2026-01-03");
        assert_eq!(of(&[first, later]), "runs of 2026-01-02, oldest first: 03:04, 14:00");
        assert_eq!(of(&[first, soon]), "runs of 2026-01-02, oldest first: 03:04:05, 03:04:59");
        assert_eq!(of(&[first, later, next]), "runs, oldest first: 01-02 03:04, 01-02 14:00, 01-03 03:04");
        assert_eq!(
            of(&[first, soon, next]),
            "runs, oldest first: 01-02 03:04:05, 01-02 03:04:59, 01-03 03:04:05"
        );
        assert_eq!(of(&["damaged"]), "runs, oldest first: damaged");
    }
}
