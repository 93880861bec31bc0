//! The functions as this tool calls them, against a real server: good cases, and the refusals that are relied
//! on.

mod interruptions;

use std::time::Duration;

use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase, OwnershipState, PublicState};
use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseEpoch, LeaseId};
use reclaim_analysis::record::WireCost;
use reclaim_bench::flowfabric::*;

use crate::common::staged::{Execution, GRANT_TTL, INTERRUPTIONS, LEASE_TTL, Stage, worker};
use crate::common::support;

type Table = Vec<(&'static str, RefusalCode, RefusalCode)>;

/// Every row is (case, code expected, code seen).
fn holds(table: Table) {
    for (case, expected, seen) in table {
        assert_eq!(seen, expected, "{case}");
    }
}

async fn stage(partition: u16) -> Stage {
    Stage::set(&support::connect().await, partition).await
}

fn first_claim<'a>(
    stage: &'a Stage,
    execution: &'a Execution,
    worker: &'a WorkerIdentity,
    ids: &'a (AttemptId, LeaseId),
) -> ClaimExecution<'a> {
    ClaimExecution {
        keys: &execution.keys,
        lane_id: &stage.lane,
        worker,
        attempt_id: &ids.0,
        attempt_index: AttemptIndex::new(0),
        lease_id: &ids.1,
        lease_ttl: LEASE_TTL,
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_library_has_the_version_that_this_tool_was_built_for() {
    let stage = stage(40_000).await;
    assert_eq!(stage.ok(&LibraryVersion).await, ff_script::LIBRARY_VERSION.trim());
}

#[tokio::test(flavor = "current_thread")]
async fn an_execution_is_created_once_with_all_that_a_worker_reads() {
    let stage = stage(40_001).await;
    let execution = stage.unborn();
    assert_eq!(stage.ok(&ReadForScan(&execution.keys)).await, None);
    assert_eq!(stage.ok(&ReadLane(&execution.keys)).await, None);
    assert_eq!(stage.ok(&stage.create(&execution)).await, CreateOutcome::Created(PublicState::Waiting));
    assert_eq!(stage.ok(&stage.create(&execution)).await, CreateOutcome::Duplicate);

    assert_eq!(stage.ok(&ReadPayload(&execution.keys)).await.unwrap(), b"\x00payload\xff");
    let core = stage.ok(&ReadCore(&execution.keys)).await;
    assert!(core.contains(&("execution_kind".to_owned(), "test".to_owned())), "{core:?}");
    assert_eq!(stage.ok(&ReadAttemptCount(&execution.keys)).await, Some(0));
    assert_eq!(stage.ok(&ReadTags(&execution.keys)).await, [("colour".to_owned(), "red".to_owned())]);
    assert_eq!(stage.ok(&ReadLane(&execution.keys)).await, Some(stage.lane.clone()));
    assert_eq!(stage.ok(&ReadAttemptIndex(&execution.keys)).await, None);
    assert_eq!(stage.ok(&ReadLaneAndAttempt(&execution.keys)).await, None);
    assert_eq!(
        stage.ok(&ReadForScan(&execution.keys)).await,
        Some(ScanView {
            lifecycle_phase: LifecyclePhase::Runnable,
            eligibility_state: EligibilityState::EligibleNow,
            attempt_state: AttemptState::PendingFirstAttempt,
            lane_id: stage.lane.clone(),
            attempt_index: None,
            attempt_id: None,
        })
    );
    let listed = stage
        .ok(&ListEligible { partition: stage.partition, lane_id: &stage.lane, offset: 0, limit: 1_000 })
        .await;
    assert!(listed.contains(&execution.id));
}

#[tokio::test(flavor = "current_thread")]
async fn a_grant_is_issued_once_and_ends_when_it_should() {
    let stage = stage(40_002).await;
    let execution = stage.created().await;
    assert_eq!(stage.ok(&ReadGrantExpiry(&execution.keys)).await, None);
    let before = stage.now().await;
    stage.ok(&stage.grant(&execution)).await;
    let after = stage.now().await;
    let expiry = stage.ok(&ReadGrantExpiry(&execution.keys)).await.unwrap().0 - GRANT_TTL.as_millis() as i64;
    assert!((before.0..=after.0).contains(&expiry), "{expiry} is not within {before} and {after}");

    let elsewhere = LaneId::new("another-lane");
    let fresh = stage.created().await;
    let (active, _) = stage.claimed().await;
    holds(vec![
        ("a second grant", RefusalCode::GrantAlreadyExists, stage.refused(&stage.grant(&execution)).await),
        (
            "a lane that does not hold it",
            RefusalCode::ExecutionNotInEligibleSet,
            stage.refused(&IssueClaimGrant { lane_id: &elsewhere, ..stage.grant(&fresh) }).await,
        ),
        (
            "no such execution",
            RefusalCode::ExecutionNotFound,
            stage.refused(&stage.grant(&stage.unborn())).await,
        ),
        (
            "an execution at work",
            RefusalCode::ExecutionNotEligible,
            stage.refused(&stage.grant(&active)).await,
        ),
    ]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_first_claim_starts_an_attempt_under_epoch_one() {
    let stage = stage(40_003).await;
    let (ids, execution) = ((AttemptId::new(), LeaseId::new()), stage.created().await);
    let stranger = worker("stranger");
    let ungranted = stage.refused(&first_claim(&stage, &execution, &stage.worker, &ids)).await;
    stage.ok(&stage.grant(&execution)).await;
    let strange = stage.refused(&first_claim(&stage, &execution, &stranger, &ids)).await;

    let lease = stage.ok(&first_claim(&stage, &execution, &stage.worker, &ids)).await;
    let after = stage.now().await;
    assert_eq!((lease.epoch, lease.attempt_index), (LeaseEpoch(1), AttemptIndex(0)));
    assert_eq!((&lease.attempt_id, &lease.lease_id), (&ids.0, &ids.1));
    assert!(lease.expires_at.0 - LEASE_TTL.as_millis() as i64 <= after.0);
    assert_eq!(
        stage.ok(&ReadForAudit(&execution.keys)).await,
        Some(AuditView {
            lifecycle_phase: LifecyclePhase::Active,
            ownership_state: OwnershipState::Leased,
            attempt_state: AttemptState::RunningAttempt,
            attempt_id: Some(ids.0.clone()),
            attempt_index: Some(AttemptIndex(0)),
            lease_epoch: LeaseEpoch(1),
            lease_id: Some(ids.1.clone()),
            waitpoint_id: None,
        })
    );

    let (interrupted, _) = stage.interrupted().await;
    holds(vec![
        ("no grant", RefusalCode::InvalidClaimGrant, ungranted),
        ("another worker's grant", RefusalCode::InvalidClaimGrant, strange),
        (
            "taken already",
            RefusalCode::ExecutionNotLeaseable,
            stage.refused(&first_claim(&stage, &execution, &stage.worker, &ids)).await,
        ),
        (
            "an interrupted attempt",
            RefusalCode::UseClaimResumedExecution,
            stage.refused(&first_claim(&stage, &interrupted, &stage.worker, &ids)).await,
        ),
        (
            "no such execution",
            RefusalCode::ExecutionNotFound,
            stage.refused(&first_claim(&stage, &stage.unborn(), &stage.worker, &ids)).await,
        ),
    ]);
}

#[tokio::test(flavor = "current_thread")]
async fn after_every_kind_of_interruption_the_same_attempt_goes_on_under_the_next_epoch() {
    let stage = stage(40_004).await;
    for kind in INTERRUPTIONS {
        let (execution, mut lease) = stage.claimed().await;
        for round in 2..=4 {
            stage.interrupt(kind, &execution, &lease).await;
            let seen = stage.ok(&ReadForScan(&execution.keys)).await.unwrap();
            assert_eq!(seen.attempt_state, AttemptState::AttemptInterrupted, "{kind:?}");
            assert_eq!(seen.eligibility_state, EligibilityState::EligibleNow, "{kind:?}");
            assert_eq!((seen.attempt_index, seen.lane_id), (Some(AttemptIndex(0)), stage.lane.clone()));
            assert_eq!(
                stage.ok(&ReadLaneAndAttempt(&execution.keys)).await,
                Some((stage.lane.clone(), AttemptIndex(0)))
            );
            stage.ok(&stage.grant(&execution)).await;
            let lease_id = LeaseId::new();
            let next = stage.ok(&stage.reclaim(&execution, &stage.worker, &lease_id)).await;
            assert_eq!(next.epoch, LeaseEpoch(round), "{kind:?}");
            assert_eq!((&next.attempt_id, next.attempt_index), (&lease.attempt_id, lease.attempt_index));
            let view = stage.ok(&ReadForAudit(&execution.keys)).await.unwrap();
            assert_eq!(view.lease_id.as_ref(), Some(&lease_id));
            assert_eq!(stage.ok(&ReadGrantExpiry(&execution.keys)).await, None, "{kind:?}: grant left over");
            lease = next;
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_resumed_claim_is_refused_by_name() {
    let stage = stage(40_005).await;
    let (stranger, id) = (worker("stranger"), LeaseId::new());
    let refused =
        async |execution: &Execution, worker| stage.refused(&stage.reclaim(execution, worker, &id)).await;

    let (execution, _) = stage.interrupted().await;
    let ungranted = refused(&execution, &stage.worker).await;
    stage.ok(&stage.grant(&execution)).await;
    let strange = refused(&execution, &stranger).await;
    stage.ok(&stage.reclaim(&execution, &stage.worker, &id)).await;
    let second = refused(&execution, &stage.worker).await;

    let (vanished, _) = stage.interrupted().await;
    stage.ok(&IssueClaimGrant { ttl: Duration::from_millis(1), ..stage.grant(&vanished) }).await;
    while stage.ok(&ReadGrantExpiry(&vanished.keys)).await.is_some() {}
    let late = refused(&vanished, &stage.worker).await;

    // A grant whose key outlives its time exists for a millisecond at most; here its time is moved instead.
    let (expired, _) = stage.interrupted().await;
    stage.ok(&stage.grant(&expired)).await;
    let mut past = redis::cmd("HSET");
    past.arg(expired.keys.exec().claim_grant()).arg("grant_expires_at").arg(1);
    stage.wire.call("hset", &past, &mut WireCost::default()).await.unwrap();
    let too_late = refused(&expired, &stage.worker).await;

    let fresh = stage.created().await;
    stage.ok(&stage.grant(&fresh)).await;
    holds(vec![
        ("no grant", RefusalCode::InvalidClaimGrant, ungranted),
        ("another worker's grant", RefusalCode::InvalidClaimGrant, strange),
        ("a grant that was consumed", RefusalCode::ExecutionNotLeaseable, second),
        ("a grant that is gone", RefusalCode::InvalidClaimGrant, late),
        ("a grant past its time", RefusalCode::ClaimGrantExpired, too_late),
        ("a first attempt", RefusalCode::NotAResumedExecution, refused(&fresh, &stage.worker).await),
        ("no such execution", RefusalCode::ExecutionNotFound, refused(&stage.unborn(), &stage.worker).await),
    ]);
}

#[tokio::test(flavor = "current_thread")]
async fn the_fused_claim_goes_on_with_an_interrupted_attempt_or_starts_one() {
    let stage = stage(40_006).await;
    let (attempt_id, lease_id, elsewhere) = (AttemptId::new(), LeaseId::new(), LaneId::new("another-lane"));
    let fused = |execution| IssueGrantAndClaim {
        keys: execution,
        lane_id: &stage.lane,
        worker: &stage.worker,
        attempt_id: &attempt_id,
        lease_id: &lease_id,
        lease_ttl: LEASE_TTL,
    };
    let (execution, first) = stage.interrupted().await;
    let lease = stage.ok(&fused(&execution.keys)).await;
    assert_eq!((lease.epoch, lease.attempt_index), (LeaseEpoch(2), AttemptIndex(0)));
    let audit = stage.ok(&ReadForAudit(&execution.keys)).await.unwrap();
    assert_eq!(audit.attempt_id, Some(first.attempt_id));
    assert_eq!(stage.ok(&ReadGrantExpiry(&execution.keys)).await, None);

    let fresh = stage.created().await;
    let lost = stage.refused(&IssueGrantAndClaim { lane_id: &elsewhere, ..fused(&fresh.keys) }).await;
    let lease = stage.ok(&fused(&fresh.keys)).await;
    assert_eq!((lease.epoch, lease.attempt_index), (LeaseEpoch(1), AttemptIndex(0)));
    assert_eq!(stage.ok(&ReadForAudit(&fresh.keys)).await.unwrap().attempt_id, Some(attempt_id.clone()));

    let (granted, _) = stage.interrupted().await;
    stage.ok(&stage.grant(&granted)).await;
    holds(vec![
        ("a lane that does not hold it", RefusalCode::ExecutionNotInEligibleSet, lost),
        ("taken already", RefusalCode::ExecutionNotEligible, stage.refused(&fused(&execution.keys)).await),
        ("a grant is out", RefusalCode::GrantAlreadyExists, stage.refused(&fused(&granted.keys)).await),
        (
            "no such execution",
            RefusalCode::ExecutionNotFound,
            stage.refused(&fused(&stage.unborn().keys)).await,
        ),
    ]);
}
