//! For a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::document::Block;
use super::format::printable;

/// Columns that a report may take.
pub(super) const WIDTH: u16 = 100;

/// Columns that the tables of a sweep may take: three figures with their intervals side by side.
const WIDE: u16 = 120;

/// Plain text, no escape codes: it reads the same in a terminal, a file and a log.
pub(super) fn render(blocks: &[Block]) -> String {
    rendered(blocks, WIDTH)
}

/// The same with wide tables.
pub(super) fn render_wide(blocks: &[Block]) -> String {
    rendered(blocks, WIDE)
}

fn rendered(blocks: &[Block], table_width: u16) -> String {
    let mut out = String::new();
    for block in blocks.iter().map(|block| block.with_text(&printable)) {
        // Writing to a String cannot fail.
        let _ = match &block {
            Block::Title(text) | Block::Line(text) => writeln!(out, "{}\n", wrap(text, "")),
            Block::Alarm(text) => writeln!(out, "{}\n", wrap(&format!("!! {text}"), "   ")),
            Block::List { heading, items } => {
                let items: Vec<_> = items.iter().map(|item| wrap(&format!("  - {item}"), "    ")).collect();
                writeln!(out, "{heading}\n{}\n", items.join("\n"))
            }
            Block::Matrix { heading, header, rows } => {
                let header: Vec<&str> = header.iter().map(String::as_str).collect();
                writeln!(out, "{heading}\n{}\n", table(&header, rows, &[], table_width))
            }
            Block::Table { heading, header, rows, words } => {
                writeln!(out, "{heading}\n{}\n", table(header, rows, words, table_width))
            }
        };
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn table(header: &[&str], rows: &[Vec<String>], words: &[usize], width: u16) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_width(width);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.to_vec());
    table.add_rows(rows.to_vec());
    for (n, column) in table.column_iter_mut().enumerate() {
        let side = if Block::is_words(words, n) { CellAlignment::Left } else { CellAlignment::Right };
        column.set_cell_alignment(side);
        column.set_padding((1, 1));
    }
    let text = table.to_string();
    text.lines().map(|line| format!(" {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

/// Breaks at blanks; following lines begin with `indent`.
fn wrap(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    let lead = text.len() - text.trim_start().len();
    for word in text.trim_start().split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(&text[..lead]);
        } else if line.chars().count() + 1 + word.chars().count() > usize::from(WIDTH) {
            lines.push(format!("{indent}{word}"));
            continue;
        } else {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.join("\n")
}
