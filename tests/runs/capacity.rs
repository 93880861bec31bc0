//! `capacity` on real servers. Nothing here asks how fast they are: only what the search does with what it
//! meets.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use reclaim_analysis::judge::RunResult;
use reclaim_analysis::judge::capacity::{
    Capacity, Limit, ProbeLoad, ProbePurpose, ProbeVerdict, SearchOutcome, Stopped,
};

use crate::common::support;
use crate::duet::planted;

/// Longest wait for something that takes seconds on an idle machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Small probes on one primary.
fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    command.env_remove("RECLAIM_BENCH_NODES").args(["capacity", "capacity", "--provider", "local"]);
    command.args(["--primaries", "1", "--no-progress", "--warmup", "20"]);
    let small = ["claims=1000", "window=\"100ms\"", "curve_claims=100", "concurrency=[1, 2, 3, 4, 5, 6]"];
    for key in small.into_iter().chain(["refinements=6"]) {
        command.arg("--set").arg(format!("capacity.{key}"));
    }
    if let Some(server) = support::valkey_server() {
        command.arg("--valkey-server").arg(server);
    }
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn search_dir(output: &Path) -> PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(output).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

pub(crate) fn stored(dir: &Path) -> Capacity {
    serde_json::from_str(&std::fs::read_to_string(dir.join("capacity.json")).unwrap()).unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_search_that_ran_out_of_time_goes_on_where_it_stopped() {
    let output = tempfile::tempdir().unwrap();
    let at = output.path().to_str().unwrap();
    // An hour is kept by every rate, so the first probe passes whatever the machine does besides.
    let question = ["--require", "400", "--no-walk", "--set", "slo.response_p99=1h"];
    // Enough for one probe of two and a half seconds, and for no second one, however fast the machine is.
    let first = tool(&[&question[..], &["--within", "4s", "-o", at]].concat()).output().unwrap();
    assert_eq!(first.status.code(), Some(3), "{}", text(&first));
    let dir = search_dir(output.path());
    let before = stored(&dir);
    assert_eq!((before.probes.len(), before.plan.stopped), (1, Some(Stopped::OutOfTime)));
    assert_eq!(before.probes[0].offer, ProbeLoad::Open { rate_per_s: 400.0 });

    // What was asked stands in the search: only the time is new.
    let resume = ["--set", "slo.response_p99=1h", "--resume", dir.to_str().unwrap(), "--within", "20s"];
    let second = tool(&resume).output().unwrap();
    assert!(!stored(&dir).plan.policy.walk, "left out before, left out now");
    let after = stored(&dir);
    assert_eq!(after.probes[0], before.probes[0]);
    assert!(after.probes.len() > 1, "{}", text(&second));
    let required = after.required.unwrap().sustained;
    let expected = match required {
        Some(true) => 0,
        Some(false) => 1,
        None => 3,
    };
    assert_eq!(second.status.code(), Some(expected), "{}", text(&second));
    assert_ne!(after.probes[0].verdict, ProbeVerdict::Invalid, "{:?}", after.probes[0]);
    for probe in &after.probes {
        assert!(dir.join(&probe.dir).join("result.json").exists());
        // The doubling ends where a machine that other tests share breaks down; such a probe is kept and says
        // so.
        if probe.verdict == ProbeVerdict::Invalid {
            continue;
        }
        // Where the rate is found within the time, the closed-loop curve is begun.
        let least = match probe.offer {
            ProbeLoad::Open { .. } => 1_000,
            ProbeLoad::Closed { .. } => 100,
        };
        assert!(probe.primaries[0].claims >= least, "{probe:?}");
        assert!(probe.cpu_us_per_claim.unwrap() > 0.0, "{probe:?}");
    }

    let none =
        tool(&["--within", "1ms", "-o", output.path().join("none").to_str().unwrap()]).output().unwrap();
    assert_eq!(none.status.code(), Some(3), "no probe would be done by then: {}", text(&none));
    let report = Command::new(env!("CARGO_BIN_EXE_reclaim-bench")).arg("report").arg(&dir).output().unwrap();
    assert_eq!(String::from_utf8(report.stdout).unwrap(), String::from_utf8(second.stdout).unwrap());
}

#[test]
fn a_level_that_no_rate_keeps_is_found_out_and_the_curve_is_measured_all_the_same() {
    let output = tempfile::tempdir().unwrap();
    let arguments = ["--rate-from", "20000", "--set", "slo.response_p99=1us", "--format", "json", "-o"];
    let run = tool(&[&arguments[..], &[output.path().to_str().unwrap()]].concat()).output().unwrap();
    let found: Capacity = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(found.sustained_per_s, None);
    // On a machine that is busy with other things the generator is late as well; then nothing is known.
    let disturbed = found.limit.as_ref().unwrap().is_not_the_clusters();
    let (conclusion, code) =
        if disturbed { (SearchOutcome::NotConverged, 3) } else { (SearchOutcome::NothingSustained, 1) };
    assert_eq!((found.conclusion, run.status.code()), (conclusion, Some(code)), "{}", text(&run));
    assert_eq!(found, stored(&search_dir(output.path())));
    // The generator of a tool that is not optimised has no time to spare with many in flight: those loads are
    // left out.
    let (loads, summary) = (found.closed_loop().len(), search_dir(output.path()).join("summary.md"));
    let closed = found.probes.iter().filter(|probe| matches!(probe.offer, ProbeLoad::Closed { .. }));
    let left_out = closed.clone().filter(|probe| probe.is_of_the_generator()).count();
    let asked = found.plan.policy.concurrency.len();
    assert_eq!((closed.count(), loads), (asked, asked - left_out));
    let said = std::fs::read_to_string(summary).unwrap().contains("the generator had no time to spare");
    assert_eq!((found.usl.is_some(), said), (loads >= 6, left_out > 0), "{:?}", found.no_usl);
    let curve = std::fs::read_to_string(search_dir(output.path()).join("curve.csv")).unwrap();
    assert_eq!(curve.lines().count(), 1 + found.probes.len());
}

/// Loads in which one of the two would have no claim in flight are left out of the curve.
#[test]
fn generators_that_the_tool_starts_make_every_probe_together() {
    let output = tempfile::tempdir().unwrap();
    // Every rate keeps that level, so nothing is waited for.
    let arguments = ["--generators", "2", "--rate-from", "1000", "--set", "slo.response_p99=1h"];
    let more = ["--within", "25s", "--format", "json", "-o", output.path().to_str().unwrap()];
    let run = tool(&[&arguments[..], &more].concat()).output().unwrap();
    let found: Capacity =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&run)));
    assert!(matches!(run.status.code(), Some(0 | 3)), "{}", text(&run));
    assert_eq!(found.generators, Some(2), "{}", text(&run));
    assert!(!found.probes.is_empty(), "{}", text(&run));
    assert!(text(&run).contains("[1, 3, 5] in flight are left out"), "{}", text(&run));
    assert_eq!(found.plan.policy.concurrency, [2, 4, 6]);
    let dir = search_dir(output.path());
    for probe in &found.probes {
        let result = std::fs::read_to_string(dir.join(&probe.dir).join("result.json")).unwrap();
        let result: RunResult = serde_json::from_str(&result).unwrap();
        let audit = &result.record.audit;
        assert_eq!((audit.lost, audit.double_claims, audit.state_errors), (0, 0, 0), "{:?}", audit.examples);
        assert_eq!(result.record.generators.len(), 2, "{probe:?}");
        assert!(result.record.generators.iter().all(|one| one.claims > 0), "{probe:?}");
    }
}

/// A claim that burns two milliseconds of the only main thread: whatever the machine, no more than 500 a
/// second, and it is the server that gives out.
#[test]
fn a_slow_library_is_found_to_be_the_servers_limit() {
    let output = tempfile::tempdir().unwrap();
    let library = planted(output.path(), "  local stop = os.clock() + 0.002 while os.clock() < stop do end");
    let results = output.path().join("results");
    let library = format!("library.source='{library}'");
    let arguments = ["--rate-from", "100", "--no-usl", "--no-walk", "--within", "2m", "--format", "json"];
    let sizes = ["--set", "slo.response_p99=60ms", "--set", "capacity.resolution=0.2", "--set", &library];
    let run = tool(&[&arguments[..], &sizes, &["-o", results.to_str().unwrap()]].concat()).output().unwrap();
    let found: Capacity =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&run)));
    let failed = found.failed_per_s.unwrap_or_else(|| panic!("{}", text(&run)));
    assert!(failed <= 800.0, "{failed}: twice the rate that a thread can do was sustained");
    assert!(found.sustained_per_s.is_none_or(|rate| rate < 500.0), "{:?}", found.sustained_per_s);
    let limit = found.limit.clone();
    if found.conclusion == SearchOutcome::Found {
        assert!(
            matches!(
                limit,
                Some(
                    Limit::Server { .. }
                        | Limit::ServersOnTheirCores { .. }
                        | Limit::ServersOnSharedCores { .. }
                )
            ),
            "{limit:?}: {}",
            text(&run)
        );
        assert!(
            found.boundary.is_none_or(|boundary| boundary.rate_per_s.estimate < 520.0),
            "{:?}",
            found.boundary
        );
        let refined = found.purposes.contains(&Some(ProbePurpose::Refine));
        assert!(refined || found.plan.stopped.is_some() || found.boundary.is_some_and(|b| b.is_within(0.05)));
        assert!(found.sizing_basis.unwrap().cpu_us_per_claim >= 2_000.0, "{:?}", found.sizing_basis);
    } else {
        // The machine was busy with something else, and says so.
        assert!(
            found.plan.stopped.is_some() || limit.is_some_and(|limit| limit.is_not_the_clusters()),
            "{}",
            text(&run)
        );
    }
}

#[test]
fn an_interrupt_keeps_the_probes_so_far() {
    let output = tempfile::tempdir().unwrap();
    let arguments = ["--rate-from", "300", "--set", "slo.response_p99=1h", "-o"];
    let child = tool(&[&arguments[..], &[output.path().to_str().unwrap()]].concat()).spawn().unwrap();
    let begun = Instant::now();
    let measured = || {
        let dir = std::fs::read_dir(output.path()).unwrap().next()?.unwrap().path();
        dir.join("capacity.json").exists().then_some(dir)
    };
    let dir = loop {
        if let Some(dir) = measured() {
            break dir;
        }
        assert!(begun.elapsed() < PATIENCE, "no probe was made");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", text(&ended));
    let kept = stored(&dir);
    assert_eq!(kept.plan.stopped, Some(Stopped::Interrupted));
    assert!(!kept.probes.is_empty());
    assert!(String::from_utf8_lossy(&ended.stdout).starts_with("!! INTERRUPTED"), "{}", text(&ended));
}

#[tokio::test]
async fn wiping_leaves_functions_and_is_only_for_servers_of_our_own() {
    let cluster = support::own(2, 0).await;
    let keys = async |command: &str| {
        let mut all = Vec::new();
        for node in cluster.topology().nodes() {
            let mut cost = reclaim_analysis::record::WireCost::default();
            let mut cmd = redis::cmd(command);
            if command == "SET" {
                // A key of each half of the slots: "{b}" is slot 3300, "{a}" is slot 15495.
                cmd.arg(if node.0 == 0 { "{b}" } else { "{a}" }).arg(1);
            }
            all.push(cluster.admin(node).call("test", &cmd, &mut cost).await.unwrap());
        }
        all
    };
    keys("SET").await;
    assert_eq!(keys("DBSIZE").await, [redis::Value::Int(1), redis::Value::Int(1)]);
    cluster.wipe().await.unwrap();
    assert_eq!(keys("DBSIZE").await, [redis::Value::Int(0), redis::Value::Int(0)]);
    cluster.refresh().await.unwrap();
    let foreign = support::connect().await;
    assert!(foreign.wipe().await.unwrap_err().to_string().contains("on a cluster that this tool started"));
}
