//! Servers end with their owner, however it ends, and the handle follows a cluster that changes.

use reclaim_analysis::scenario::Provider;
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use reclaim_bench::cluster::{self, ClusterError, ClusterRequest};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio_util::sync::CancellationToken;

use crate::support;

/// What a user may expect after `kill -9`.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Names the provider in the process that plays the owner.
const OWNER_OF: &str = "RECLAIM_BENCH_TEST_OWNER_OF";

/// A process with a cluster, the addresses of its servers, and its output, which it must be able to write to.
type Owner = (Child, Vec<String>, Lines<BufReader<ChildStdout>>);

/// Runs `test` of this very binary in a process of its own, where it becomes [`own_until_stdin_ends`].
fn owner(test: &str, provider: Provider) -> Owner {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(OWNER_OF, provider.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let addrs: Vec<String> = lines
        .by_ref()
        .map(Result::unwrap)
        .take_while(|line| line != "ready")
        .filter_map(|line| line.strip_prefix("server ").map(str::to_owned))
        .collect();
    assert_eq!(addrs.len(), 3, "the owner did not open a cluster");
    (child, addrs, lines)
}

/// The owner's side: opens a cluster, says where, and keeps it until standard input ends. Whether this process is one.
fn own_until_stdin_ends() -> bool {
    let Ok(provider) = std::env::var(OWNER_OF) else { return false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = ClusterRequest {
            provider: Provider::ALL.into_iter().find(|known| known.as_str() == provider).unwrap(),
            image: crate::container::image().ok(),
            ..support::own_request(3, 0)
        };
        let cluster = support::open(&request).await;
        // Not through `print!`, which the test harness may hold back.
        let mut out = std::io::stdout();
        for primary in cluster.topology().primaries() {
            write!(out, "\nserver {}", primary.addr).unwrap();
        }
        writeln!(out, "\nready").unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        cluster.shutdown();
    });
    true
}

fn answers(addr: &str) -> bool {
    TcpStream::connect(addr).is_ok()
}

fn wait_until_gone(addrs: &[String], limit: Duration) {
    let since = Instant::now();
    while addrs.iter().any(|addr| answers(addr)) {
        assert!(since.elapsed() < limit, "servers are left after {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_server_outlives_a_killed_owner() {
    if own_until_stdin_ends() {
        return;
    }
    let (mut owner, addrs, _output) =
        owner("cluster_life::no_server_outlives_a_killed_owner", Provider::Local);
    assert!(addrs.iter().all(|addr| answers(addr)));
    owner.kill().unwrap();
    wait_until_gone(&addrs, GONE_WITHIN);
    owner.wait().unwrap();
}

#[test]
fn an_owner_that_ends_by_itself_leaves_no_server() {
    if own_until_stdin_ends() {
        return;
    }
    let (mut owner, addrs, _output) =
        owner("cluster_life::an_owner_that_ends_by_itself_leaves_no_server", Provider::Local);
    drop(owner.stdin.take());
    assert!(owner.wait().unwrap().success());
    assert!(!addrs.iter().any(|addr| answers(addr)));
}

#[test]
#[allow(clippy::print_stderr)] // the reason why nothing was tested must be seen
fn no_container_outlives_a_killed_owner() {
    if own_until_stdin_ends() {
        return;
    }
    match crate::container::image() {
        Ok(_) => {}
        Err(reason) if std::env::var_os("CI").is_some() => panic!("{reason}"),
        Err(reason) => return eprintln!("container provider not tested: {reason}"),
    }
    let (mut owner, addrs, _output) =
        owner("cluster_life::no_container_outlives_a_killed_owner", Provider::Container);
    owner.kill().unwrap();
    // Docker takes its time to notice that the container has ended.
    wait_until_gone(&addrs, 5 * GONE_WITHIN);
    owner.wait().unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn cancelling_leaves_no_server() {
    // A server that notes its process id first.
    let dir = tempfile::tempdir().unwrap();
    let (script, pids) = (dir.path().join("valkey-server"), dir.path().join("pids"));
    let server = cluster::server_binary(support::valkey_server().as_deref(), &|_| ()).await.unwrap();
    let text = format!("#!/bin/sh\necho $$ >>{}\nexec {} \"$@\"\n", pids.display(), server.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();

    let cancel = CancellationToken::new();
    let started = async {
        while std::fs::read_to_string(&pids).unwrap_or_default().lines().count() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let request = ClusterRequest { valkey_server: Some(script), ..support::own_request(3, 0) };
    let (result, ()) = tokio::join!(cluster::open(&request, &|_| (), &cancel), started);
    assert!(matches!(result.map(drop), Err(ClusterError::Cancelled)));
    for pid in std::fs::read_to_string(&pids).unwrap().lines() {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        assert!(test_kill_process(pid).is_err(), "server {pid} is left");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn after_a_failover_the_handle_reaches_the_new_primary() {
    let cluster = support::own(3, 1).await;
    let before = cluster.topology();
    assert_eq!(cluster.info(256).replicas, 3);
    let counters = cluster.counters().await.unwrap();
    let lost = before.primaries()[0].addr.clone();
    let pid = cluster.server_pid(&lost).unwrap();
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();

    let since = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let refreshed = cluster.refresh().await;
        if refreshed.is_ok() && cluster.topology().find(&lost).is_none() {
            break;
        }
        assert!(since.elapsed() < Duration::from_mins(1), "no failover: {refreshed:?}");
    }
    let after = cluster.topology();
    assert_eq!(after.primaries().len(), 3);
    let heir = after.owner_of_slot(0);
    assert_ne!(after.primaries()[usize::from(heir.0)].addr, lost);
    let now = cluster.counters().await.unwrap();
    assert!(
        now[usize::from(heir.0)].since(&counters[0]).is_err(),
        "the heir's counters are not the lost one's"
    );
    assert!(now[1].since(&counters[1]).is_ok());
}
