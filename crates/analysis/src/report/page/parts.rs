//! What pages are put together from: figures that say where they come from, tables, charts with the table
//! behind them.

use maud::{Markup, html};

use crate::judge::{Trust, Verdict};
use crate::report::chart::{Chart, text_width};
use crate::report::document::Block;
use crate::report::format::{difference, share};
use crate::scenario::Metric;
use crate::stats::Estimate;

/// A figure as a reader wants it, with the value itself and its place in the stored JSON (an RFC 6901
/// pointer) for programs. Without a place for a figure that the JSON does not hold.
pub(super) fn value(text: &str, value: f64, place: &str) -> Markup {
    html! { data value=(value) data-from=[Some(place).filter(|place| !place.is_empty())] { (text) } }
}

/// The same for a value that may be missing.
pub(super) fn maybe(format: impl Fn(f64) -> String, of: Option<f64>, place: &str) -> Markup {
    of.filter(|of| of.is_finite()).map_or_else(|| html! { "-" }, |of| value(&format(of), of, place))
}

/// A figure that does not vary and is more than what it is held against, or less: by a sign and a colour.
pub(super) fn changed(more: bool, shown: &Markup) -> Markup {
    html! { span class=(if more { "up" } else { "down" }) { (if more { "▲ " } else { "▼ " }) (shown) } }
}

/// A name as part of a place in JSON.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A column's heading, and whether it holds words.
#[derive(Clone)]
pub(super) struct Column {
    title: String,
    words: bool,
}

/// A column of figures.
pub(super) fn figures(title: impl Into<String>) -> Column {
    Column { title: title.into(), words: false }
}

/// A column of words.
pub(super) fn words(title: impl Into<String>) -> Column {
    Column { title: title.into(), words: true }
}

/// Rows up to which a table that is wider than a telephone stands there row by row, each figure with its
/// name; a longer one is scrolled to the side.
const STACKED: usize = 60;

/// Width that a table has on a telephone, within all frames, and on a desk, in pixels.
const ROOM: [f64; 2] = [325.0, 840.0];

/// A table whose first column names the row.
pub(super) fn table(caption: &str, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    let class = |n: usize| columns.get(n).filter(|column| column.words).map(|_| "word");
    let least = least_width(columns, rows);
    let stacked = least > ROOM[0] && rows.len() <= STACKED;
    let hint = match least {
        wide if wide > ROOM[1] && stacked => "hint desk",
        wide if wide > ROOM[1] => "hint always",
        wide if wide > ROOM[0] && !stacked => "hint phone",
        _ => "hint",
    };
    // A stacked table is laid out as blocks, which takes its roles away unless they are said.
    let role = |role: &'static str| Some(role).filter(|_| stacked);
    html! {
        // Wider than a telephone: it can be scrolled by keyboard as well.
        div class="scroll" role="region" tabindex="0" aria-label=(caption) {
            // Always there, and shown where it holds: names of variants decide how wide a table is, never
            // what is in a page. Its words are in the style sheet: whoever hears the page has no use for
            // them.
            p class=(hint) aria-hidden="true" {}
            table class=[stacked.then_some("stack")] role=[role("table")] {
                caption { (caption) }
                thead role=[role("rowgroup")] { tr role=[role("row")] { @for (n, column) in columns.iter().enumerate() {
                    th scope="col" role=[role("columnheader")] class=[class(n).or((n == 0).then_some("word"))] { (column.title) }
                } } }
                tbody role=[role("rowgroup")] { @for row in rows { tr role=[role("row")] {
                    @for (n, cell) in row.iter().enumerate() {
                        @if n == 0 { th scope="row" role=[role("rowheader")] { (cell) } } @else {
                            td class=[class(n)] role=[role("cell")]
                                data-label=[columns.get(n).map(|column| column.title.as_str()).filter(|_| stacked)] { (cell) }
                        }
                    }
                } } }
            }
        }
    }
}

/// What a table needs at least: the longest word of each column, in the letters of a page.
fn least_width(columns: &[Column], rows: &[Vec<Markup>]) -> f64 {
    let word = |text: &str| text.split_whitespace().map(text_width).fold(0.0, f64::max);
    let of = |n: usize| {
        let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| word(&text_of(cell)));
        cells.fold(word(&columns[n].title), f64::max)
    };
    (0..columns.len()).map(|n| of(n) + 10.0).sum()
}

/// What a reader sees of a cell.
fn text_of(cell: &Markup) -> String {
    let mut within = false;
    let seen = |letter: &char| match letter {
        '<' => {
            within = true;
            false
        }
        '>' => {
            within = false;
            false
        }
        _ => !within,
    };
    cell.0.chars().filter(seen).collect()
}

/// A chart under its title, with the table behind it.
pub(super) fn figure(chart: &Chart, behind: &Markup) -> Markup {
    html! { (drawn(chart)) (self::behind("The figures behind this chart", behind)) }
}

/// A chart under its title, whose table stands elsewhere.
pub(super) fn drawn(chart: &Chart) -> Markup {
    html! {
        figure {
            figcaption { (chart.title) }
            (chart.both_widths())
        }
    }
}

/// The table behind charts.
pub(super) fn behind(summary: &str, table: &Markup) -> Markup {
    html! { details class="behind" { summary { (summary) } (table) } }
}

/// Blocks of a report as they are said in text as well; titles are left out, a page has its own.
pub(super) fn blocks(blocks: &[Block]) -> Markup {
    html! { @for block in blocks { (self::block(block)) } }
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Widths(tables) => tables.first().map(self::block).unwrap_or_default(),
        Block::Title(_) => html! {},
        Block::Alarm(text) => html! { p class="alarm" { (text) } },
        Block::Line(text) => html! { p { (text) } },
        Block::List { heading, items } => html! { h3 { (heading) } (list(items)) },
        Block::Table { heading, header, rows, words } => {
            let columns: Vec<Column> = header
                .iter()
                .enumerate()
                .map(|(n, title)| Column { title: (*title).to_owned(), words: Block::is_words(words, n) })
                .collect();
            table(heading, &columns, &cells(rows))
        }
        Block::Matrix { heading, header, rows } => {
            let columns: Vec<Column> = header.iter().map(figures).collect();
            table(heading, &columns, &cells(rows))
        }
    }
}

fn cells(rows: &[Vec<String>]) -> Vec<Vec<Markup>> {
    rows.iter().map(|row| row.iter().map(|cell| html! { (cell) }).collect()).collect()
}

/// Items one below the other.
pub(super) fn list(items: &[String]) -> Markup {
    html! { ul { @for item in items { li { (item) } } } }
}

/// Something long that few want to read: folded, and open to whoever asks.
pub(super) fn folded(summary: &str, body: &Markup) -> Markup {
    html! { details { summary { (summary) } (body) } }
}

/// Whether to believe an answer, and why.
pub(super) struct Belief {
    /// How far.
    pub level: Trust,
    /// In a few words.
    pub headline: String,
    /// Why.
    pub reasons: Vec<Markup>,
}

/// The answer in one sentence, as large as can be, and whether to believe it.
pub(super) struct Answer {
    /// The sentence. Lines before its last are said before it in smaller letters: what a gate says.
    pub sentence: String,
    /// The figure of it, with its interval.
    pub figure: Option<(Markup, Markup)>,
    /// "good", "bad" or nothing.
    pub tone: &'static str,
    /// What else the answer needs.
    pub details: Vec<Markup>,
    /// Whether to believe it.
    pub belief: Belief,
}

impl Answer {
    /// In the page.
    pub(super) fn markup(&self) -> Markup {
        let (class, sign) = match self.belief.level {
            Trust::Yes => ("belief yes", "✔"),
            Trust::Careful => ("belief careful", "!"),
            Trust::No => ("belief no", "✘"),
        };
        let (before, sentence) = self.sentence.rsplit_once('\n').unwrap_or(("", &self.sentence));
        html! {
            div class=(format!("answer {}", self.tone)) {
                @for line in before.lines() { p class="gate" { (line) } }
                h2 { (sentence) }
                @if let Some((figure, small)) = &self.figure { p class="figure" { (figure) " " small { (small) } } }
                @for detail in &self.details { (detail) }
            }
            div class=(class) {
                span class="sign" aria-hidden="true" { (sign) }
                div {
                    p { strong { (self.belief.headline) } }
                    @if !self.belief.reasons.is_empty() { ul { @for reason in &self.belief.reasons { li { (reason) } } } }
                }
            }
        }
    }
}

/// A ratio as a difference, and below it what it is of, with its interval; `path` is where the ratio stands
/// in the page's document.
pub(super) fn ratio_figure(title: &str, ratio: &Estimate, path: &str) -> (Markup, Markup) {
    let shown = |of: f64, key: &str| value(&difference(of), of, &format!("{path}/{key}"));
    let small = html! {
        (title) "; " (share(ratio.confidence)) " interval " (shown(ratio.low, "low")) " to "
        (shown(ratio.high, "high"))
    };
    (shown(ratio.estimate, "estimate"), small)
}

/// How many of several candidates are better, worse and neither by a metric: a page's sentence names one.
pub(super) fn of_several(baseline: &str, metric: Metric, verdicts: &[Verdict]) -> String {
    let of = |verdict: Verdict| verdicts.iter().filter(|one| **one == verdict).count();
    let said: Vec<String> = [
        (of(Verdict::Improvement), "better"),
        (of(Verdict::Regression), "worse"),
        (of(Verdict::NoChange), "no different"),
        (of(Verdict::Inconclusive), "undecided"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    format!(
        "Of {} candidates against {baseline}, by {}: {}.",
        verdicts.len(),
        metric.row().title,
        said.join(", ")
    )
}

/// What is said of two results that do not tell.
pub(super) const UNKNOWN_WHETHER_WORSE: &str = "Whether the candidate is worse than the base cannot be said";

/// What every comparison of two results has in it.
pub(super) const ONE_AFTER_THE_OTHER: &str =
    "Measured one after the other: what changed on the machine in between is in every difference.";
