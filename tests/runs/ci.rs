//! The commands of docs/ci.md and docs/ci-workflow.yml, as they stand there, in a repository with two
//! versions of the function library. Only the sizes are smaller.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::support;

/// With the fewest commands that are expected in each.
const DOCUMENTS: [(&str, usize); 3] = [("docs/ci.md", 5), ("docs/ci-workflow.yml", 2), ("README.md", 1)];

/// Appended to every `run`: what is tested is that the commands work, not what they find.
const SMALL: &str = "--primaries 1 --anyway --set population.executions=200 --set population.partitions=16 \
                     --set load.claims=400 --set load.warmup=20 --set compare.strata=10 --set compare.control_strata=5 \
                     --set compare.block_claims=20 --set compare.counter_blocks=2 \
                     --set compare.metrics=[\\\"service_p50\\\"]";

/// Every command of a document, continuation lines joined, in order.
fn commands(document: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim().trim_start_matches("- run: "));
    // Of the README's, `.ci/docs-commands.sh` runs those that need no repository of a library.
    // Workers of SDKs are built by the tests of the feature `sdk`.
    let elsewhere =
        |line: &str| line.contains("sdk-duet") || document == "README.md" && !line.contains("library-duet");
    lines.filter(|line| line.starts_with("reclaim-bench ") && !elsewhere(line)).map(str::to_owned).collect()
}

fn sh(dir: &Path, command: &str) -> Output {
    let tool = PathBuf::from(env!("CARGO_BIN_EXE_reclaim-bench"));
    let path = std::env::var("PATH").unwrap_or_default();
    let mut sh = Command::new("sh");
    sh.args(["-c", command]).current_dir(dir);
    sh.env("PATH", format!("{}:{path}", tool.parent().unwrap().display()));
    for variable in ["RECLAIM_BENCH_NODES", "GITHUB_STEP_SUMMARY", "GIT_DIR", "GIT_WORK_TREE"] {
        sh.env_remove(variable);
    }
    if let Some(server) = support::valkey_server() {
        sh.env("VALKEY_SERVER", server);
    }
    sh.output().unwrap()
}

fn done(dir: &Path, command: &str) {
    let output = sh(dir, command);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository whose `origin/main` holds the published library, and whose working tree has one call more in
/// a claim.
fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("crates/ff-script/src/flowfabric.lua");
    std::fs::create_dir_all(library.parent().unwrap()).unwrap();
    std::fs::write(&library, ff_script::LIBRARY_SOURCE).unwrap();
    done(
        dir.path(),
        "git init -q . && git add . && git -c user.name=t -c user.email=t@example.com commit -qm base",
    );
    done(dir.path(), "git update-ref refs/remotes/origin/main HEAD");
    let (before, after) =
        ff_script::LIBRARY_SOURCE.split_once("'ff_claim_resumed_execution', function(keys, args)").unwrap();
    let changed = format!(
        "{before}'ff_claim_resumed_execution', function(keys, args)\n  redis.call('EXISTS', keys[1])\n{after}"
    );
    std::fs::write(&library, changed).unwrap();
    dir
}

#[test]
fn the_documented_commands_work_and_find_the_planted_call() {
    for (document, fewest) in DOCUMENTS {
        let repository = repository();
        let commands = commands(document);
        assert!(commands.len() >= fewest, "{document}: {commands:?}");
        for command in commands {
            let is_run = command.starts_with("reclaim-bench run ");
            let gated = command.contains(" --gate");
            let compares = command.starts_with("reclaim-bench compare nightly");
            let command = if is_run { format!("{command} {SMALL}") } else { command };
            let output = sh(repository.path(), &command);
            let said = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            match code {
                Some(1) if gated => {
                    let found = String::from_utf8_lossy(&output.stdout);
                    assert!(found.contains("EXISTS calls"), "{document}: {command}\n{found}");
                }
                // So short a run has no interval for every metric.
                Some(0 | 3) if compares => {}
                Some(0) if !gated => {}
                _ => panic!("{document}: {command}: {code:?}\n{said}"),
            }
        }
    }
}

#[test]
fn a_revision_that_is_not_there_is_named_before_a_server_is_started() {
    let repository = repository();
    let output = sh(
        repository.path(),
        "reclaim-bench run library-duet --base-library nowhere:crates/ff-script/src/flowfabric.lua --candidate-library crates/ff-script/src/flowfabric.lua",
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("nowhere:crates/ff-script/src/flowfabric.lua") && said.contains("git fetch"),
        "{said}"
    );
}
