//! Differences with their intervals, one below the other, against the band within which a difference is noise.

use maud::{Markup, html};

use super::{Drawing, LINE, Plot, Scale, Tone, bold_width, fitting, px, rect, rule, text, text_width};
use crate::report::format::{difference, difference_within};
use crate::stats::Estimate;

/// A forest plot of ratios: 1 is no difference.
pub struct Forest {
    /// The rows, from top to bottom.
    pub rows: Vec<ForestRow>,
    /// Ratios between 1 / (1 + this) and 1 + this are noise.
    pub band: Option<f64>,
    /// What it means to lie left and right of no difference.
    pub sides: [&'static str; 2],
}

/// One difference, or a heading over those that follow.
pub struct ForestRow {
    /// What it is a difference of.
    pub label: String,
    /// The ratio; `None` where there is none.
    pub ratio: Option<Estimate>,
    /// The figures in words.
    pub figures: String,
    /// The same in as few words as can be, for where there is little room.
    pub amount: String,
    /// The verdict in a word or two.
    pub verdict: String,
    /// How it is to be seen.
    pub tone: Tone,
    /// Whether it is the control rather than an answer.
    pub control: bool,
}

impl ForestRow {
    /// A row with its ratio, and that in words.
    pub fn new(label: String, ratio: Option<Estimate>) -> Self {
        Self {
            label,
            figures: ratio.as_ref().map(difference_within).unwrap_or_default(),
            amount: ratio.map(|ratio| difference(ratio.estimate)).unwrap_or_default(),
            ratio,
            verdict: String::new(),
            tone: Tone::Neutral,
            control: false,
        }
    }
}

/// Above the rows: which side is which.
const TOP: f64 = 26.0;
const BOTTOM: f64 = 40.0;

impl Forest {
    fn scale(&self) -> Scale {
        let band = self.band.unwrap_or(0.0);
        let ends = self.rows.iter().filter_map(|row| row.ratio).flat_map(|ratio| [ratio.low, ratio.high]);
        let all: Vec<f64> = ends.chain([1.0 / (1.0 + 1.5 * band), 1.0 + 1.5 * band, 1.0]).collect();
        let (low, high) = (all.iter().copied().fold(1.0, f64::min), all.iter().copied().fold(1.0, f64::max));
        if low > 0.0 && high / low > 3.0 { Scale::log(all) } else { Scale::around(all) }
    }

    fn row(row: &ForestRow, y: f64, layout: &Layout) -> Markup {
        let class = row.tone.class();
        let at = |ratio: f64| layout.at(ratio);
        let tip = format!("{}: {} {}", row.label, row.figures, row.verdict);
        let middle = y + layout.mark;
        html! {
            g {
                title { (tip) }
                (text(0.0, y + layout.label, if row.control { "soft" } else { "" }, &fitting(&row.label, layout.label_width)))
                (text(layout.width, y + layout.label, &format!("end tone {class}{}", if row.control { "" } else { " strong" }),
                    &layout.words(row)))
                @if let Some(ratio) = row.ratio {
                    line class=(format!("heavy {class}")) x1=(px(at(ratio.low))) x2=(px(at(ratio.high))) y1=(px(middle)) y2=(px(middle)) {}
                    @for end in [ratio.low, ratio.high] {
                        (rule(at(end), middle - 5.0, at(end), middle + 5.0, &format!("whisker {class}")))
                    }
                    path class=(format!("{} {class}", if row.control { "hollow" } else { "dot" }))
                        d=(row.tone.shape(at(ratio.estimate), middle, 6.0)) {}
                }
            }
        }
    }
}

/// Where things are, at one width.
struct Layout {
    width: f64,
    left: f64,
    right: f64,
    label_width: f64,
    label: f64,
    mark: f64,
    row: f64,
    scale: Scale,
    narrow: bool,
}

impl Layout {
    fn of(forest: &Forest, width: f64) -> Self {
        let narrow = width < 600.0;
        let longest = |of: &dyn Fn(&ForestRow) -> f64| forest.rows.iter().map(of).fold(60.0, f64::max);
        let scale = forest.scale();
        if narrow {
            let words = longest(&|row| bold_width(&row.amount) + bold_width(&row.verdict) + 6.0);
            let label_width = width - words - 8.0;
            return Self {
                width,
                left: 8.0,
                right: width - 8.0,
                label_width,
                label: 14.0,
                mark: 28.0,
                row: 44.0,
                scale,
                narrow,
            };
        }
        let label_width = longest(&|row| text_width(&row.label)).min(250.0);
        let words = longest(&|row| bold_width(&row.figures) + bold_width(&row.verdict) + 12.0).min(350.0);
        let (left, right) = (label_width + 12.0, width - words - 12.0);
        Self { width, left, right, label_width, label: 19.0, mark: 15.0, row: 30.0, scale, narrow }
    }

    fn at(&self, ratio: f64) -> f64 {
        self.left + (self.right - self.left) * self.scale.place(ratio)
    }

    fn words(&self, row: &ForestRow) -> String {
        let figures = if self.narrow { &row.amount } else { &row.figures };
        if figures.is_empty() { row.verdict.clone() } else { format!("{figures}  {}", row.verdict) }
    }
}

impl Plot for Forest {
    fn draw(&self, width: f64) -> Drawing {
        let layout = Layout::of(self, width);
        let bottom = TOP + layout.row * self.rows.len() as f64 + 4.0;
        let per_cent = |ratio: f64| match (1_000.0 * (ratio - 1.0)).round() / 10.0 {
            none if none.abs() < 0.05 => "0 %".to_owned(),
            some => format!("{some:+} %"),
        };
        let ticks = layout.scale.ticks(if layout.narrow { 4 } else { 6 });
        let zero = layout.at(1.0);
        let [left, right] = self.sides;
        let marks = html! {
            @if let Some(band) = self.band {
                @let (low, high) = (1.0 / (1.0 + band), 1.0 + band);
                (rect(layout.at(low), TOP - 4.0, layout.at(high) - layout.at(low), bottom - TOP + 4.0, "noise"))
                @for edge in [low, high] {
                    (rule(layout.at(edge), TOP - 4.0, layout.at(edge), bottom, "edge"))
                }
            }
            @for tick in &ticks {
                @let (x, label) = (layout.at(*tick), per_cent(*tick));
                (rule(x, TOP, x, bottom, "grid"))
                @if x - text_width(&label) / 2.0 > -2.0 && x + text_width(&label) / 2.0 < width + 2.0 {
                    (text(x, bottom + 16.0, "soft mid", &label))
                }
            }
            (rule(zero, TOP - 6.0, zero, bottom, "zero"))
            @if zero - layout.left > text_width(left) + 28.0 {
                (text(zero - 8.0, 13.0, "soft end", &format!("◀ {left}")))
            }
            @if width - zero > text_width(right) + 28.0 {
                (text(zero + 8.0, 13.0, "soft", &format!("{right} ▶")))
            }
            @for (n, row) in self.rows.iter().enumerate() {
                (Self::row(row, TOP + layout.row * n as f64, &layout))
            }
            (text(f64::midpoint(layout.left, layout.right), bottom + 34.0, "soft mid", "difference from the baseline"))
        };
        Drawing { height: bottom + BOTTOM + LINE / 9.0, marks }
    }
}
