//! What users and CI systems get wrong, and files that are none: refused with what to do, at once, without a
//! secret.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use predicates::prelude::*;

use crate::{fixture, tool};

/// Long enough for a busy machine, and no hang.
const SOON: Duration = Duration::from_mins(1);

fn run_on_nothing() -> assert_cmd::Command {
    let mut command = tool();
    command.timeout(SOON).args(["run", "smoke", "--nodes", "127.0.0.1:1", "-o"]);
    command.arg(tempfile::tempdir().unwrap().path());
    command
}

fn pipe(dir: &Path, name: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn a_user_without_a_password_is_never_the_default_user() {
    let refused = |command: &mut assert_cmd::Command, said: &str| {
        command.assert().code(2).stderr(predicate::str::contains(said.to_owned()));
    };
    refused(
        run_on_nothing().args(["--user", "bench"]),
        "--user bench: no password is given, so the login would be left out; set RECLAIM_BENCH_PASSWORD or give \
         --password-file",
    );
    refused(
        run_on_nothing().args(["--user", "bench"]).env("RECLAIM_BENCH_PASSWORD", ""),
        "no password is given",
    );
    refused(run_on_nothing().args(["--user", ""]).env("RECLAIM_BENCH_PASSWORD", "x"), "--user: empty");
    let broken = std::ffi::OsStr::from_bytes(b"p\xe4ss");
    refused(
        run_on_nothing().args(["--user", "bench"]).env("RECLAIM_BENCH_PASSWORD", broken),
        "RECLAIM_BENCH_PASSWORD is not valid UTF-8",
    );
    refused(run_on_nothing().env("RECLAIM_BENCH_PASSWORD", broken), "not valid UTF-8");
    // With a password, even an empty one from a file, it goes on to the nodes.
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::write(&empty, "").unwrap();
    refused(
        run_on_nothing().args(["--user", "bench", "--password-file"]).arg(&empty),
        "cannot reach 127.0.0.1:1",
    );
    refused(
        run_on_nothing().args(["--user", "bench"]).env("RECLAIM_BENCH_PASSWORD", "x"),
        "cannot reach 127.0.0.1:1",
    );
}

#[test]
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let check = |variable: &str, value: &str, options: &[&str]| {
        tool().env(variable, value).args(["scenarios", "check", "smoke"]).args(options).assert()
    };
    for variable in ["RECLAIM_BENCH_NODES", "RECLAIM_BENCH_PASSWORD", "VALKEY_SERVER", "GITHUB_STEP_SUMMARY"]
    {
        check(variable, "", &["--primaries", "2"])
            .success()
            .stdout(predicate::str::contains("primaries = 2"));
        run_on_nothing().env(variable, "").assert().code(2).stderr(predicate::str::contains("cannot reach"));
    }
    check("RECLAIM_BENCH_NODES", " , ", &[]).success().stdout(predicate::str::contains("nodes").not());
    check("RECLAIM_BENCH_NODES", "10.0.0.1:6379, 10.0.0.2:6379", &[])
        .success()
        .stdout(predicate::str::contains("nodes = [\"10.0.0.1:6379\", \"10.0.0.2:6379\"]"));
    check("RECLAIM_BENCH_NODES", "10.0.0.1:6379", &["--primaries", "2"])
        .code(2)
        .stderr(predicate::str::contains("RECLAIM_BENCH_NODES names a running cluster: unset it"));
}

#[test]
fn a_node_that_is_misread_easily_is_refused_with_the_right_form() {
    for (nodes, said) in [
        ("::1", "[::1]:6379"),
        ("redis://127.0.0.1:7999", "a URL: write host:port, such as 127.0.0.1:7999"),
        ("bench:s3cret@127.0.0.1:7999", "--user"),
        ("redis://bench:s3cret@127.0.0.1:7999", "--user"),
        ("10.0.0.1:1,bench:s3cret@127.0.0.1:7999", "--user"),
        (",", "no node in it"),
    ] {
        for variable in [false, true] {
            let mut command = tool();
            command.args(["scenarios", "check", "smoke"]);
            if variable {
                command.env("RECLAIM_BENCH_NODES", nodes);
            } else {
                command.args(["--nodes", nodes]);
            }
            if variable && nodes == "," {
                continue;
            }
            command.assert().code(2).stdout("").stderr(
                predicate::str::contains(said)
                    .and(predicate::str::contains("s3cret").not())
                    .and(predicate::str::contains("bench:").not()),
            );
        }
    }
    tool()
        .args(["scenarios", "check", "smoke", "--nodes", "127.0.0.1:7999, 127.0.0.1:7998"])
        .assert()
        .success()
        .stdout(predicate::str::contains("nodes = [\"127.0.0.1:7999\", \"127.0.0.1:7998\"]"));
    // Help shows no value of a variable.
    tool()
        .env("RECLAIM_BENCH_NODES", "bench:s3cret@127.0.0.1:7999")
        .args(["run", "--help"])
        .assert()
        .success()
        .stdout(predicate::str::contains("s3cret").not());
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = pipe(dir.path(), "pipe.toml");
    for (path, what) in
        [(pipe.as_path(), "a pipe"), (Path::new("/dev/zero"), "a device"), (dir.path(), "a directory")]
    {
        let refused = |command: &mut assert_cmd::Command| {
            let error = command.timeout(SOON).assert().code(2).stdout("");
            error.stderr(predicate::str::contains(what).or(predicate::str::contains("holds no result")));
        };
        refused(tool().arg("run").arg(path));
        refused(tool().args(["scenarios", "show"]).arg(path));
        refused(tool().arg("report").arg(path));
        refused(tool().arg("compare").arg(path).arg(path));
        refused(run_on_nothing().args(["--user", "x", "--password-file"]).arg(path));
    }
    let history =
        |path: &Path| tool().timeout(SOON).args(["compare", "--history"]).arg(path).assert().code(2);
    history(&pipe).stderr(predicate::str::contains("a pipe"));
    history(dir.path()).stderr(predicate::str::contains("directory"));
}

#[test]
fn a_cause_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let said = |command: &mut assert_cmd::Command, cause: &str| {
        let output = command.timeout(SOON).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.matches(cause).count()), (Some(2), 1), "{stderr}");
    };
    said(
        tool().args(["run", "library-duet", "--candidate-library", "nope.lua", "-o"]).arg(dir.path()),
        "No such file or directory",
    );
    said(run_on_nothing().args(["--tls", "--cacert", "nope.pem"]), "No such file or directory");
}

#[test]
fn a_name_that_commands_would_take_for_an_option_is_refused() {
    tool()
        .args(["scenarios", "check", "smoke", "--set", "name=-rf"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("name: `-rf` is not a name"));
}

#[test]
fn what_no_memory_can_hold_is_refused_by_the_check() {
    tool()
        .args(["scenarios", "check", "soak", "--rate", "100000", "--duration", "7days"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("GB of memory").and(predicate::str::contains("load.duration")));
    tool().args(["scenarios", "check", "soak", "--rate", "1000", "--duration", "10m"]).assert().success();
    let ten_terabytes =
        ["--set", "population.executions=10000000", "--set", "population.payload_bytes=1048576"];
    tool()
        .args(["scenarios", "check", "steady"])
        .args(ten_terabytes)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("need about 10635.8 GB").and(predicate::str::contains("--nodes")));
    tool().args(["scenarios", "check", "steady", "--nodes", "a:1"]).args(ten_terabytes).assert().success();
}

#[test]
fn escape_codes_reach_no_terminal() {
    let raw = || predicate::str::contains("\x1b").or(predicate::str::contains("\u{9b}"));
    tool().args(["run", "./\x1b[31mred.toml"]).assert().code(2).stderr(raw().not());
    let dir = tempfile::tempdir().unwrap();
    let mut result = fixture::lane_ab();
    result.record.environment.valkey.version = "9.1\x1b]0;title\x07\u{9b}31m".to_owned();
    fs::write(dir.path().join("result.json"), serde_json::to_string(&result).unwrap()).unwrap();
    for format in ["text", "markdown", "pull-request"] {
        tool()
            .arg("report")
            .arg(dir.path())
            .args(["--format", format])
            .assert()
            .success()
            .stdout(raw().not());
    }
}

#[test]
fn a_history_names_and_leaves_out_what_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let (good, empty) = (dir.path().join("good"), dir.path().join("empty"));
    fs::create_dir(&good).unwrap();
    fs::create_dir(&empty).unwrap();
    fs::write(good.join("result.json"), serde_json::to_string(&fixture::lane_ab()).unwrap()).unwrap();
    let history = dir.path().join("history.ndjson");
    tool()
        .args(["compare", "--metric", "grant-lane/commands", "--history"])
        .args([&history, &empty, &good])
        .assert()
        .success()
        .stdout(predicate::str::contains("commands"))
        .stderr(predicate::str::contains("left out").and(predicate::str::contains("empty holds no result")));
    assert_eq!(fs::read_to_string(&history).unwrap().lines().count(), 1);
    // Nothing but that is no trend.
    let none = dir.path().join("none.ndjson");
    tool().args(["compare", "--history"]).args([&none, &empty]).assert().code(2).stdout("").stderr(
        predicate::str::contains("empty holds no result").and(predicate::str::contains("give results")),
    );
}

#[test]
fn a_history_says_why_it_shows_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let night = |name: &str, change: fn(&mut reclaim_analysis::judge::RunResult)| {
        let (own, mut result) = (dir.path().join(name), fixture::lane_ab());
        change(&mut result);
        fs::create_dir(&own).unwrap();
        fs::write(own.join("result.json"), serde_json::to_string(&result).unwrap()).unwrap();
        let history = dir.path().join(format!("{name}.ndjson"));
        let trend = tool()
            .args(["compare", "--metric", "grant-lane/commands", "--history"])
            .args([&history, &own])
            .assert();
        trend.code(2).stdout("")
    };
    let invalid = night("invalid", |result| {
        result.valid = false;
        let detail = "because".to_owned();
        result.invalid_reasons = vec![reclaim_analysis::record::InvalidReason::Infrastructure { detail }];
    });
    invalid.stderr(predicate::str::contains("did you mean").not().and(predicate::str::contains("is valid")));
}
