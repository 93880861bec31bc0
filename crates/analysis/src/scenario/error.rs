//! What is wrong with a scenario, where, and what would be right.

use std::fmt;

/// One thing that is wrong with the value of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProblem {
    /// Dotted path of the key, e.g. `load.rate` or `variant[1].path`.
    pub key: String,
    /// What is wrong with it and what would be right.
    pub what: String,
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// A scenario whose keys are all known and of the right type, but whose values make no sense together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct InvalidScenario(pub Vec<KeyProblem>);

/// Where a problem stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    Line {
        /// The file's name as it was given.
        source: String,
        /// Counted from 1.
        line: usize,
    },
    /// In an option of the command line, as it was given.
    Option(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { source, line } => write!(f, "{source}:{line}"),
            Self::Option(text) => f.write_str(text),
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File and line, or option.
    pub place: Place,
    /// Key and what is wrong; the key is empty where the text is no TOML at all.
    pub problem: KeyProblem,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problem.key.is_empty() {
            write!(f, "{}: {}", self.place, self.problem.what)
        } else {
            write!(f, "{}: {}", self.place, self.problem)
        }
    }
}

/// Everything that is wrong with a scenario, in the order of the file; one line each. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ScenarioError(pub Vec<Problem>);

impl ScenarioError {
    /// A single problem.
    pub(super) fn one(place: Place, problem: KeyProblem) -> Self {
        Self(vec![Problem { place, problem }])
    }
}

fn lines<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The name among `known` that someone who wrote `name` most likely meant.
fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// "did you mean `y`?" to someone who wrote `name`; `None` where no known name is like it.
pub fn did_you_mean(name: &str, known: &[&str]) -> Option<String> {
    nearest(name, known.iter().copied()).map(|best| format!("did you mean `{best}`?"))
}

/// The same, or the list of what is known.
pub fn suggest(name: &str, known: &[&str]) -> String {
    did_you_mean(name, known).unwrap_or_else(|| format!("known: {}", known.join(", ")))
}
