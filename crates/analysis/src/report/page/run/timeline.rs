//! The window over time, for who operates a cluster: claims and errors, latency, stock, CPU of each primary.

use maud::{Markup, html};

use super::super::parts::{behind, drawn, figures, maybe, table};
use crate::judge::{self, RunResult};
use crate::record::TimelinePoint;
use crate::report::chart::{Axis, Chart, Layer, Look, Point, Scale, Series, Tone, Xy};
use crate::report::format::{self, count, rough, round_time_us};

/// Rows of the table behind the charts; a longer window is summed up.
const ROWS: usize = 400;

/// Something over time: its name and its value in a second.
type Over<'a> = (String, Tone, Box<dyn Fn(&TimelinePoint) -> Option<f64> + 'a>);

pub(super) fn section(result: &RunResult) -> Option<Markup> {
    let timeline = &result.record.timeline;
    if timeline.len() < 2 {
        return None;
    }
    let charts = charts(result);
    Some(html! {
        @for chart in &charts { (drawn(chart)) }
        (behind("The figures behind these charts", &seconds(timeline)))
    })
}

fn charts(result: &RunResult) -> Vec<Chart> {
    let timeline = &result.record.timeline;
    let errors = timeline.iter().any(|point| point.errors > 0);
    let claims: Vec<Over<'_>> =
        vec![("claims".into(), Tone::Nth(0), Box::new(|point| Some(point.claimed as f64)))];
    let mut charts =
        vec![over(timeline, "Claims per second", &claims, Scale::from_zero, |n| count(n.round() as u64))];
    if errors {
        let errors: Vec<Over<'_>> =
            vec![("errors".into(), Tone::Bad, Box::new(|point| Some(point.errors as f64)))];
        charts.push(over(
            timeline,
            "Claims that did not succeed, per second",
            &errors,
            Scale::from_zero,
            |n| count(n.round() as u64),
        ));
    }
    let times: Vec<Over<'_>> = vec![
        ("service p50".into(), Tone::Nth(0), Box::new(|point| point.p50_us)),
        ("service p99".into(), Tone::Nth(1), Box::new(|point| point.p99_us)),
        ("response p99".into(), Tone::Nth(3), Box::new(|point| point.response_p99_us)),
    ];
    charts.push(over(timeline, "Latency of each second", &times, Scale::log, round_time_us));
    if timeline.iter().any(|point| point.stock > 0) {
        let stock: Vec<Over<'_>> =
            vec![("grants in stock".into(), Tone::Nth(2), Box::new(|point| Some(point.stock as f64)))];
        charts.push(over(
            timeline,
            "Stock: grants issued and not yet claimed",
            &stock,
            Scale::from_zero,
            |n| count(n.round() as u64),
        ));
    }
    let primaries = timeline.iter().map(|point| point.primary_cpu.len()).max().unwrap_or_default();
    if primaries > 0 {
        let cpu: Vec<Over<'_>> = (0..primaries)
            .map(|n| -> Over<'_> {
                let name = result
                    .record
                    .primaries
                    .get(n)
                    .map_or_else(|| format!("primary {}", n + 1), |p| p.addr.clone());
                (name, Tone::Nth(n), Box::new(move |point| point.primary_cpu.get(n).copied()))
            })
            .collect();
        charts.push(over(
            timeline,
            "CPU of each primary's main thread, of one core",
            &cpu,
            Scale::from_zero,
            rough,
        ));
    }
    charts
}

fn over(
    timeline: &[TimelinePoint],
    title: &str,
    values: &[Over<'_>],
    scale: fn(Vec<f64>) -> Scale,
    format: fn(f64) -> String,
) -> Chart {
    let mut all = Vec::new();
    let mut layers = Vec::new();
    for (name, tone, of) in values {
        let points: Vec<Point> =
            timeline.iter().map(|second| Point::at(second.t_s, of(second).unwrap_or(f64::NAN))).collect();
        if points.iter().all(|point| !point.y.is_finite()) {
            continue;
        }
        all.extend(points.iter().map(|point| point.y));
        let name = if values.len() > 1 { name.clone() } else { String::new() };
        layers.push(Layer::Series(Series { name, tone: *tone, look: Look::Line, points }));
    }
    let end = timeline.last().map_or(1.0, |point| point.t_s);
    let (low, high) =
        all.iter().filter(|y| y.is_finite()).fold((f64::MAX, f64::MIN), |(l, h), y| (l.min(*y), h.max(*y)));
    let names: Vec<&str> = values.iter().map(|(name, _, _)| name.as_str()).collect();
    Chart {
        title: title.to_owned(),
        description: format!(
            "{} over {end:.0} s: from {} to {}.",
            names.join(", "),
            format(low),
            format(high)
        ),
        plot: Box::new(Xy {
            x: Axis {
                label: "seconds of the window".into(),
                scale: Scale::Linear { low: 0.0, high: end },
                format: Box::new(|s| count(s.round() as u64)),
            },
            y: Axis { label: String::new(), scale: scale(all), format: Box::new(format) },
            layers,
            height: 170.0,
        }),
    }
}

fn seconds(timeline: &[TimelinePoint]) -> Markup {
    let spans = judge::spans(timeline, ROWS);
    let single = spans.len() == timeline.len();
    let place = |n: usize, key: &str| if single { format!("/timeline/{n}/{key}") } else { String::new() };
    let columns = [
        figures(if single { "second" } else { "until (s)" }),
        figures("claims"),
        figures("errors"),
        figures("p50 (µs)"),
        figures("p99 (µs)"),
        figures("response p99 (µs)"),
        figures("stock"),
        figures("busiest primary"),
    ];
    let rows: Vec<Vec<Markup>> = spans
        .iter()
        .enumerate()
        .map(|(n, span)| {
            let whole = |of: u64, key: &str| maybe(|n| count(n as u64), Some(of as f64), &place(n, key));
            let time = |of: Option<f64>, key: &str| maybe(format::figure, of, &place(n, key));
            vec![
                html! { (count(span.to_s.round() as u64)) },
                whole(span.claimed, "claimed"),
                whole(span.errors, "errors"),
                time(span.highest_p50_us, "p50_us"),
                time(span.highest_p99_us, "p99_us"),
                time(span.highest_response_p99_us, "response_p99_us"),
                whole(span.least_stock, "stock"),
                html! { (span.busiest_cpu.map_or("-".into(), rough)) },
            ]
        })
        .collect();
    let caption = if single {
        "Second by second"
    } else {
        "Spans of the window: sums of claims and errors, the highest latency and the least stock of a second"
    };
    table(caption, &columns, &rows)
}
