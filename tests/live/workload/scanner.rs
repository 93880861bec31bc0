//! What the reclaim scanner hands out, and what it leaves alone.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reclaim_analysis::record::Outcome;
use reclaim_analysis::scenario::VariantPath;
use reclaim_bench::flowfabric::RefusalCode;
use reclaim_bench::workload::{ExecIndex, Phase, Seek};
use redis::Value;

use super::{Bench, phases};
use crate::common::support;

#[tokio::test(flavor = "current_thread")]
async fn tickets_carry_what_the_cluster_says() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.runnable(100).await;
    let report = bench.scan().await;
    let found: Vec<ExecIndex> = report.tickets.iter().map(|(exec, _)| *exec).collect();
    assert_eq!(found, execs, "one ticket each, in order of number");
    let plan = bench.workload.plan();
    for (exec, ticket) in &report.tickets {
        let (grant, partition) = (&ticket.grant, plan.partition(*exec));
        assert_eq!(grant.execution_id, plan.execution_id(*exec));
        assert_eq!(grant.partition().unwrap().hash_tag(), partition.hash_tag());
        assert_eq!(ticket.attempt_index.0, 0);
        let core = grant.grant_key.replace(":claim_grant", ":core");
        let lane = bench.send(partition, &["HGET", &core, "lane_id"]).await;
        assert_eq!(lane, Value::BulkString(grant.lane_id.as_str().into()));
        let expires = bench.send(partition, &["PEXPIRETIME", &grant.grant_key]).await;
        assert_eq!(expires, Value::Int(grant.expires_at_ms.cast_signed()));
    }
    assert_eq!(bench.workload.grants().issued, 100);
}

#[tokio::test(flavor = "current_thread")]
async fn repeated_scans_skip_what_is_out_and_look_into_no_other_set() {
    let bench = Bench::start(|_| ()).await;
    bench.runnable(100).await;
    // Half of the partitions: four of them have seven executions, four have six.
    let sets = bench.workload.lane_sets();
    let first = bench.scan_in(&sets[..sets.len() / 2], Seek::Interrupted, true).await;
    let second = bench.scan().await;
    assert_eq!((first.tickets.len(), second.tickets.len(), second.held), (52, 48, 52));
    assert!(second.tickets.iter().all(|ticket| !first.tickets.contains(ticket)));
    assert!(bench.scan().await.tickets.is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn pages_are_followed_to_the_end() {
    // All in one lane of one partition: more than one page.
    let bench = Bench::start(|scenario| {
        scenario.population.lanes = 1;
        scenario.population.skew = reclaim_analysis::scenario::Skew::Zipf(20.0);
    })
    .await;
    bench.runnable(700).await;
    let report = bench.scan().await;
    assert_eq!((report.tickets.len(), report.listed), (700, 700));
    // Counted, not read again, until there is something new among them.
    let again = bench.scan().await;
    assert_eq!((again.tickets.len(), again.listed, again.unread), (0, 0, 700));
    bench.runnable(1).await;
    let one = bench.scan().await;
    assert_eq!((one.tickets.len(), one.listed, one.unread), (1, 701, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn interrupted_and_fresh_executions_are_told_apart() {
    let bench = Bench::start(|_| ()).await;
    let interrupted = bench.runnable(20).await;
    let fresh = bench.workload.create(15, &bench.control()).await.unwrap();
    let reclaim = bench.scan().await;
    assert_eq!((reclaim.tickets.len(), reclaim.listed, reclaim.held, reclaim.foreign), (20, 35, 0, 0));
    let first = bench.scan_for(Seek::Fresh, true).await;
    assert_eq!((first.tickets.len(), first.held), (15, 20));
    let claimed = |outcomes: Vec<Outcome>| outcomes.iter().all(|outcome| *outcome == Outcome::Claimed);
    assert!(claimed(bench.claim(VariantPath::GrantLane, &reclaim.tickets).await));
    assert!(claimed(bench.claim(VariantPath::FirstClaim, &first.tickets).await));
    assert_eq!(phases(&bench, &[interrupted, fresh].concat()), [Phase::Active]);
    assert_eq!(bench.workload.audit(&bench.control()).await.unwrap().claimed, 35);
}

#[tokio::test(flavor = "current_thread")]
async fn a_fused_ticket_needs_no_grant() {
    let bench = Bench::start(|_| ()).await;
    bench.runnable(10).await;
    let report = bench.scan_for(Seek::Interrupted, false).await;
    assert_eq!((report.tickets.len(), bench.workload.grants().issued), (10, 0));
    for (exec, ticket) in &report.tickets {
        let there =
            bench.send(bench.workload.plan().partition(*exec), &["EXISTS", &ticket.grant.grant_key]).await;
        assert_eq!(there, Value::Int(0));
    }
    assert!(bench.scan().await.tickets.is_empty(), "handed out once");
    let outcomes = bench.claim(VariantPath::Fused, &report.tickets).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Claimed), "{outcomes:?}");
    let audit = bench.workload.audit(&bench.control()).await.unwrap();
    assert_eq!((audit.examples.len(), audit.grants_issued, audit.claimed), (0, 0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn grants_of_somebody_else_are_counted_by_code_and_foreign_executions_left_alone() {
    let cluster = Rc::new(support::own(3, 0).await);
    let bench = Bench::on(Rc::clone(&cluster), 1, |_| ());
    let other = Bench::on(cluster, 2, |_| ());
    let execs = bench.runnable(10).await;
    other.runnable(7).await;
    let partition = bench.workload.plan().partition(execs[0]);
    let id = bench.workload.plan().execution_id(execs[0]);
    let grant = format!("ff:exec:{}:{id}:claim_grant", partition.hash_tag());
    bench.send(partition, &["HSET", &grant, "worker_id", "somebody else"]).await;
    let report = bench.scan().await;
    assert_eq!((report.tickets.len(), report.foreign), (9, 7));
    assert_eq!(report.refused, BTreeMap::from([(RefusalCode::GrantAlreadyExists, 1)]));
}

#[tokio::test(flavor = "current_thread")]
async fn an_expired_grant_is_issued_again_and_counted_once() {
    let bench = Bench::start(|scenario| scenario.grant.ttl = Duration::from_millis(30)).await;
    bench.runnable(12).await;
    let stale = bench.scan().await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let outcomes = bench.claim(VariantPath::GrantLane, &stale.tickets[..5]).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Expired), "{outcomes:?}");
    assert_eq!(bench.workload.grants().expired, 5);
    let again = bench.scan().await;
    assert_eq!(again.tickets.len(), 12);
    tokio::time::sleep(Duration::from_millis(60)).await;
    let audit = bench.workload.audit(&bench.control()).await.unwrap();
    assert_eq!((audit.grants_issued, audit.expired, audit.outstanding, audit.lost), (24, 24, 0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn expired_grants_of_a_set_that_is_counted_are_issued_again() {
    let bench = Bench::start(|scenario| {
        scenario.population.lanes = 1;
        scenario.population.skew = reclaim_analysis::scenario::Skew::Zipf(20.0);
        scenario.grant.ttl = Duration::from_millis(30);
    })
    .await;
    bench.runnable(100).await;
    assert_eq!(bench.scan().await.tickets.len(), 100);
    tokio::time::sleep(Duration::from_millis(60)).await;
    let again = bench.scan().await;
    assert_eq!((again.tickets.len(), again.unread), (100, 0));
}
