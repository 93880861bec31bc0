//! The cluster handle against real servers.

use reclaim_analysis::record::{SLOTS, WireCost};
use reclaim_analysis::scenario::Provider;
use redis::Value;

use crate::common::support;

#[tokio::test(flavor = "current_thread")]
async fn a_local_cluster_serves_every_slot_and_runs_the_library() {
    let cluster = support::own(3, 0).await;
    let topology = cluster.topology();
    assert_eq!(topology.primaries().len(), 3);
    assert_eq!(topology.primaries().iter().map(|p| p.slots as usize).sum::<usize>(), SLOTS);
    assert_eq!(cluster.library().version, ff_script::LIBRARY_VERSION.trim());
    assert_eq!(cluster.info(256).provider, Provider::Local);
    for node in topology.nodes() {
        let mut cmd = redis::cmd("FCALL");
        cmd.arg("ff_version").arg(0);
        let reply = cluster.wire(node).call("fcall", &cmd, &mut WireCost::default()).await.unwrap();
        assert_eq!(reply, Value::BulkString(ff_script::LIBRARY_VERSION.trim().into()));
        assert!(cluster.server_pid(&topology.primaries()[usize::from(node.0)].addr).is_some());
    }
    cluster.shutdown();
}

#[tokio::test(flavor = "current_thread")]
async fn counters_say_exactly_what_was_sent() {
    let cluster = support::own(1, 0).await;
    let node = cluster.topology().nodes().next().unwrap();
    let before = cluster.counters().await.unwrap();
    let wire = cluster.wire(node);
    for _ in 0..25 {
        let mut cmd = redis::cmd("HGET");
        cmd.arg("{x}").arg("field");
        wire.call("hget", &cmd, &mut WireCost::default()).await.unwrap();
    }
    let after = cluster.counters().await.unwrap();
    let delta = after[0].since(&before[0]).unwrap();
    assert_eq!(delta.calls.get("hget"), Some(&25));
    assert_eq!(delta.calls.get("fcall"), None);
    assert_eq!(wire.take_tally().get("hget"), Some(&25));
    assert!(delta.main_thread_cpu_us > 0.0);
}

#[tokio::test(flavor = "current_thread")]
async fn the_shared_cluster_is_reached_as_an_external_one() {
    let cluster = support::connect().await;
    assert!(!cluster.owned());
    assert_eq!(cluster.info(256).provider, Provider::External);
    assert_eq!(cluster.published_partitions().await.unwrap(), None);
    assert_eq!(cluster.remove_library_if_added().await.unwrap(), 0);
}
