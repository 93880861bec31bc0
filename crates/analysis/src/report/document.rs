//! What a report is made of, whatever it is rendered to.

/// One part of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// The report's title.
    Title(String),
    /// A line that must not be missed.
    Alarm(String),
    /// A paragraph.
    Line(String),
    /// Items that belong together under a heading.
    List { heading: String, items: Vec<String> },
    /// A table; the first column names the row, the others are figures unless `words` lists them.
    Table { heading: String, header: Vec<&'static str>, rows: Vec<Vec<String>>, words: Vec<usize> },
}

impl Block {
    /// A table of figures.
    pub(super) fn figures(heading: &str, header: Vec<&'static str>, rows: Vec<Vec<String>>) -> Self {
        Self::Table { heading: heading.to_owned(), header, rows, words: Vec::new() }
    }

    /// Whether a column holds words.
    pub(super) fn is_words(words: &[usize], column: usize) -> bool {
        column == 0 || words.contains(&column)
    }
}
