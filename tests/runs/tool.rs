//! The built tool on real servers: a whole run, an interrupt, a kill.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reclaim_analysis::judge::RunResult;
use serde_json::Value;

use crate::common::support;

/// Longest wait for something that takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_mins(2);

const TOOL: &str = env!("CARGO_BIN_EXE_reclaim-bench");

fn tool(output: &Path) -> Command {
    smoke_by(Path::new(TOOL), output)
}

/// A run of `smoke` by a copy of the tool.
fn smoke_by(program: &Path, output: &Path) -> Command {
    // On all cores: runs within this process bind its threads to one meanwhile, which a child would inherit.
    let mut command = Command::new("taskset");
    command.arg("ffffffffffffffff").arg(program);
    command.env_remove("RECLAIM_BENCH_NODES").args([
        "run",
        "smoke",
        "--provider",
        "local",
        "--no-progress",
        "-o",
    ]);
    command.arg(output);
    if let Some(server) = support::valkey_server() {
        command.arg("--valkey-server").arg(server);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The one result directory below `output`.
fn result_dir(output: &Path) -> std::path::PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(output).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

fn stored(output: &Path) -> RunResult {
    let text = std::fs::read_to_string(result_dir(output).join("result.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Process ids of the servers that a run has started.
fn servers_of(parent: u32) -> Vec<u32> {
    support::children_of(parent, "valkey-server")
}

fn wait_until(what: &str, happens: impl FnMut() -> bool) {
    support::wait_until(PATIENCE, what, happens);
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

fn end(child: Child) -> (Output, String) {
    let output = child.wait_with_output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, text)
}

#[test]
fn a_run_ends_with_a_valid_result_that_can_be_reported_again() {
    let output = tempfile::tempdir().unwrap();
    let (ended, text) = end(tool(output.path()).args(["--seed", "7"]).spawn().unwrap());
    assert_eq!(ended.status.code(), Some(0), "{text}");
    let result = stored(output.path());
    assert!(result.valid && !result.record.partial && result.record.seed == 7);
    let names: Vec<String> = std::fs::read_dir(result_dir(output.path()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.contains(&"result.partial.json".to_owned()), "{names:?}");
    for name in ["result.json", "summary.md", "report.html", "latency.hlog"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    let again = Command::new(TOOL).arg("report").arg(result_dir(output.path())).output().unwrap();
    let shown = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && text.contains(shown.trim()), "{shown}");
}

/// Older builds are kept under other names, and archives carry a platform in theirs: a comparison of the two
/// must not be one of two ways of keeping cores awake.
#[test]
fn a_renamed_tool_measures_under_the_same_conditions() {
    let dir = tempfile::tempdir().unwrap();
    let renamed = dir.path().join("reclaim-bench-0.9");
    std::fs::copy(TOOL, &renamed).unwrap();
    let conditions = |program: &Path, name: &str| {
        let output = dir.path().join(name);
        let (ended, text) = end(smoke_by(program, &output).spawn().unwrap());
        assert_eq!(ended.status.code(), Some(0), "{text}");
        stored(&output).record.environment.conditions
    };
    let own = conditions(Path::new(TOOL), "own");
    assert!(own.is_some());
    assert_eq!(conditions(&renamed, "renamed"), own);
}

/// A build may replace the file during a series; whoever is started then is of this run's build all the same.
#[test]
fn a_tool_whose_file_is_gone_starts_its_helpers() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("reclaim-bench");
    std::fs::copy(TOOL, &copy).unwrap();
    let output = dir.path().join("results");
    // Blocks of so few claims are too few for a verdict, which is not asked for.
    let few = ["--generators", "2", "--concurrency", "2", "--anyway"];
    let child = smoke_by(&copy, &output).args(few).spawn().unwrap();
    // Its servers take longer to start.
    let exe = format!("/proc/{}/exe", child.id());
    wait_until("the copy to run", || std::fs::read_link(&exe).is_ok_and(|runs| runs == copy));
    std::fs::remove_file(&copy).unwrap();
    let (ended, text) = end(child);
    assert_eq!(ended.status.code(), Some(0), "{text}");
    assert_eq!(stored(&output).record.generators.len(), 2);
}

#[test]
fn events_and_metrics_tell_how_a_run_goes() {
    let output = tempfile::tempdir().unwrap();
    let events = output.path().join("events.ndjson");
    let results = output.path().join("results");
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&events).unwrap_or_default();
        // The last line may be on its way.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let arguments = ["--metrics-addr", "127.0.0.1:0", "--events"];
    let child = tool(&results).args(arguments).arg(&events).spawn().unwrap();
    wait_until("a second of the window", || !of_kind(&lines(), "second").is_empty());
    let notes = of_kind(&lines(), "note");
    let addr = notes.iter().find_map(|note| note["text"].as_str()?.strip_prefix("metrics: http://")).unwrap();
    let metrics = scraped(addr.trim_end_matches("/metrics"));
    assert!(metrics.contains("reclaim_bench_claims_per_second "), "{metrics}");
    let (ended, text) = end(child);
    assert_eq!(ended.status.code(), Some(0), "{text}");
    let (lines, result) = (lines(), stored(&results));
    assert_seconds_make_up_the_window(&lines, &result);
    assert_phases_are_told_in_order(&lines);
    let window = result.record.window.as_ref().unwrap();
    let run = &of_kind(&lines, "run_result")[0];
    assert_eq!((&run["valid"], &run["claimed_total"]), (&true.into(), &window.outcomes.claimed.into()));
    assert!(run["verdicts"].as_array().is_some_and(|verdicts| !verdicts.is_empty()), "{run}");
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["exit"]), (&"result".into(), &0.into()));
    assert_eq!(
        (&last["conclusion"], &last["runs"], &last["valid_runs"]),
        (&"pass".into(), &1.into(), &1.into())
    );
    assert_eq!(last["outcomes"], serde_json::to_value(&window.outcomes).unwrap());
    assert_eq!(last["dir"], result_dir(&results).to_str().unwrap());
}

/// What `/metrics` says at an address.
fn scraped(addr: &str) -> String {
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    metrics
}

/// The events of one kind.
fn of_kind(lines: &[Value], kind: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["event"] == kind).cloned().collect()
}

fn assert_seconds_make_up_the_window(lines: &[Value], result: &RunResult) {
    let seconds = of_kind(lines, "second");
    let sum = |key: &str| seconds.iter().map(|second| second[key].as_u64().unwrap()).sum::<u64>();
    let window = result.record.window.as_ref().unwrap();
    let (claimed, errors) = (window.outcomes.claimed, window.outcomes.sent() - window.outcomes.claimed);
    assert_eq!(
        (sum("claimed"), sum("errors")),
        (claimed, errors),
        "no second is missing, the last one neither"
    );
    let by_second: u64 = result.record.timeline.iter().map(|point| point.claimed).sum();
    assert_eq!((by_second, seconds.len()), (claimed, result.record.timeline.len()));
    let told = seconds.last().unwrap();
    assert_eq!((&told["claimed_total"], &told["errors_total"]), (&claimed.into(), &errors.into()));
    let part_s = told["part_s"].as_f64().unwrap();
    assert!((window.active_s - (seconds.len() as f64 - 1.0) - part_s).abs() < 1e-6, "{part_s} of {window:?}");
}

fn assert_phases_are_told_in_order(lines: &[Value]) {
    let phases: Vec<String> =
        of_kind(lines, "phase").iter().map(|phase| phase["phase"].as_str().unwrap().to_owned()).collect();
    let mut distinct = phases.clone();
    let mut seen = std::collections::BTreeSet::new();
    distinct.retain(|phase| seen.insert(phase.clone()));
    let happened = ["start", "plan", "create", "stage", "warmup", "window", "blocks", "audit", "judge"];
    assert!(happened.iter().all(|phase| seen.contains(*phase)), "{phases:?}");
    assert_eq!(
        [&distinct[..5], &distinct[distinct.len() - 2..]].concat(),
        [&happened[..5], &happened[7..]].concat()
    );
}

#[test]
fn an_interrupt_in_the_window_keeps_what_was_measured_and_leaves_no_server() {
    stopped_in_the_window("-INT");
}

#[test]
fn a_terminal_that_goes_away_is_an_interrupt() {
    // What ignores it hands that down (nohup), and the run would go on for hours.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_eq!(ignored & 1, 0, "HUP is ignored where this was started (nohup?): start it without that");
    stopped_in_the_window("-HUP");
}

fn stopped_in_the_window(name: &str) {
    let output = tempfile::tempdir().unwrap();
    // A window that would last for minutes.
    let slow = ["--set", "load.mode=\"churn\"", "--set", "load.concurrency=4", "--claims", "10000000"];
    let child = tool(output.path()).args(slow).spawn().unwrap();
    let pid = child.id();
    wait_until("a start of servers", || servers_of(pid).len() == 3);
    let servers = servers_of(pid);
    // Long enough for the window to be open on any machine that is not stuck; the record shows that it was.
    std::thread::sleep(Duration::from_secs(15));
    signal(name, pid);
    let (ended, text) = end(child);
    assert_eq!(ended.status.code(), Some(130), "{text}");
    let result = stored(output.path());
    assert!(result.record.partial, "{text}");
    let claimed: u64 = result.variants.iter().map(|variant| variant.outcomes.claimed).sum();
    assert!(claimed > 0, "{text}");
    wait_until("an end of the servers", || !servers.iter().any(|&server| support::alive(server)));
}

#[test]
fn a_killed_tool_leaves_no_server() {
    let output = tempfile::tempdir().unwrap();
    let mut child = tool(output.path()).spawn().unwrap();
    let pid = child.id();
    wait_until("a start of servers", || servers_of(pid).len() == 3);
    let servers = servers_of(pid);
    signal("-KILL", pid);
    child.wait().unwrap();
    wait_until("an end of the servers", || !servers.iter().any(|&server| support::alive(server)));
}

/// Whoever has too few files for the connections needs another limit, not another address.
#[tokio::test(flavor = "current_thread")]
async fn too_few_files_for_the_connections_are_no_matter_of_tls() {
    let node = support::connect().await.topology().primaries()[0].addr.to_string();
    let output = tempfile::tempdir().unwrap();
    let script =
        "ulimit -n 80; exec \"$0\" run smoke --shared --set load.connections=60 --nodes \"$1\" -o \"$2\"";
    let ended = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_reclaim-bench"), &node])
        .arg(output.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("Too many open files") && said.contains("ulimit -n"), "{said}");
    assert!(!said.contains("TLS"), "{said}");
}
