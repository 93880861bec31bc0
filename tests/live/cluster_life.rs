//! Servers end with their owner, however it ends, and the handle follows a cluster that changes.

use reclaim_analysis::scenario::Provider;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use reclaim_bench::cluster::{self, ClusterError, ClusterRequest};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio_util::sync::CancellationToken;

use crate::owner::{GONE_WITHIN, answers, own_until_stdin_ends, owner, wait_until_gone};
use crate::support;

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
