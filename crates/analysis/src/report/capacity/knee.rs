//! The knee: response time over offered rate, where the service level is, and the rate at which it is met.

use super::words::{level, verdict};
use crate::judge::capacity::{Boundary, Capacity, Probe, ProbeVerdict};
use crate::report::chart::{Axis, Chart, Layer, Look, Point, PointSeries, Scale, Tone, Xy};
use crate::report::format::{count, figure, round_time_us, share, time_us};

/// The fitted line is drawn this far around the rate: it is a line through the probes near it.
const AROUND: f64 = 1.5;

/// The chart; `None` without response times.
pub(in crate::report) fn knee(capacity: &Capacity) -> Option<Chart> {
    let probes: Vec<(f64, &Probe)> = capacity
        .probes
        .iter()
        .filter(|probe| probe.response_p99_us.is_some())
        .filter_map(|probe| Some((probe.offer.rate_per_s()?, probe)))
        .collect();
    if probes.is_empty() {
        return None;
    }
    let slo_us = capacity.plan.policy.slo_us;
    let high = |probe: &Probe| probe.response_p99_us.map_or(f64::NAN, |p99| p99.high);
    let times = probes.iter().flat_map(|(_, probe)| [probe.response_p50_us.unwrap_or(f64::NAN), high(probe)]);
    let name = format!("service level, {} at p99", level(slo_us));
    let mut layers = vec![Layer::MarkY { at: slo_us, name, tone: Tone::Level }];
    if let Some(boundary) = &capacity.boundary {
        layers.splice(0..0, fitted(boundary, slo_us));
    }
    layers.push(series("p50", Tone::Neutral, Look::Hollow, &probes, |probe| probe.response_p50_us, |_| true));
    for (name, tone, look, wanted) in [
        ("p99, passed", Tone::Nth(0), Look::Dots, ProbeVerdict::Passed),
        ("p99, failed", Tone::Nth(1), Look::Dots, ProbeVerdict::Failed),
    ] {
        layers.push(series(
            name,
            tone,
            look,
            &probes,
            |p| Some(p.response_p99_us?.high),
            move |p| p.verdict == wanted,
        ));
    }
    let neither = |probe: &Probe| !matches!(probe.verdict, ProbeVerdict::Passed | ProbeVerdict::Failed);
    let upper = |probe: &Probe| Some(probe.response_p99_us?.high);
    layers.push(series("p99, not the cluster's doing", Tone::Nth(1), Look::Hollow, &probes, upper, neither));
    layers.retain(|layer| !matches!(layer, Layer::Series(series) if series.points.is_empty()));
    Some(Chart {
        title: format!("{}: response time by offered rate", capacity.plan.scenario.name),
        description: description(capacity, probes.len()),
        plot: Box::new(Xy {
            x: Axis {
                label: "claims per second offered".into(),
                scale: Scale::from_zero(probes.iter().map(|(rate, _)| *rate)),
                format: Box::new(whole),
            },
            y: Axis {
                label: "response time (p99: upper end of its interval)".into(),
                scale: Scale::log(times.chain([slo_us])),
                format: Box::new(round_time_us),
            },
            layers,
            height: 340.0,
        }),
    })
}

fn whole(value: f64) -> String {
    count(value.round() as u64)
}

fn fitted(boundary: &Boundary, slo_us: f64) -> Vec<Layer> {
    let rate = boundary.rate_per_s;
    let line = (-20..=20).map(|step| {
        let at = rate.estimate * AROUND.powf(f64::from(step) / 20.0);
        Point::at(at, slo_us * boundary.strain_at(at))
    });
    vec![
        Layer::AcrossX { from: rate.low, to: rate.high },
        Layer::Series(PointSeries {
            name: "line through the probes near the boundary".into(),
            tone: Tone::Neutral,
            look: Look::Fit,
            points: line.collect(),
        }),
        Layer::MarkX { at: rate.estimate, name: format!("{}/s", whole(rate.estimate)), tone: Tone::Level },
    ]
}

fn series(
    name: &str,
    tone: Tone,
    look: Look,
    probes: &[(f64, &Probe)],
    value: impl Fn(&Probe) -> Option<f64>,
    wanted: impl Fn(&Probe) -> bool,
) -> Layer {
    let point = |(rate, probe): &(f64, &Probe)| {
        let y = value(probe)?;
        let tip = format!("{}/s offered: {}, {}", whole(*rate), time_us(y), verdict(probe.verdict));
        Some(Point { tip, ..Point::at(*rate, y) })
    };
    let points = probes.iter().filter(|(_, probe)| wanted(probe)).filter_map(point).collect();
    Layer::Series(PointSeries { name: name.to_owned(), tone, look, points })
}

fn description(capacity: &Capacity, probes: usize) -> String {
    let found = capacity.boundary.map_or("no rate was found".to_owned(), |boundary| {
        let rate = boundary.rate_per_s;
        format!(
            "the level is met at {} claims per second, {} interval {} to {}",
            figure(rate.estimate),
            share(rate.confidence),
            figure(rate.low),
            figure(rate.high)
        )
    });
    format!("{probes} probes; service level {} at p99; {found}.", level(capacity.plan.policy.slo_us))
}
