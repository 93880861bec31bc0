//! Two function libraries on one server at the same time.
//!
//! A server keeps one function per name, so a second version of the library gets other names: the same source, with
//! the library's name and the first letter of every registered function changed. Nothing inside a function changes,
//! and a name keeps its length, so that requests stay equally long.

use std::borrow::Cow;

use super::functions::FUNCTIONS;

/// What every function's name begins with.
const PREFIX: &str = "ff_";

/// How a function is registered, up to the first letter of its name.
const REGISTRATIONS: [&str; 4] = [
    "register_function('",
    "register_function(\"",
    "register_function{function_name='",
    "register_function{function_name=\"",
];

/// The names of one library among several that a server runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LibraryAlias(Option<u8>);

impl LibraryAlias {
    /// The names that FlowFabric gives.
    pub const OWN: Self = Self(None);

    /// Names for the library of the n-th arm; arms differ, and none has FlowFabric's own. `None` beyond 32 arms.
    pub fn of_arm(arm: usize) -> Option<Self> {
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

    /// The library's name under this alias.
    pub fn library(self, name: &str) -> String {
        match self.0 {
            Some(letter) => format!("{name}_{}", char::from(letter)),
            None => name.to_owned(),
        }
    }

    /// The source with the names of this alias; `name` is the library's own. `Err` names a function that is
    /// registered in a way that cannot be renamed, or says that the first line is not a library's.
    pub fn rename(self, source: &str, name: &str) -> Result<String, String> {
        if self.0.is_none() {
            return Ok(source.to_owned());
        }
        let head = format!("#!lua name={name}");
        let Some(body) = source.strip_prefix(&head).filter(|body| body.starts_with(char::is_whitespace))
        else {
            return Err(format!("its first line must be `{head}`"));
        };
        let mut renamed = format!("#!lua name={}{body}", self.library(name));
        for registration in REGISTRATIONS {
            let (before, after) = (format!("{registration}{PREFIX}"), self.function(PREFIX));
            renamed = renamed.replace(&before, &format!("{registration}{after}"));
        }
        let stays = |function: &&&str| {
            let quoted = [format!("'{function}'"), format!("\"{function}\"")];
            renamed.contains("register_function") && quoted.iter().any(|name| renamed.contains(name.as_str()))
        };
        match FUNCTIONS.iter().find(stays) {
            Some(function) => Err(format!(
                "{function} is not registered as `redis.register_function('{function}', ...)`, so it cannot run \
                 beside another version of itself"
            )),
            None => Ok(renamed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_differ_from_each_other_and_from_the_own_names() {
        let names: std::collections::BTreeSet<String> = (0..32)
            .map(|arm| LibraryAlias::of_arm(arm).unwrap().function("ff_version").into_owned())
            .collect();
        assert_eq!(names.len(), 32);
        assert!(!names.contains("ff_version"));
        assert!(names.iter().all(|name| name.len() == "ff_version".len()));
        assert_eq!(LibraryAlias::of_arm(32), None);
        assert_eq!(LibraryAlias::OWN.function("ff_version"), "ff_version");
    }

    #[test]
    fn only_names_change() {
        let alias = LibraryAlias::of_arm(1).unwrap();
        let renamed = alias.rename(ff_script::LIBRARY_SOURCE, "flowfabric").unwrap();
        assert!(renamed.starts_with("#!lua name=flowfabric_b\n"));
        // Two letters in the first line, else letter for letter as long.
        assert_eq!(renamed.len(), ff_script::LIBRARY_SOURCE.len() + 2);
        let (was, is) = (ff_script::LIBRARY_SOURCE.lines().skip(1), renamed.lines().skip(1));
        for (was, is) in was.zip(is).filter(|(was, is)| was != is) {
            assert_eq!(was.replace("register_function('ff_", "register_function('bf_"), is);
        }
        let mut cmd = redis::Cmd::new();
        cmd.arg(&*alias.function("ff_claim_resumed_execution"));
        assert!(String::from_utf8(cmd.get_packed_command()).unwrap().contains("bf_claim_resumed_execution"));
    }

    #[test]
    fn what_cannot_be_renamed_is_said() {
        let alias = LibraryAlias::of_arm(0).unwrap();
        let indirect = "#!lua name=flowfabric\nlocal n = 'ff_version' redis.register_function(n, f)";
        assert!(alias.rename(indirect, "flowfabric").unwrap_err().contains("ff_version is not registered"));
        assert!(
            alias.rename("#!lua name=other\n", "flowfabric").unwrap_err().contains("#!lua name=flowfabric")
        );
    }
}
