//! The functions as this tool calls them, against a real server: good cases, and the refusals that are relied
//! on.

use std::time::Duration;

use ff_core::keys::IndexKeys;
use ff_core::state::{AttemptState, EligibilityState, LifecyclePhase, OwnershipState, PublicState};
use ff_core::types::{
    AttemptId, AttemptIndex, LaneId, LeaseEpoch, LeaseId, SignalId, SuspensionId, TimestampMs, WaitpointId,
};
use reclaim_analysis::record::WireCost;
use reclaim_bench::flowfabric::*;

use crate::common::staged::{Execution, GRANT_TTL, INTERRUPTIONS, LEASE_TTL, SIGNAL, Stage, fence, worker};
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

#[tokio::test(flavor = "current_thread")]
async fn suspending_takes_the_current_lease_and_a_secret() {
    let stage = stage(40_007).await;
    let (execution, lease) = stage.claimed().await;
    let (suspension_id, waitpoint_id) = (SuspensionId::new(), WaitpointId::new());
    let (good, mut outdated) = (fence(&lease), fence(&lease));
    outdated.lease_epoch = lease.epoch.next();
    let suspend = SuspendExecution {
        keys: &execution.keys,
        lane_id: &stage.lane,
        instance_id: &stage.worker.instance_id,
        attempt_index: lease.attempt_index,
        fence: &good,
        suspension_id: &suspension_id,
        waitpoint_id: &waitpoint_id,
        waitpoint_key: "wp",
        condition: &stage.wakes_on_signal,
        timeout_at: None,
    };
    let wrong_lease = stage.refused(&SuspendExecution { fence: &outdated, ..suspend }).await;
    let wrong_attempt = stage.refused(&SuspendExecution { attempt_index: AttemptIndex(7), ..suspend }).await;
    let secret = redis::Cmd::del(IndexKeys::new(&stage.partition).waitpoint_hmac_secrets());
    stage.wire.call("del", &secret, &mut WireCost::default()).await.unwrap();
    assert_eq!(stage.ok(&ReadCurrentKid(stage.partition)).await, None);
    let no_secret = stage.refused(&suspend).await;
    stage.ok(&WriteSecret { partition: stage.partition, kid: "k2", secret_hex: "aabb" }).await;
    assert_eq!(stage.ok(&ReadCurrentKid(stage.partition)).await.as_deref(), Some("k2"));

    let SuspendOutcome::Suspended(suspension) = stage.ok(&suspend).await else { panic!("not suspended") };
    assert_eq!((&suspension.suspension_id, &suspension.waitpoint_id), (&suspension_id, &waitpoint_id));
    assert!(suspension.token.as_str().starts_with("k2:"));
    let seen = stage.ok(&ReadForAudit(&execution.keys)).await.unwrap();
    assert_eq!((seen.lifecycle_phase, seen.lease_id), (LifecyclePhase::Suspended, None));
    assert_eq!(seen.waitpoint_id, Some(waitpoint_id.clone()));
    holds(vec![
        ("another epoch", RefusalCode::StaleLease, wrong_lease),
        ("another attempt", RefusalCode::InvalidLeaseForSuspend, wrong_attempt),
        ("no secret", RefusalCode::HmacSecretNotInitialized, no_secret),
        ("suspended already", RefusalCode::ExecutionNotActive, stage.refused(&suspend).await),
        (
            "no such execution",
            RefusalCode::ExecutionNotFound,
            stage.refused(&SuspendExecution { keys: &stage.unborn().keys, ..suspend }).await,
        ),
    ]);
}

#[tokio::test(flavor = "current_thread")]
async fn only_the_signal_that_is_waited_for_resumes() {
    let stage = stage(40_008).await;
    let (execution, lease) = stage.claimed().await;
    let suspended = stage.suspended(&execution, &lease).await;
    let ids = [SignalId::new(), SignalId::new(), SignalId::new()];
    let signal = |id| stage.signal(&execution, &suspended, id);

    let other = DeliverSignal { name: "stop", idempotency_key: Some("once"), ..signal(&ids[0]) };
    assert_eq!(stage.ok(&other).await, SignalOutcome::NoMatch);
    let again = DeliverSignal { idempotency_key: Some("once"), ..signal(&ids[1]) };
    assert_eq!(stage.ok(&again).await, SignalOutcome::Duplicate(ids[0].clone()));
    let (forged, none) = ("k1:0000000000000000000000000000000000000000".into(), "".into());
    let wrong_token = stage.refused(&DeliverSignal { token: &forged, ..signal(&ids[1]) }).await;
    let no_token = stage.refused(&DeliverSignal { token: &none, ..signal(&ids[1]) }).await;

    let mut many = redis::cmd("ZADD");
    many.arg(execution.keys.exec().exec_signals());
    for past in 1..MAX_SIGNALS_PER_EXECUTION {
        many.arg(past).arg(past);
    }
    stage.wire.call("zadd", &many, &mut WireCost::default()).await.unwrap();
    let limit = stage.refused(&signal(&ids[1])).await;
    let mut fewer = redis::cmd("ZREM");
    fewer.arg(execution.keys.exec().exec_signals()).arg(1);
    stage.wire.call("zrem", &fewer, &mut WireCost::default()).await.unwrap();

    assert_eq!(stage.ok(&signal(&ids[1])).await, SignalOutcome::Resumed);
    holds(vec![
        ("a forged token", RefusalCode::InvalidToken, wrong_token),
        ("no token", RefusalCode::MissingToken, no_token),
        ("one signal too many in a life", RefusalCode::SignalLimitExceeded, limit),
        ("resumed already", RefusalCode::TargetNotSignalable, stage.refused(&signal(&ids[2])).await),
        (
            "no such execution",
            RefusalCode::ExecutionNotFound,
            stage.refused(&DeliverSignal { keys: &stage.unborn().keys, ..signal(&ids[2]) }).await,
        ),
    ]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_suspension_ends_by_its_timeout_or_by_an_operator_and_once() {
    let stage = stage(40_009).await;
    let (execution, lease) = stage.claimed().await;
    let suspend = async |execution: &Execution, lease: &ClaimedLease, on_timeout, timeout_at| {
        let (suspension_id, waitpoint_id) = (SuspensionId::new(), WaitpointId::new());
        stage
            .ok(&SuspendExecution {
                keys: &execution.keys,
                lane_id: &stage.lane,
                instance_id: &stage.worker.instance_id,
                attempt_index: lease.attempt_index,
                fence: &fence(lease),
                suspension_id: &suspension_id,
                waitpoint_id: &waitpoint_id,
                waitpoint_key: "wp",
                condition: &ResumeCondition::on_signal(SIGNAL, on_timeout),
                timeout_at: Some(timeout_at),
            })
            .await;
        waitpoint_id
    };
    let far = TimestampMs(stage.now().await.0 + 3_600_000);
    let waitpoint_id = suspend(&execution, &lease, OnTimeout::AutoResume, far).await;
    let expire = ExpireSuspension {
        keys: &execution.keys,
        lane_id: &stage.lane,
        waitpoint_id: &waitpoint_id,
        attempt_index: lease.attempt_index,
    };
    let resume = ResumeExecution {
        keys: &execution.keys,
        lane_id: &stage.lane,
        waitpoint_id: &waitpoint_id,
        trigger: ResumeTrigger::Operator,
    };
    assert_eq!(stage.ok(&expire).await, ExpireOutcome::NotYetDue);
    assert_eq!(stage.ok(&resume).await, ResumeOutcome::Resumed(PublicState::Waiting));
    assert_eq!(stage.ok(&expire).await, ExpireOutcome::NotSuspended);

    let (failing, lease) = stage.claimed().await;
    let waitpoint_id = suspend(&failing, &lease, OnTimeout::Fail, stage.now().await).await;
    let fail = ExpireSuspension { keys: &failing.keys, waitpoint_id: &waitpoint_id, ..expire };
    assert_eq!(stage.ok(&fail).await, ExpireOutcome::NotResumed);
    holds(vec![
        ("resumed already", RefusalCode::ExecutionNotSuspended, stage.refused(&resume).await),
        (
            "no such execution",
            RefusalCode::ExecutionNotFound,
            stage.refused(&ResumeExecution { keys: &stage.unborn().keys, ..resume }).await,
        ),
    ]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_delay_ends_when_it_is_due_and_once() {
    let stage = stage(40_010).await;
    let (execution, lease) = stage.claimed().await;
    let (good, mut outdated) = (fence(&lease), fence(&lease));
    outdated.lease_id = LeaseId::new();
    let due = TimestampMs(stage.now().await.0 + 3_600_000);
    let wrong_lease = stage.refused(&stage.delay(&execution, &lease, &outdated, due)).await;
    stage.ok(&stage.delay(&execution, &lease, &good, due)).await;
    let early = TimestampMs(due.0 - 1);
    assert_eq!(stage.ok(&stage.promote(&execution, early)).await, PromoteOutcome::NotYetDue);
    assert_eq!(stage.ok(&stage.promote(&execution, due)).await, PromoteOutcome::Promoted);
    assert_eq!(stage.ok(&stage.promote(&execution, due)).await, PromoteOutcome::NotDelayed);
    holds(vec![
        ("another lease", RefusalCode::StaleLease, wrong_lease),
        (
            "delayed already",
            RefusalCode::ExecutionNotActive,
            stage.refused(&stage.delay(&execution, &lease, &good, due)).await,
        ),
        (
            "no such execution",
            RefusalCode::ExecutionNotFound,
            stage.refused(&stage.delay(&stage.unborn(), &lease, &good, due)).await,
        ),
    ]);
}
