//! A capacity search of generators that are started one by one: the first one decides, the others follow from
//! probe to probe.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::capacity::{search_dir, stored};
use crate::common::support;
use crate::parts::{end, left, somebodys};

/// Longest wait for something that takes seconds on an idle machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// One of three, of a search that goes on until its time is over: every rate keeps that level.
fn part(nodes: &str, (name, within): (&str, &str), number: u32, output: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    for name in ["RECLAIM_BENCH_NODES", "RECLAIM_BENCH_RENDEZVOUS", "RECLAIM_BENCH_PART"] {
        command.env_remove(name);
    }
    command.args(["capacity", "capacity", "--nodes", nodes, "--rendezvous", name]);
    command.args(["--part", &format!("{number}/3"), "--no-progress", "--warmup", "20", "--no-usl", "-o"]);
    command.arg(output).args(["--rate-from", "1000", "--set", "slo.response_p99=1h", "--within", within]);
    for key in ["claims=1000", "window=\"100ms\"", "refinements=0"] {
        command.arg("--set").arg(format!("capacity.{key}"));
    }
    command.args(["--rendezvous-wait", "20s"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn three_processes_make_one_search_and_leave_nothing() {
    let (own, nodes) = somebodys().await;
    let output = tempfile::tempdir().unwrap();
    let [first, second, third] =
        [1, 2, 3].map(|number| part(&nodes, ("search", "30s"), number, output.path()));
    let (code, said) = end(first);
    assert!(matches!(code, Some(0 | 3)), "{code:?}: {said}");
    let found = stored(&search_dir(output.path()));
    assert_eq!(found.generators, Some(3), "{said}");
    assert!(!found.probes.is_empty(), "{said}");
    let made = format!("its records of {} probes are with generator 1", found.probes.len());
    for (child, number) in [(second, 2), (third, 3)] {
        let (code, said) = end(child);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&format!("generator {number} of 3 of rendezvous search: {made}")), "{said}");
    }
    assert_eq!(left(&own).await, (0, 0), "{said}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_generator_that_is_killed_after_a_probe_is_named_and_ends_the_search() {
    let (own, nodes) = somebodys().await;
    let output = tempfile::tempdir().unwrap();
    let [first, mut second, third] =
        [1, 2, 3].map(|number| part(&nodes, ("killed", "20m"), number, output.path()));
    let probed = || {
        let mut dirs = std::fs::read_dir(output.path()).ok()?;
        Some(dirs.next()?.ok()?.path().join("capacity.json"))
    };
    support::wait_until(PATIENCE, "the first probe", || probed().is_some_and(|file| file.exists()));
    second.kill().unwrap();
    let killed = Instant::now();
    second.wait().unwrap();
    let (code, said) = end(first);
    assert!(killed.elapsed() < PATIENCE, "{:?}", killed.elapsed());
    assert_eq!(code, Some(2), "{said}");
    // Between two probes, or already in the next one.
    let missed = said.contains("generators 2 of 3 have not come within 20 s");
    assert!(missed || said.contains("generator 2 (process "), "{said}");
    assert!(said.contains("--resume"), "the probes so far are kept: {said}");
    let (code, ended) = end(third);
    assert_eq!(code, Some(2), "{ended}");
    assert!(ended.contains("generator 1 ended the run"), "{ended}");
    assert_eq!(left(&own).await, (0, 0), "{said}");
}
