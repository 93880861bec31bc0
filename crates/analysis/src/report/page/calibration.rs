//! The page of a calibration: what the generator itself can do.

use maud::{Markup, html};

use super::parts::{Answer, Belief, blocks, figure, figures, table, value};
use super::shell::{Body, Section};
use crate::judge::{Calibration, Trust};
use crate::report::calibration as said;
use crate::report::chart::{Axis, Chart, Layer, Look, Point, PointSeries, Scale, Tone, Xy};
use crate::report::format::{count, figure as number};

pub(super) fn body(calibration: &Calibration) -> Body {
    let mut sections = Vec::new();
    if let Some(body) = levels(calibration) {
        sections.push(Section { id: "ceiling", title: "The generator's ceiling".into(), body });
    }
    sections.push(Section::in_words(blocks(&said::blocks(calibration))));
    Body {
        title: "calibrate: what the generator itself can do".into(),
        kind: format!("calibration of {}", calibration.record.started),
        answer: answer(calibration),
        sections,
    }
}

fn answer(calibration: &Calibration) -> Answer {
    let figure = calibration.ceiling_per_sec.map(|ceiling| {
        (
            value(&count(ceiling.round() as u64), ceiling, "/ceiling_per_sec"),
            html! { "requests per second at most" },
        )
    });
    let level = calibration.trust();
    let (headline, reasons) = match level {
        Trust::No => {
            let problems = calibration.problems.iter();
            (
                "Do not use these figures.",
                problems.map(|problem| html! { (said::problem(problem)) }).collect(),
            )
        }
        Trust::Yes => ("Valid, and measured on a quiet machine.", Vec::new()),
        Trust::Careful => (
            "Valid, but of a busy machine: the generator can do more, and be less late.",
            calibration.disturbed.iter().map(|what| html! { (said::disturbance(what)) "." }).collect(),
        ),
    };
    Answer {
        sentence: said::answer(calibration),
        figure,
        tone: "",
        details: Vec::new(),
        belief: Belief { level, headline: headline.into(), reasons },
    }
}

fn levels(calibration: &Calibration) -> Option<Markup> {
    let mut connections: Vec<u16> =
        calibration.level_summaries.iter().map(|level| level.connections).collect();
    connections.sort_unstable();
    connections.dedup();
    let layers: Vec<Layer> = connections
        .iter()
        .enumerate()
        .map(|(n, shared)| {
            let of = calibration.level_summaries.iter().filter(|level| level.connections == *shared);
            let points = of.map(|level| Point {
                tip: format!(
                    "{} in flight: {} requests per second",
                    level.in_flight,
                    count(level.per_sec.round() as u64)
                ),
                ..Point::at(f64::from(level.in_flight), level.per_sec)
            });
            let name = format!("{shared} connection{}", if *shared == 1 { "" } else { "s" });
            Layer::Series(PointSeries {
                name,
                tone: Tone::Nth(n),
                look: Look::Line,
                points: points.collect(),
            })
        })
        .collect();
    if layers.is_empty() {
        return None;
    }
    let rows: Vec<Vec<Markup>> = calibration
        .level_summaries
        .iter()
        .enumerate()
        .map(|(n, level)| {
            let at = |key: &str| format!("/level_summaries/{n}/{key}");
            vec![
                html! { (level.in_flight) },
                html! { (level.connections) },
                value(&whole(level.per_sec), level.per_sec, &at("per_sec")),
                value(&number(level.client_cpu_us), level.client_cpu_us, &at("client_cpu_us")),
            ]
        })
        .collect();
    let columns =
        [figures("in flight"), figures("connections"), figures("requests/s"), figures("CPU each (µs)")];
    let chart = levels_chart(calibration, layers);
    Some(figure(&chart, &table("Each level", &columns, &rows)))
}

fn levels_chart(calibration: &Calibration, layers: Vec<Layer>) -> Chart {
    Chart {
        title: "Requests per second by requests in flight".into(),
        description: format!(
            "{} levels, in front of a function that does nothing.",
            calibration.level_summaries.len()
        ),
        plot: Box::new(Xy {
            x: Axis {
                label: "requests in flight".into(),
                scale: Scale::log(calibration.level_summaries.iter().map(|level| f64::from(level.in_flight))),
                format: Box::new(whole),
            },
            y: Axis {
                label: "requests per second".into(),
                scale: Scale::from_zero(calibration.level_summaries.iter().map(|level| level.per_sec)),
                format: Box::new(whole),
            },
            layers,
            height: 240.0,
        }),
    }
}

fn whole(n: f64) -> String {
    count(n.round() as u64)
}
