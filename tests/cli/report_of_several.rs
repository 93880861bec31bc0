//! `report` of what is made of several runs: sweeps, series, calibrations. The runs are stored, the rest
//! follows.

use std::fs;
use std::path::{Path, PathBuf};

use predicates::prelude::*;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::{self, GatePolicy, RunResult, Sweep};
use reclaim_analysis::record::{CounterBlock, InvalidReason, Samples, Stratum, StratumSide, Warning};
use reclaim_analysis::report;
use serde_json::{Value, json};

use crate::{fixture, tool};

const KEY: &str = "load.network.added_rtt";

fn stored_run(dir: &Path, result: &RunResult) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("result.json"), result.to_json_file().unwrap()).unwrap();
}

/// A comparison with samples and blocks enough for intervals.
fn whole() -> RunResult {
    let mut result = fixture::lane_ab();
    let samples =
        |stratum: u32, base: u32| Samples((0..100).map(|n| base + (stratum * 31 + n * 79) % 211).collect());
    result.record.strata = (0..100)
        .map(|n| Stratum {
            control: false,
            apart: false,
            sides: vec![
                StratumSide { arm: 0, service: samples(n, 2_170) },
                StratumSide { arm: 1, service: samples(n, 2_656) },
            ],
            ruler: None,
        })
        .collect();
    result.record.blocks = (0..20u32)
        .map(|n| CounterBlock {
            group: n / 2,
            arm: n % 2,
            claims: 1_000,
            duration_s: 0.25 + 0.001 * f64::from(n % 5),
            ..CounterBlock::default()
        })
        .collect();
    result
}

/// Three runs: one as it should be, one with remarks and too short for intervals, one that must not be used.
fn runs() -> [RunResult; 3] {
    let mut warned = fixture::lane_ab();
    warned.warnings = vec![Warning::SharedMachine { cores: 2 }, Warning::BusyMachine { share: 0.2 }];
    let mut invalid = whole();
    invalid.warnings = vec![Warning::SharedMachine { cores: 2 }];
    invalid.valid = false;
    invalid.invalid_reasons = vec![InvalidReason::StockRanOut { claims: 12 }];
    [whole(), warned, invalid]
}

fn values() -> [String; 3] {
    ["0us", "100us", "1ms"].map(String::from)
}

/// The curve through as many runs as were made.
fn curve(made: usize) -> Sweep {
    let (values, runs) = (values(), runs());
    judge::sweep(KEY, &values, values.iter().map(String::as_str).zip(&runs).take(made))
}

/// A sweep's directory as a run of the command leaves it, but for the curve: of that only the key and the
/// values are there. Runs were made in the opposite order of the values.
fn stored_sweep(dir: &Path, made: usize) -> PathBuf {
    let mut list: Vec<Value> = Vec::new();
    for (n, (value, run)) in values().iter().zip(&runs()).enumerate().take(made) {
        stored_run(&dir.join(format!("run-{n}")), run);
        list.insert(0, json!({ "value": value, "dir": format!("run-{n}") }));
    }
    let file = json!({
        "schema": "reclaim-bench/sweep-2", "scenario": "rtt-sweep", "seed": 3, "key": KEY, "wanted": values(),
        "runs": list, "points": [],
    });
    fs::write(dir.join("sweep.json"), file.to_string()).unwrap();
    dir.to_owned()
}

fn stored_series(dir: &Path) -> (PathBuf, String) {
    let results: Vec<RunResult> = (0..3).map(|_| fixture::lane_ab()).collect();
    for (n, run) in results.iter().enumerate() {
        stored_run(&dir.join(format!("run-{n}")), run);
    }
    let repeated = judge::repeat(&results, 3);
    let gate =
        judge::gate_repeated(&results, &repeated, &GatePolicy::from_scenario(&results[0].record.scenario));
    let text = report::repeated_text("lane-ab", &repeated, &gate, None);
    let mut file = serde_json::to_value(judge::repeat(&[], 0)).unwrap();
    for (key, value) in [
        ("schema", json!("reclaim-bench/repeat-1")),
        ("scenario", json!("lane-ab")),
        ("seed", json!(1)),
        ("wanted", json!(3)),
        ("runs", json!(["run-0", "run-1", "run-2"])),
        ("gate", json!({ "conclusion": "invalid", "findings": [] })),
    ] {
        file[key] = value;
    }
    fs::write(dir.join("repeat.json"), file.to_string()).unwrap();
    (dir.to_owned(), text)
}

fn stored_calibration(dir: &Path) -> (PathBuf, String) {
    fs::create_dir_all(dir).unwrap();
    let assessed = judge::assess(fixture::calibration_record());
    let mut file = serde_json::to_value(&assessed).unwrap();
    file["ceiling_per_sec"] = json!(1.0);
    fs::write(dir.join("calibration.json"), file.to_string()).unwrap();
    (dir.to_owned(), report::calibration_text(&assessed, None))
}

#[test]
fn a_sweep_reads_well() {
    let text = report::sweep_text("rtt-sweep", &curve(3), None);
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    insta::assert_snapshot!("sweep_text", text);
    insta::assert_snapshot!("sweep_markdown", report::sweep_markdown("rtt-sweep", &curve(3)));
    insta::assert_snapshot!("sweep_csv", report::sweep_csv(&curve(3)));
}

#[test]
fn a_sweep_is_drawn_again_from_its_runs_in_the_order_of_the_values() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = stored_sweep(&dir.path().join("s"), 3);
    let expected = report::sweep_text("rtt-sweep", &curve(3), None);
    for path in [sweep.clone(), sweep.join("sweep.json")] {
        tool().arg("report").arg(path).assert().success().stdout(expected.clone()).stderr("");
    }
    let markdown = tool().arg("report").arg(&sweep).args(["--format", "markdown"]).assert().success();
    markdown.stdout(report::sweep_markdown("rtt-sweep", &curve(3)));
    let json = tool().arg("report").args([&sweep, &sweep]).args(["--format", "json"]).assert().success();
    let json: Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json[1]["schema"], "reclaim-bench/sweep-2");
    let sweep: Sweep = serde_json::from_value(json[1].clone()).unwrap();
    assert_eq!(sweep.points.iter().map(|point| point.value.clone()).collect::<Vec<_>>(), values());
}

/// As the version before wrote it: runs without their values, in the order that the seed drew, and points of
/// another form. With seed 3 these three values were run as 1ms, 100us, 0us.
#[test]
fn a_sweep_of_the_version_before_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = stored_sweep(&dir.path().join("s"), 3);
    let file = json!({
        "schema": "reclaim-bench/sweep-1", "scenario": "rtt-sweep", "seed": 3, "key": KEY, "wanted": values(),
        "runs": ["run-2", "run-1", "run-0"],
        "points": [{ "value": "0us", "control_failed": "in words", "arms": [] }],
    });
    fs::write(sweep.join("sweep.json"), file.to_string()).unwrap();
    let expected = report::sweep_text("rtt-sweep", &curve(3), None);
    tool().arg("report").arg(&sweep).assert().success().stdout(expected);
    // A file of that version that is damaged says so.
    fs::write(sweep.join("sweep.json"), "{\"schema\": \"reclaim-bench/sweep-1\", \"seed\": 3}").unwrap();
    let damaged = tool().arg("report").arg(&sweep).assert().code(2).stdout("");
    damaged.stderr(predicate::str::contains("sweep.json is damaged"));
}

#[test]
fn an_interrupted_sweep_says_how_much_of_it_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = stored_sweep(&dir.path().join("s"), 2);
    let said = "!! UNFINISHED: 2 of 3 values were run; 1 ms not.";
    tool().arg("report").arg(sweep).assert().success().stdout(predicate::str::starts_with(said));
}

#[test]
fn a_sweep_that_cannot_be_read_says_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = stored_sweep(&dir.path().join("s"), 3);
    let file = sweep.join("sweep.json");
    let whole = fs::read_to_string(&file).unwrap();
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from));
        fs::write(&file, whole.replace(from, to)).unwrap();
        tool().arg("report").arg(&sweep).assert().code(2).stdout("")
    };
    for (from, to, reason) in [
        (
            "sweep-2",
            "sweep-9",
            "has the format reclaim-bench/sweep-9, this tool reads reclaim-bench/sweep-2 and reclaim-bench/sweep-1: a \
             higher number is of a newer reclaim-bench",
        ),
        ("\"schema\"", "\"scheme\"", "is not a sweep"),
        ("\"wanted\"", "\"asked\"", "sweep.json is damaged"),
        ("\"value\":\"1ms\"", "\"value\":\"2ms\"", "names a run of 2ms, which is none of its values"),
        ("\"run-1\"", "\"run-7\"", "the run of load.network.added_rtt = 100us cannot be had"),
    ] {
        with(from, to).stderr(predicate::str::starts_with("error: ").and(predicate::str::contains(reason)));
    }
}

#[test]
fn a_series_and_a_calibration_are_concluded_again() {
    let dir = tempfile::tempdir().unwrap();
    let (series, of_series) = stored_series(&dir.path().join("series"));
    let (calibration, of_calibration) = stored_calibration(&dir.path().join("calibration"));
    for (path, file, expected) in
        [(&series, "repeat.json", of_series), (&calibration, "calibration.json", of_calibration)]
    {
        tool().arg("report").arg(path).assert().success().stdout(expected.clone()).stderr("");
        tool().arg("report").arg(path.join(file)).assert().success().stdout(expected.clone());
        tool().arg("report").args([path, path]).assert().success().stdout(format!("{expected}\n{expected}"));
        let markdown = tool().arg("report").arg(path).args(["--format", "markdown"]).assert().success();
        markdown.stdout(predicate::str::starts_with("## "));
    }
    let json = tool().arg("report").arg(&series).args(["--format", "json"]).assert().success();
    let json: Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!((&json["wanted"], &json["attempts"].as_array().unwrap().len()), (&json!(3), &3));
    let json = tool().arg("report").arg(&calibration).args(["--format", "json"]).assert().success();
    let json: Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json["ceiling_per_sec"], 100_000.0);
}

#[test]
fn formats_of_single_runs_and_mixed_kinds_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = stored_sweep(&dir.path().join("sweep"), 1);
    let (series, _) = stored_series(&dir.path().join("series"));
    let (calibration, _) = stored_calibration(&dir.path().join("calibration"));
    let refused = |paths: &[&PathBuf], format: &str, reason: &str| {
        let done = tool().arg("report").args(paths).args(["--format", format]).assert().code(2);
        done.stdout("").stderr(predicate::str::contains(reason));
    };
    for format in
        ["hlog", "junit", "bmf", "github", "github-bigger", "pull-request", "ff-bench", "csv-timeline"]
    {
        refused(
            &[&sweep],
            format,
            "the formats of the runs of a sweep are text, markdown, html and json; its points",
        );
        refused(&[&calibration], format, "the formats of a calibration are text, markdown, html and json;");
    }
    for format in ["hlog", "bmf", "github", "github-bigger"] {
        let formats = "the formats of a series of runs are text, markdown, html, json, junit and pull-request; its single";
        refused(&[&series], format, formats);
    }
    refused(&[&series, &series], "junit", "this format holds one series, 2 are given");
    refused(&[&sweep, &series], "text", "holds a series of runs: report each kind by itself");
    let missing = dir.path().join("missing");
    for given in [[&missing, &sweep], [&sweep, &missing]] {
        refused(
            &given,
            "text",
            &format!("{} is not there: give the directory of a result", missing.display()),
        );
    }
    refused(&[&calibration, &sweep.join("run-0")], "text", "holds a run: report each kind by itself");
}

#[test]
fn a_series_has_forms_for_build_servers() {
    let dir = tempfile::tempdir().unwrap();
    let (series, _) = stored_series(&dir.path().join("series"));
    let of = |format: &str| {
        let done = tool().arg("report").arg(&series).args(["--format", format]).assert().success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let junit = of("junit");
    assert_eq!(junit.matches("<testsuite ").count(), 4, "one over all, one for each run: {junit}");
    for case in junit.lines().filter(|line| line.contains("<testcase ")) {
        assert!(case.contains(" time=\""), "{case}");
    }
    assert!(of("pull-request").starts_with("## reclaim-bench lane-ab, 3 runs: measured, not gated"));
}

#[test]
fn a_comparison_of_several_runs_names_the_command_that_shows_them() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = stored_sweep(&dir.path().join("sweep"), 1);
    tool().arg("compare").args([&sweep, &sweep]).assert().code(2).stdout("").stderr(
        predicate::str::contains("holds the runs of a sweep: `reclaim-bench report` shows them together")
            .and(predicate::str::contains("/*/ for the single runs")),
    );
}
