//! A library's source under other names, so that two versions of it run on one server at the same time.

use super::functions::FUNCTIONS;
use super::library_alias::{LIBRARY_NAME, LibraryAlias, PREFIX};

/// How a function is registered, up to the first letter of its name.
const REGISTRATIONS: [&str; 4] = [
    "register_function('",
    "register_function(\"",
    "register_function{function_name='",
    "register_function{function_name=\"",
];

/// A library's source with the names of `alias`, and nothing inside a function changed. `Err` names a
/// function that is registered in a way that cannot be renamed, or says that the first line is not a
/// library's.
pub fn rename_library(alias: LibraryAlias, source: &str) -> Result<String, String> {
    if alias == LibraryAlias::OWN {
        return Ok(source.to_owned());
    }
    let head = format!("#!lua name={LIBRARY_NAME}");
    let Some(body) = source.strip_prefix(&head).filter(|body| body.starts_with(char::is_whitespace)) else {
        return Err(format!("its first line must be `{head}`"));
    };
    let mut renamed = format!("#!lua name={}{body}", alias.library());
    for registration in REGISTRATIONS {
        let (before, after) = (format!("{registration}{PREFIX}"), alias.function(PREFIX));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_change() {
        let alias = LibraryAlias::for_arm(1).unwrap();
        let renamed = rename_library(alias, ff_script::LIBRARY_SOURCE).unwrap();
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
        let alias = LibraryAlias::for_arm(0).unwrap();
        let indirect = "#!lua name=flowfabric\nlocal n = 'ff_version' redis.register_function(n, f)";
        assert!(rename_library(alias, indirect).unwrap_err().contains("ff_version is not registered"));
        assert!(rename_library(alias, "#!lua name=other\n").unwrap_err().contains("#!lua name=flowfabric"));
    }
}
