//! Reports of stored results: what a stranger reads, and what other programs do.

use std::fs;
use std::path::Path;

use predicates::prelude::*;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::report;

use crate::{fixture, tool};

fn stored(dir: &Path, result: &RunResult) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("result.json"), result.to_json_file().unwrap()).unwrap();
}

#[test]
fn every_kind_of_result_reads_well_in_a_terminal() {
    for (name, result) in fixture::all() {
        let text = report::text(&result, None);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
            assert_eq!(line, line.trim_end(), "{name}");
        }
        insta::assert_snapshot!(format!("text_{name}"), text);
    }
}

#[test]
fn every_kind_of_result_reads_well_as_markdown() {
    for (name, result) in
        [("lane_ab", fixture::lane_ab()), ("invalid", fixture::invalid()), ("warned", fixture::warned())]
    {
        insta::assert_snapshot!(format!("markdown_{name}"), report::markdown(&result));
    }
}

#[test]
fn a_report_takes_the_columns_that_it_is_told_and_breaks_no_word() {
    let dir = tempfile::tempdir().unwrap();
    for (name, result) in fixture::all() {
        stored(dir.path(), &result);
        for columns in [40, 60, 80, 132] {
            let done =
                tool().env("COLUMNS", columns.to_string()).arg("report").arg(dir.path()).assert().success();
            let text = String::from_utf8(done.get_output().stdout.clone()).unwrap();
            let words: Vec<&str> = text.split_whitespace().collect();
            for line in text.lines().filter(|line| line.chars().count() > columns) {
                // A single word may be longer than that; it is not broken either.
                assert_eq!(
                    line.split_whitespace().filter(|word| *word != "-").count(),
                    1,
                    "{name}, {columns}: {line}"
                );
            }
            let drawn = |word: &str| word.contains(['·', '█']);
            let plain = report::text(&result, None);
            for word in
                plain.split_whitespace().filter(|word| !drawn(word)).map(|word| word.trim_end_matches(':'))
            {
                let whole = words.iter().any(|shown| shown.trim_end_matches(':') == word);
                assert!(whole, "{name}, {columns}: {word} in\n{text}");
            }
        }
    }
    stored(dir.path(), &fixture::lane_ab());
    for unknown in ["", "0", "wide"] {
        let done = tool().env("COLUMNS", unknown).arg("report").arg(dir.path()).assert().success();
        done.stdout(report::text(&fixture::lane_ab(), None));
    }
}

/// What a terminal is told is its width need not come with a height.
#[cfg(target_os = "linux")]
#[test]
fn a_report_takes_the_width_of_its_terminal() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), &fixture::lane_ab());
    let command = format!(
        "stty cols 70; {} report {}; {} run --help",
        env!("CARGO_BIN_EXE_reclaim-bench"),
        dir.path().display(),
        env!("CARGO_BIN_EXE_reclaim-bench")
    );
    let shown = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env_remove("COLUMNS")
        .env("NO_COLOR", "1")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).replace("\r\n", "\n");
    assert!(shown.contains(&report::text(&fixture::lane_ab(), Some(70))), "{shown}");
    let (_, help) = shown.split_once("Usage:").expect("help follows");
    let (options, _) = help.split_once("Examples:").unwrap();
    for line in options.lines().filter(|line| !line.contains("possible values")) {
        assert!(line.chars().count() <= 70, "{line}");
    }
}

#[test]
fn a_gated_run_begins_with_its_answer() {
    let mut result = fixture::lane_ab();
    assert!(!report::text(&result, None).contains("GATE"));
    result.record.scenario.gate.enforce = true;
    let text = report::text(&result, None);
    assert!(
        text.starts_with("GATE: FAILED (exit 1): service p50 of hget-lane against grant-lane: +19.9 %"),
        "{text}"
    );
    result.comparisons.clear();
    result.exact[0].candidate = "grant-lane".into();
    result.exact.truncate(1);
    let text = report::text(&result, None);
    assert!(text.starts_with("GATE: FAILED (exit 1): round trips of grant-lane 2 → 3 per claim"), "{text}");
    result.record.partial = true;
    assert!(report::text(&result, None).starts_with("GATE: NOT JUDGED (exit 130)"));
    let invalid = &mut fixture::invalid();
    invalid.record.scenario.gate.enforce = true;
    assert!(report::text(invalid, None).starts_with("GATE: INVALID (exit 2)"));
}

#[test]
fn an_invalid_result_says_so_first() {
    let text = report::text(&fixture::invalid(), None);
    assert!(text.starts_with("!! INVALID"), "{text}");
    assert!(report::markdown(&fixture::invalid()).starts_with("> **INVALID"));
}

#[test]
fn a_stored_result_is_read_from_its_directory_or_its_file() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), &fixture::lane_ab());
    let expected = report::text(&fixture::lane_ab(), None);
    for path in [dir.path().to_owned(), dir.path().join("result.json")] {
        tool().arg("report").arg(path).assert().success().stdout(expected.clone()).stderr("");
    }
}

#[test]
fn json_gives_the_stored_result_back() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), &fixture::lane_ab());
    let output = tool().arg("report").arg(dir.path()).args(["--format", "json"]).assert().success();
    let back: RunResult = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(back, fixture::lane_ab());
}

#[test]
fn hlog_has_a_tagged_line_per_histogram_that_other_tools_can_read() {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    let log = report::hlog(&fixture::lane_ab()).unwrap();
    let tags: Vec<_> = IntervalLogIterator::new(&log)
        .filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(line) => Some(line.tag().unwrap().as_str().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(tags, ["grant-lane/service", "hget-lane/service"]);
}

#[test]
fn csv_of_a_run_whose_figures_must_not_be_used_comes_with_a_word_of_caution() {
    let dir = tempfile::tempdir().unwrap();
    let said = |result: &RunResult, format: &str| {
        stored(dir.path(), result);
        let done = tool().arg("report").arg(dir.path()).args(["--format", format]).assert().success();
        let output = done.get_output();
        assert!(!output.stdout.is_empty() && !String::from_utf8_lossy(&output.stdout).contains("INVALID"));
        String::from_utf8(output.stderr.clone()).unwrap()
    };
    for format in ["csv-timeline", "csv-blocks", "csv-strata"] {
        assert_eq!(said(&fixture::lane_ab(), format), "");
        let invalid = said(&fixture::invalid(), format);
        assert!(invalid.starts_with("INVALID, do not use these figures. "), "{invalid}");
        let partial = said(&fixture::partial(), format);
        assert!(partial.starts_with("INTERRUPTED, "), "{partial}");
    }
}

#[test]
fn what_is_no_result_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let killed = dir.path().join("killed");
    fs::create_dir(&killed).unwrap();
    fs::write(killed.join("result.partial.json"), "{}").unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    for (path, reason) in [
        (empty, "holds no result: the run was killed before anything of it was stored"),
        (killed, "result.partial.json is damaged"),
        (file("text.json", "hello"), "is not JSON"),
        (file("other.json", "{}"), "is not a result of reclaim-bench"),
        (file("new.json", "{\"schema\": \"reclaim-bench/9\"}"), "has the format reclaim-bench/9"),
        (file("torn.json", "{\"schema\": \"reclaim-bench/1\"}"), "is damaged"),
    ] {
        tool()
            .arg("report")
            .arg(path)
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::starts_with("error: ").and(predicate::str::contains(reason)));
    }
}
