//! The latency-versus-throughput curve as a picture.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;

use super::words::level;
use crate::judge::capacity::{Capacity, Probe, ProbeVerdict};
use crate::report::format::figure;

/// Why a picture could not be drawn.
pub type DrawingError = DrawingAreaErrorKind<std::io::Error>;

const SIZE: (u32, u32) = (900, 540);
const MEDIAN: RGBColor = RGBColor(130, 130, 130);
const PASSED: RGBColor = RGBColor(0, 114, 178);
const FAILED: RGBColor = RGBColor(213, 94, 0);
const LEVEL: RGBColor = RGBColor(0, 120, 90);

/// Median and upper bound of the 99th percentile of the response time of every open-loop probe over its rate, the service level, and the rate
/// that was found. `None` before there is a probe with response times.
pub(in crate::report) fn svg(capacity: &Capacity) -> Result<Option<String>, DrawingError> {
    let points: Vec<Point> = capacity.probes.iter().filter_map(Point::from_probe).collect();
    if points.is_empty() {
        return Ok(None);
    }
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area, capacity, &points)?;
        area.present()?;
    }
    Ok(Some(text))
}

/// A probe in the picture: claims per second, milliseconds.
struct Point {
    rate: f64,
    p50: f64,
    /// Upper end of its interval: what is held against the level.
    p99: f64,
    verdict: ProbeVerdict,
}

impl Point {
    fn from_probe(probe: &Probe) -> Option<Self> {
        // A logarithm wants more than nothing.
        let ms = |us: f64| (us / 1_000.0).max(1e-3);
        Some(Self {
            rate: probe.offer.rate_per_s()?,
            p50: ms(probe.response_p50_us?),
            p99: ms(probe.response_p99_us?.high),
            verdict: probe.verdict,
        })
    }
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    capacity: &Capacity,
    points: &[Point],
) -> Result<(), DrawingError> {
    let slo = capacity.plan.policy.slo_us / 1_000.0;
    let right = 1.05 * points.iter().map(|point| point.rate).fold(0.0, f64::max);
    let bottom = points.iter().map(|point| point.p50).fold(slo, f64::min) / 1.5;
    let top = points.iter().map(|point| point.p99).fold(slo, f64::max) * 1.5;
    area.fill(&WHITE)?;
    let title = format!("{}: response time by offered rate", capacity.plan.scenario.name);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(45)
        .y_label_area_size(65)
        .build_cartesian_2d(0.0..right, (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("claims per second offered")
        .y_desc("response time, ms")
        .x_label_formatter(&|rate| figure(*rate))
        .y_label_formatter(&|ms| figure(*ms))
        .draw()?;
    if let Some(boundary) = capacity.boundary {
        let rate = boundary.rate_per_s;
        let band = [(rate.low, bottom), (rate.high.min(right), top)];
        chart.draw_series([Rectangle::new(band, LEVEL.mix(0.12).filled())])?;
        let line = LineSeries::new([(rate.estimate, bottom), (rate.estimate, top)], LEVEL.stroke_width(2));
        let text =
            format!("{} claims/s [{}, {}]", figure(rate.estimate), figure(rate.low), figure(rate.high));
        chart.draw_series(line)?.label(text).legend(|at| key_line(at, LEVEL));
    }
    chart
        .draw_series(LineSeries::new([(0.0, slo), (right, slo)], BLACK.stroke_width(1)))?
        .label(format!("service level, {}", level(capacity.plan.policy.slo_us)))
        .legend(|at| key_line(at, BLACK));
    let dots = |value: fn(&Point) -> f64, style: ShapeStyle, wanted: fn(&Point) -> bool| {
        points
            .iter()
            .filter(move |point| wanted(point))
            .map(move |point| Circle::new((point.rate, value(point)), 4, style))
    };
    for (name, style, value, wanted) in [
        ("p50", MEDIAN.filled(), (|p: &Point| p.p50) as fn(&Point) -> f64, (|_| true) as fn(&Point) -> bool),
        ("p99 at most, passed", PASSED.filled(), |p| p.p99, |p| p.verdict == ProbeVerdict::Passed),
        ("p99 at most, failed", FAILED.filled(), |p| p.p99, |p| p.verdict == ProbeVerdict::Failed),
        (
            "p99 at most, not the cluster's",
            FAILED.stroke_width(1),
            |p| p.p99,
            |p| !matches!(p.verdict, ProbeVerdict::Passed | ProbeVerdict::Failed),
        ),
    ] {
        chart
            .draw_series(dots(value, style, wanted))?
            .label(name)
            .legend(move |(x, y)| Circle::new((x + 9, y), 4, style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(MEDIAN)
        .label_font(("sans-serif", 14))
        .draw()
}

fn key_line((x, y): (i32, i32), colour: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2))
}
