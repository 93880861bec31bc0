//! SDK duets, as the tool runs them: the published SDK against itself, against copies of it with something
//! planted into the claim, and with workers that do not do what they should.
//!
//! What is planted is large enough for any machine. Building workers takes minutes the first time; all tests
//! share the cache.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reclaim_analysis::judge::{Comparison, RunResult, Verdict};
use reclaim_analysis::record::{InvalidReason, Outcomes};
use reclaim_analysis::scenario::{Metric, Shipped};
use reclaim_bench::cluster::cache_dir;

use crate::common::support;

/// The release that all sides are, or are made from.
const RELEASE: &str = "0.15.0";

/// Before the grant is consumed, on the way of every resume.
const IN_THE_CLAIM: &str = "        let args = ff_core::contracts::ClaimResumedExecutionArgs {\n";

/// Longest wait for something that takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Two runs at once would be each other's noise.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sources of the published SDK, which building these tests has brought.
fn published() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cargo");
    let sources = std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from).join("registry/src");
    let registries =
        std::fs::read_dir(&sources).unwrap_or_else(|error| panic!("{}: {error}", sources.display()));
    let mut found = registries.flatten().map(|entry| entry.path().join(format!("ff-sdk-{RELEASE}")));
    found.find(|dir| dir.join("Cargo.toml").is_file()).expect("the release was fetched")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

/// A copy of the published SDK with `code` in the claim.
fn planted(dir: &Path, code: &str) -> String {
    let sdk = dir.join("ff-sdk");
    copy(&published(), &sdk);
    let worker = sdk.join("src/worker.rs");
    let source = std::fs::read_to_string(&worker).unwrap();
    assert_eq!(source.matches(IN_THE_CLAIM).count(), 1, "the place is there");
    std::fs::write(&worker, source.replace(IN_THE_CLAIM, &format!("{code}\n{IN_THE_CLAIM}"))).unwrap();
    sdk.display().to_string()
}

/// A small run of a scenario, the release against a candidate.
fn duet(scenario: &str, candidate: &str, output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    command.env_remove("RECLAIM_BENCH_NODES").env_remove("GITHUB_STEP_SUMMARY");
    command.args([
        "run",
        scenario,
        "--base-sdk",
        RELEASE,
        "--candidate-sdk",
        candidate,
        "--gate",
        "--anyway",
    ]);
    command.args(["--primaries", "2", "--claims", "2400", "--warmup", "80", "--seed", "7", "--no-progress"]);
    for set in [
        "population.executions=600",
        "population.partitions=16",
        "compare.strata=20",
        "compare.counter_blocks=4",
        "compare.block_claims=60",
        // What is planted is far beyond it, and a busy machine does not come near.
        "compare.noise_threshold=0.5",
    ] {
        command.args(["--set", set]);
    }
    command.args(more).arg("-o").arg(output);
    if let Some(server) = support::valkey_server() {
        command.arg("--valkey-server").arg(server);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn results(output: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(output)
        .map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect())
}

fn stored(output: &Path) -> RunResult {
    let dirs = results(output);
    assert_eq!(dirs.len(), 1, "{dirs:?}");
    serde_json::from_str(&std::fs::read_to_string(dirs[0].join("result.json")).unwrap()).unwrap()
}

/// A run that is judged: what it printed, its exit code, its result.
fn judged(scenario: &str, candidate: &str) -> (String, Option<i32>, RunResult) {
    judged_in(Path::new("."), scenario, candidate)
}

/// The same where the command runs in `dir`.
fn judged_in(dir: &Path, scenario: &str, candidate: &str) -> (String, Option<i32>, RunResult) {
    let output = tempfile::tempdir().unwrap();
    let ended = duet(scenario, candidate, output.path(), &[]).current_dir(dir).output().unwrap();
    let said = text(&ended);
    assert_ne!(ended.status.code(), Some(2), "{said}");
    let result = stored(output.path());
    assert!(result.valid, "{:?}", result.invalid_reasons);
    (said, ended.status.code(), result)
}

fn p50(result: &RunResult) -> &Comparison {
    result.comparisons.iter().find(|one| one.metric == Metric::ServiceP50).unwrap()
}

fn differing(result: &RunResult) -> Vec<String> {
    result.exact.iter().filter(|one| !one.equal).map(|one| one.metric.to_string()).collect()
}

/// A release against itself: `fcalls` of each claim, and nothing differs.
fn quiet(scenario: &str, fcalls: f64) {
    let _alone = alone();
    let (said, code, result) = judged(scenario, RELEASE);
    assert!(matches!(code, Some(0 | 3)), "{said}");
    assert!(
        !matches!(p50(&result).verdict, Verdict::Regression | Verdict::Improvement),
        "{:?}",
        p50(&result)
    );
    assert_eq!(differing(&result), [""; 0]);
    for variant in &result.variants {
        let calls = &variant.server.calls_per_claim;
        assert!((calls["fcall"] - fcalls).abs() < 1e-9 && (calls["get"] - 1.0).abs() < 1e-9, "{calls:?}");
        assert_eq!(variant.outcomes, Outcomes { claimed: 1_200, ..Outcomes::default() });
        assert_eq!(variant.server.round_trips_per_claim, None, "nobody outside sees them");
    }
    let sdk = |arm: usize| result.record.arms[arm].sdk.clone().unwrap();
    assert_eq!((sdk(0), sdk(0).version.as_str()), (sdk(1), RELEASE));
    assert!(result.record.arms.iter().all(|arm| arm.handover_p50_us.is_some_and(|us| us > 0.0)));
    assert!(result.control.is_some_and(|control| control.ratio.is_some()));
    assert!(said.contains("SDK of base: ff-sdk 0.15.0") && said.contains("SDK of candidate: "), "{said}");
}

#[test]
fn a_release_against_itself_is_quiet() {
    quiet("sdk-duet", 1.0);
}

#[test]
fn so_is_it_by_the_grants_of_a_scheduler() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("duet.toml");
    let shipped = Shipped::find("sdk-duet").unwrap().text;
    let routed = shipped.replace("path = \"sdk-resume\"", "path = \"sdk-grant\"");
    assert_ne!(routed, shipped);
    std::fs::write(&scenario, routed).unwrap();
    quiet(scenario.to_str().unwrap(), 2.0);
}

fn git(repository: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"];
    let done = Command::new("git").args(who).args(arguments).current_dir(repository).output().unwrap();
    assert!(done.status.success(), "{}", text(&done));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// As a pull request has it: the change is committed, and what lies in the working tree is not what is built.
#[test]
fn one_hget_more_in_a_revision_is_found_exactly() {
    let _alone = alone();
    let repository = tempfile::tempdir().unwrap();
    let more = "        let _ = self.backend.read_current_attempt_index(execution_id).await;";
    planted(repository.path(), more);
    git(repository.path(), &["init", "--quiet", "."]);
    git(repository.path(), &["add", "."]);
    git(repository.path(), &["commit", "--quiet", "--message", "one more"]);
    std::fs::write(repository.path().join("ff-sdk/src/worker.rs"), "no source").unwrap();
    // Below the repository's top, from which the path is nevertheless.
    let below = repository.path().join("ff-sdk/src");
    let (said, code, result) = judged_in(&below, "sdk-duet", "HEAD:ff-sdk");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("HGET calls of candidate 1 → 2 per claim"), "{said}");
    assert_eq!(differing(&result), ["calls.hget"]);
    let sdk = |arm: usize| result.record.arms[arm].sdk.clone().unwrap();
    assert_eq!(sdk(0).version, sdk(1).version);
    assert_ne!(sdk(0).sha256, sdk(1).sha256, "another source, another SDK");
    assert_eq!((sdk(0).commit, sdk(1).source.as_str()), (None, "HEAD:ff-sdk"));
    assert_eq!(sdk(1).commit, Some(git(repository.path(), &["rev-parse", "HEAD"])));
    assert!(!cache_dir().unwrap().join("sdk-workers/sources").join(sdk(1).commit.unwrap()).exists());
}

#[test]
fn a_busy_loop_in_the_sdk_is_a_regression_of_time_alone() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    // Ten claims long on an idle machine, and still several on one that does much else.
    let busy = "        let begun = std::time::Instant::now();\n        while begun.elapsed() < \
                std::time::Duration::from_millis(5) {\n            std::hint::spin_loop();\n        }";
    let (said, code, result) = judged("sdk-duet", &planted(dir.path(), busy));
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(p50(&result).verdict, Verdict::Regression, "{:?}", p50(&result));
    assert!(said.contains("service p50 of candidate"), "{said}");
    assert_eq!(differing(&result), [""; 0], "a loop calls nothing");
}

#[test]
fn what_cannot_be_built_is_shown_and_leaves_nothing() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let output = tempfile::tempdir().unwrap();
    let candidate = planted(dir.path(), "        let planted: u32 = \"no number\";");
    let ended = duet("sdk-duet", &candidate, output.path(), &[]).output().unwrap();
    let said = text(&ended);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    for words in ["variant candidate: the worker for ff-sdk", "cargo build", "E0308", "expected `u32`"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("starting 2 primaries"), "no server was started: {said}");
    assert_eq!(results(output.path()), Vec::<PathBuf>::new());
    assert!(!cache_dir().unwrap().join("sdk-workers/build").exists());
}

#[test]
fn a_worker_that_fails_in_the_window_ends_the_run_and_is_named() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let hang = dir.path().join("hang");
    let code = format!(
        "        static CLAIMS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);\n        \
         if CLAIMS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 300 {{\n            \
         if std::path::Path::new({hang:?}).exists() {{\n                \
         std::thread::sleep(std::time::Duration::from_secs(600));\n            }}\n            \
         panic!(\"planted end\");\n        }}"
    );
    let candidate = planted(dir.path(), &code);
    let run = || {
        let output = tempfile::tempdir().unwrap();
        let quick = ["--set", "load.timeout=500ms"];
        let ended = duet("sdk-duet", &candidate, output.path(), &quick).output().unwrap();
        (text(&ended), ended.status.code(), stored(output.path()))
    };
    let named = |result: &RunResult, words: &str| {
        let of = |reason: &InvalidReason| matches!(reason, InvalidReason::Infrastructure { detail } if detail.contains(words));
        assert!(!result.valid && result.invalid_reasons.iter().any(of), "{:?}", result.invalid_reasons);
    };
    let (said, code, died) = run();
    assert_eq!(code, Some(2), "{said}");
    named(&died, "variant candidate: its worker");
    named(&died, "planted end");
    assert!(died.variants[0].outcomes.claimed > 0, "what was measured is kept");
    std::fs::write(&hang, "").unwrap();
    let (said, code, silent) = run();
    assert_eq!(code, Some(2), "{said}");
    named(&silent, "has not answered for 1.5 s");
}

/// Process ids of the workers that a run has started.
fn workers_of(parent: u32) -> Vec<u32> {
    support::children_of(parent, "reclaim-sdk-wor")
}

fn wait_until(what: &str, happens: impl FnMut() -> bool) {
    support::wait_until(PATIENCE, what, happens);
}

#[test]
fn a_killed_tool_leaves_no_worker() {
    let _alone = alone();
    // So that it is there when the time that is waited begins.
    judged("sdk-duet", RELEASE);
    let output = tempfile::tempdir().unwrap();
    let long = ["--set", "load.claims=120000", "--set", "compare.strata=1000"];
    let mut tool: Child = duet("sdk-duet", RELEASE, output.path(), &long).spawn().unwrap();
    let pid = tool.id();
    wait_until("a start of workers", || workers_of(pid).len() == 3);
    let workers = workers_of(pid);
    tool.kill().unwrap();
    tool.wait().unwrap();
    wait_until("an end of the workers", || !workers.iter().any(|&worker| support::alive(worker)));
}
