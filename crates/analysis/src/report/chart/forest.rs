//! Differences with their intervals, one below the other, against the band within which a difference is
//! noise.

use maud::{Markup, html};

use super::{Drawing, LINE, Plot, Scale, Tone, bold_width, fitting_apart, px, rect, rule, text, text_width};
use crate::judge::noise_band;
use crate::report::format::{difference, difference_within, round_difference};
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
        let all: Vec<f64> = ends.chain(noise_band(1.5 * band)).chain([1.0]).collect();
        let (low, high) = (all.iter().copied().fold(1.0, f64::min), all.iter().copied().fold(1.0, f64::max));
        if low > 0.0 && high / low > 3.0 { Scale::log(all) } else { Scale::around(all) }
    }

    fn row(row: &ForestRow, label: &str, y: f64, layout: &Layout) -> Markup {
        let class = row.tone.class();
        let at = |ratio: f64| layout.at(ratio);
        let tip = format!("{}: {} {}", row.label, row.figures, row.verdict);
        let middle = y + layout.mark;
        html! {
            g {
                title { (tip) }
                (text(0.0, y + layout.label, if row.control { "soft" } else { "" }, label))
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
    fn at_width(forest: &Forest, width: f64) -> Self {
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

    /// The ticks that have a label, with its place: no difference first, then those that leave room between
    /// them.
    fn labelled(&self, ticks: &[f64]) -> Vec<(f64, String)> {
        let mut placed: Vec<(f64, String)> = Vec::new();
        let none = ticks.iter().filter(|tick| (**tick - 1.0).abs() < 1e-9);
        let others = ticks.iter().filter(|tick| (**tick - 1.0).abs() >= 1e-9);
        for tick in none.chain(others) {
            let (x, label) = (self.at(*tick), round_difference(*tick));
            let half = text_width(&label) / 2.0;
            let apart = |(at, other): &(f64, String)| (x - at).abs() >= half + text_width(other) / 2.0 + 8.0;
            if x - half > -2.0 && x + half < self.width + 2.0 && placed.iter().all(apart) {
                placed.push((x, label));
            }
        }
        placed
    }

    fn words(&self, row: &ForestRow) -> String {
        let figures = if self.narrow { &row.amount } else { &row.figures };
        if figures.is_empty() { row.verdict.clone() } else { format!("{figures}  {}", row.verdict) }
    }
}

impl Plot for Forest {
    fn draw(&self, width: f64) -> Drawing {
        let layout = Layout::at_width(self, width);
        let bottom = TOP + layout.row * self.rows.len() as f64 + 4.0;
        let labels = fitting_apart(self.rows.iter().map(|row| row.label.as_str()), layout.label_width);
        let ticks = layout.scale.ticks(if layout.narrow { 4 } else { 6 });
        let zero = layout.at(1.0);
        // From where to where rules go: through the whole picture, or, where labels stand above their marks,
        // only beside the marks, so that no rule crosses a label.
        let strips: Vec<[f64; 2]> = if layout.narrow {
            let strip = |n: usize| TOP + layout.row * n as f64 + layout.mark;
            (0..self.rows.len()).map(|n| [strip(n) - 9.0, strip(n) + 9.0]).collect()
        } else {
            vec![[TOP - 4.0, bottom]]
        };
        let [left, right] = self.sides;
        let marks = html! {
            @if let Some(band) = self.band {
                @let [low, high] = noise_band(band);
                @for [top, end] in &strips {
                    (rect(layout.at(low), *top, layout.at(high) - layout.at(low), end - top, "noise"))
                    @for edge in [low, high] { (rule(layout.at(edge), *top, layout.at(edge), *end, "edge")) }
                }
            }
            @for tick in &ticks {
                @let x = layout.at(*tick);
                @for [top, end] in &strips { (rule(x, *top, x, *end, "grid")) }
            }
            @for (x, label) in layout.labelled(&ticks) { (text(x, bottom + 16.0, "soft mid", &label)) }
            @for [top, end] in &strips { (rule(zero, *top, zero, *end, "zero")) }
            @if zero - layout.left > text_width(left) + 28.0 {
                (text(zero - 8.0, 13.0, "soft end", &format!("◀ {left}")))
            }
            @if width - zero > text_width(right) + 28.0 {
                (text(zero + 8.0, 13.0, "soft", &format!("{right} ▶")))
            }
            @for (n, (row, label)) in self.rows.iter().zip(&labels).enumerate() {
                (Self::row(row, label, TOP + layout.row * n as f64, &layout))
            }
            (text(f64::midpoint(layout.left, layout.right), bottom + 34.0, "soft mid", "difference from the baseline"))
        };
        Drawing { height: bottom + BOTTOM + LINE / 9.0, marks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_large_ratios_leave_room_between_them() {
        for high in [1.3, 3.5, 11.0, 31.0, 400.0, 20_000.0] {
            let ratio = Estimate { estimate: high * 0.9, low: high * 0.8, high, confidence: 0.95 };
            let rows = ["service p50 of a", "service p99 of a"].map(|label| ForestRow {
                verdict: "slower".into(),
                ..ForestRow::new(label.into(), Some(ratio))
            });
            let forest = Forest { rows: rows.into(), band: None, sides: ["less", "more"] };
            for width in [super::super::WIDE, super::super::NARROW] {
                let layout = Layout::at_width(&forest, width);
                let mut placed = layout.labelled(&layout.scale.ticks(if layout.narrow { 4 } else { 6 }));
                placed.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(placed.iter().any(|(_, label)| label == "0 %"), "{high} {placed:?}");
                for pair in placed.windows(2) {
                    let room =
                        pair[1].0 - pair[0].0 - f64::midpoint(text_width(&pair[0].1), text_width(&pair[1].1));
                    assert!(room >= 7.9, "{high} {placed:?}");
                }
            }
        }
    }
}
