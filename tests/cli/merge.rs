//! `merge`: the parts of a run as one result.

use std::fs;
use std::path::{Path, PathBuf};

use predicates::prelude::*;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::fixtures::{self, GRANT_LANE, HGET_LANE};
use reclaim_analysis::judge::{RunResult, analyse};
use reclaim_analysis::record::{CounterDelta, Outcomes, PartNote, RunRecord, WindowTotals};

use crate::tool;

/// One part of a run of so many, which began this much after the first.
fn part(number: u32, of: u32, late_us: u64) -> RunRecord {
    let mut part = fixtures::record(&[GRANT_LANE, HGET_LANE], 1);
    let began_us = vec![1_000_000 + late_us];
    part.part = Some(PartNote { number, of, rendezvous: "tonight".into(), began_us });
    let mut outcomes = Outcomes::default();
    part.arms.iter().for_each(|arm| outcomes.add(&arm.outcomes));
    part.window = Some(WindowTotals { active_s: 10.0, outcomes, ..WindowTotals::default() });
    part.generator = Some(fixtures::generator(number).used);
    if number > 1 {
        // The first part alone reads the servers.
        part.primaries[0].counters = CounterDelta::default();
        part.blocks.iter_mut().for_each(|block| block.counters = CounterDelta::default());
    }
    part
}

fn stored(dir: &Path, name: &str, record: RunRecord) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("result.json"), analyse(record).unwrap().to_json_file().unwrap()).unwrap();
    path
}

#[test]
fn parts_become_a_result_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let parts = [stored(dir.path(), "b", part(2, 2, 0)), stored(dir.path(), "a", part(1, 2, 0))];
    let output = dir.path().join("results");
    let merge = || {
        let mut merge = tool();
        merge.arg("merge").args(&parts).arg("--output").arg(&output);
        merge
    };
    let text =
        predicate::str::contains("Generators").and(predicate::str::contains("No generator was the limit"));
    merge().assert().success().stdout(text).stderr(predicate::str::contains("result: "));
    let made = fs::read_dir(&output).unwrap().next().unwrap().unwrap().path();
    let result: RunResult =
        serde_json::from_str(&fs::read_to_string(made.join("result.json")).unwrap()).unwrap();
    assert!(result.valid, "{:?}", result.invalid_reasons);
    assert_eq!((result.record.part.clone(), result.record.generators.len()), (None, 2));
    assert_eq!(result.variants[0].outcomes.claimed, 2 * part(1, 2, 0).arms[0].outcomes.claimed);
    let page = fs::read_to_string(made.join("report.html")).unwrap();
    assert!(page.contains("The generators"));
    let json = merge().args(["--format", "json", "--quiet"]).assert().success().stderr("");
    let json: RunResult = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json, result, "merged again, it is the same");
    // The merged result is no part.
    tool().arg("merge").arg(&made).assert().code(2).stderr(
        predicate::str::contains(made.display().to_string())
            .and(predicate::str::contains("no part of a run")),
    );
}

#[test]
fn a_part_alone_is_invalid_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let part = stored(dir.path(), "part", part(2, 3, 0));
    tool()
        .arg("report")
        .arg(part)
        .assert()
        .stdout(predicate::str::contains("part 2 of 3").and(predicate::str::contains("reclaim-bench merge")));
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("results");
    let first = stored(dir.path(), "first", part(1, 2, 0));
    let second = stored(dir.path(), "second", part(2, 2, 0));
    let other = stored(dir.path(), "other", RunRecord { seed: 9, ..part(2, 2, 0) });
    let refused = |parts: &[&PathBuf], said: &str| {
        let assert = tool().arg("merge").args(parts).arg("--output").arg(&output).assert().code(2);
        assert.stdout("").stderr(predicate::str::contains(said.to_owned()));
    };
    refused(&[&first], "part 2 of 2 is missing");
    refused(&[&first, &second, &second], "part 2 is given twice");
    refused(&[&first, &other], "its seed is 9, the other's is 1");
    refused(&[&first, &other], &format!("cannot merge {}", other.display()));
    refused(&[&dir.path().join("nothing")], "is not there");
    assert!(!output.exists());
}

#[test]
fn a_run_that_did_not_begin_everywhere_at_once_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let parts = [stored(dir.path(), "a", part(1, 2, 0)), stored(dir.path(), "b", part(2, 2, 80_000))];
    let merge = tool().arg("merge").args(parts).arg("--output").arg(dir.path()).assert().code(2);
    merge.stdout(predicate::str::contains("generator 2 began window 1 80.0 ms after the first one"));
}
