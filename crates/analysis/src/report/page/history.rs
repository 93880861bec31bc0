//! The page of a history: each metric over its runs, where its level moved, and the commit of every point.

use maud::{Markup, html};

use super::parts::{Answer, Belief, Trust, blocks, figure, figures, table, value, words as word_column};
use super::shell::{Body, Section};
use crate::judge::{Trend, TrendChange, TrendPoint};
use crate::record::short_sha256;
use crate::report::chart::{Axis, Chart, Layer, Look, Point, Scale, Series, Tone, Xy};
use crate::report::format::{difference, figure as number, round_number};
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
        kind: trends.first().map_or(String::new(), |trend| format!("on {}", trend.machine)),
        answer: answer(trends).markup(),
        sections,
    }
}

fn answer(trends: &[Trend]) -> Answer {
    let last = |trend: &Trend| trend.changes.last().map(|change| moved(trend, change));
    let moves: Vec<String> = trends.iter().filter_map(last).collect();
    let sentence = match moves.len() {
        0 => "No level has moved".to_owned(),
        1 => "One metric has moved".to_owned(),
        n => format!("{n} metrics have moved"),
    };
    let runs = trends.iter().map(|trend| trend.points.len()).max().unwrap_or_default();
    let details = vec![html! { ul { @for one in &moves { li { (one) } } } }];
    let left_out: u64 = trends.iter().map(|trend| trend.left_out).max().unwrap_or_default();
    let mut reasons = vec![html! { (runs) " valid runs of one machine, with the same settings." }];
    if left_out > 0 {
        reasons.push(html! { (left_out) " other runs are left out: invalid, from another machine, with other settings, or without the metric." });
    }
    let (level, headline) = if runs < 8 {
        (Trust::Careful, "Few runs: a change of level needs some before and after it.")
    } else {
        (Trust::Yes, "Only valid, comparable runs are in these pictures.")
    };
    let details = if moves.is_empty() { Vec::new() } else { details };
    Answer {
        sentence,
        figure: None,
        tone: "",
        details,
        belief: Belief { level, headline: headline.into(), reasons },
    }
}

fn moved(trend: &Trend, change: &TrendChange) -> String {
    let first = trend.points.get(change.index as usize).map(commit).unwrap_or_default();
    format!(
        "{}: {} at {} (first with {first})",
        trend.metric,
        difference(change.after / change.before),
        change.started
    )
}

fn commit(point: &TrendPoint) -> String {
    format!("tool {}, library {}", point.commit, short_sha256(&point.library_sha256))
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
            name: difference(change.after / change.before),
            tone: Tone::Level,
        })
        .collect();
    layers.extend(levels(trend));
    layers.push(Layer::Series(Series { name: String::new(), tone: Tone::Nth(0), look: Look::Dots, points }));
    let dates: Vec<String> =
        trend.points.iter().map(|point| point.started.chars().take(10).collect()).collect();
    Chart {
        title: format!("{} over {} runs", trend.metric, trend.points.len()),
        description: format!("{} changes of level.", trend.changes.len()),
        plot: Box::new(Xy {
            x: Axis {
                label: "runs, oldest first".into(),
                scale: Scale::Places { count: dates.len() },
                format: Box::new(move |place| dates.get(place as usize).cloned().unwrap_or_default()),
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
            Layer::Series(Series { name: String::new(), tone: Tone::Neutral, look: Look::Fit, points })
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
                html! { (short_sha256(&point.library_sha256)) },
                html! { (moved.map_or(String::new(), |change| format!("moved {}", difference(change.after / change.before)))) },
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
