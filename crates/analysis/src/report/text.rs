//! For a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use super::document::Block;
use super::format::printable;

/// Columns that a report may take where no terminal says how many it has; a paragraph never takes more, for
/// long lines are hard to read.
const WIDTH: u16 = 100;

/// Columns that the tables of a sweep may take there: three figures with their intervals side by side.
const WIDE: u16 = 120;

/// A terminal that says less than this is not believed: nothing could be read in it.
const NARROWEST: u16 = 20;

/// Columns between two cells of a table, and before the first.
const PADDING: usize = 2;

/// Plain text, no escape codes: it reads the same in a terminal, a file and a log. `columns` is what the
/// terminal has, where there is one.
pub(super) fn render(blocks: &[Block], columns: Option<u16>) -> String {
    rendered(blocks, columns.unwrap_or(WIDTH))
}

/// The same with wide tables where no terminal limits them.
pub(super) fn render_wide(blocks: &[Block], columns: Option<u16>) -> String {
    rendered(blocks, columns.unwrap_or(WIDE))
}

fn rendered(blocks: &[Block], columns: u16) -> String {
    let columns = columns.max(NARROWEST);
    let wrap = |text: &str, indent: &str| wrapped(text, indent, usize::from(columns.min(WIDTH)));
    let mut out = String::new();
    for block in blocks.iter().map(|block| fitting(block, columns).with_text(&printable)) {
        // Writing to a String cannot fail.
        let _ = match &block {
            // Chosen above.
            Block::Widths(_) => Ok(()),
            Block::Title(text) | Block::Line(text) => writeln!(out, "{}\n", wrap(text, "")),
            Block::Alarm(text) => writeln!(out, "{}\n", wrap(&format!("!! {text}"), "   ")),
            Block::List { heading, items } => {
                let items: Vec<_> = items.iter().map(|item| wrap(&format!("  - {item}"), "    ")).collect();
                writeln!(out, "{}\n{}\n", wrap(heading, ""), items.join("\n"))
            }
            Block::Matrix { heading, header, rows } => {
                let header: Vec<&str> = header.iter().map(String::as_str).collect();
                let table = table(&header, rows, &[], columns).unwrap_or_else(|| lines(&header, rows, &wrap));
                writeln!(out, "{}\n{table}\n", wrap(heading, ""))
            }
            Block::Table { heading, header, rows, words } => {
                let table = table(header, rows, words, columns).unwrap_or_else(|| lines(header, rows, &wrap));
                writeln!(out, "{}\n{table}\n", wrap(heading, ""))
            }
        };
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Of a table that there is in several widths the first one that fits, else the narrowest.
fn fitting(block: &Block, columns: u16) -> &Block {
    let Block::Widths(tables) = block else { return block };
    let fits = |one: &&Block| match one {
        Block::Table { header, rows, words, .. } => table(header, rows, words, columns).is_some(),
        _ => true,
    };
    tables.iter().find(fits).or(tables.last()).unwrap_or(block)
}

/// A table that is no wider than `columns`, in which no word and no figure with its interval is broken;
/// `None` where there is no such table.
fn table(header: &[&str], rows: &[Vec<String>], words: &[usize], columns: u16) -> Option<String> {
    let least: Vec<usize> = (0..header.len()).map(|n| least_width(header[n], rows, n, words)).collect();
    if least.iter().map(|width| width + PADDING).sum::<usize>() > usize::from(columns) {
        return None;
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_width(columns);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.to_vec());
    table.add_rows(rows.to_vec());
    for (n, column) in table.column_iter_mut().enumerate() {
        let side = if Block::is_words(words, n) { CellAlignment::Left } else { CellAlignment::Right };
        column.set_cell_alignment(side);
        column.set_padding((1, 1));
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed((least[n] + PADDING) as u16)));
    }
    let text = table.to_string();
    Some(text.lines().map(|line| format!(" {}", line.trim_end())).collect::<Vec<_>>().join("\n"))
}

/// What a column needs at least: its longest word, and whole cells where they are figures.
fn least_width(title: &str, rows: &[Vec<String>], column: usize, words: &[usize]) -> usize {
    let longest = |text: &str| text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let cell = |text: &String| {
        if Block::is_words(words, column) { longest(text) } else { text.chars().count() }
    };
    let cells = rows.iter().filter_map(|row| row.get(column)).map(cell);
    cells.max().unwrap_or(0).max(longest(title))
}

/// What would be a table, row by row with a line for each cell.
fn lines(header: &[&str], rows: &[Vec<String>], wrap: &impl Fn(&str, &str) -> String) -> String {
    let row = |cells: &Vec<String>| {
        let named = header.iter().zip(cells).skip(1).filter(|(_, cell)| !cell.is_empty());
        let rest = named.map(|(title, cell)| {
            let line = if title.is_empty() { format!("    {cell}") } else { format!("    {title}: {cell}") };
            wrap(&line, "      ")
        });
        let first = cells.first().map(|cell| wrap(&format!("  {}: {cell}", header[0]), "    "));
        first.into_iter().chain(rest).collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// Breaks a line at blanks into lines of `width` characters, as far as its words allow; following lines begin
/// with `indent`. What it begins with itself stays.
pub fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let begins = text.trim_start();
    let lead = &text[..text.len() - begins.len()];
    let options = Options::new(width)
        .initial_indent(lead)
        .subsequent_indent(indent)
        // A path or a command that was cut is none.
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::fill(begins, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> Vec<Block> {
        let table = Block::Table {
            heading: "Compared with a-baseline-of-some-length, which is a heading that wraps as well".into(),
            header: vec!["variant", "metric", "baseline", "value", "difference", "verdict"],
            rows: vec![vec![
                "hget-lane".into(),
                "service p50 (µs)".into(),
                "506.6".into(),
                "584.0".into(),
                "+15.3 % [14.5, 16.0]".into(),
                "inconclusive: could show 9.8 % or more".into(),
            ]],
            words: vec![1, 5],
        };
        let item = "machine: AMD EPYC, 2 cores, 23.5 GiB, Linux 6.18.44-fc-v782".to_owned();
        let list = Block::List { heading: "Where this was measured".into(), items: vec![item] };
        vec![Block::Alarm("INVALID: do not use these figures.".into()), table, list]
    }

    /// Whatever the width: no line is longer than that, and no word and no figure is broken.
    #[test]
    fn a_narrow_terminal_breaks_no_word() {
        for columns in [40, 56, 60, 72, 80, 100, 120, 200] {
            let text = render(&blocks(), Some(columns));
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= usize::from(columns), "{columns}: {longest}\n{text}");
            for whole in ["baseline", "inconclusive:", "+15.3 % [14.5, 16.0]", "hget-lane", "6.18.44-fc-v782"]
            {
                assert!(text.contains(whole), "{whole} in {columns} columns:\n{text}");
            }
        }
        let narrow = render(&blocks(), Some(56));
        assert!(
            narrow.contains("\n  variant: hget-lane\n    metric: service p50 (µs)\n    baseline: 506.6\n"),
            "{narrow}"
        );
    }

    #[test]
    fn without_a_terminal_it_is_a_hundred_columns() {
        assert_eq!(render(&blocks(), None), render(&blocks(), Some(100)));
        assert_eq!(render_wide(&blocks(), None), render_wide(&blocks(), Some(120)));
    }
}
