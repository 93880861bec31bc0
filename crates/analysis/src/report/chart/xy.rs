//! Draws something over something else: lines, steps, points with intervals, areas, and rules across.

use maud::{Markup, html};

use super::layers::{Layer, Look, Point, PointSeries, Xy};
use super::pen::{Pen, Place};
use super::{Drawing, LINE, Plot, fitting, key_places, rect, rule, text, text_width};

/// Single points of a chart's lines are drawn, and can be pointed at, up to this many.
const POINTABLE: usize = 300;

/// The part within the axes, at one width.
struct Frame<'a> {
    chart: &'a Xy,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Whether lines have their single points.
    pointable: bool,
}

impl Frame<'_> {
    fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.chart.x.scale.place(value)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * self.chart.y.scale.place(value)
    }

    /// Where a point would be if the axes went on.
    fn beyond(&self, point: &Point) -> Place {
        let Xy { x, y, .. } = self.chart;
        [
            self.left + (self.right - self.left) * x.scale.place_beyond(point.x),
            self.bottom - (self.bottom - self.top) * y.scale.place_beyond(point.y),
        ]
    }

    fn axes(&self, ticks: &[f64]) -> Markup {
        let chart = self.chart;
        let wanted = ((self.right - self.left) / 90.0) as usize;
        html! {
            @for tick in ticks {
                (rule(self.left, self.y(*tick), self.right, self.y(*tick), "grid"))
                (text(self.left - 6.0, self.y(*tick) + 4.5, "soft end", &(chart.y.format)(*tick)))
            }
            @for (x, label) in self.labels(&chart.x.scale.ticks(wanted)) {
                (rule(x, self.bottom, x, self.bottom + 4.0, "axis"))
                (text(x, self.bottom + 19.0, "soft mid", &label))
            }
            (rule(self.left, self.bottom, self.right, self.bottom, "axis"))
            (text(self.right, self.bottom + 36.0, "soft end", &fitting(&chart.x.label, self.right)))
        }
    }

    /// Labels below the x axis that do not touch.
    fn labels(&self, ticks: &[f64]) -> Vec<(f64, String)> {
        let mut end = f64::MIN;
        let mut labels = Vec::new();
        for tick in ticks {
            let (x, label) = (self.x(*tick), (self.chart.x.format)(*tick));
            let half = text_width(&label) / 2.0;
            if x - half > end {
                end = x + half + 4.0;
                labels.push((x, label));
            }
        }
        labels
    }

    /// The name beside a mark across the x axis: where it stands, its anchor, and from where to where it
    /// goes.
    fn name_of_mark(&self, at: f64, name: &str) -> (f64, &'static str, [f64; 2]) {
        let (x, width) = (self.x(at), text_width(name));
        if x + width + 6.0 > self.right {
            (x - 5.0, "end", [x - 5.0 - width, x - 5.0])
        } else {
            (x + 5.0, "", [x + 5.0, x + 5.0 + width])
        }
    }

    /// For each layer the line of text, from the top, in which its mark's name touches none before it.
    fn lines_of_names(&self) -> Vec<usize> {
        let mut taken: Vec<(usize, [f64; 2])> = Vec::new();
        let line = |layer: &Layer| {
            let Layer::MarkX { at, name, .. } = layer else { return 0 };
            let (_, _, [from, to]) = self.name_of_mark(*at, name);
            let touches = |line: usize| {
                taken
                    .iter()
                    .any(|(other, [begin, end])| *other == line && from < *end + 2.0 && *begin < to + 2.0)
            };
            let free = (0..=taken.len()).find(|line| !touches(*line)).unwrap_or_default();
            taken.push((free, [from, to]));
            free
        };
        self.chart.layers.iter().map(line).collect()
    }

    fn layer(&self, layer: &Layer, line: usize) -> Markup {
        match layer {
            Layer::Series(series) => self.series(series),
            Layer::AcrossX { from, to } => {
                rect(self.x(*from), self.top, self.x(*to) - self.x(*from), self.bottom - self.top, "noise")
            }
            Layer::AcrossY { from, to } => {
                rect(self.left, self.y(*to), self.right - self.left, self.y(*from) - self.y(*to), "noise")
            }
            Layer::MarkX { at, name, tone } => {
                let (x, (at, anchor, _)) = (self.x(*at), self.name_of_mark(*at, name));
                let y = self.top + 12.0 + 14.0 * line as f64;
                html! {
                    (rule(x, self.top, x, self.bottom, &format!("thin dashed {}", tone.class())))
                    (text(at, y, &format!("halo tone {} {anchor}", tone.class()), name))
                }
            }
            Layer::MarkY { at, name, tone } => html! {
                (rule(self.left, self.y(*at), self.right, self.y(*at), &format!("thin dashed {}", tone.class())))
                (text(self.left + 6.0, self.y(*at) - 5.0, &format!("halo tone {}", tone.class()), &fitting(name, self.right - self.left)))
            },
        }
    }

    fn series(&self, series: &PointSeries) -> Markup {
        let class = series.tone.class();
        let (dots, line) = match series.look {
            Look::Line => (self.pointable, true),
            Look::Steps | Look::Fit => (false, true),
            Look::Dots | Look::Hollow => (true, false),
        };
        let look = if series.look == Look::Fit { "thin dashed" } else { "line" };
        let dot = if series.look == Look::Hollow { "hollow" } else { "dot" };
        let radius = if line { 2.6 } else { 4.6 };
        let path = if line { self.path(&series.points, series.look == Look::Steps) } else { String::new() };
        html! {
            @if !path.is_empty() { path class=(format!("{look} {class}")) d=(path) {} }
            @if dots {
                @for point in series.points.iter().filter(|point| point.y.is_finite()) {
                    g {
                        title { (self.tip(series, point)) }
                        @if let Some((low, high)) = point.interval {
                            (rule(self.x(point.x), self.y(low), self.x(point.x), self.y(high), &format!("whisker {class}")))
                        }
                        path class=(format!("{dot} {class}")) d=(series.tone.shape(self.x(point.x), self.y(point.y), radius)) {}
                    }
                }
            }
        }
    }

    fn tip(&self, series: &PointSeries, point: &Point) -> String {
        let values = if point.tip.is_empty() {
            format!("{}: {}", (self.chart.x.format)(point.x), (self.chart.y.format)(point.y))
        } else {
            point.tip.clone()
        };
        if series.name.is_empty() { values } else { format!("{}, {values}", series.name) }
    }

    /// Of the points that fall into one column of pixels, the first, the lowest, the highest and the last:
    /// the picture is the same, and an hour of seconds takes no more room than its width. What lies beyond the
    /// axes is not drawn.
    fn path(&self, points: &[Point], steps: bool) -> String {
        let mut pen = Pen::new([self.left, self.right], [self.top, self.bottom]);
        let column_of = |point: &Point| self.beyond(point)[0].floor();
        let mut begin = 0;
        while begin < points.len() {
            let column = column_of(&points[begin]);
            let length = points[begin..]
                .iter()
                .take_while(|point| column_of(point) >= column && column_of(point) <= column)
                .count();
            let group = &points[begin..begin + length.max(1)];
            begin += group.len();
            let lowest = extreme(group, f64::min);
            let highest = extreme(group, f64::max);
            let mut kept = vec![0, lowest, highest, group.len() - 1];
            kept.sort_unstable();
            kept.dedup();
            for point in kept.into_iter().map(|index| &group[index]) {
                match (point.y.is_finite(), steps) {
                    (false, _) => pen.lift(),
                    (true, true) => pen.step(self.beyond(point)),
                    (true, false) => pen.go(self.beyond(point)),
                }
            }
        }
        pen.path()
    }
}

/// Index of the lowest or highest finite point; the first one where there is none.
fn extreme(points: &[Point], of: fn(f64, f64) -> f64) -> usize {
    let finite = points.iter().enumerate().filter(|(_, point)| point.y.is_finite());
    finite.fold(0, |best, (n, point)| {
        let known = points[best].y;
        if !known.is_finite() || of(known, point.y) < known || of(known, point.y) > known { n } else { best }
    })
}

impl Xy {
    /// Points of all lines.
    fn points(&self) -> usize {
        let of = |layer: &Layer| match layer {
            Layer::Series(series) if series.look == Look::Line => series.points.len(),
            _ => 0,
        };
        self.layers.iter().map(of).sum()
    }

    /// Names of the series in rows that fit: x, y, series.
    fn key(&self, width: f64) -> (Vec<(f64, f64, &PointSeries)>, f64) {
        let named: Vec<&PointSeries> = self
            .layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Series(series) if !series.name.is_empty() => Some(series),
                _ => None,
            })
            .collect();
        let places = key_places(named.iter().map(|series| series.name.as_str()), width, 2.0 * LINE - 4.0);
        let top = places.last().map_or(LINE + 6.0, |(_, y)| y + 10.0);
        (places.into_iter().zip(named).map(|((x, y), series)| (x, y, series)).collect(), top)
    }
}

impl Plot for Xy {
    fn draw(&self, width: f64) -> Drawing {
        let narrow = width < 600.0;
        let (key, top) = self.key(width);
        let ticks = self.y.scale.ticks(if narrow { 4 } else { 6 });
        let widest = ticks.iter().map(|tick| text_width(&(self.y.format)(*tick))).fold(20.0, f64::max);
        let tall = if narrow { 0.85 * self.height } else { self.height };
        let last = self
            .x
            .scale
            .ticks(8)
            .last()
            .map_or(0.0, |tick| text_width(&(self.x.format)(*tick)) / 2.0)
            .min(80.0);
        let frame = Frame {
            chart: self,
            left: widest + 8.0,
            right: width - last.max(8.0),
            top,
            bottom: top + tall,
            pointable: !narrow && self.points() <= POINTABLE,
        };
        let marks = html! {
            (text(0.0, 13.0, "soft", &fitting(&self.y.label, width)))
            @for (x, y, series) in key {
                @let class = series.tone.class();
                @match series.look {
                    Look::Line | Look::Steps => { (rule(x, y - 4.5, x + 22.0, y - 4.5, &format!("line {class}"))) }
                    Look::Fit => { (rule(x, y - 4.5, x + 22.0, y - 4.5, &format!("thin dashed {class}"))) }
                    Look::Dots => { path class=(format!("dot {class}")) d=(series.tone.shape(x + 12.0, y - 4.5, 4.6)) {} }
                    Look::Hollow => { path class=(format!("hollow {class}")) d=(series.tone.shape(x + 12.0, y - 4.5, 4.6)) {} }
                }
                (text(x + 27.0, y, "", &fitting(&series.name, width - 27.0)))
            }
            (frame.axes(&ticks))
            @for (layer, line) in self.layers.iter().zip(frame.lines_of_names()) { (frame.layer(layer, line)) }
        };
        Drawing { height: frame.bottom + 42.0, marks }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::Axis;
    use super::super::{Scale, Tone};
    use super::*;

    #[test]
    fn a_fit_that_leaves_the_axes_is_cut_there_and_a_point_beyond_them_stands_at_their_end() {
        let drawn = |look: Look| {
            let axis = || Axis {
                label: String::new(),
                scale: Scale::Linear { low: 0.0, high: 100.0 },
                format: Box::new(|n| format!("{n}")),
            };
            let points = [(20.0, 20.0), (80.0, 80.0), (120.0, 80.0), (150.0, 80.0)];
            let points = points.map(|(x, y)| Point::at(x, y)).to_vec();
            let series = PointSeries { name: String::new(), tone: Tone::Neutral, look, points };
            let layers = vec![Layer::Series(series)];
            let xy = Xy { x: axis(), y: axis(), layers, height: 100.0 };
            let frame =
                Frame { chart: &xy, left: 0.0, right: 200.0, top: 0.0, bottom: 100.0, pointable: true };
            frame.layer(&xy.layers[0], 0).into_string()
        };
        assert!(drawn(Look::Fit).contains("d=\"M40 80L160 20H200\""), "{}", drawn(Look::Fit));
        let dots = drawn(Look::Dots);
        assert_eq!(dots.matches("<title>").count(), 4, "{dots}");
        assert!(!dots.contains("thin"), "{dots}");
    }
}
