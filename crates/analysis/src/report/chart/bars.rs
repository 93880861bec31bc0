//! Bars from left to right: one figure each, or the parts of which it is made, one after the other.

use maud::html;

use super::{Drawing, LINE, Plot, Scale, Tone, fitting, px, rect, rule, text, text_width};

/// Horizontal bars on one scale from zero.
pub struct Bars {
    /// From top to bottom.
    pub rows: Vec<Bar>,
    /// The axis' name with its unit; without one there is no axis, the bars say their figures themselves.
    pub axis: Option<String>,
    /// How the axis' values are written.
    pub format: fn(f64) -> String,
}

/// One bar.
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// The figure beside it, in words.
    pub figure: String,
    /// Its parts, from left to right.
    pub segments: Vec<Segment>,
}

/// A part of a bar.
pub struct Segment {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Its colour.
    pub tone: Tone,
    /// Its figures, for who points at it.
    pub tip: String,
}

impl Plot for Bars {
    fn draw(&self, width: f64) -> Drawing {
        let narrow = width < 600.0;
        let longest = |of: &dyn Fn(&Bar) -> f64| self.rows.iter().map(of).fold(0.0, f64::max);
        let figures = longest(&|bar| text_width(&bar.figure)) + 10.0;
        let labels = longest(&|bar| text_width(&bar.label)).min(220.0) + 12.0;
        let (left, row, top) = if narrow { (0.0, 46.0, 20.0) } else { (labels, 34.0, 5.0) };
        let right = width - figures;
        let ends = self.rows.iter().flat_map(|bar| bar.segments.iter().map(|segment| segment.to));
        let scale = Scale::Linear { low: 0.0, high: ends.fold(0.0, f64::max).max(f64::MIN_POSITIVE) };
        let at = |value: f64| left + (right - left) * scale.place(value);
        let bottom = row * self.rows.len() as f64;
        let marks = html! {
            @if self.axis.is_some() {
                @for tick in scale.ticks(if narrow { 4 } else { 7 }) {
                    (rule(at(tick), 0.0, at(tick), bottom, "grid"))
                    (text(at(tick).min(width - 16.0), bottom + 16.0, if tick > 0.0 { "soft mid" } else { "soft" }, &(self.format)(tick)))
                }
            }
            @for (n, bar) in self.rows.iter().enumerate() {
                @let y = row * n as f64;
                @let label_y = if narrow { y + 14.0 } else { y + 21.0 };
                (text(0.0, label_y, "", &fitting(&bar.label, if narrow { width } else { labels })))
                @for segment in &bar.segments {
                    @let (x, w) = (at(segment.from), (at(segment.to) - at(segment.from)).max(1.0));
                    g {
                        title { (segment.tip) }
                        (rect(x, y + top, w - if bar.segments.len() > 1 { 1.0 } else { 0.0 }, 24.0, &format!("bar {}", segment.tone.class())))
                    }
                }
                @let end = bar.segments.last().map_or(left, |segment| at(segment.to));
                text x=(px(end + 8.0)) y=(px(y + top + 17.0)) class="strong" { (bar.figure) }
            }
            @if let Some(axis) = &self.axis {
                (text(left, bottom + 34.0, "soft", axis))
            }
        };
        Drawing { height: bottom + if self.axis.is_some() { LINE * 2.2 } else { 2.0 }, marks }
    }
}
