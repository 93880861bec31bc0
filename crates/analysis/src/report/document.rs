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
    /// The same table several times, the widest first: a terminal takes the first one that fits, everything
    /// else the first.
    Widths(Vec<Self>),
    /// A table of figures whose columns have names from the result.
    Matrix { heading: String, header: Vec<String>, rows: Vec<Vec<String>> },
}

impl Block {
    /// The block with each of its texts rewritten.
    pub(super) fn with_text(&self, rewrite: &impl Fn(&str) -> String) -> Self {
        let each = |texts: &[String]| texts.iter().map(|text| rewrite(text)).collect();
        match self {
            Self::Widths(tables) => {
                Self::Widths(tables.iter().map(|table| table.with_text(rewrite)).collect())
            }
            Self::Title(text) => Self::Title(rewrite(text)),
            Self::Alarm(text) => Self::Alarm(rewrite(text)),
            Self::Line(text) => Self::Line(rewrite(text)),
            Self::List { heading, items } => Self::List { heading: rewrite(heading), items: each(items) },
            Self::Table { heading, header, rows, words } => Self::Table {
                heading: rewrite(heading),
                header: header.clone(),
                rows: rows.iter().map(|cells| each(cells)).collect(),
                words: words.clone(),
            },
            Self::Matrix { heading, header, rows } => Self::Matrix {
                heading: rewrite(heading),
                header: each(header),
                rows: rows.iter().map(|cells| each(cells)).collect(),
            },
        }
    }

    /// A table of figures.
    pub(super) fn figures(heading: &str, header: Vec<&'static str>, rows: Vec<Vec<String>>) -> Self {
        Self::Table { heading: heading.to_owned(), header, rows, words: Vec::new() }
    }

    /// Whether a column holds words.
    pub(super) fn is_words(words: &[usize], column: usize) -> bool {
        column == 0 || words.contains(&column)
    }
}
