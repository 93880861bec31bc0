//! For a pull request or a wiki.

use std::fmt::Write as _;

use super::document::Block;
use super::format::printable;

/// GitHub-flavoured Markdown.
pub(super) fn render(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        // Writing to a String cannot fail.
        let _ = match block {
            Block::Widths(tables) => writeln!(out, "{}", render(tables.get(..1).unwrap_or_default())),
            Block::Title(text) => writeln!(out, "## {}\n", escape(text)),
            Block::Alarm(text) => writeln!(out, "> **{}**\n", escape(text)),
            Block::Line(text) => writeln!(out, "{}\n", escape(text)),
            Block::List { heading, items } => {
                let items: Vec<_> = items.iter().map(|item| format!("- {}", escape(item))).collect();
                writeln!(out, "**{}**\n\n{}\n", escape(heading), items.join("\n"))
            }
            Block::Matrix { heading, header, rows } => {
                let header: Vec<&str> = header.iter().map(String::as_str).collect();
                writeln!(out, "**{}**\n\n{}\n", escape(heading), table(&header, rows, &[]))
            }
            Block::Table { heading, header, rows, words } => {
                writeln!(out, "**{}**\n\n{}\n", escape(heading), table(header, rows, words))
            }
        };
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn table(header: &[&str], rows: &[Vec<String>], words: &[usize]) -> String {
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let rule = (0..header.len()).map(|n| if Block::is_words(words, n) { ":---" } else { "---:" }.to_owned());
    let head = [row(header.iter().map(|cell| escape(cell)).collect()), row(rule.collect())];
    let body = rows.iter().map(|cells| row(cells.iter().map(|cell| escape(cell)).collect()));
    head.into_iter().chain(body).collect::<Vec<_>>().join("\n")
}

/// Names and messages come from files and servers: nothing in them may become markup.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '~' | '$' | '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_in_a_name_becomes_markup() {
        assert_eq!(
            escape("<rev>:<path> &lt; ~a~ $b$\u{1b}[1m\n# c"),
            "\\<rev\\>:\\<path\\> &amp;lt; \\~a\\~ \\$b\\$\u{fffd}\\[1m \\# c"
        );
    }
}
