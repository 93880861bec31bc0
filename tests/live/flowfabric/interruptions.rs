//! The functions that interrupt an execution, and those that make it runnable again.

use ff_core::keys::IndexKeys;
use ff_core::state::{LifecyclePhase, PublicState};
use ff_core::types::{AttemptIndex, LeaseId, SignalId, SuspensionId, TimestampMs, WaitpointId};
use reclaim_analysis::record::WireCost;
use reclaim_bench::flowfabric::*;

use super::{holds, stage};
use crate::common::staged::{Execution, SIGNAL, fence};

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
