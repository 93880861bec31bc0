//! The audit finds what was planted on the cluster, and nothing where nothing was.

use reclaim_analysis::record::{Audit, Outcome};
use reclaim_analysis::scenario::VariantPath;
use reclaim_bench::valkey::NodeIndex;
use reclaim_bench::workload::ExecIndex;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Bench, send};
use crate::common::half_written::{WRITES, half_writing};
use crate::common::support;

async fn audited(bench: &Bench) -> Audit {
    bench.workload.audit(&bench.control()).await.unwrap()
}

/// Changes one field of an execution's core behind the tool's back.
async fn plant(bench: &Bench, exec: ExecIndex, field: &str, value: &str) {
    let partition = bench.workload.plan().partition(exec);
    let id = bench.workload.plan().execution_id(exec);
    let core = format!("ff:exec:{}:{id}:core", partition.hash_tag());
    bench.send(partition, &["HSET", &core, field, value]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_clean_run_over_several_rounds_is_quiet() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.active(50).await;
    for round in 1..=3 {
        bench.resume(&execs).await.unwrap();
        let tickets = bench.scan().await.tickets;
        let outcomes = bench.claim(VariantPath::FullGrant, &tickets).await;
        assert_eq!(outcomes, vec![Outcome::Claimed; 50]);
        let audit = audited(&bench).await;
        let claimed = 50 * round;
        let expected = Audit {
            grants_issued: claimed,
            claimed,
            executions_checked: 50,
            contracts_checked: 50,
            ..Audit::default()
        };
        assert_eq!(audit, expected);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn every_planted_fault_is_found_in_its_place() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.runnable(10).await;
    let tickets = bench.scan().await.tickets;
    bench.claim(VariantPath::GrantLane, &tickets[..5]).await;
    plant(&bench, execs[0], "current_lease_epoch", "7").await;
    plant(&bench, execs[1], "current_attempt_id", "6f2b3b9e-0f0e-4a51-9d63-000000000001").await;
    plant(&bench, execs[2], "current_lease_id", "6f2b3b9e-0f0e-4a51-9d63-000000000001").await;
    plant(&bench, execs[3], "current_attempt_index", "1").await;
    let (exec, lost) = &tickets[6];
    bench.send(bench.workload.plan().partition(*exec), &["DEL", &lost.grant.grant_key]).await;
    let (exec, gone) = &tickets[7];
    let core = gone.grant.grant_key.replace(":claim_grant", ":core");
    bench.send(bench.workload.plan().partition(*exec), &["DEL", &core]).await;
    let audit = audited(&bench).await;
    assert_eq!((audit.epoch_errors, audit.attempt_changed, audit.state_errors, audit.lost), (1, 2, 2, 1));
    assert_eq!((audit.grants_issued, audit.claimed, audit.outstanding), (10, 5, 4));
    assert_eq!((audit.executions_checked, audit.examples.len()), (10, 6));
    for position in [0, 1, 2, 3, 6, 7] {
        let id = bench.workload.plan().execution_id(execs[position]);
        let named = audit.examples.iter().filter(|example| example.starts_with(id.as_str())).count();
        assert_eq!(named, 1, "{id} in {:?}", audit.examples);
    }
}

/// The lease epoch stands one back, as after the loss of a claim: once nothing has failed, once a server has
/// just after that claim, once long after it, when every replica had it.
#[tokio::test(flavor = "current_thread")]
async fn a_takeover_explains_only_what_it_may_have_lost() {
    let after = |failed_after: Option<Duration>| async move {
        let bench = Bench::start(|_| ()).await;
        let execs = bench.active(1).await;
        let partition = bench.workload.plan().partition(execs[0]);
        if let Some(after) = failed_after {
            bench.workload.note_takeover(&BTreeSet::from([partition.index]), Instant::now() + after);
        }
        bench.resume(&execs).await.unwrap();
        let tickets = bench.scan().await.tickets;
        plant(&bench, execs[0], "current_lease_epoch", "0").await;
        assert_eq!(bench.claim(VariantPath::GrantLane, &tickets).await, [Outcome::Claimed]);
        let audit = audited(&bench).await;
        (audit.epoch_errors, audit.lost_by_server)
    };
    assert_eq!(after(None).await, (1, 0));
    assert_eq!(after(Some(Duration::ZERO)).await, (0, 1));
    assert_eq!(after(Some(Duration::from_mins(1))).await, (1, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_claim_that_nobody_heard_of_is_settled_or_found() {
    let bench = Bench::start(|_| ()).await;
    bench.runnable(3).await;
    let tickets = bench.scan().await.tickets;
    let path = bench.path(VariantPath::GrantLane).await;
    for (exec, ticket) in &tickets[..2] {
        let order = reclaim_bench::claim::ClaimOrder {
            ticket,
            worker: bench.workload.worker(),
            lease_id: bench.workload.next_lease(*exec, 0),
            attempt_id: bench.workload.attempt_id(*exec),
            lease_ttl: bench.lease_ttl,
            again: false,
        };
        assert_eq!(path.claim(&order).await.outcome, Outcome::Claimed);
    }
    // One is known to have gone unanswered, the other one never happened as far as the ledger knows.
    bench.workload.record_unanswered(tickets[0].0);
    let audit = audited(&bench).await;
    assert_eq!((audit.grants_issued, audit.claimed, audit.outstanding), (3, 1, 1));
    assert_eq!((audit.lost, audit.epoch_errors, audit.state_errors), (1, 1, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn a_function_that_writes_less_than_it_promises_is_caught() {
    let cluster = Rc::new(support::own(1, 0).await);
    let wire = cluster.admin(NodeIndex(0));
    let mut cases: Vec<Vec<&str>> = WRITES.iter().map(|write| vec![*write]).collect();
    cases.push(WRITES.to_vec());
    for (seed, left_out) in cases.into_iter().enumerate() {
        let bench = Bench::on(Rc::clone(&cluster), 100 + seed as u64, |_| ());
        bench.runnable(3).await;
        let tickets = bench.scan().await.tickets;
        send(&wire, &["FUNCTION", "LOAD", "REPLACE", &half_writing(&left_out)]).await;
        assert_eq!(bench.claim(VariantPath::GrantLane, &tickets[..2]).await, vec![Outcome::Claimed; 2]);
        let audit = audited(&bench).await;
        send(&wire, &["FUNCTION", "LOAD", "REPLACE", ff_script::LIBRARY_SOURCE]).await;
        assert_eq!(audit.contracts_checked, 3);
        assert_eq!(audit.contract_errors + audit.state_errors, 2, "{left_out:?}: {audit:?}");
        assert_eq!(audit.examples.len(), 2, "{left_out:?}: {audit:?}");
    }
}
