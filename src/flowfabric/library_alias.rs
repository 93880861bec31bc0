//! The names of a function library that runs beside another one.
//!
//! A server keeps one function per name, so a second version of the library gets other names: another
//! first letter for every function, so that a name keeps its length and requests stay equally long.

use std::borrow::Cow;

/// What every function's name begins with.
pub(super) const PREFIX: &str = "ff_";

/// Name that FlowFabric gives its library.
pub const LIBRARY_NAME: &str = "flowfabric";

/// The names of one library among several that a server runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LibraryAlias(Option<u8>);

impl LibraryAlias {
    /// The names that FlowFabric gives.
    pub const OWN: Self = Self(None);

    /// Names for the library of the n-th arm; arms differ, and none has FlowFabric's own. `None` beyond 32
    /// arms.
    pub fn for_arm(arm: usize) -> Option<Self> {
        b"abcdeghijklmnopqrstuvwxyzABCDEFG".get(arm).map(|&letter| Self(Some(letter)))
    }

    /// A function's name under this alias.
    pub fn function(self, name: &str) -> Cow<'_, str> {
        match self.0 {
            Some(letter) if name.starts_with(PREFIX) => {
                Cow::Owned(format!("{}{}", char::from(letter), &name[1..]))
            }
            _ => Cow::Borrowed(name),
        }
    }

    /// The name that FlowFabric gives a function of this alias's names; others stay as they are.
    pub fn published(self, name: &str) -> String {
        let published = self
            .0
            .and_then(|letter| name.strip_prefix(char::from(letter)))
            .filter(|rest| rest.starts_with("f_"));
        published.map_or_else(|| name.to_owned(), |rest| format!("f{rest}"))
    }

    /// The library's name under this alias.
    pub fn library(self) -> String {
        match self.0 {
            Some(letter) => format!("{LIBRARY_NAME}_{}", char::from(letter)),
            None => LIBRARY_NAME.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_differ_from_each_other_and_from_the_own_names() {
        let names: std::collections::BTreeSet<String> = (0..32)
            .map(|arm| LibraryAlias::for_arm(arm).unwrap().function("ff_version").into_owned())
            .collect();
        assert_eq!(names.len(), 32);
        assert!(!names.contains("ff_version"));
        assert!(names.iter().all(|name| name.len() == "ff_version".len()));
        assert_eq!(LibraryAlias::for_arm(32), None);
        assert_eq!(LibraryAlias::OWN.function("ff_version"), "ff_version");
        let alias = LibraryAlias::for_arm(5).unwrap();
        assert_eq!(alias.published(&LibraryAlias::for_arm(5).unwrap().function("ff_version")), "ff_version");
        assert_eq!([alias.published("other"), LibraryAlias::OWN.published("ff_a")], ["other", "ff_a"]);
    }
}
