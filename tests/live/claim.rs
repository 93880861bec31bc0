//! The claim variants as a server sees them, and their receipts.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ff_core::types::{AttemptIndex, LaneId, LeaseEpoch};
use reclaim_analysis::record::Outcome;
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::{Extras, VariantPath, all_steps, expected_cost};
use reclaim_bench::claim::*;
use reclaim_bench::cluster::Cluster;
use reclaim_bench::flowfabric::{IssueClaimGrant, ReadGrantExpiry, RefusalCode};
use reclaim_bench::valkey::NodeIndex;

use crate::common::one_claim::{Monitor, PATHS, echo, order, own_address, setup, ticket};
use crate::common::staged::{Stage, worker};
use crate::common::support;

const TAKES_THE_LANE_OF_THE_GRANT: [VariantPath; 6] = [
    VariantPath::GrantLane,
    VariantPath::FullGrant,
    VariantPath::Fused,
    VariantPath::FirstClaim,
    VariantPath::BareFirstClaim,
    VariantPath::LeaseReclaim,
];

/// Calls by command, as `INFO commandstats` counts them.
async fn calls(cluster: &Cluster) -> BTreeMap<String, u64> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg("commandstats");
    let reply = cluster.admin(NodeIndex(0)).call("info", &cmd, &mut WireCost::default()).await.unwrap();
    let info: String = redis::from_redis_value(reply).unwrap();
    info.lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
        .map(|(name, rest)| (name.to_owned(), rest.split(',').next().unwrap().parse().unwrap()))
        .collect()
}

#[tokio::test(flavor = "current_thread")]
async fn every_variant_sends_the_commands_of_its_table_and_no_other() {
    let cluster = Rc::new(support::own(1, 0).await);
    let stage = Stage::set(&*cluster, 41_000).await;
    let mut monitor = Monitor::on(stage.wire.addr()).await;
    let us = own_address(&stage.wire).await;
    let plain = setup(cluster.clone(), &stage.wire).await;
    for path in PATHS {
        for task_context in [false, true] {
            let variant = claim_path(path, ClaimSetup { task_context, ..plain.clone() });
            let ticket = ticket(&stage, path).await;
            let order = order(&ticket, &stage.worker);
            echo(&stage.wire, "begin").await;
            let before = calls(&cluster).await;
            let receipt = variant.claim(&order).await;
            let after = calls(&cluster).await;
            echo(&stage.wire, "end").await;
            monitor.until("begin").await;
            let seen = monitor.until("end").await;

            assert_eq!((variant.path(), &receipt.outcome), (path, &Outcome::Claimed), "{:?}", receipt.error);
            let extras = Extras { task_context, ..Extras::default() };
            let table: Vec<&str> =
                all_steps(path, extras).flat_map(|step| step.commands.iter().copied()).collect();
            let sent: Vec<String> =
                seen.iter().filter(|(who, _)| *who == us).map(|(_, words)| words[0].to_lowercase()).collect();
            assert_eq!(sent, table, "{path:?}");

            let expected = expected_cost(path, extras);
            assert_eq!(receipt.cost.round_trips, expected.round_trips, "{path:?}");
            assert_eq!(receipt.cost.commands as usize, table.len(), "{path:?}");
            let timed: Vec<Duration> = receipt.steps.iter().collect();
            assert_eq!(timed.len(), expected.round_trips as usize, "{path:?}: every round trip is timed");
            assert!(timed.iter().all(|time| !time.is_zero()), "{path:?}: {timed:?}");
            let delta = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
            for name in ["fcall", "hget", "hmget", "get"] {
                // A reclaim looks for a policy of the execution's own.
                let inside = u64::from(path.is_lease_reclaim() && name == "get");
                let expected = inside + u64::from(expected.commands.get(name).copied().unwrap_or(0));
                assert_eq!(delta(name), expected, "{path:?}: calls of {name} on the server");
            }
            let inside =
                seen.iter().filter(|(who, _)| who == "lua").map(|(_, words)| words[0].to_lowercase());
            assert!(!inside.clone().any(|name| name == "hget" || name == "hmget"), "{path:?}");
            assert!(inside.count() > 5, "{path:?}: MONITOR shows what the function runs");
        }
    }
}

/// What a variant reads of an execution's core before it calls a function.
fn reads_before_the_call(path: VariantPath, core: &str) -> Vec<Vec<String>> {
    let hget = |field: &str| vec!["HGET".to_owned(), core.to_owned(), field.to_owned()];
    match path {
        VariantPath::GrantLane => vec![hget("current_attempt_index")],
        VariantPath::HgetLane | VariantPath::PipelinedLane => {
            vec![hget("lane_id"), hget("current_attempt_index")]
        }
        VariantPath::HmgetLane => {
            vec![vec!["HMGET".into(), core.to_owned(), "lane_id".into(), "current_attempt_index".into()]]
        }
        VariantPath::FirstClaim => vec![hget("total_attempt_count")],
        VariantPath::FullGrant
        | VariantPath::Fused
        | VariantPath::BareFirstClaim
        | VariantPath::LeaseReclaim
        | VariantPath::SdkReclaim => vec![],
        VariantPath::SdkResume | VariantPath::SdkGrant => unreachable!("tests/live/sdk.rs"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_words_of_every_command_are_those_of_the_table() {
    let cluster = Rc::new(support::own(1, 0).await);
    let stage = Stage::set(&*cluster, 41_001).await;
    let mut monitor = Monitor::on(stage.wire.addr()).await;
    let us = own_address(&stage.wire).await;
    let plain = setup(cluster.clone(), &stage.wire).await;
    for path in PATHS {
        let variant = claim_path(path, ClaimSetup { task_context: true, ..plain.clone() });
        let mut ticket = ticket(&stage, path).await;
        let truth = ticket.grant.lane_id.clone();
        // Whoever reads the lane must use what was read, whoever is handed it must not read.
        ticket.grant.lane_id = LaneId::new("lane-of-the-grant");
        let order = order(&ticket, &stage.worker);
        echo(&stage.wire, "begin").await;
        let receipt = variant.claim(&order).await;
        echo(&stage.wire, "end").await;
        assert_eq!(receipt.outcome, Outcome::Claimed, "{path:?}: {:?}", receipt.error);
        monitor.until("begin").await;
        let sent: Vec<Vec<String>> = monitor
            .until("end")
            .await
            .into_iter()
            .filter(|(who, _)| *who == us)
            .map(|(_, words)| words)
            .collect();

        let id = &ticket.grant.execution_id;
        let key = |name: &str| format!("ff:exec:{}:{id}:{name}", stage.partition.hash_tag());
        let hgetall = |name: &str| vec!["HGETALL".to_owned(), key(name)];
        let mut reads = reads_before_the_call(path, &key("core"));
        let at = reads.len();
        reads.extend([vec!["GET".into(), key("payload")], hgetall("core"), hgetall("tags")]);
        let (function, (keys, args)) = (path.function(), path.function_words());
        let fcall = &sent[at];
        assert_eq!(fcall[..3], ["FCALL".to_owned(), function.to_owned(), keys.to_string()], "{path:?}");
        assert_eq!(fcall.len(), 3 + keys + args, "{path:?}");
        let lane = if TAKES_THE_LANE_OF_THE_GRANT.contains(&path) { &ticket.grant.lane_id } else { &truth };
        let (place, index) = if path.is_lease_reclaim() { (14, "active") } else { (5, "eligible") };
        assert!(fcall[place].ends_with(&format!(":lane:{lane}:{index}")), "{path:?}: {}", fcall[place]);
        assert_eq!(fcall[3 + keys + 3], lane.as_str(), "{path:?}");
        let others: Vec<Vec<String>> = sent[..at].iter().chain(&sent[at + 1..]).cloned().collect();
        assert_eq!(others, reads, "{path:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_receipt_tells_lease_and_outcome() {
    let cluster: Rc<Cluster> = Rc::new(support::connect().await);
    let stage = Stage::set(&*cluster, 41_002).await;
    let single = setup(cluster.clone(), &stage.wire).await;
    for path in PATHS {
        let alone = claim_path(path, single.clone());
        let racing = claim_path(path, ClaimSetup { contended: true, ..single.clone() });
        let good = ticket(&stage, path).await;
        let first = order(&good, &stage.worker);
        let receipt = alone.claim(&first).await;
        let lease = receipt.lease.expect("claimed");
        let epoch = if path.is_first_claim() { 1 } else { 2 };
        let attempt = AttemptIndex(u32::from(path.is_lease_reclaim()));
        assert_eq!((lease.epoch, lease.attempt_index), (LeaseEpoch(epoch), attempt), "{path:?}");
        assert_eq!(lease.lease_id, first.lease_id, "{path:?}");
        assert!(receipt.error.is_none());

        // The same ticket again: a refusal for one holder, a lost race among several.
        let taken = match path {
            VariantPath::Fused => RefusalCode::ExecutionNotEligible,
            VariantPath::LeaseReclaim => RefusalCode::ExecutionNotReclaimable,
            _ => RefusalCode::ExecutionNotLeaseable,
        };
        let again = alone.claim(&order(&good, &stage.worker)).await;
        assert_eq!((again.outcome, again.lease), (Outcome::Refused(taken.to_string()), None), "{path:?}");
        let lost = racing.claim(&order(&good, &stage.worker)).await;
        assert_eq!(lost.outcome, Outcome::LostRace, "{path:?}");
        if path == VariantPath::Fused {
            continue;
        }

        let strange = ticket(&stage, path).await;
        let receipt = racing.claim(&order(&strange, &worker("stranger"))).await;
        let invalid = Outcome::Refused(RefusalCode::InvalidClaimGrant.to_string());
        assert_eq!(receipt.outcome, invalid, "{path:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_grant_that_vanished_is_expired_and_one_that_never_was_is_not() {
    let cluster: Rc<Cluster> = Rc::new(support::connect().await);
    let stage = Stage::set(&*cluster, 41_003).await;
    let setup = setup(cluster.clone(), &stage.wire).await;
    let variant = claim_path(VariantPath::GrantLane, setup);
    let (execution, _) = stage.interrupted().await;
    let mut ticket = stage.ticket(&execution, false).await;
    let never = variant.claim(&order(&ticket, &stage.worker)).await;
    assert_eq!(never.outcome, Outcome::Refused(RefusalCode::InvalidClaimGrant.to_string()));

    stage.ok(&IssueClaimGrant { ttl: Duration::from_millis(20), ..stage.grant(&execution) }).await;
    let expiry = stage.ok(&ReadGrantExpiry(&execution.keys)).await.unwrap();
    ticket.grant.expires_at_ms = u64::try_from(expiry.0).unwrap();
    // As soon as the server lets go of the key, not a moment later: the clocks must agree on it.
    while stage.ok(&ReadGrantExpiry(&execution.keys)).await.is_some() {}
    let late = variant.claim(&order(&ticket, &stage.worker)).await;
    assert_eq!(late.outcome, Outcome::Expired, "{:?}", late.error);
}

#[tokio::test(flavor = "current_thread")]
async fn a_ticket_for_nothing_or_to_nowhere_is_no_lease() {
    let cluster: Rc<Cluster> = Rc::new(support::connect().await);
    let stage = Stage::set(&*cluster, 41_004).await;
    let setup = setup(cluster.clone(), &stage.wire).await;
    let nothing = stage.ticket(&stage.unborn(), false).await;
    let mut nowhere = nothing.clone();
    nowhere.grant.partition_key = serde_json::from_str("\"fp:1\"").unwrap();
    for path in PATHS {
        let variant = claim_path(path, setup.clone());
        let receipt = variant.claim(&order(&nothing, &stage.worker)).await;
        let missing = Outcome::Refused(RefusalCode::ExecutionNotFound.to_string());
        assert_eq!((receipt.outcome, receipt.lease), (missing, None), "{path:?}");
        let order = order(&nowhere, &stage.worker);
        let receipt = variant.claim(&order).await;
        assert_eq!((&receipt.outcome, receipt.cost), (&Outcome::Failed, WireCost::default()), "{path:?}");
        let settled = settle_unanswered(&*variant, &*cluster, &order, receipt).await;
        assert_eq!(settled.outcome, Outcome::Failed);
    }
}
