//! Servers end with their owner, however it ends, and the handle follows a cluster that changes.

use reclaim_analysis::scenario::Provider;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use reclaim_analysis::record::WireCost;
use reclaim_bench::cluster::{self, Announcement, Cluster, ClusterError, ClusterRequest, Company};
use reclaim_bench::valkey::{NodeAddr, NodeIndex};
use redis::Value;
use rustix::process::{Pid, test_kill_process};
use tokio_util::sync::CancellationToken;

use crate::common::owner::{GONE_WITHIN, answers, own_until_stdin_ends, owner, wait_until_gone};
use crate::common::support;

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
    support::kill(pid);

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

/// Two things at once: a server that is gone for good, and a connection to another one that is lost.
#[tokio::test(flavor = "current_thread")]
async fn a_primary_that_is_gone_keeps_no_connection_to_another_from_being_opened_anew() {
    let cluster = support::own(3, 0).await;
    let gone = cluster.topology().primaries()[0].addr.clone();
    support::kill(cluster.server_pid(&gone).unwrap());
    wait_until_gone(&[gone.to_string()], GONE_WITHIN);

    let other = NodeIndex(1);
    let mut ask = redis::cmd("CLIENT");
    ask.arg("ID");
    let Value::Int(id) = cluster.wire(other).call("test", &ask, &mut WireCost::default()).await.unwrap()
    else {
        panic!("no number of a connection")
    };
    let mut kill = redis::cmd("CLIENT");
    kill.arg(&["KILL", "ID"]).arg(id);
    let killed = cluster.admin(other).call("test", &kill, &mut WireCost::default()).await.unwrap();
    assert_eq!(killed, Value::Int(1));
    assert!(cluster.wire(other).call("test", &ask, &mut WireCost::default()).await.is_err());

    cluster.refresh().await.unwrap();
    let anew = cluster.wire(other).call("test", &ask, &mut WireCost::default()).await.unwrap();
    assert!(matches!(anew, Value::Int(anew) if anew > id), "{anew:?}");
}

/// A library that was loaded on a primary which is none any more at the end.
async fn library_after(
    change: impl AsyncFn(&Cluster, &NodeAddr),
) -> (Result<(), ClusterError>, NodeAddr, Vec<NodeAddr>) {
    let own = support::own(3, 1).await;
    for node in own.topology().nodes() {
        let mut flush = redis::cmd("FUNCTION");
        flush.arg("FLUSH").arg("SYNC");
        own.admin(node).call("test", &flush, &mut WireCost::default()).await.unwrap();
    }
    let nodes: Vec<_> = own.topology().primaries().iter().map(|primary| primary.addr.clone()).collect();
    let otherwise = "give --shared";
    let announcement = Announcement { what: "a run".to_owned(), company: Company::Refused { otherwise } };
    let visitor = support::open(&ClusterRequest {
        provider: Provider::External,
        nodes: nodes.clone(),
        announcement: Some(announcement),
        ..ClusterRequest::default()
    })
    .await;
    let lost = nodes[0].clone();
    change(&own, &lost).await;
    let since = Instant::now();
    while own.refresh().await.is_err() || own.topology().find(&lost).is_some() {
        assert!(since.elapsed() < Duration::from_mins(1), "no failover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = visitor.leave().await;
    // The old primary and the new ones: none may hold the library or a key.
    let mut still = Vec::new();
    let after = own.topology();
    for addr in after.primaries().iter().map(|primary| &primary.addr).chain([&lost]) {
        let (libraries, keys) = (query(addr, "FUNCTION LIST").await, query(addr, "DBSIZE").await);
        if !matches!((libraries, keys), (None, None) | (Some(0), Some(0))) {
            still.push(addr.clone());
        }
    }
    (left, lost, still)
}

/// How many libraries, or keys, a server says it has; `None` where nobody answers.
async fn query(addr: &NodeAddr, words: &str) -> Option<i64> {
    let client = redis::Client::open(format!("redis://{addr}")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.ok()?;
    let mut words = words.split(' ');
    let mut cmd = redis::cmd(words.next()?);
    cmd.arg(words.collect::<Vec<_>>());
    match cmd.query_async(&mut connection).await.ok()? {
        Value::Int(count) => Some(count),
        Value::Array(libraries) => i64::try_from(libraries.len()).ok(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn after_a_failover_the_library_is_removed_from_the_old_primary_too() {
    let (left, _, still) = library_after(async |own, lost| {
        let replica = replica_of(own, lost).await;
        let client = redis::Client::open(format!("redis://{replica}")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd("CLUSTER").arg("FAILOVER").exec_async(&mut connection).await.unwrap();
    })
    .await;
    assert!(left.is_ok(), "{left:?}");
    assert_eq!(still, []);
}

#[tokio::test(flavor = "current_thread")]
async fn an_old_primary_that_cannot_be_reached_is_named() {
    let (left, lost, still) = library_after(async |own, lost| {
        let pid = own.server_pid(lost).unwrap();
        support::kill(pid);
    })
    .await;
    let Err(ClusterError::LibraryLeft(left)) = left else { panic!("it is not named") };
    assert!(
        left.len() == 1 && left[0].contains(&lost.to_string()) && left[0].contains("may still"),
        "{left:?}"
    );
    assert_eq!(still, []);
}

async fn replica_of(own: &Cluster, primary: &NodeAddr) -> String {
    let node = own.topology().find(primary).unwrap();
    let slots = redis::cmd("CLUSTER").arg("SLOTS").clone();
    let reply = own.admin(node).call("test", &slots, &mut WireCost::default()).await.unwrap();
    let Value::Array(ranges) = reply else { panic!() };
    let nodes = ranges.iter().find_map(|range| {
        let Value::Array(parts) = range else { return None };
        let port = |node: &Value| match node {
            Value::Array(fields) => match fields[1] {
                Value::Int(port) => port,
                _ => 0,
            },
            _ => 0,
        };
        (port(&parts[2]) == i64::from(primary.port)).then(|| port(&parts[3]))
    });
    format!("127.0.0.1:{}", nodes.unwrap())
}
