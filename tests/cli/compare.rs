//! `compare`: two stored results, and a history of many.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use predicates::prelude::*;
use reclaim_analysis::judge::{HistoryEntry, HistoryValue, RunResult, append};
use reclaim_analysis::report;

use crate::{fixture, tool};

fn stored(dir: &Path, name: &str, result: &RunResult) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("result.json"), report::json(result).unwrap()).unwrap();
    path
}

#[test]
fn more_commands_per_claim_than_in_the_base_fail() {
    let dir = tempfile::tempdir().unwrap();
    let base = stored(dir.path(), "base", &fixture::lane_ab());
    let mut worse = fixture::lane_ab();
    worse.record.arms[0].wire.round_trips += worse.record.arms[0].wire.claims;
    let candidate = stored(dir.path(), "candidate", &worse);
    let name = worse.record.arms[0].name.clone();
    tool()
        .arg("compare")
        .args([&base, &candidate])
        .assert()
        .code(1)
        .stdout(predicate::str::contains("round_trips").and(predicate::str::contains(name)));
    let json = tool().args(["compare", "--format", "json"]).args([&base, &candidate]).assert().code(1);
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json["conclusion"], "regression");
    let junit = tool().args(["compare", "--format", "junit"]).args([&base, &candidate]).assert().code(1);
    junit.stdout(predicate::str::contains("<failure"));
}

#[test]
fn what_measured_different_things_is_refused_and_the_difference_named() {
    let dir = tempfile::tempdir().unwrap();
    let base = stored(dir.path(), "base", &fixture::lane_ab());
    let mut other = fixture::lane_ab();
    other.record.environment.valkey.version = "7.2.9".into();
    let candidate = stored(dir.path(), "candidate", &other);
    tool().arg("compare").args([&base, &candidate]).assert().code(2).stdout("").stderr(
        predicate::str::contains("--allow-different")
            .and(predicate::str::contains("valkey version"))
            .and(predicate::str::contains("7.2.9")),
    );
    let allowed = tool().args(["compare", "--allow-different"]).args([&base, &candidate]).assert();
    allowed.code(predicate::ne(2)).stdout(predicate::str::contains("7.2.9"));
}

#[test]
fn the_summary_is_appended_to_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let base = stored(dir.path(), "base", &fixture::lane_ab());
    let summary = dir.path().join("summary.md");
    fs::write(&summary, "# Before\n").unwrap();
    for by_variable in [false, true] {
        let mut command = tool();
        command.arg("compare").args([&base, &base]);
        if by_variable {
            command.env("GITHUB_STEP_SUMMARY", &summary);
        } else {
            command.arg("--summary").arg(&summary);
        }
        command.assert().code(predicate::ne(2));
    }
    let text = fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("# Before\n"), "{text}");
    assert_eq!(text.matches("reclaim-bench lane-ab against").count(), 2, "{text}");
}

#[test]
fn one_result_alone_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let base = stored(dir.path(), "base", &fixture::lane_ab());
    tool().arg("compare").arg(base).assert().code(2).stderr(predicate::str::contains("BASE and CANDIDATE"));
}

fn night(n: usize, value: f64) -> HistoryEntry {
    let value = HistoryValue { unit: "us".into(), value, interval: None };
    HistoryEntry {
        kernel: None,
        started: format!("2026-01-{:02}T02:00:00Z", n + 1),
        scenario: "lane-ab".into(),
        commit: format!("commit{n}"),
        library_sha256: "ab".repeat(32),
        variant_libraries: BTreeMap::new(),
        seed: 1,
        settings: "5e77".into(),
        machine: "Example CPU".into(),
        valid: true,
        metrics: BTreeMap::from([("grant-lane/service_p50".into(), value)]),
    }
}

#[test]
fn a_history_is_reported_as_everything_else_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.ndjson");
    let run = stored(dir.path(), "run", &fixture::lane_ab());
    tool().args(["compare", "--history"]).args([&path, &run]).assert().success();
    let before = fs::read_to_string(&path).unwrap();
    let shown = |format: &str| {
        let done = tool().arg("report").arg(&path).args(["--format", format]).assert().success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    assert!(shown("text").contains("grant-lane/service_p99 (µs)"), "{}", shown("text"));
    let page = shown("html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("hget-lane/service_p50 over 1 runs"));
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    // It is no run, and is not taken for one.
    let refused = tool().args(["report", "--format", "junit"]).arg(&path).assert().code(2);
    refused.stderr(predicate::str::contains("the formats of a history are text, markdown, html and json"));
    let refused = tool().arg("compare").args([&path, &run]).assert().code(2);
    refused.stderr(predicate::str::contains("holds a history, not a run"));
}

#[test]
fn a_history_points_at_the_night_on_which_a_metric_moved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.ndjson");
    let mut file = fs::OpenOptions::new().read(true).append(true).create(true).open(&path).unwrap();
    for n in 0..24 {
        let wobble = 1.0 + 0.004 * ((n * 7 % 5) as f64 - 2.0);
        append(&mut file, &night(n, if n < 14 { 200.0 } else { 220.0 } * wobble)).unwrap();
    }
    drop(file);
    tool().args(["compare", "--history"]).arg(&path).assert().success().stdout(
        predicate::str::contains("The level moved")
            .and(predicate::str::contains("commit14"))
            .and(predicate::str::contains("<- moved")),
    );
    let wrong =
        tool().args(["compare", "--metric", "grant-lane/service_p5", "--history"]).arg(&path).assert();
    wrong.code(2).stderr(predicate::str::contains("did you mean grant-lane/service_p50?"));
}

#[test]
fn a_history_whose_last_run_has_no_metric_says_so_without_naming_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.ndjson");
    let mut file = fs::OpenOptions::new().read(true).append(true).create(true).open(&path).unwrap();
    append(&mut file, &HistoryEntry { metrics: BTreeMap::new(), ..night(0, 200.0) }).unwrap();
    drop(file);
    tool().args(["compare", "--history"]).arg(&path).assert().code(2).stdout("").stderr(
        predicate::str::contains("has no metric at all: was no claim successful?")
            .and(predicate::str::contains("known:").not()),
    );
}

#[test]
fn runs_are_appended_and_what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = stored(dir.path(), "run", &fixture::lane_ab());
    let path = dir.path().join("history.ndjson");
    fs::write(&path, "not a run\n").unwrap();
    let append = || {
        let mut command = tool();
        command.args(["compare", "--metric", "grant-lane/round_trips", "--history"]).arg(&path).arg(&run);
        command.assert().success().stderr(predicate::str::contains("history.ndjson:1: left out"))
    };
    append();
    // A run that is there already is one night still.
    append().stdout(predicate::str::contains("No change of level in 1 run."));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}
