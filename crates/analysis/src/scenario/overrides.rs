//! Changes from the command line (`--set`, `--rate` ...), laid over a scenario's file before anything is checked.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{KeyProblem, Place, ScenarioError};
use super::node_name::NodeName;

type Table<'t> = DeTable<'t>;

/// A change to one key from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The option as errors show it, e.g. `--rate 2000`.
    pub shown: String,
    /// Dotted path of the key.
    pub key: String,
    /// A TOML value, or text that becomes a string; `None` takes the key out.
    pub value: Option<String>,
}

impl Override {
    /// The option as errors show it: a password that was written into the name of a node is not in it.
    fn discreet(&self) -> String {
        let value = self.shown.find(['=', ' ']).map_or(0, |at| at + 1);
        let value = if self.key.starts_with("cluster") { value } else { self.shown.len() };
        NodeName::without_credentials(&self.shown, value)
    }
}

/// The texts that make up a scenario. Positions count through the file and then through each option, as if
/// the options had been appended to the file.
pub(super) struct Sources {
    name: String,
    file: String,
    options: Vec<OptionText>,
}

struct OptionText {
    shown: String,
    change: Change,
}

enum Change {
    Remove(String),
    /// One assignment, behind as many blanks as there is text before it: that gives its spans their offset.
    Assign {
        start: usize,
        line: String,
    },
}

impl Sources {
    /// `name` is the file's name in errors. Later options win over earlier ones.
    pub(super) fn new(name: &str, file: &str, overrides: &[Override]) -> Result<Self, ScenarioError> {
        let mut sources = Self { name: name.to_owned(), file: file.to_owned(), options: Vec::new() };
        let mut end = file.len();
        for change in overrides {
            let shown = change.discreet();
            let change = match &change.value {
                None => Change::Remove(change.key.clone()),
                Some(value) => {
                    let line = assignment(end, &change.key, value).ok_or_else(|| not_a_path(change))?;
                    let start = std::mem::replace(&mut end, line.len());
                    Change::Assign { start, line }
                }
            };
            sources.options.push(OptionText { shown, change });
        }
        Ok(sources)
    }

    /// Parses the file and applies the options.
    pub(super) fn tree(&self) -> Result<Spanned<Table<'_>>, ScenarioError> {
        let mut root = DeTable::parse(&self.file).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let what = format!("not valid TOML: {}", error.message().replace('\n', ", "));
            let problem = KeyProblem { key: String::new(), what };
            ScenarioError::one(self.place(at), problem)
        })?;
        for option in &self.options {
            match &option.change {
                Change::Remove(key) => remove(root.get_mut(), key),
                Change::Assign { line, .. } => {
                    if let Ok(table) = DeTable::parse(line) {
                        merge(root.get_mut(), table.into_inner());
                    }
                }
            }
        }
        Ok(root)
    }

    /// File and line of a position, or the option that it is in.
    pub(super) fn place(&self, at: usize) -> Place {
        let option = self.options.iter().rev().find(
            |option| matches!(option.change, Change::Assign { start, .. } if at >= start.max(self.file.len())),
        );
        match option {
            Some(option) if at >= self.file.len() => Place::Option(option.shown.clone()),
            _ => Place::Line { source: self.name.clone(), line: line_of(&self.file, at) },
        }
    }

    /// Whether a position is in the file itself.
    pub(super) fn is_in_file(&self, at: usize) -> bool {
        at < self.file.len()
    }
}

/// `key = value` behind `start` blanks; a value that is no TOML becomes a string. `None` where the key is no
/// path.
fn assignment(start: usize, key: &str, value: &str) -> Option<String> {
    let quoted = toml::Value::String(value.to_owned()).to_string();
    [value, &quoted].into_iter().map(|value| format!("{}{key} = {value}", " ".repeat(start))).find(|line| {
        // Exactly one key comes out of an assignment: a value with a line break in it could smuggle in more.
        !line.contains('\n') && DeTable::parse(line).is_ok_and(|table| table.get_ref().len() == 1)
    })
}

fn not_a_path(change: &Override) -> ScenarioError {
    let what = format!("`{}` is not the path of a key; write it like load.concurrency=64", change.key);
    let problem = KeyProblem { key: String::new(), what };
    ScenarioError::one(Place::Option(change.discreet()), problem)
}

fn line_of(text: &str, at: usize) -> usize {
    text[..text.floor_char_boundary(at)].matches('\n').count() + 1
}

/// Tables that hold one of several forms, each a table of its own.
const ONE_OF: [&str; 1] = ["arrivals"];

/// Puts the leaves of `from` into `into`: tables merge, everything else replaces.
fn merge<'t>(into: &mut Table<'t>, from: Table<'t>) {
    for (key, value) in from {
        let name = key.get_ref().clone();
        if let Some(DeValue::Table(old)) = into.get_mut(&*name).map(Spanned::get_mut)
            && value.get_ref().is_table()
        {
            if let DeValue::Table(new) = value.into_inner() {
                // One of several forms: another form replaces what stands there.
                if ONE_OF.contains(&&*name) && !new.keys().any(|key| old.contains_key(&**key.get_ref())) {
                    old.clear();
                }
                merge(old, new);
            }
            continue;
        }
        // The key's own position changes with its value.
        into.remove(&*name);
        into.insert(key, value);
    }
}

fn remove(table: &mut Table<'_>, key: &str) {
    match key.split_once('.') {
        None => drop(table.remove(key)),
        Some((first, rest)) => {
            if let Some(DeValue::Table(inner)) = table.get_mut(first).map(Spanned::get_mut) {
                remove(inner, rest);
            }
        }
    }
}
