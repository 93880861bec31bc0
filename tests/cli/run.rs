//! `run` where it must not even start: each case ends before a server is looked for.

use std::fs;

use predicates::prelude::*;

use crate::tool;

#[test]
fn a_scenario_that_is_wrong_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    tool()
        .current_dir(dir.path())
        .args(["run", "lane-ab", "--set", "load.concurency=4"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(
            "error: --set load.concurency=4: load.concurency: unknown key; did you mean `concurrency`?\n",
        );
    assert!(!dir.path().join("results").exists());
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    tool()
        .current_dir(dir.path())
        .args(["run", "smoke", "--output", "file"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(
            predicate::str::starts_with(
                "error: cannot write results to file: choose another directory with --output",
            )
            .and(predicate::str::contains("starting").not()),
        );
}

/// A limit on the size of files stands for a full disk: both let a file be made and then refuse its content.
#[test]
fn a_full_disk_is_found_before_the_run_and_nothing_stays() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" run smoke --output out";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_reclaim-bench")])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: cannot write results to out: "), "{stderr}");
    assert!(stderr.contains("make room") && stderr.contains("File too large"), "{stderr}");
    assert_eq!(fs::read_dir(dir.path().join("out")).unwrap().count(), 0, "an empty result directory stayed");
}

#[test]
fn a_failure_is_text_in_a_summary_not_markup() {
    let dir = tempfile::tempdir().unwrap();
    let summary = dir.path().join("s.md");
    let done = tool()
        .current_dir(dir.path())
        .args([
            "run",
            "library-duet",
            "--base-library",
            "x:",
            "--candidate-library",
            "*a*\u{1b}[1m",
            "--summary",
        ])
        .arg(&summary)
        .assert()
        .code(2);
    let said = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    assert!(said.contains("<rev>:<path>") && !said.contains('\u{1b}'), "{said}");
    let text = fs::read_to_string(&summary).unwrap();
    assert!(text.contains("\\<rev\\>:\\<path\\>") && !text.contains("<rev>"), "{text}");
}

/// Whoever has too few files needs another limit, not another address.
#[test]
fn too_few_files_are_no_matter_of_tls() {
    let dir = tempfile::tempdir().unwrap();
    for files in [8, 12, 20, 63] {
        let script = format!("ulimit -n {files}; exec \"$0\" run smoke --nodes 127.0.0.1:1");
        let output = std::process::Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_reclaim-bench")])
            .current_dir(dir.path())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with(&format!("error: this process may have {files} files open")), "{said}");
        assert!(said.contains("ulimit -n") && !said.contains("TLS"), "{said}");
    }
}

#[test]
fn an_unreachable_node_is_named_and_no_directory_stays() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens on port 1 of the loopback interface.
    tool()
        .current_dir(dir.path())
        .args(["run", "smoke", "--nodes", "127.0.0.1:1"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("cannot reach 127.0.0.1:1"));
    assert_eq!(fs::read_dir(dir.path().join("results")).unwrap().count(), 0);
}
