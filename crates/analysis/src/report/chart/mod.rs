//! Charts as SVG, made for a page that is light or dark, wide or narrow, on a screen or on paper.
//!
//! Colours are classes, which a style sheet fills ([`STYLE`]); every chart has a title and a description for
//! those who hear it, and marks say their figures when pointed at. A chart is drawn once for each of two
//! widths, so that its letters are as large on a telephone as on a desk.

mod bars;
mod forest;
mod layers;
mod pen;
mod scale;
mod xy;

use maud::{Markup, PreEscaped, html};

pub use self::bars::{Bar, Bars, Segment};
pub use self::forest::{Forest, ForestRow};
pub use self::layers::{Axis, Layer, Look, Point, PointSeries, Xy};
pub use self::scale::Scale;

/// Width for a desk, in CSS pixels.
pub const WIDE: f64 = 840.0;
/// Width for a telephone.
pub const NARROW: f64 = 350.0;

/// Height of a line of text, in pixels.
const LINE: f64 = 18.0;

/// Colours of all charts, for light and dark. A page has it once; a picture in a file of its own has it
/// inside.
pub const STYLE: &str = include_str!("chart.css");

/// What a mark stands for; the style sheet gives it a colour, and marks differ in more than colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// One of several things of the same kind, by its number.
    Nth(usize),
    /// The candidate is better.
    Good,
    /// The candidate is worse.
    Bad,
    /// Neither.
    Neutral,
    /// What is asked for: a service level, a threshold.
    Level,
}

/// Colours for things of the same kind; beyond them, dashes, outlines and shapes differ.
const COLOURS: usize = 7;

impl Tone {
    fn class(self) -> String {
        match self {
            Self::Nth(n) => format!("t{} d{}", n % COLOURS, n / COLOURS % 4),
            Self::Good => "good".to_owned(),
            Self::Bad => "bad".to_owned(),
            Self::Neutral => "neutral".to_owned(),
            Self::Level => "level".to_owned(),
        }
    }

    /// Whether another thing of the same kind has this colour, and it must differ in more.
    fn is_repeated(self) -> bool {
        matches!(self, Self::Nth(n) if n >= COLOURS)
    }

    /// A shape of about radius `r`: with colour alone, who cannot tell colours could not tell marks.
    fn shape(self, x: f64, y: f64, r: f64) -> String {
        let kind = match self {
            Self::Nth(n) => n % 4,
            Self::Good | Self::Neutral | Self::Level => 0,
            Self::Bad => 1,
        };
        let (x, y) = (px(x), px(y));
        match kind {
            0 => format!(
                "M{} {y}a{r} {r} 0 1 0 {} 0a{r} {r} 0 1 0 -{} 0z",
                px(number(&x) - r),
                px(2.0 * r),
                px(2.0 * r)
            ),
            1 => {
                let half = 0.88 * r;
                format!(
                    "M{} {}h{s}v{s}h-{s}z",
                    px(number(&x) - half),
                    px(number(&y) - half),
                    s = px(2.0 * half)
                )
            }
            2 => format!(
                "M{x} {}l{w} {h}h-{d}z",
                px(number(&y) - 1.15 * r),
                w = px(1.1 * r),
                h = px(2.0 * r),
                d = px(2.2 * r)
            ),
            _ => format!("M{x} {}l{d} {d}l-{d} {d}l-{d} -{d}z", px(number(&y) - 1.25 * r), d = px(1.25 * r)),
        }
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// A picture at one width.
pub struct Drawing {
    /// Its height, in pixels.
    pub height: f64,
    /// What is in it.
    pub marks: Markup,
}

/// Something that can be drawn at any width.
pub trait Plot {
    /// Draws it.
    fn draw(&self, width: f64) -> Drawing;
}

/// A chart with what is said of it to those who do not see it.
pub struct Chart {
    /// What it shows, in a few words.
    pub title: String,
    /// What it says, in a sentence or two.
    pub description: String,
    /// The chart.
    pub plot: Box<dyn Plot>,
}

impl Chart {
    /// Both widths, of which a page shows one.
    pub fn both_widths(&self) -> Markup {
        html! {
            div class="wide" { (self.svg(WIDE, None)) }
            div class="narrow" { (self.svg(NARROW, None)) }
        }
    }

    /// A picture for a file of its own.
    pub fn file(&self) -> String {
        self.svg(WIDE, Some(STYLE)).into_string()
    }

    fn svg(&self, width: f64, style: Option<&str>) -> Markup {
        let Drawing { height, marks } = self.plot.draw(width);
        html! {
            // The first title and description name it to who hears the page (SVG accessibility mappings).
            svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img"
                viewBox=(format!("0 0 {} {}", px(width), px(height))) width=(px(width)) height=(px(height)) {
                title { (self.title) }
                desc { (self.description) }
                @if let Some(style) = style {
                    style { (PreEscaped(style)) }
                    rect class="paper" width="100%" height="100%" {}
                }
                (marks)
            }
        }
    }
}

/// A length with at most one decimal, as short as SVG takes it.
fn px(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    // Not a number comes from no measurement; a picture with a hole in it is better than a broken one.
    if rounded.is_finite() { format!("{}", rounded + 0.0) } else { "0".to_owned() }
}

/// Width of a letter in the widest usual font (`DejaVu` Sans): which font there will be is not known here.
fn letter_width(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' => 4.4,
        ' ' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 5.4,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 13.0,
        '+' | '−' | '=' | '<' | '>' | '~' | '▲' | '▼' | '◀' | '▶' => 11.0,
        letter if letter.is_ascii_uppercase() => 9.8,
        letter if letter.is_ascii() || letter == 'µ' => 8.4,
        _ => 13.0,
    }
}

/// Width that a text takes at most, near enough to keep texts apart.
pub fn text_width(text: &str) -> f64 {
    text.chars().map(letter_width).sum()
}

/// The same of a text in bold letters.
fn bold_width(text: &str) -> f64 {
    1.14 * text_width(text)
}

/// Text that fits into a width, its end left out where it does not.
fn fitting(text: &str, width: f64) -> String {
    if text_width(text) <= width {
        return text.to_owned();
    }
    let mut room = width - letter_width('…');
    let kept = text.chars().take_while(|letter| {
        room -= letter_width(*letter);
        room >= 0.0
    });
    kept.chain(['…']).collect()
}

/// Texts that fit into a width and stay apart: where two would be cut to the same, what they have in common
/// is shortened instead of their ends.
fn fitting_apart<'a>(texts: impl IntoIterator<Item = &'a str>, width: f64) -> Vec<String> {
    let texts: Vec<&str> = texts.into_iter().collect();
    let cut: Vec<String> = texts.iter().map(|text| fitting(text, width)).collect();
    let alike = |n: usize| -> Vec<&str> {
        let same = texts.iter().zip(&cut).filter(|(text, other)| **other == cut[n] && **text != texts[n]);
        same.map(|(text, _)| *text).collect()
    };
    let apart = |n: usize| match alike(n).as_slice() {
        [] => cut[n].clone(),
        others => {
            let shared = others.iter().map(|other| shared(texts[n], other)).min().unwrap_or_default();
            let (common, own) = texts[n].split_at(shared);
            let room = width - text_width(own);
            if room < letter_width('…') { fitting(own, width) } else { fitting(common, room) + own }
        }
    };
    (0..texts.len()).map(apart).collect()
}

/// Bytes that two texts have in common at their begin, up to the last word that differs.
fn shared(one: &str, other: &str) -> usize {
    let same = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
    let end = same.map_or(one.len().min(other.len()), |((at, _), _)| at);
    one[..end].rfind(|c: char| !c.is_alphanumeric()).unwrap_or(end)
}

/// Places for the names of a key, in rows that fit a width, the first row at `y`: x and y of each.
fn key_places<'a>(names: impl Iterator<Item = &'a str>, width: f64, mut y: f64) -> Vec<(f64, f64)> {
    let mut x = 0.0;
    let place = |name: &str| {
        let wide = text_width(name) + 42.0;
        if x > 0.0 && x + wide > width {
            (x, y) = (0.0, y + LINE);
        }
        let at = (x, y);
        x += wide;
        at
    };
    names.map(place).collect()
}

fn text(x: f64, y: f64, class: &str, content: &str) -> Markup {
    html! { text x=(px(x)) y=(px(y)) class=(class) { (content) } }
}

fn rule(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> Markup {
    html! { line x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) class=(class) {} }
}

fn rect(x: f64, y: f64, width: f64, height: f64, class: &str) -> Markup {
    html! { rect x=(px(x)) y=(px(y)) width=(px(width.max(0.0))) height=(px(height.max(0.0))) class=(class) {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_would_be_cut_to_the_same_lose_what_they_have_in_common() {
        let long = "grant-lane-of-a-very-long-name, service";
        let [a, b, other] = [format!("{long} p50"), format!("{long} p99"), "short".to_owned()];
        let shown = fitting_apart([a.as_str(), &b, &other], 150.0);
        assert!(shown[0].ends_with("… p50") && shown[1].ends_with("… p99"), "{shown:?}");
        assert!(shown[0].starts_with("grant-lane") && shown[2] == "short", "{shown:?}");
        assert!(shown.iter().all(|text| text_width(text) <= 150.0), "{shown:?}");
        // Where nothing would be the same, ends are cut as before; and nothing is cut without need.
        assert_eq!(fitting_apart([a.as_str(), &other], 150.0)[0], fitting(&a, 150.0));
        assert_eq!(fitting_apart([a.as_str(), &b], 900.0), [a.clone(), b.clone()]);
        assert_eq!(shared("äb-cd", "äb-ce"), 3);
    }
}
