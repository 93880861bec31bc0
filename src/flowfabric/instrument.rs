//! A library's source that counts and times what its functions call, and nothing else changed.
//!
//! What is put before it shadows `redis` and `server` with tables whose `call`, `pcall` and
//! `register_function` look at `os.clock` before and after. While a library loads, Valkey's sandbox has no
//! other globals than these two (no `os`, no `setmetatable`), so the rest is set up when a function is called
//! for the first time.

use super::functions::{DO_NOTHING, READ_INSIDE};
use super::library_alias::LibraryAlias;
use super::rename::rename_library;

const PRELUDE: &str = include_str!("instrument.lua");

/// Where the prelude has names of functions of its own, and their names.
const OWN_FUNCTIONS: [(&str, &str); 2] = [("READ_OUT", READ_INSIDE), ("DO_NOTHING", DO_NOTHING)];

/// The source with the names of `alias`, instrumented. Lines keep their numbers, which errors name. `Err`
/// says why it cannot be done.
pub(crate) fn instrument_library(alias: LibraryAlias, source: &str) -> Result<String, String> {
    let renamed = rename_library(alias, source)?;
    let Some((head, body)) = renamed.split_once('\n') else {
        return Err("it has one line only, so it registers no function".to_owned());
    };
    let prelude: Vec<&str> = PRELUDE.lines().map(str::trim).collect();
    let prelude = OWN_FUNCTIONS
        .iter()
        .fold(prelude.join(" "), |prelude, (place, name)| prelude.replace(place, &alias.function(name)));
    Ok(format!("{head}\n{prelude} {body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_and_nothing_after_the_prelude_changes() {
        let alias = LibraryAlias::for_arm(1).unwrap();
        let plain = rename_library(alias, ff_script::LIBRARY_SOURCE).unwrap();
        let instrumented = instrument_library(alias, ff_script::LIBRARY_SOURCE).unwrap();
        assert_eq!(instrumented.lines().count(), plain.lines().count());
        let (head, body) = plain.split_once('\n').unwrap();
        assert!(
            instrumented.starts_with(&format!("{head}\nlocal redis,server=")) && instrumented.ends_with(body)
        );
        assert!(instrumented.contains("function_name='bf_reclaim_bench_inside'"), "it can be read out");
        assert!(OWN_FUNCTIONS.iter().all(|(place, _)| !instrumented.contains(place)));
    }

    #[test]
    fn texts_that_make_it_hard_are_taken_as_they_are() {
        let alias = LibraryAlias::for_arm(0).unwrap();
        // A comment that the prelude must not fall into, names of the prelude's own, both ways of
        // registering, a string that looks like a call, Windows' line ends.
        for body in [
            "--[[ redis.call('GET', 'x')\n]] local now, sums, clock = 1, 2, 3\n\
             redis.register_function('ff_version', function() return 'redis.call(\"DEL\")' end)\n",
            "local call = redis.call\nredis.register_function{function_name='ff_version', callback=f}\n",
            "\r\nserver.register_function(\"ff_version\", f)\r\n",
        ] {
            let source = format!("#!lua name=flowfabric\n{body}");
            let instrumented = instrument_library(alias, &source).unwrap();
            let renamed = rename_library(alias, &source).unwrap();
            assert!(instrumented.ends_with(renamed.split_once('\n').unwrap().1), "{instrumented}");
        }
        for (source, why) in
            [("#!lua name=flowfabric ", "one line"), ("#!lua name=other\n", "first line must be")]
        {
            assert!(instrument_library(alias, source).unwrap_err().contains(why), "{source}");
        }
    }
}
