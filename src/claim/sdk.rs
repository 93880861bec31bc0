//! Claims that FlowFabric's own SDK makes, over its own client: what a worker of theirs waits for.
//!
//! The SDK follows redirects and tries again by itself, and nobody outside sees what it sends. So what is
//! taken for sent is what [`reclaim_analysis::scenario::steps`] says of the variant; the servers' own counts
//! of `FCALL`, `HGET` and `HMGET` must agree with it in every window, or the result is invalid. Bytes are not
//! counted.

use std::rc::Rc;
use std::time::Instant;

use ff_backend_valkey::ValkeyBackend;
use ff_core::contracts::{
    ClaimGrant, ReclaimExecutionArgs, ReclaimExecutionOutcome, ReclaimGrant as LeaseReclaimGrant, ResumeGrant,
};
use ff_core::partition::PartitionConfig;
use ff_core::types::{LaneId, Namespace};
use ff_sdk::{ClaimedTask, ContentionKind, EngineError, FlowFabricWorker, StateKind, WorkerConfig};

use super::error::SdkRefusal;
use super::line::Line;
use super::order::{ClaimOrder, ClaimReceipt};
use super::path::{ClaimPath, ClaimSetup};
use super::routes::LocalFuture;
use super::sdk_login::{IDLE_LANE, SdkError, SdkLogin};
use super::sdk_receipt::{Claimed, receipt};
use crate::cluster::NAMESPACE;
use crate::flowfabric::RefusalCode;
use crate::workload::HeldLease;
use reclaim_analysis::scenario::VariantPath;

/// Whether this build has FlowFabric's SDK.
pub const SDK_BUILT: bool = true;

/// More tasks than any run has in flight.
const TASKS: usize = 1 << 20;

/// A worker of FlowFabric's SDK.
pub struct Sdk(FlowFabricWorker);

impl Sdk {
    /// Connects the worker. It is built over its backend (`connect_with`), and so leaves no trace on the
    /// servers: neither the mark that it is alive nor what it can do.
    pub async fn connect(login: &SdkLogin<'_>) -> Result<Self, SdkError> {
        let access = login.access;
        let mut client = ferriskey::ClientBuilder::new()
            .host(&login.addr.host, login.addr.port)
            .request_timeout(access.timeout)
            .client_name(login.client_name);
        if login.cluster {
            client = client.cluster();
        }
        if let Some(user) = &access.user {
            client = client.username(user.as_str());
        }
        if let Some(password) = &access.password {
            client = client.password(password.reveal());
        }
        if let Some(tls) = &access.tls {
            client = if tls.insecure { client.tls_insecure() } else { client.tls() };
        }
        let refused = |error: String| SdkError::Connect { addr: login.addr.clone(), error };
        let client = client.build().await.map_err(|error| refused(error.to_string()))?;
        let partitions =
            PartitionConfig { num_flow_partitions: login.partitions, ..PartitionConfig::default() };
        let config = WorkerConfig {
            backend: None,
            worker_id: login.worker.worker_id.clone(),
            worker_instance_id: login.worker.instance_id.clone(),
            namespace: Namespace::new(NAMESPACE),
            lanes: vec![LaneId::new(IDLE_LANE)],
            capabilities: Vec::new(),
            lease_ttl_ms: u64::try_from(login.lease_ttl.as_millis()).unwrap_or(u64::MAX),
            claim_poll_interval_ms: 1_000,
            max_concurrent_tasks: TASKS,
            partition_config: Some(partitions),
        };
        let backend = ValkeyBackend::from_client_and_partitions(client, partitions);
        let worker = FlowFabricWorker::connect_with(config, backend, None).await;
        Ok(Self(worker.map_err(|error| refused(error.to_string()))?))
    }
}

/// One of the SDK's ways of claiming as a value.
pub fn sdk_path(path: VariantPath, worker: &Rc<Sdk>, setup: ClaimSetup) -> Box<dyn ClaimPath> {
    Box::new(SdkPath { path, worker: Rc::clone(worker), setup })
}

struct SdkPath {
    path: VariantPath,
    worker: Rc<Sdk>,
    setup: ClaimSetup,
}

/// What a claim has brought: a lease, and the task that must be let go after the clock was read.
type Held = (HeldLease, Option<ClaimedTask>);

impl SdkPath {
    async fn run(&self, order: &ClaimOrder<'_>) -> ClaimReceipt {
        let claimed = self.claimed(order).await;
        let ended = Instant::now();
        // The task ends here: its worker would go on with it, and renew its lease from time to time.
        let claimed = Claimed { claimed: claimed.map(|(lease, _task)| lease), path: self.path };
        ClaimReceipt { ended: Some(ended), ..receipt(&self.setup, order, claimed) }
    }

    async fn claimed(&self, order: &ClaimOrder<'_>) -> Result<Held, SdkRefusal> {
        let (worker, grant) = (&self.worker.0, &order.ticket.grant);
        let task = match self.path {
            VariantPath::SdkGrant => {
                let lane = grant.lane_id.clone();
                let (id, key) = (grant.execution_id.clone(), grant.partition_key.clone());
                let grant = ClaimGrant::new(id, key, grant.grant_key.clone(), grant.expires_at_ms);
                worker.claim_from_grant(lane, grant).await
            }
            VariantPath::SdkReclaim => return self.reclaimed(order).await.map(|lease| (lease, None)),
            _ => worker.claim_from_resume_grant(ResumeGrant::from(grant.clone())).await,
        };
        let task = task.map_err(|error| refusal(&error))?;
        let lease = HeldLease {
            lease_id: task.lease_id().clone(),
            epoch: task.lease_epoch(),
            attempt_id: Some(task.attempt_id().clone()),
            attempt_index: task.attempt_index(),
            expires_at: None,
        };
        Ok((lease, Some(task)))
    }

    async fn reclaimed(&self, order: &ClaimOrder<'_>) -> Result<HeldLease, SdkRefusal> {
        let grant = &order.ticket.grant;
        let args = ReclaimExecutionArgs::new(
            grant.execution_id.clone(),
            order.worker.worker_id.clone(),
            order.worker.instance_id.clone(),
            grant.lane_id.clone(),
            None, // capability_hash
            order.lease_id.clone(),
            u64::try_from(order.lease_ttl.as_millis()).unwrap_or(u64::MAX),
            order.attempt_id.clone(),
            String::new(), // attempt_policy_json
            None,          // max_reclaim_count: the SDK's own
            order.worker.instance_id.clone(),
            order.ticket.attempt_index,
        );
        let issued = LeaseReclaimGrant::new(
            grant.execution_id.clone(),
            grant.partition_key.clone(),
            grant.grant_key.clone(),
            grant.expires_at_ms,
            grant.lane_id.clone(),
        );
        let outcome = self.worker.0.claim_from_reclaim_grant(issued, args).await;
        let named = |code: RefusalCode, words: &str| SdkRefusal {
            code: Some(code),
            words: words.into(),
            late: false,
        };
        let handle = match outcome.map_err(|error| refusal(&error))? {
            ReclaimExecutionOutcome::Claimed(handle) => handle,
            ReclaimExecutionOutcome::NotReclaimable { detail, .. } => {
                return Err(named(RefusalCode::ExecutionNotReclaimable, &detail));
            }
            ReclaimExecutionOutcome::ReclaimCapExceeded { .. } => {
                return Err(named(RefusalCode::MaxRetriesExhausted, "reclaimed as often as it may be"));
            }
            ReclaimExecutionOutcome::GrantNotFound { .. } => {
                return Err(named(RefusalCode::InvalidClaimGrant, "grant not found"));
            }
            other => return Err(SdkRefusal { code: None, words: format!("{other:?}"), late: false }),
        };
        let held = ff_core::handle_codec::decode(&handle.opaque)
            .map_err(|error| SdkRefusal { code: None, words: error.to_string(), late: false })?
            .payload;
        Ok(HeldLease {
            lease_id: held.lease_id,
            epoch: held.lease_epoch,
            attempt_id: Some(held.attempt_id),
            attempt_index: held.attempt_index,
            expires_at: None,
        })
    }
}

impl ClaimPath for SdkPath {
    fn path(&self) -> VariantPath {
        self.path
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(self.run(order))
    }

    /// The SDK follows redirects itself, so nobody asks for this.
    fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.claim(order)
    }
}

/// What the SDK says as what it means here.
fn refusal(error: &ff_sdk::SdkError) -> SdkRefusal {
    let words = error.to_string();
    let (code, late) = match error {
        ff_sdk::SdkError::Engine(engine) => engine_refusal(engine),
        // A grant past its time by this machine's clock is not sent.
        ff_sdk::SdkError::Config { field: Some(field), .. } if field.contains("expires_at") => {
            (Some(RefusalCode::ClaimGrantExpired), false)
        }
        _ => (None, false),
    };
    SdkRefusal { code, words, late }
}

fn engine_refusal(error: &EngineError) -> (Option<RefusalCode>, bool) {
    use ContentionKind as Kind;
    let code = match error {
        EngineError::Contextual { source, .. } => return engine_refusal(source),
        EngineError::Timeout { .. } => return (None, true),
        EngineError::NotFound { .. } => RefusalCode::ExecutionNotFound,
        EngineError::State(StateKind::MaxRetriesExhausted) => RefusalCode::MaxRetriesExhausted,
        EngineError::Contention(kind) => match kind {
            Kind::UseClaimResumedExecution => RefusalCode::UseClaimResumedExecution,
            Kind::NotAResumedExecution => RefusalCode::NotAResumedExecution,
            Kind::ExecutionNotLeaseable => RefusalCode::ExecutionNotLeaseable,
            Kind::LeaseConflict => RefusalCode::LeaseConflict,
            Kind::InvalidClaimGrant => RefusalCode::InvalidClaimGrant,
            Kind::ClaimGrantExpired => RefusalCode::ClaimGrantExpired,
            Kind::ExecutionNotEligible => RefusalCode::ExecutionNotEligible,
            Kind::ExecutionNotReclaimable => RefusalCode::ExecutionNotReclaimable,
            _ => return (None, false),
        },
        EngineError::Transport { .. } => {
            let kind = ff_sdk::engine_error::valkey_kind(error);
            return (None, kind.is_some_and(|kind| format!("{kind:?}").contains("Timeout")));
        }
        _ => return (None, false),
    };
    (Some(code), false)
}
