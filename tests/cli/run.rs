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

/// What an SDK duet cannot be is said before anything is built.
#[test]
fn sides_of_an_sdk_duet_are_refused_by_the_option_that_names_them() {
    let refused = |arguments: &[&str], words: &str| {
        let dir = tempfile::tempdir().unwrap();
        let mut command = tool();
        command.current_dir(dir.path()).env("XDG_CACHE_HOME", dir.path().join("cache"));
        command.arg("run").args(arguments).assert().code(2).stderr(predicate::str::contains(words));
        assert!(!dir.path().join("cache").exists(), "nothing is built");
    };
    refused(
        &["sdk-duet", "--base-sdk", "0.15"],
        "--base-sdk 0.15: variant[0].sdk: `0.15` is not a whole version",
    );
    refused(&["sdk-duet", "--candidate-sdk", "main:"], "--candidate-sdk main:: variant[1].sdk: ");
    refused(&["lane-ab", "--base-sdk", "0.15.0"], "use the scenario sdk-duet");
    refused(&["library-duet", "--candidate-sdk", "0.15.0"], "use the scenario sdk-duet");
    refused(&["sdk-duet", "--nodes", "127.0.0.1:1"], "servers that this tool starts");
    refused(&["sdk-duet", "--concurrency", "4"], "one grant after the other");
}

/// Where there is no cargo, or no such SDK, it is said what is missing, and no server is started.
#[test]
fn a_worker_that_cannot_be_built_is_a_set_up_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tool();
    command.current_dir(dir.path()).env("XDG_CACHE_HOME", dir.path().join("cache")).env("PATH", dir.path());
    let done = command.args(["run", "sdk-duet"]).assert().code(2);
    let said = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    assert!(said.contains("variant base: cannot run rustc") && said.contains("install Rust"), "{said}");
    let mut command = tool();
    command.current_dir(dir.path()).env("XDG_CACHE_HOME", dir.path().join("cache"));
    let done = command.args(["run", "sdk-duet", "--base-sdk", "./nowhere"]).assert().code(2);
    let said = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    assert!(said.contains("variant base: ./nowhere: ") && !said.contains("starting"), "{said}");
    assert_eq!(fs::read_dir(dir.path().join("results")).unwrap().count(), 0, "no result directory stays");
    assert!(!dir.path().join("cache/reclaim-bench/sdk-workers/build").exists());
}

#[test]
fn what_generators_cannot_share_starts_nothing_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["smoke", "--generators", "2"], "1 claim in flight cannot be shared by 2 generators"),
        (&["smoke", "--concurrency", "3", "--generators", "4"], "3 claims in flight cannot be shared by 4"),
        (
            &["steady", "--set", "population.executions=3", "--generators", "4"],
            "population.executions = 3 cannot be shared by 4 generators",
        ),
        (&["failover", "--generators", "2"], "cannot share faults"),
        (&["smoke", "--generators", "0"], "0 generators"),
        (&["smoke", "--part", "1/2"], "RECLAIM_BENCH_RENDEZVOUS"),
        (&["smoke", "--part", "3/2", "--rendezvous", "r"], "write it like 2/8"),
        (&["smoke", "--rendezvous", "r"], "say which generator this is"),
        (&["smoke", "--part", "1/2", "--rendezvous", "a b"], "letters, digits"),
        (&["smoke", "--concurrency", "4", "--part", "1/2", "--rendezvous", "r"], "--nodes"),
        (
            &["smoke", "--concurrency", "4", "--part", "1/2", "--rendezvous", "r", "--nodes", "127.0.0.1:1"],
            "the same --seed",
        ),
    ];
    for (arguments, part) in cases {
        let mut command = tool();
        for name in ["SLURM_PROCID", "JOB_COMPLETION_INDEX", "RECLAIM_BENCH_PART", "RECLAIM_BENCH_NODES"] {
            command.env_remove(name);
        }
        command
            .current_dir(dir.path())
            .arg("run")
            .args(*arguments)
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(*part).and(predicate::str::contains("starting").not()));
    }
    assert!(!dir.path().join("results").exists());
}
