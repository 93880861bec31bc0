//! Bars from left to right: one figure each, or the parts of which it is made, one after the other.

use maud::{Markup, html};

use super::{
    Drawing, LINE, Plot, Scale, Tone, bold_width, fitting_apart, key_places, rect, rule, text, text_width,
};

/// Horizontal bars on one scale from zero.
pub struct Bars {
    /// From top to bottom.
    pub rows: Vec<Bar>,
    /// The axis' name with its unit; without one there is no axis, the bars say their figures themselves.
    pub axis: Option<String>,
    /// How the axis' values are written.
    pub format: fn(f64) -> String,
    /// What the colours of segments stand for; empty where the bars' labels say it.
    pub key: Vec<(String, Tone)>,
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

/// Where things are, at one width.
struct Layout {
    width: f64,
    narrow: bool,
    left: f64,
    right: f64,
    /// Where the first bar's row begins: below the key.
    begin: f64,
    row: f64,
    /// From a row's begin to its bar.
    top: f64,
    labels: f64,
    scale: Scale,
    key: Vec<(f64, f64)>,
}

impl Layout {
    fn at_width(bars: &Bars, width: f64) -> Self {
        let narrow = width < 600.0;
        let longest = |of: &dyn Fn(&Bar) -> f64| bars.rows.iter().map(of).fold(0.0, f64::max);
        let figures = longest(&|bar| bold_width(&bar.figure)) + 10.0;
        let labels = longest(&|bar| text_width(&bar.label)).min(220.0) + 12.0;
        let (left, row, top) = if narrow { (0.0, 46.0, 20.0) } else { (labels, 34.0, 5.0) };
        let ends = bars.rows.iter().flat_map(|bar| bar.segments.iter().map(|segment| segment.to));
        let scale = Scale::Linear { low: 0.0, high: ends.fold(0.0, f64::max).max(f64::MIN_POSITIVE) };
        let key = key_places(bars.key.iter().map(|(name, _)| name.as_str()), width, 13.0);
        let begin = key.last().map_or(0.0, |(_, y)| y + 9.0);
        Self { width, narrow, left, right: width - figures, begin, row, top, labels, scale, key }
    }

    fn at(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.scale.place(value)
    }

    fn axis(&self, axis: &str, format: fn(f64) -> String, bottom: f64) -> Markup {
        html! {
            @for tick in self.scale.ticks(if self.narrow { 4 } else { 7 }) {
                @let x = self.at(tick);
                (rule(x, self.begin, x, bottom, "grid"))
                (text(x.min(self.width - 16.0), bottom + 16.0, if tick > 0.0 { "soft mid" } else { "soft" }, &format(tick)))
            }
            (text(self.left, bottom + 34.0, "soft", axis))
        }
    }

    fn bar(&self, bar: &Bar, label: &str, y: f64) -> Markup {
        let label_y = if self.narrow { y + 14.0 } else { y + 21.0 };
        let end = bar.segments.last().map_or(self.left, |segment| self.at(segment.to));
        let gap = if bar.segments.len() > 1 { 1.0 } else { 0.0 };
        html! {
            (text(0.0, label_y, "halo", label))
            @for segment in &bar.segments {
                @let (x, w) = (self.at(segment.from), (self.at(segment.to) - self.at(segment.from)).max(1.0));
                g {
                    title { (segment.tip) }
                    (block(x, y + self.top, w - gap, 24.0, segment.tone))
                }
            }
            (text(end + 8.0, y + self.top + 17.0, "halo strong", &bar.figure))
        }
    }
}

/// A coloured block. Where colours come a second time they are an outline, which the block makes room for.
fn block(x: f64, y: f64, width: f64, height: f64, tone: Tone) -> Markup {
    let class = format!("bar {}", tone.class());
    let edge = if tone.is_repeated() { (width / 4.0).clamp(0.0, 1.0) } else { 0.0 };
    rect(x + edge, y + edge, width - 2.0 * edge, height - 2.0 * edge, &class)
}

impl Plot for Bars {
    fn draw(&self, width: f64) -> Drawing {
        let layout = Layout::at_width(self, width);
        let bottom = layout.begin + layout.row * self.rows.len() as f64;
        let room = if layout.narrow { width } else { layout.labels };
        let labels = fitting_apart(self.rows.iter().map(|bar| bar.label.as_str()), room);
        let names = fitting_apart(self.key.iter().map(|(name, _)| name.as_str()), width - 27.0);
        let marks = html! {
            @for (((_, tone), name), (x, y)) in self.key.iter().zip(&names).zip(&layout.key) {
                (block(*x, y - 11.0, 20.0, 13.0, *tone))
                (text(x + 27.0, *y, "", name))
            }
            @if let Some(axis) = &self.axis { (layout.axis(axis, self.format, bottom)) }
            @for (n, (bar, label)) in self.rows.iter().zip(&labels).enumerate() { (layout.bar(bar, label, layout.begin + layout.row * n as f64)) }
        };
        Drawing { height: bottom + if self.axis.is_some() { LINE * 2.2 } else { 2.0 }, marks }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{COLOURS, STYLE};
    use super::*;

    /// The classes of blocks, in the order in which they are drawn.
    fn classes(marks: &str) -> Vec<String> {
        let after = marks.split("class=\"bar ").skip(1);
        after.map(|rest| rest[..rest.find('"').unwrap()].to_owned()).collect()
    }

    #[test]
    fn as_many_steps_as_there_may_be_are_told_apart_in_bar_and_key() {
        let steps = 3 * COLOURS;
        let segment =
            |n: usize| Segment { from: n as f64, to: n as f64 + 1.0, tone: Tone::Nth(n), tip: String::new() };
        let bar = Bar { label: "a".into(), figure: "1".into(), segments: (0..steps).map(segment).collect() };
        let key = (0..steps).map(|n| (format!("step {n}"), Tone::Nth(n))).collect();
        let bars = Bars { rows: vec![bar], axis: None, format: |_| String::new(), key };
        let marks = bars.draw(840.0).marks.into_string();
        let classes = classes(&marks);
        let distinct: BTreeSet<&String> = classes.iter().collect();
        assert_eq!((classes.len(), distinct.len()), (2 * steps, steps), "{classes:?}");
        // A class that the style sheet does not know for blocks would look as the plain one does.
        let looks: BTreeSet<&str> = (1..4)
            .map(|n| {
                let rule = format!(".chart .d{n}.bar{{");
                let begin = STYLE.find(&rule).unwrap_or_else(|| panic!("no {rule}")) + rule.len();
                &STYLE[begin..begin + STYLE[begin..].find('}').unwrap()]
            })
            .collect();
        assert_eq!(looks.len(), 3, "{looks:?}");
    }
}
