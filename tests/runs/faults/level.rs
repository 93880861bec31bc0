//! Whether a run came through its faults in time, as the built tool says it.

use crate::common::support;

/// The built tool holds the time until all was as before against the scenario's, and its exit code says so.
#[test]
fn a_recovery_level_is_judged_and_gated_both_ways() {
    let output = tempfile::tempdir().unwrap();
    for (level, kept, gate, code) in
        [("30s", true, true, 0), ("300ms", false, true, 1), ("300ms", false, false, 0)]
    {
        // A shared machine can be so restless before the fault that the tool cannot say: then it says so, and
        // another run may.
        let mut run = stalled_run(output.path(), level, gate);
        for _ in 0..2 {
            if !run.1.contains("not known after the pause") {
                break;
            }
            run = stalled_run(output.path(), level, gate);
        }
        let (ended, said) = run;
        assert_eq!(ended, Some(code), "{level} {gate}: {said}");
        let words = if kept { "kept after the pause" } else { "MISSED after the pause" };
        assert!(said.contains(words), "{level}: {said}");
    }
}

/// A run of the built tool through a pause of a second: how it ended, and what it said.
fn stalled_run(output: &std::path::Path, level: &str, gate: bool) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    command.env_remove("RECLAIM_BENCH_NODES");
    command.args([
        "run",
        "stall",
        "--provider",
        "local",
        "--no-progress",
        "--rate",
        "200",
        "--duration",
        "8s",
    ]);
    command.args(["--warmup", "50", "--primaries", "1", "--set", "population.executions=2400"]);
    command.args(["--set", &format!("slo.recovery={level}"), "--set"]);
    command.args(["fault=[{at=\"4s\",for=\"1s\",pause=\"busiest primary\"}]", "-o"]).arg(output);
    if gate {
        command.arg("--gate");
    }
    if let Some(server) = support::valkey_server() {
        command.arg("--valkey-server").arg(server);
    }
    let ended = command.output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    (ended.status.code(), said)
}
