//! Servers do not take more memory than the machine has, and a population that they cannot hold is refused
//! beforehand.

use std::rc::Rc;

use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario;
use reclaim_bench::cluster::Cluster;
use reclaim_bench::load::{LoadError, server_memory_needed};
use reclaim_bench::valkey::NodeIndex;
use reclaim_bench::workload::{Oversight, Workload};
use redis::Value;
use tokio_util::sync::CancellationToken;

use crate::common::one_run::{attempt, scenario_text};
use crate::common::support;

async fn ask(cluster: &Cluster, words: &[&str]) -> Value {
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    cluster.admin(NodeIndex(0)).call("test", &cmd, &mut WireCost::default()).await.unwrap()
}

async fn used(cluster: &Cluster) -> u64 {
    let Value::BulkString(info) = ask(cluster, &["INFO", "memory"]).await else { panic!() };
    let info = String::from_utf8(info).unwrap();
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}

fn text(executions: u32, payload: u32) -> String {
    let sections = format!(
        "[population]\nexecutions = {executions}\npayload_bytes = {payload}\nlanes = 2\npartitions = 16\n[load]\nclaims = 100"
    );
    scenario_text(&sections, &["grant-lane"])
}

#[tokio::test(flavor = "current_thread")]
async fn a_population_takes_about_what_is_estimated() {
    for payload in [64, 10_000] {
        let cluster = Rc::new(support::own(1, 0).await);
        let scenario = scenario::parse("test", &text(2_000, payload)).unwrap();
        let before = used(&cluster).await;
        let workload = Workload::new(Rc::clone(&cluster), &scenario, 1, 16);
        let cancel = CancellationToken::new();
        let control = Oversight::quiet(&cancel);
        let execs = workload.create(2_000, &control).await.unwrap();
        workload.first_claims(&execs, &control).await.unwrap();
        workload.interrupt(&execs, &control).await.unwrap();
        workload.make_runnable(&execs, &control).await.unwrap();
        let share = server_memory_needed(&scenario) as f64 / (used(&cluster).await - before) as f64;
        assert!((0.75..1.25).contains(&share), "payload {payload}: {share}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_population_that_cannot_fit_is_refused_before_anything_is_written() {
    let cluster = Rc::new(support::own(1, 0).await);
    let Value::Array(policy) = ask(&cluster, &["CONFIG", "GET", "maxmemory-policy"]).await else { panic!() };
    assert_eq!(policy[1], Value::BulkString(b"noeviction".to_vec()));
    let (_, room) = cluster.room().await.unwrap().remove(0);
    assert!(room.is_some_and(|room| room > 100_000_000), "a server of our own has a limit: {room:?}");

    let limit = used(&cluster).await + 5_000_000;
    ask(&cluster, &["CONFIG", "SET", "maxmemory", &limit.to_string()]).await;
    let scenario = scenario::parse("test", &text(1_000, 10_000)).unwrap();
    let error = attempt(&cluster, &scenario, 1).await.map(drop).unwrap_err();
    assert!(matches!(error, LoadError::DoesNotFit { executions: 1_000, .. }), "{error}");
    assert!(error.to_string().contains("population.executions"), "{error}");
    assert_eq!(ask(&cluster, &["DBSIZE"]).await, Value::Int(0));
}
