//! `calibrate` where it must not even start.

use std::fs;

use predicates::prelude::*;

use crate::tool;

#[test]
fn options_out_of_range_are_usage_errors() {
    for (options, said) in [
        (["--in-flight", "0"], "1..=8192"),
        (["--connections", "0"], "1..=1024"),
        (["--rates", "0"], "1..=50000"),
        (["--only", "ceiling"], "[possible values: levels, send-lag, round-trip]"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        tool()
            .current_dir(dir.path())
            .arg("calibrate")
            .args(options)
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(said));
        assert!(!dir.path().join("results").exists());
    }
}

#[test]
fn options_of_a_running_cluster_need_one() {
    let dir = tempfile::tempdir().unwrap();
    tool()
        .current_dir(dir.path())
        .args(["calibrate", "--user", "bench"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--user is for a running cluster"));
}

#[test]
fn an_unreachable_node_is_named_and_nothing_stays() {
    let dir = tempfile::tempdir().unwrap();
    tool()
        .current_dir(dir.path())
        .env("XDG_CACHE_HOME", dir.path())
        .args(["calibrate", "--nodes", "127.0.0.1:1"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("cannot reach 127.0.0.1:1"));
    assert_eq!(fs::read_dir(dir.path().join("results")).unwrap().count(), 0);
    assert!(!dir.path().join("reclaim-bench").exists());
}
