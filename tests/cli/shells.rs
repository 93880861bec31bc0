//! Completions as a shell asks for them, and man pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use predicates::prelude::*;

use crate::tool;

/// What could come next, as bash asks it: the words so far, the last one begun.
fn offered(dir: &Path, words: &[&str]) -> Vec<String> {
    let asked = tool()
        .current_dir(dir)
        .env("RECLAIM_BENCH_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .args(["--", "reclaim-bench"])
        .args(words)
        .assert()
        .success();
    String::from_utf8(asked.get_output().stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn names_of_scenarios_and_files_are_completed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("lane-mine.toml"), "").unwrap();
    fs::write(dir.path().join("lane-notes.txt"), "").unwrap();
    for command in [&["run"][..], &["capacity"], &["scenarios", "show"], &["scenarios", "check"]] {
        let found = offered(dir.path(), &[command, &["lane"]].concat());
        assert_eq!(found, ["lane-ab", "lane-skew", "lane-mine.toml"], "{command:?}");
    }
    assert_eq!(offered(dir.path(), &["run", "smoke", "--prov"]), ["--provider"]);
    assert!(offered(dir.path(), &["run", "smoke", "--provider", ""]).contains(&"local".to_owned()));
    let commands = offered(dir.path(), &[""]);
    assert!(
        commands.contains(&"capacity".to_owned()) && !commands.contains(&"keep-awake".to_owned()),
        "{commands:?}"
    );
}

/// The printed script in a shell, as a user has it.
#[test]
fn bash_completes_by_the_script_that_is_printed() {
    let tool = Path::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    let path = format!("{}:{}", tool.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = "source <(reclaim-bench completions bash); COMP_WORDS=(reclaim-bench run smo); COMP_CWORD=2; \
                  _clap_complete_reclaim_bench reclaim-bench smo run; printf '%s' \"${COMPREPLY[0]}\"; \
                  complete -p reclaim-bench";
    let done = Command::new("bash").args(["-c", script]).env("PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.starts_with("smoke") && said.contains("-F"), "{done:?}");
}

#[test]
fn completions_are_printed_for_every_shell_and_a_variable_set_to_nothing_asks_nothing() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let printed = tool().args(["completions", shell]).assert().success();
        printed.stdout(
            predicate::str::contains("reclaim-bench").and(predicate::str::contains("RECLAIM_BENCH_COMPLETE")),
        );
    }
    let usual = tool().env("RECLAIM_BENCH_COMPLETE", "").arg("scenarios").assert().success();
    usual.stdout(predicate::str::contains("lane-ab"));
}

#[test]
fn every_command_has_a_man_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("not/there/yet");
    tool().arg("man-pages").arg(&pages).assert().success().stdout("");
    let page =
        |name: &str| fs::read_to_string(pages.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    for name in [
        "run",
        "capacity",
        "compare",
        "merge",
        "calibrate",
        "report",
        "scenarios",
        "scenarios-show",
        "cluster-up",
        "clean",
    ] {
        let text = page(&format!("reclaim-bench-{name}.1"));
        assert!(text.contains(".TH") && text.contains("SYNOPSIS"), "{text}");
    }
    assert!(page("reclaim-bench-run.1").contains("password"));
    assert!(page("reclaim-bench.1").contains("Exit codes"));
    assert!(
        !pages.join("reclaim-bench-keep-awake.1").exists() && !pages.join("reclaim-bench-help.1").exists()
    );
    fs::write(dir.path().join("file"), "").unwrap();
    let refused = tool().arg("man-pages").arg(dir.path().join("file")).assert().code(2);
    refused.stderr(predicate::str::contains("cannot write man pages to"));
}
