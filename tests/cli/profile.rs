//! `profile` on the command line, without servers.

use predicates::prelude::*;

use crate::tool;

#[test]
fn help_says_what_it_takes() {
    let shown = tool().args(["profile", "-h"]).assert().success();
    insta::assert_snapshot!("profile_help", String::from_utf8_lossy(&shown.get_output().stdout));
}

#[test]
fn what_cannot_be_profiled_is_refused_before_a_server_is_looked_for() {
    for (arguments, said) in [
        (&["profile", "lane-ab", "--nodes", "127.0.0.1:1"][..], "leave out the nodes"),
        (&["profile", "lane-ab", "--concurrency", "8"], "one claim in flight"),
        (&["profile", "lane-ab", "--set", "compare.counter_blocks=0"], "compare.counter_blocks over 0"),
        (&["profile", "lane-bc"], "did you mean `lane-ab`?"),
        (&["profile", "lane-ab", "--candidate-library", "./nowhere.lua"], "nowhere.lua"),
    ] {
        tool().args(arguments).assert().code(2).stderr(predicate::str::contains(said));
    }
}
