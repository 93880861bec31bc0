//! `compare`: two stored results, and a history of many.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use predicates::prelude::*;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::history_fixture::night;
use reclaim_analysis::judge::{HistoryEntry, RunResult, append, figures_fixture};

use crate::{fixture, tool};

fn stored(dir: &Path, name: &str, result: &RunResult) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("result.json"), result.to_json_file().unwrap()).unwrap();
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

/// A report as FlowFabric's own harness writes it.
fn other_harness(dir: &Path, name: &str, p99_ms: f64) -> PathBuf {
    let report = figures_fixture::other_harness(512.5, [0.9, 1.8, p99_ms]);
    let path = dir.join(name);
    fs::write(&path, report.to_string()).unwrap();
    path
}

#[test]
fn figures_of_the_other_harness_are_compared_without_a_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let base = other_harness(dir.path(), "suspend_signal_resume-abc1234.json", 2.5);
    let slower = other_harness(dir.path(), "suspend_signal_resume-def5678.json", 250.0);
    let shown = |format: &str| {
        let done = tool().args(["compare", "--format", format]).args([&base, &slower]).assert().code(3);
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let text = shown("text");
    assert!(text.contains("+9900.0 %") || text.contains("+9,900"), "{text}");
    assert!(text.contains("no interval and no sample") && !text.contains("regression"), "{text}");
    assert!(shown("junit").contains("failures=\"0\"") && shown("html").starts_with("<!DOCTYPE html>"));
    let json: serde_json::Value = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!(
        (&json["conclusion"], &json["figures"][2]["place"]),
        (&"inconclusive".into(), &"beyond_fail".into())
    );
}

#[test]
fn a_run_is_held_against_what_it_once_exported_and_against_nothing_that_it_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let run = stored(dir.path(), "run", &fixture::lane_ab());
    let exported = dir.path().join("lane-ab-abc.json");
    let done = tool().args(["report", "--format", "ff-bench"]).arg(&run).assert().success();
    fs::write(&exported, &done.get_output().stdout).unwrap();
    for sides in [[&run, &exported], [&exported, &run]] {
        let same = tool().arg("compare").args(sides).assert().code(3);
        same.stdout(predicate::str::contains("lane-ab-hget-lane").and(predicate::str::contains("+0.0 %")));
    }
    // Other harness, other question: refused, with what differs.
    let other = other_harness(dir.path(), "other.json", 2.5);
    let refused = tool().arg("compare").args([&run, &other]).assert().code(2).stdout("");
    refused.stderr(predicate::str::contains(
        "no scenario in common: lane-ab-grant-lane, lane-ab-hget-lane against",
    ));
    // Figures of a run that must not be used are none, whatever is allowed.
    let invalid = stored(dir.path(), "invalid", &fixture::invalid());
    let refused = tool().args(["compare", "--allow-different"]).args([&invalid, &exported]).assert().code(2);
    refused.stderr(predicate::str::contains("is invalid: its figures are not compared"));
    let refused =
        tool().args(["compare", "--allow-different"]).args([&invalid, &run]).assert().code(2).stdout("");
    refused.stderr(
        predicate::str::contains("is invalid: no figure of it is compared")
            .and(predicate::str::contains("--allow-different").not()),
    );
    // A file that only looks like one is damaged, and a history takes runs alone.
    fs::write(&other, "{\"latency_ms\": {}, \"throughput_ops_per_sec\": 1}").unwrap();
    let damaged = tool().arg("compare").args([&run, &other]).assert().code(2);
    damaged.stderr(predicate::str::contains("other.json is damaged"));
    let refused = tool().args(["compare", "--history"]).arg(dir.path().join("h")).arg(&exported).assert();
    refused.code(2).stderr(predicate::str::contains("no result of reclaim-bench"));
    let shown = tool().arg("report").arg(&exported).assert().code(2).stdout("");
    shown.stderr(
        predicate::str::contains("FlowFabric's own benchmarks")
            .and(predicate::str::contains("reclaim-bench compare")),
    );
}

#[test]
fn what_is_not_there_is_said_with_what_to_give() {
    for command in ["report", "compare"] {
        let arguments = [command, "nope", "nope"];
        let refused =
            tool().args(&arguments[..if command == "report" { 2 } else { 3 }]).assert().code(2).stdout("");
        refused.stderr("error: nope is not there: give the directory of a result, as a run names it at its end (below results/, or what --output said), or the result.json in it\n");
    }
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
    for metric in ["grant-lane/service_p99 (µs)", "hget-lane less grant-lane/service_p50 (µs)"] {
        assert!(shown("text").contains(metric), "{}", shown("text"));
    }
    let page = shown("html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("hget-lane/service_p50 in 1 run"));
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
    wrong.code(2).stderr(predicate::str::contains("did you mean `grant-lane/service_p50`?"));
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
    append().stdout(predicate::str::contains("1 run: a change of level is seen from 8 on."));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}
