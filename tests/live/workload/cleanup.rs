//! A cluster that belongs to somebody else looks the same afterwards.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use reclaim_analysis::scenario::VariantPath;
use reclaim_bench::workload::{Removal, Seek, clean};
use redis::Value;

use super::{Bench, send};
use crate::common::support;

const FOREIGN: &str = "6f2b3b9e-0f0e-4a51-9d63-000000000001";

/// Every key of all primaries with what is in it.
async fn contents(bench: &Bench) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for node in bench.cluster.topology().nodes() {
        let wire = bench.cluster.admin(node);
        let Value::Array(keys) = send(&wire, &["KEYS", "*"]).await else { panic!("KEYS is no array") };
        assert_eq!(send(&wire, &["DBSIZE"]).await, Value::Int(keys.len().cast_signed() as i64));
        for key in keys {
            let Value::BulkString(key) = key else { panic!("a key is no text") };
            let key = String::from_utf8(key).unwrap();
            let kind = send(&wire, &["TYPE", &key]).await;
            let read: &[&str] = match kind {
                Value::SimpleString(ref kind) if kind == "hash" => &["HGETALL", &key],
                Value::SimpleString(ref kind) if kind == "set" => &["SMEMBERS", &key],
                Value::SimpleString(ref kind) if kind == "zset" => &["ZRANGE", &key, "0", "-1", "WITHSCORES"],
                Value::SimpleString(ref kind) if kind == "stream" => &["XRANGE", &key, "-", "+"],
                _ => &["GET", &key],
            };
            let value = format!("{:?}", send(&wire, read).await);
            all.insert(key, value);
        }
    }
    all
}

/// Another deployment's keys, some of them shared with ours, on a partition that the tests' populations use.
async fn plant_foreign(bench: &Bench) {
    let partition = Partition { family: PartitionFamily::Execution, index: 3 };
    let id = format!("{{fp:3}}:{FOREIGN}");
    let core = format!("ff:exec:{{fp:3}}:{id}:core");
    let commands: [&[&str]; 9] = [
        &["HSET", &core, "namespace", "theirs", "lane_id", "default"],
        &["SADD", "ff:idx:{fp:3}:all_executions", &id],
        &["ZADD", "ff:idx:{fp:3}:lease_expiry", "1", &id],
        &["ZADD", "ff:idx:{fp:3}:suspension_timeout", "1", &id],
        &["ZADD", "ff:idx:{fp:3}:lane:default:eligible", "1", &id],
        &["ZADD", "ff:idx:{fp:3}:lane:reclaim-bench-0:eligible", "1", &id],
        &["SADD", "ff:idx:{fp:3}:worker:theirs:leases", &id],
        &["XADD", "ff:part:{fp:3}:signal_delivery", "*", "execution_id", &id, "effect", "no_op"],
        &["HSET", "ff:sec:{fp:3}:waitpoint_hmac", "current_kid", "theirs", "secret:theirs", "abcdef"],
    ];
    for command in commands {
        bench.send(partition, command).await;
    }
    bench.send(partition, &["XADD", "elsewhere:{fp:3}", "*", "a", "b"]).await;
}

/// All four kinds, first claims, resumed claims, fused claims, reclaims, grants left out and grants expired.
async fn full_cycle(bench: &Bench) {
    let execs = bench.active(200).await;
    for path in [VariantPath::GrantLane, VariantPath::HmgetLane] {
        bench.resume(&execs).await.unwrap();
        let tickets = bench.scan().await.tickets;
        assert_eq!(tickets.len(), execs.len());
        bench.claim(path, &tickets).await;
    }
    bench.workload.lose_leases(&execs[..50], &bench.control()).await.unwrap();
    let lost = bench.workload.issue_reclaim_grants(&execs[..50], &bench.control()).await.unwrap();
    // Some are reclaimed, some have a grant out, and their leases are lost.
    bench.claim(VariantPath::LeaseReclaim, &lost.tickets[..40]).await;
    let held: Vec<_> = execs.iter().copied().filter(|exec| !execs[40..50].contains(exec)).collect();
    bench.resume(&held).await.unwrap();
    // Three lanes of two partitions.
    let sets = bench.workload.lane_sets();
    let fused = bench.scan_in(&sets[..6], Seek::Interrupted, false).await.tickets;
    bench.claim(VariantPath::Fused, &fused).await;
    let granted = bench.scan().await.tickets;
    bench.claim(VariantPath::FullGrant, &granted[..60]).await;
    bench.workload.create(20, &bench.control()).await.unwrap();
    bench.scan_in(&sets[..sets.len() / 2], Seek::Fresh, true).await;
    // Some stay suspended or delayed, some runnable with a grant, some active.
    bench.workload.interrupt(&execs[..40], &bench.control()).await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn the_end_of_a_run_leaves_a_foreign_cluster_as_it_was() {
    let bench = Bench::start(|_| ()).await;
    plant_foreign(&bench).await;
    let before = contents(&bench).await;
    full_cycle(&bench).await;
    assert!(contents(&bench).await.len() > before.len() + 1_000);
    let removal = bench.workload.remove(&bench.control()).await.unwrap();
    assert_eq!((removal.failures, removal.causes().as_str()), (0, ""));
    assert_eq!(contents(&bench).await, before);
    let again = bench.workload.remove(&bench.control()).await.unwrap();
    assert_eq!(again, Removal::default());
}

#[tokio::test(flavor = "current_thread")]
async fn grants_that_expired_leave_nothing_behind() {
    let bench = Bench::start(|scenario| scenario.grant.ttl = Duration::from_millis(20)).await;
    let before = contents(&bench).await;
    let execs = bench.workload.create(40, &bench.control()).await.unwrap();
    bench.scan_for(Seek::Fresh, true).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(execs.len(), 40);
    bench.workload.remove(&bench.control()).await.unwrap();
    assert_eq!(contents(&bench).await, before);
}

#[tokio::test(flavor = "current_thread")]
async fn clean_finishes_what_a_crash_left() {
    let cluster = Rc::new(support::own(3, 0).await);
    let crashed = Bench::on(Rc::clone(&cluster), 1, |_| ());
    plant_foreign(&crashed).await;
    let before = contents(&crashed).await;
    full_cycle(&crashed).await;
    // A clean-up that was itself cut off in the worst place: cores without the rest, and the rest without
    // cores.
    for number in 0..30 {
        let exec = reclaim_bench::workload::ExecIndex(number);
        let partition = crashed.workload.plan().partition(exec);
        let id = crashed.workload.plan().execution_id(exec);
        let tail = if number % 2 == 0 { "core" } else { "waitpoints" };
        let key = format!("ff:exec:{}:{id}:{tail}", partition.hash_tag());
        crashed.send(partition, &["DEL", &key]).await;
    }
    // And an execution of our namespace that another version of this tool may have made.
    let id = "{fp:4}:6f2b3b9e-0f0e-4a51-9d63-000000000002";
    let partition = Partition { family: PartitionFamily::Execution, index: 4 };
    let core = format!("ff:exec:{{fp:4}}:{id}:core");
    crashed.send(partition, &["HSET", &core, "namespace", "reclaim-bench", "lane_id", "default"]).await;
    crashed.send(partition, &["ZADD", "ff:idx:{fp:4}:lane:default:eligible", "1", id]).await;
    crashed.send(partition, &["SADD", "ff:idx:{fp:4}:all_executions", id]).await;
    drop(crashed);
    let after = Bench::on(cluster, 99, |_| ());
    let removal = clean(Rc::clone(&after.cluster), &after.control()).await.unwrap();
    assert_eq!((removal.failures, removal.causes().as_str()), (0, ""));
    assert!(removal.keys > 1_000, "{removal:?}");
    // The foreign entry in our lane's set cannot be: lanes with our name are ours as a whole.
    let mut expected = before;
    expected.remove("ff:idx:{fp:3}:lane:reclaim-bench-0:eligible");
    assert_eq!(contents(&after).await, expected);
    let again = clean(Rc::clone(&after.cluster), &after.control()).await.unwrap();
    assert_eq!(again, Removal::default());
}

#[tokio::test(flavor = "current_thread")]
async fn a_secret_that_was_rotated_since_stays() {
    let bench = Bench::start(|_| ()).await;
    bench.active(16).await;
    let partition = Partition { family: PartitionFamily::Execution, index: 5 };
    let key = "ff:sec:{fp:5}:waitpoint_hmac";
    bench.send(partition, &["HSET", key, "current_kid", "theirs", "secret:theirs", "abcdef"]).await;
    bench.workload.remove(&bench.control()).await.unwrap();
    assert_eq!(contents(&bench).await.into_keys().collect::<Vec<_>>(), [key]);
}

#[tokio::test(flavor = "current_thread")]
async fn clean_survives_foreign_keys_of_another_type_and_finds_emptied_streams() {
    let bench = Bench::start(|_| ()).await;
    let partition = Partition { family: PartitionFamily::Execution, index: 20 };
    let core = format!("ff:exec:{{fp:20}}:{{fp:20}}:{FOREIGN}:core");
    for key in [
        core.as_str(),
        "ff:idx:{fp:20}:lease_expiry",
        "ff:idx:{fp:20}:all_executions",
        "ff:part:{fp:20}:signal_delivery",
        "ff:sec:{fp:20}:waitpoint_hmac",
    ] {
        bench.send(partition, &["SET", key, "theirs"]).await;
    }
    let partition = Partition { family: PartitionFamily::Execution, index: 21 };
    let read_by_a_group = "ff:part:{fp:21}:signal_delivery";
    bench.send(partition, &["XGROUP", "CREATE", read_by_a_group, "g", "$", "MKSTREAM"]).await;
    let before = contents(&bench).await;
    let partition = Partition { family: PartitionFamily::Execution, index: 22 };
    let emptied = "ff:part:{fp:22}:signal_delivery";
    bench.send(partition, &["XADD", emptied, "*", "a", "b"]).await;
    bench.send(partition, &["XTRIM", emptied, "MAXLEN", "0"]).await;
    let removal = clean(Rc::clone(&bench.cluster), &bench.control()).await.unwrap();
    assert_eq!((removal.failures, removal.keys, removal.causes().as_str()), (0, 1, ""));
    assert_eq!(contents(&bench).await, before);
}

#[tokio::test(flavor = "current_thread")]
async fn a_silent_primary_is_given_up_once_and_a_busy_one_asked_again() {
    let bench = Bench::start(|_| ()).await;
    bench.active(160).await;
    let addr = bench.cluster.topology().primaries()[0].addr.clone();
    let stranger = support::open(&reclaim_bench::cluster::ClusterRequest {
        nodes: vec![addr],
        ..support::shared_request()
    })
    .await;
    let wire = stranger.admin(reclaim_bench::valkey::NodeIndex(0));
    // A script of a second or two: whoever asks is told BUSY once it has run for a while.
    send(&wire, &["CONFIG", "SET", "busy-reply-threshold", "50"]).await;
    let script = "local till = redis.call('TIME')[1] + 2 while redis.call('TIME')[1] + 0 < till do end";
    let words = ["EVAL", script, "0"];
    let busy = send(&wire, &words);
    let control = bench.control();
    let (_, audit) = tokio::join!(busy, bench.workload.audit(&control));
    assert_eq!(audit.unwrap().executions_checked, 160);

    send(&wire, &["CLIENT", "PAUSE", "60000", "ALL"]).await;
    let begun = std::time::Instant::now();
    let removal = bench.workload.remove(&bench.control()).await.unwrap();
    assert!(removal.failures > 0 && removal.keys > 100, "{removal:?}");
    // One question goes unanswered for five seconds, and so does the look for the map, however many keys
    // there are.
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
}
