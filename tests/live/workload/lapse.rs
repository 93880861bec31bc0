//! Leases that are lost, and executions that are reclaimed with a new attempt.

use std::rc::Rc;

use ff_core::types::LeaseId;
use reclaim_analysis::record::{Audit, Outcome};
use reclaim_analysis::scenario::VariantPath;
use reclaim_bench::claim::ClaimTicket;
use reclaim_bench::valkey::NodeIndex;
use reclaim_bench::workload::{ExecIndex, Oversight, Phase};
use redis::Value;
use tokio_util::sync::CancellationToken;

use super::{Bench, phases, send};
use crate::common::half_written::leaving_out;
use crate::common::support;

impl Bench {
    /// Takes the leases away and issues a reclaim grant for each.
    async fn reclaimable(&self, execs: &[ExecIndex]) -> Vec<(ExecIndex, ClaimTicket)> {
        self.workload.lose_leases(execs, &self.control()).await.unwrap();
        assert_eq!(phases(self, execs), [Phase::Lapsed]);
        let grants = self.workload.issue_reclaim_grants(execs, &self.control()).await.unwrap();
        assert!(grants.refused.is_empty(), "{:?}", grants.refused);
        grants.tickets
    }

    async fn audited(&self) -> Audit {
        self.workload.audit(&self.control()).await.unwrap()
    }

    /// A field of an execution's core.
    async fn field(&self, exec: ExecIndex, field: &str) -> String {
        let partition = self.workload.plan().partition(exec);
        let id = self.workload.plan().execution_id(exec);
        let core = format!("ff:exec:{}:{id}:core", partition.hash_tag());
        match self.send(partition, &["HGET", &core, field]).await {
            Value::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{field}: {other:?}"),
        }
    }

    /// How many of these lost their lease by revocation.
    async fn revoked(&self, execs: &[ExecIndex]) -> usize {
        let mut revoked = 0;
        for &exec in execs {
            match self.field(exec, "ownership_state").await.as_str() {
                "lease_revoked" => revoked += 1,
                "lease_expired_reclaimable" => {}
                other => panic!("{other}"),
            }
        }
        revoked
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_lost_lease_is_reclaimed_with_the_next_attempt_again_and_again() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.active(40).await;
    let mut grants = 0;
    for attempt in 1..=3 {
        let tickets = bench.reclaimable(&execs).await;
        grants += tickets.len() as u64;
        assert_eq!(tickets.len(), 40);
        assert!(tickets.iter().all(|(_, ticket)| ticket.attempt_index.0 == attempt - 1));
        let revoked = bench.revoked(&execs).await;
        assert!(0 < revoked && revoked < 40, "both kinds are drawn: {revoked} of 40 were revoked");
        // Between losing and reclaiming the audit knows what to find too.
        let audit = bench.audited().await;
        assert_eq!((audit.outstanding, audit.contracts_checked, &audit.examples[..]), (40, 40, &[][..]));
        // A second grant for the same lease is not issued, and none is asked for.
        let more = bench.workload.issue_reclaim_grants(&execs, &bench.control()).await.unwrap();
        assert_eq!((more.tickets.len(), more.refused.len()), (0, 0));

        assert_eq!(bench.claim(VariantPath::LeaseReclaim, &tickets).await, vec![Outcome::Claimed; 40]);
        assert_eq!(bench.field(execs[0], "current_attempt_index").await, attempt.to_string());
        let audit = bench.audited().await;
        assert_eq!((audit.claimed, audit.outstanding, &audit.examples[..]), (grants, 0, &[][..]));
        assert_eq!((audit.attempt_changed, audit.epoch_errors, audit.contract_errors), (0, 0, 0));

        // A resume goes on with that attempt.
        bench.resume(&execs).await.unwrap();
        let tickets = bench.scan().await.tickets;
        grants += tickets.len() as u64;
        assert!(tickets.iter().all(|(_, ticket)| ticket.attempt_index.0 == attempt));
        assert_eq!(bench.claim(VariantPath::GrantLane, &tickets).await, vec![Outcome::Claimed; 40]);
        let audit = bench.audited().await;
        assert_eq!((audit.claimed, &audit.examples[..]), (grants, &[][..]));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_reclaim_is_refused_by_name_and_a_late_one_has_expired() {
    let bench = Bench::start(|scenario| scenario.grant.ttl = std::time::Duration::from_secs(2)).await;
    let execs = bench.active(3).await;
    let tickets = bench.reclaimable(&execs).await;
    // A resumed claim of a lost lease, and a reclaim of one that is held.
    let refused = bench.claim(VariantPath::GrantLane, &tickets[..1]).await;
    assert_eq!(refused, [Outcome::Refused("execution_not_leaseable".into())]);
    assert_eq!(bench.claim(VariantPath::LeaseReclaim, &tickets[..1]).await, [Outcome::Claimed]);
    let again = bench.claim(VariantPath::LeaseReclaim, &tickets[..1]).await;
    assert_eq!(again, [Outcome::Refused("execution_not_reclaimable".into())]);
    // Once the grant is gone, the others come late.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(bench.claim(VariantPath::LeaseReclaim, &tickets[1..]).await, vec![Outcome::Expired; 2]);
    let audit = bench.audited().await;
    assert_eq!((audit.claimed, audit.expired, &audit.examples[..]), (1, 2, &[][..]));
    // And get another grant, which the first of them consumes as if nothing had been.
    let grants = bench.workload.issue_reclaim_grants(&execs, &bench.control()).await.unwrap();
    assert_eq!(grants.tickets.len(), 2);
    assert_eq!(bench.claim(VariantPath::LeaseReclaim, &grants.tickets).await, vec![Outcome::Claimed; 2]);
}

/// What a reclaim writes beside `exec_core`, as the source has it.
const WRITES: [&str; 9] = [
    "\"HSET\", K.old_attempt_hash",
    "\"HSET\", att_key",
    "\"HSET\", K.lease_current_key",
    "\"DEL\", K.claim_grant",
    "\"ZADD\", K.lease_expiry_key",
    "\"SADD\", K.worker_leases_key",
    "\"ZADD\", K.active_index_key",
    "\"XADD\", K.lease_history_key",
    "\"total_attempt_count\", tostring(next_att_idx + 1),",
];

#[tokio::test(flavor = "current_thread")]
async fn a_reclaim_that_writes_less_than_it_promises_is_caught() {
    let cluster = Rc::new(support::own(1, 0).await);
    let wire = cluster.admin(NodeIndex(0));
    for (seed, left_out) in WRITES.into_iter().enumerate() {
        let bench = Bench::on(Rc::clone(&cluster), 200 + seed as u64, |_| ());
        let execs = bench.active(9).await;
        let tickets = bench.reclaimable(&execs).await;
        let revoked = bench.revoked(&execs[..8]).await as u64;
        let library = leaving_out("ff_reclaim_execution", &[left_out]);
        send(&wire, &["FUNCTION", "LOAD", "REPLACE", &library]).await;
        assert_eq!(bench.claim(VariantPath::LeaseReclaim, &tickets[..8]).await, vec![Outcome::Claimed; 8]);
        let audit = bench.audited().await;
        send(&wire, &["FUNCTION", "LOAD", "REPLACE", ff_script::LIBRARY_SOURCE]).await;
        // The leases of a worker that ran out are still among its own: the same worker's reclaim changes
        // nothing there.
        let expected = if left_out.starts_with("\"SADD\"") { revoked } else { 8 };
        assert!(expected > 0, "{left_out}: another seed is needed");
        assert_eq!(audit.contract_errors + audit.state_errors, expected, "{left_out}: {audit:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_lease_that_somebody_else_took_is_not_revoked_for_it() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.active(12).await;
    for &exec in &execs {
        let partition = bench.workload.plan().partition(exec);
        let id = bench.workload.plan().execution_id(exec);
        let core = format!("ff:exec:{}:{id}:core", partition.hash_tag());
        let other = LeaseId::new().to_string();
        bench.send(partition, &["HSET", &core, "current_lease_id", &other]).await;
    }
    let error = bench.workload.lose_leases(&execs, &bench.control()).await.unwrap_err();
    assert!(error.to_string().contains("stale_lease"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_that_ends_while_leases_run_out_leaves_none_between_held_and_lost() {
    let bench = Bench::start(|_| ()).await;
    let execs = bench.active(3_000).await;
    let cancel = CancellationToken::new();
    // The others are left to run out once all these are revoked.
    let revoked = execs.iter().filter(|&&exec| bench.workload.plan().revoked(exec, 1)).count() as u64;
    let progress = |done: u64, _: u64| {
        if done > revoked + 200 {
            cancel.cancel();
        }
    };
    let ended = bench.workload.lose_leases(&execs, &Oversight { cancel: &cancel, progress: &progress }).await;
    let audit = bench.audited().await;
    assert_eq!(&audit.examples[..], &[][..] as &[String]);
    let (active, lapsed) = (bench.workload.in_phase(Phase::Active), bench.workload.in_phase(Phase::Lapsed));
    assert_eq!(active.len() + lapsed.len(), 3_000);
    assert!(ended.is_err() && !active.is_empty(), "it ended before all of them were lost");
    assert!(lapsed.len() as u64 > revoked, "some leases had begun to run out");
}
