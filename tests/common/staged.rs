//! Executions brought to a state step by step, for tests of functions and claims.
//!
//! Each test takes a partition number far above those that a run uses, and a lane of its own.

use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseFence, LeaseId, SignalId, SuspensionId, TimestampMs,
    WaitpointId,
};
use reclaim_analysis::record::WireCost;
use reclaim_bench::claim::{ClaimTicket, Routes};
use reclaim_bench::flowfabric::*;
use reclaim_bench::valkey::Wire;

pub const SIGNAL: &str = "go";
pub const GRANT_TTL: Duration = Duration::from_mins(10);
pub const LEASE_TTL: Duration = Duration::from_mins(5);

/// The four ways of leaving an execution interrupted and runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    Signal,
    Timeout,
    Operator,
    Delay,
}

pub const INTERRUPTIONS: [Interruption; 4] =
    [Interruption::Signal, Interruption::Timeout, Interruption::Operator, Interruption::Delay];

/// One partition, one lane, one worker.
pub struct Stage {
    pub wire: Wire,
    pub partition: Partition,
    pub lane: LaneId,
    pub worker: WorkerIdentity,
    pub wakes_on_signal: ResumeCondition,
}

/// An execution of the test's own.
pub struct Execution {
    pub id: ExecutionId,
    pub keys: ExecutionKeys,
}

/// A suspension that is open.
pub struct Suspended {
    pub suspension: Suspension,
    pub attempt_index: AttemptIndex,
}

impl Stage {
    pub async fn set(routes: &dyn Routes, partition: u16) -> Self {
        let partition = Partition { family: PartitionFamily::Flow, index: partition };
        let stage = Self {
            wire: routes.wire_for(partition),
            partition,
            lane: LaneId::new(format!("lane-{}", partition.index)),
            worker: worker("worker"),
            wakes_on_signal: ResumeCondition::on_signal(SIGNAL, OnTimeout::AutoResume),
        };
        stage.ok(&WriteSecret { partition, kid: "k1", secret_hex: "00112233445566778899aabbccddeeff" }).await;
        stage
    }

    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Reply, CallError> {
        call(&self.wire, request, &mut WireCost::default()).await
    }

    pub async fn ok<R: Request>(&self, request: &R) -> R::Reply {
        self.call(request).await.unwrap_or_else(|error| panic!("{}: {error}", R::WHAT))
    }

    /// The code with which a request is refused.
    pub async fn refused<R: Request>(&self, request: &R) -> RefusalCode {
        match self.call(request).await {
            Err(CallError::Reply(ReplyError::Refused { what, code, .. })) if what == R::WHAT => code,
            Err(error) => panic!("{}: {error}", R::WHAT),
            Ok(_) => panic!("{} was not refused", R::WHAT),
        }
    }

    pub async fn now(&self) -> TimestampMs {
        TimestampMs(self.ok(&ReadServerTime).await / 1_000)
    }

    /// An execution that does not exist yet.
    pub fn unborn(&self) -> Execution {
        let id = ExecutionId::parse(&format!("{}:{}", self.partition.hash_tag(), LeaseId::new())).unwrap();
        Execution { keys: ExecutionKeys::from_id(&id), id }
    }

    pub fn create<'a>(&'a self, execution: &'a Execution) -> CreateExecution<'a> {
        CreateExecution {
            keys: &execution.keys,
            namespace: "reclaim-bench",
            lane_id: &self.lane,
            execution_kind: "test",
            priority: 0,
            creator_identity: "tests",
            payload: b"\x00payload\xff",
            tags_json: r#"{"colour":"red"}"#,
        }
    }

    pub async fn created(&self) -> Execution {
        let execution = self.unborn();
        self.ok(&self.create(&execution)).await;
        execution
    }

    pub fn grant<'a>(&'a self, execution: &'a Execution) -> IssueClaimGrant<'a> {
        IssueClaimGrant { keys: &execution.keys, lane_id: &self.lane, worker: &self.worker, ttl: GRANT_TTL }
    }

    /// Created, granted and claimed for the first time.
    pub async fn claimed(&self) -> (Execution, ClaimedLease) {
        let execution = self.created().await;
        self.ok(&self.grant(&execution)).await;
        let lease = self
            .ok(&ClaimExecution {
                keys: &execution.keys,
                lane_id: &self.lane,
                worker: &self.worker,
                attempt_id: &AttemptId::new(),
                attempt_index: AttemptIndex::new(0),
                lease_id: &LeaseId::new(),
                lease_ttl: LEASE_TTL,
            })
            .await;
        (execution, lease)
    }

    pub async fn suspended(&self, execution: &Execution, lease: &ClaimedLease) -> Suspended {
        let timeout_at = Some(self.now().await);
        let outcome = self
            .ok(&SuspendExecution {
                keys: &execution.keys,
                lane_id: &self.lane,
                instance_id: &self.worker.instance_id,
                attempt_index: lease.attempt_index,
                fence: &fence(lease),
                suspension_id: &SuspensionId::new(),
                waitpoint_id: &WaitpointId::new(),
                waitpoint_key: "wp",
                condition: &self.wakes_on_signal,
                timeout_at,
            })
            .await;
        match outcome {
            SuspendOutcome::Suspended(suspension) => {
                Suspended { suspension, attempt_index: lease.attempt_index }
            }
            SuspendOutcome::AlreadySatisfied(_) => panic!("no signal came early"),
        }
    }

    pub fn signal<'a>(
        &'a self,
        execution: &'a Execution,
        suspended: &'a Suspended,
        signal_id: &'a SignalId,
    ) -> DeliverSignal<'a> {
        DeliverSignal {
            keys: &execution.keys,
            lane_id: &self.lane,
            waitpoint_id: &suspended.suspension.waitpoint_id,
            token: &suspended.suspension.token,
            signal_id,
            name: SIGNAL,
            idempotency_key: None,
        }
    }

    pub fn expire<'a>(&'a self, execution: &'a Execution, suspended: &'a Suspended) -> ExpireSuspension<'a> {
        ExpireSuspension {
            keys: &execution.keys,
            lane_id: &self.lane,
            waitpoint_id: &suspended.suspension.waitpoint_id,
            attempt_index: suspended.attempt_index,
        }
    }

    pub fn resume<'a>(&'a self, execution: &'a Execution, suspended: &'a Suspended) -> ResumeExecution<'a> {
        ResumeExecution {
            keys: &execution.keys,
            lane_id: &self.lane,
            waitpoint_id: &suspended.suspension.waitpoint_id,
            trigger: ResumeTrigger::Operator,
        }
    }

    pub fn delay<'a>(
        &'a self,
        execution: &'a Execution,
        lease: &'a ClaimedLease,
        fence: &'a LeaseFence,
        until: TimestampMs,
    ) -> DelayExecution<'a> {
        DelayExecution {
            keys: &execution.keys,
            lane_id: &self.lane,
            instance_id: &self.worker.instance_id,
            attempt_index: lease.attempt_index,
            fence,
            until,
        }
    }

    pub fn promote<'a>(&'a self, execution: &'a Execution, now: TimestampMs) -> PromoteDelayed<'a> {
        PromoteDelayed { keys: &execution.keys, lane_id: &self.lane, now }
    }

    /// From a held lease to runnable with the attempt interrupted.
    pub async fn interrupt(&self, kind: Interruption, execution: &Execution, lease: &ClaimedLease) {
        if kind == Interruption::Delay {
            let due = self.now().await;
            self.ok(&self.delay(execution, lease, &fence(lease), due)).await;
            let outcome = self.ok(&self.promote(execution, due)).await;
            assert_eq!(outcome, PromoteOutcome::Promoted);
            return;
        }
        let suspended = self.suspended(execution, lease).await;
        match kind {
            Interruption::Signal => {
                let outcome = self.ok(&self.signal(execution, &suspended, &SignalId::new())).await;
                assert_eq!(outcome, SignalOutcome::Resumed);
            }
            Interruption::Timeout => {
                assert_eq!(self.ok(&self.expire(execution, &suspended)).await, ExpireOutcome::Resumed);
            }
            _ => {
                self.ok(&self.resume(execution, &suspended)).await;
            }
        }
    }

    /// An interrupted execution without a grant, and the lease of its first claim.
    pub async fn interrupted(&self) -> (Execution, ClaimedLease) {
        let (execution, lease) = self.claimed().await;
        self.interrupt(Interruption::Operator, &execution, &lease).await;
        (execution, lease)
    }

    /// An execution whose lease was revoked, and that lease.
    pub async fn lapsed(&self) -> (Execution, ClaimedLease) {
        let (execution, lease) = self.claimed().await;
        let (keys, instance_id) = (&execution.keys, &self.worker.instance_id);
        self.ok(&RevokeLease { keys, lease_id: &lease.lease_id, instance_id }).await;
        (execution, lease)
    }

    pub fn reclaim_grant<'a>(&'a self, execution: &'a Execution) -> IssueReclaimGrant<'a> {
        IssueReclaimGrant { keys: &execution.keys, lane_id: &self.lane, worker: &self.worker, ttl: GRANT_TTL }
    }

    pub fn reclaim<'a>(
        &'a self,
        execution: &'a Execution,
        worker: &'a WorkerIdentity,
        lease_id: &'a LeaseId,
    ) -> ClaimResumedExecution<'a> {
        ClaimResumedExecution {
            keys: &execution.keys,
            lane_id: &self.lane,
            worker,
            attempt_index: AttemptIndex::new(0),
            lease_id,
            lease_ttl: LEASE_TTL,
        }
    }

    /// What a worker would be handed for this execution; `granted` says whether a grant is issued for it.
    pub async fn ticket(&self, execution: &Execution, granted: bool) -> ClaimTicket {
        if granted {
            self.ok(&self.grant(execution)).await;
        }
        self.ticket_of(execution, granted).await
    }

    /// What a worker would be handed once a grant is there, or without one.
    pub async fn ticket_of(&self, execution: &Execution, granted: bool) -> ClaimTicket {
        let expires_at = if granted {
            self.ok(&ReadGrantExpiry(&execution.keys)).await.expect("a grant was issued").0
        } else {
            i64::MAX
        };
        ClaimTicket {
            grant: ReclaimGrant {
                execution_id: execution.id.clone(),
                partition_key: self.partition.into(),
                grant_key: execution.keys.exec().claim_grant(),
                expires_at_ms: u64::try_from(expires_at).unwrap(),
                lane_id: self.lane.clone(),
            },
            attempt_index: AttemptIndex::new(0),
        }
    }
}

pub fn worker(name: &str) -> WorkerIdentity {
    WorkerIdentity { worker_id: name.into(), instance_id: format!("{name}-1").into() }
}

pub fn fence(lease: &ClaimedLease) -> LeaseFence {
    LeaseFence {
        lease_id: lease.lease_id.clone(),
        lease_epoch: lease.epoch,
        attempt_id: lease.attempt_id.clone(),
    }
}
