//! A scenario's TOML with every key's place: file and line, or the option that set it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{KeyProblem, Place, Problem, ScenarioError, suggest};
use super::file::{ClusterSection, ScenarioFile};
use super::node_name::NodeName;
use super::overrides::Sources;
use super::shape::Shape;

type Table<'t> = DeTable<'t>;
type Node<'t> = Spanned<DeValue<'t>>;

/// File and options as one tree in which every key knows its position.
pub(super) struct Document<'t> {
    sources: &'t Sources,
    root: Spanned<Table<'t>>,
    /// Keys that were laid over the tree by an option that is no path, with that option.
    laid: Vec<(String, String)>,
}

impl<'t> Document<'t> {
    /// What the file says, with the options applied.
    pub(super) fn new(sources: &'t Sources) -> Result<Self, ScenarioError> {
        Ok(Self { sources, root: sources.tree()?, laid: Vec::new() })
    }
}

impl Document<'_> {
    /// The file form, or everything that keeps the document from being one.
    pub(super) fn typed(&self) -> Result<ScenarioFile, ScenarioError> {
        let mut problems = Vec::new();
        check_table(self.root.get_ref(), &Shape::root(), "", 0, &mut problems);
        self.deserialized(problems)
    }

    /// `[cluster]` of a document that has nothing else.
    pub(super) fn cluster(&self) -> Result<ClusterSection, ScenarioError> {
        #[derive(serde::Deserialize)]
        struct Alone {
            #[serde(default)]
            cluster: ClusterSection,
        }
        let mut problems = Vec::new();
        if let (Some(shape), Some(value)) = (Shape::root().key("cluster"), self.root.get_ref().get("cluster"))
        {
            check_value(value, &shape, "cluster", &mut problems);
        }
        self.deserialized(problems).map(|Alone { cluster }| cluster)
    }

    fn deserialized<'de, T: serde::Deserialize<'de>>(
        &'de self,
        mut problems: Vec<(usize, KeyProblem)>,
    ) -> Result<T, ScenarioError> {
        if problems.is_empty() {
            let tree = toml::de::Deserializer::from(self.root.clone());
            match T::deserialize(tree) {
                Ok(typed) => return Ok(typed),
                Err(error) => {
                    let at = error.span().map_or(0, |span| span.start);
                    let key = key_at(self.root.get_ref(), at);
                    let mut what = plain_words(error.message());
                    if key.starts_with("cluster") {
                        what = NodeName::without_credentials(&what, what.find('"').map_or(0, |at| at + 1));
                    }
                    problems.push((at, KeyProblem { key, what }));
                }
            }
        }
        Err(self.in_order(problems))
    }

    /// Whether the key stands in the file itself, and was not set by an option.
    pub(super) fn stands_in_file(&self, key: &str) -> bool {
        position(self.root.get_ref(), key).is_some_and(|at| self.sources.is_in_file(at))
    }

    /// Notes that `option` decides about `key` from now on.
    pub(super) fn comes_from(&mut self, key: &str, option: &str) {
        self.laid.push((key.to_owned(), option.to_owned()));
    }

    /// Gives each problem the place of its key, or of the closest table around it where the key has a
    /// default.
    pub(super) fn locate(&self, problems: Vec<KeyProblem>) -> ScenarioError {
        let at = |problem: &KeyProblem| position(self.root.get_ref(), &problem.key).unwrap_or(0);
        self.in_order(problems.into_iter().map(|problem| (at(&problem), problem)).collect())
    }

    fn in_order(&self, mut problems: Vec<(usize, KeyProblem)>) -> ScenarioError {
        problems.sort_by_key(|(at, _)| *at);
        let laid = |key: &str| self.laid.iter().rev().find(|(laid, _)| laid == key);
        let placed = problems.into_iter().map(|(at, problem)| {
            let place = laid(&problem.key)
                .map_or_else(|| self.sources.place(at), |(_, option)| Place::Option(option.clone()));
            Problem { place, problem }
        });
        ScenarioError(placed.collect())
    }
}

/// Says in plain words what a type error says in Rust's.
fn plain_words(message: &str) -> String {
    [
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected struct ", "expected a table, "),
    ]
    .into_iter()
    .fold(message.replace('\n', ", "), |text, (from, to)| text.replace(from, to))
}

/// Unknown keys, missing keys and unknown words, with their positions.
fn check_table(
    table: &Table<'_>,
    shape: &Shape<'_>,
    path: &str,
    at: usize,
    problems: &mut Vec<(usize, KeyProblem)>,
) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, value) in table {
        let name: &str = key.get_ref();
        if let Some(inner) = shape.key(name) {
            check_value(value, &inner, &join(name), problems);
        } else {
            let what = format!("unknown key; {}", suggest_key(name, path, shape));
            problems.push((key.span().start, KeyProblem { key: join(name), what }));
        }
    }
    for key in shape.required() {
        if !table.contains_key(key) {
            problems.push((at, KeyProblem { key: join(key), what: "missing".into() }));
        }
    }
}

fn check_value(value: &Node<'_>, shape: &Shape<'_>, path: &str, problems: &mut Vec<(usize, KeyProblem)>) {
    match value.get_ref() {
        // A table where a plain value belongs is a matter of type, which deserialising reports.
        DeValue::Table(table) if !shape.keys().is_empty() => {
            check_table(table, shape, path, value.span().start, problems);
        }
        DeValue::Array(items) => {
            let Some(inner) = shape.items() else { return };
            for (n, item) in items.iter().enumerate() {
                check_value(item, &inner, &format!("{path}[{n}]"), problems);
            }
        }
        DeValue::String(word) => {
            if let Some(words) = shape.words().filter(|words| !words.contains(&&**word)) {
                let what = format!("unknown value `{word}`; {}", suggest(word, &words));
                problems.push((value.span().start, KeyProblem { key: path.to_owned(), what }));
            }
        }
        _ => {}
    }
}

/// The nearest key of the same table, or the table that the key belongs to.
fn suggest_key(name: &str, path: &str, shape: &Shape<'_>) -> String {
    let root = Shape::root();
    let mut sections = root.keys();
    sections.retain(|section| *section != path);
    match sections.iter().find(|section| root.key(section).is_some_and(|s| s.keys().contains(&name))) {
        Some(section) => format!("it belongs in [{section}]"),
        None if !path.is_empty() && sections.contains(&name) => format!("it belongs at the top, as [{name}]"),
        None => suggest(name, &shape.keys()),
    }
}

/// Dotted path of the key whose value, or whose own name, stands at `at`.
fn key_at(table: &Table<'_>, at: usize) -> String {
    fn visit(value: &Node<'_>, path: String, at: usize, best: &mut (usize, String)) {
        let span = value.span();
        let length = span.len();
        match value.get_ref() {
            DeValue::Table(table) => table.iter().for_each(|(key, value)| {
                let inner = format!("{path}.{}", key.get_ref());
                visit(value, inner, at, best);
            }),
            DeValue::Array(items) => items.iter().enumerate().for_each(|(n, item)| {
                visit(item, format!("{path}[{n}]"), at, best);
            }),
            _ => {}
        }
        if span.contains(&at) && length < best.0 {
            *best = (length, path);
        }
    }
    let mut best = (usize::MAX, String::new());
    for (key, value) in table {
        visit(value, key.get_ref().to_string(), at, &mut best);
    }
    best.1
}

/// Where a key stands, or the innermost part of its path that is there.
fn position(table: &Table<'_>, key: &str) -> Option<usize> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let (name, index) = match first.strip_suffix(']').and_then(|first| first.split_once('[')) {
        Some((name, index)) => (name, index.parse::<usize>().ok()),
        None => (first, None),
    };
    let (at, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    let (at, value) = match (index, value.get_ref()) {
        (Some(index), DeValue::Array(items)) => {
            items.get(index).map_or((at.span().start, value), |item| (item.span().start, item))
        }
        _ => (at.span().start, value),
    };
    match (rest, value.get_ref()) {
        (Some(rest), DeValue::Table(inner)) => position(inner, rest).or(Some(at)),
        _ => Some(at),
    }
}
