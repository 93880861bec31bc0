//! A figure of every variant at every value of a sweep, as a chart and as the table behind it.

use maud::{Markup, html};

use super::parts::{figures, maybe, table, value, words as word_column};
use crate::judge::{Sweep, SweepArm, SweepPoint};
use crate::report::chart::{Axis, Chart, Layer, Look, Point, PointSeries, Scale, Tone, Xy};
use crate::report::format::{figure as number, round_number, round_time_us, time_us};
use crate::report::sweep_answer::value_of;
use crate::report::words;

/// A figure of every variant at every value: what it is called, its keys in the stored sweep, how it is
/// written.
pub(super) struct Measure {
    label: &'static str,
    key: &'static str,
    interval_key: &'static str,
    format: fn(f64) -> String,
    ticks: fn(f64) -> String,
    of: fn(&SweepArm) -> Option<Shown>,
}

/// A figure with its interval, and the ends of the interval where there is one.
type Shown = (f64, Option<(f64, f64)>);

/// What a claim takes.
pub(super) const TIME: Measure = Measure {
    label: "Median service time",
    key: "service_p50_us",
    interval_key: "service_p50_interval",
    format: time_us,
    ticks: round_time_us,
    of: |arm| Some((arm.service_p50_us?, arm.service_p50_interval.map(|i| (i.low, i.high)))),
};

/// How many claims a second has.
pub(super) const RATE: Measure = Measure {
    label: "Claims per second",
    key: "throughput_per_s",
    interval_key: "throughput_interval",
    format: number,
    ticks: round_number,
    of: |arm| Some((arm.throughput_per_s?, arm.throughput_interval.map(|i| (i.low, i.high)))),
};

/// Every variant at every value, with the numbers of both.
pub(super) fn each_arm(sweep: &Sweep) -> impl Iterator<Item = (usize, &SweepPoint, usize, &SweepArm)> {
    let points = sweep.points.iter().enumerate();
    points.flat_map(|(n, point)| point.arms.iter().enumerate().map(move |(m, arm)| (n, point, m, arm)))
}

/// A variant's figure at each value, of runs whose figures may be used or of the others.
fn dots(sweep: &Sweep, measure: &Measure, (name, shift): (&str, f64), valid: bool) -> Vec<Point> {
    let point = |(place, point): (usize, &SweepPoint)| {
        let arm = point.arms.iter().find(|arm| arm.name == name)?;
        let (y, interval) = (measure.of)(arm).filter(|_| point.valid == valid)?;
        let tip = format!("{}: {}", value_of(point), (measure.format)(y));
        Some(Point { x: place as f64 + shift, y, interval, tip })
    };
    sweep.points.iter().enumerate().filter_map(point).collect()
}

/// The picture: variants beside each other at each value.
pub(super) fn by_value(sweep: &Sweep, measure: &Measure) -> Chart {
    let mut names: Vec<&str> = Vec::new();
    for arm in sweep.points.iter().flat_map(|point| &point.arms) {
        if !names.contains(&arm.name.as_str()) {
            names.push(&arm.name);
        }
    }
    let (mut all, mut layers) = (Vec::new(), Vec::new());
    for (n, &name) in names.iter().enumerate() {
        // Beside each other, so that intervals do not hide each other.
        let shift = 0.5 * ((n as f64 + 0.5) / names.len() as f64 - 0.5);
        for (look, valid) in [(Look::Dots, true), (Look::Hollow, false)] {
            let points = dots(sweep, measure, (name, shift), valid);
            all.extend(points.iter().flat_map(|p| [p.y, p.interval.map_or(p.y, |i| i.1)]));
            let name = if valid { name.to_owned() } else { format!("{name}, invalid") };
            if valid || !points.is_empty() {
                layers.push(Layer::Series(PointSeries { name, tone: Tone::Nth(n), look, points }));
            }
        }
    }
    let values: Vec<String> = sweep.points.iter().map(|point| words::setting(&point.value)).collect();
    let unusable = sweep.points.iter().any(|point| !point.valid);
    let hollow = if unusable { "; hollow where the run is invalid or was interrupted" } else { "" };
    Chart {
        title: format!("{}, by {}", measure.label, sweep.key),
        description: format!("{} variants at {} values{hollow}.", names.len(), values.len()),
        plot: Box::new(Xy {
            x: Axis {
                label: sweep.key.clone(),
                scale: Scale::Places { count: values.len() },
                format: Box::new(move |place| values.get(place as usize).cloned().unwrap_or_default()),
            },
            y: Axis {
                label: measure.label.to_owned(),
                scale: Scale::from_zero(all),
                format: Box::new(measure.ticks),
            },
            layers,
            height: 230.0,
        }),
    }
}

/// The figures of that picture.
pub(super) fn figures_by_value(sweep: &Sweep, measure: &Measure) -> Markup {
    let row = |n: usize, point: &SweepPoint, m: usize, arm: &SweepArm| {
        let (y, interval) = (measure.of)(arm)?;
        let place = format!("/points/{n}/arms/{m}");
        let of = |us: f64, key: &str| value(&(measure.format)(us), us, &format!("{place}/{key}"));
        let end = |end: Option<f64>, key: &str| {
            maybe(measure.format, end, &format!("{place}/{}/{key}", measure.interval_key))
        };
        Some(vec![
            html! { (value_of(point)) },
            html! { (arm.name) },
            of(y, measure.key),
            end(interval.map(|(low, _)| low), "low"),
            end(interval.map(|(_, high)| high), "high"),
        ])
    };
    let rows: Vec<Vec<Markup>> =
        each_arm(sweep).filter_map(|(n, point, m, arm)| row(n, point, m, arm)).collect();
    let columns = [
        word_column("value"),
        word_column("variant"),
        figures(measure.label),
        figures("low"),
        figures("high"),
    ];
    table(measure.label, &columns, &rows)
}
