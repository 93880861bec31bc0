//! A claim as a recipe: what is read before it, and which function takes the lease. Everything else is the
//! same for all variants: routing, the optional task context, the receipt.

use std::borrow::Cow;

use ff_core::types::{AttemptIndex, LaneId};

use super::error::ClaimError;
use super::line::Line;
use super::order::{ClaimOrder, ClaimReceipt};
use super::path::{ClaimPath, ClaimSetup};
use super::routes::LocalFuture;
use super::spent::Spent;
use super::wait::WaitForReplicas;
use crate::flowfabric::{
    CallError, ClaimExecution, ClaimResumedExecution, ExecutionKeys, IssueGrantAndClaim, ReadAttemptCount,
    ReadAttemptIndex, ReadCore, ReadLane, ReadLaneAndAttempt, ReadPayload, ReadTags, ReclaimExecution,
    RefusalCode, Request as _,
};
use crate::workload::HeldLease;
use reclaim_analysis::record::Outcome;
use reclaim_analysis::scenario::VariantPath;

/// Where a claim has lane and attempt index from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    /// Both from the ticket.
    Nothing,
    /// The lane from the grant; the attempt index by HGET.
    AttemptIndex,
    /// Both by HGET, one after the other.
    LaneThenAttempt,
    /// Both by one HMGET.
    Both,
    /// Both by HGET, in one pipeline.
    Pipelined,
    /// The lane from the grant; how many attempts there were, by HGET.
    AttemptCount,
}

/// The function that takes the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    /// `ff_claim_resumed_execution`: consumes a grant, goes on with the attempt.
    Resume,
    /// `ff_issue_grant_and_claim`: grants and claims at once.
    GrantAndClaim,
    /// `ff_claim_execution`: consumes a grant, starts a new attempt.
    FirstClaim,
    /// `ff_reclaim_execution`: consumes a grant for a lost lease, starts a new attempt.
    Reclaim,
}

impl Function {
    /// The code with which it says that somebody holds the execution.
    fn taken(self) -> RefusalCode {
        match self {
            Self::Resume | Self::FirstClaim => RefusalCode::ExecutionNotLeaseable,
            Self::GrantAndClaim => RefusalCode::ExecutionNotEligible,
            Self::Reclaim => RefusalCode::ExecutionNotReclaimable,
        }
    }
}

/// What each variant reads and calls; [`reclaim_analysis::scenario::steps`] has the same as commands.
const fn ingredients(path: VariantPath) -> (Reads, Function) {
    match path {
        VariantPath::GrantLane => (Reads::AttemptIndex, Function::Resume),
        VariantPath::HgetLane => (Reads::LaneThenAttempt, Function::Resume),
        VariantPath::HmgetLane => (Reads::Both, Function::Resume),
        VariantPath::PipelinedLane => (Reads::Pipelined, Function::Resume),
        VariantPath::FullGrant => (Reads::Nothing, Function::Resume),
        VariantPath::Fused => (Reads::Nothing, Function::GrantAndClaim),
        VariantPath::FirstClaim => (Reads::AttemptCount, Function::FirstClaim),
        VariantPath::BareFirstClaim => (Reads::Nothing, Function::FirstClaim),
        // The SDK's own claims are no recipes: `sdk_path`.
        VariantPath::LeaseReclaim
        | VariantPath::SdkResume
        | VariantPath::SdkGrant
        | VariantPath::SdkReclaim => (Reads::Nothing, Function::Reclaim),
    }
}

/// The variant as a value.
pub fn claim_path(path: VariantPath, setup: ClaimSetup) -> Box<dyn ClaimPath> {
    let (reads, function) = ingredients(path);
    Box::new(Recipe { path, reads, function, setup })
}

struct Recipe {
    path: VariantPath,
    reads: Reads,
    function: Function,
    setup: ClaimSetup,
}

impl Recipe {
    async fn run(&self, line: Option<Line>, order: &ClaimOrder<'_>) -> ClaimReceipt {
        let mut spent = Spent::default();
        let (mut lease, mut unreplicated) = (None, false);
        let done = async {
            let grant = &order.ticket.grant;
            let partition = grant.partition().map_err(ClaimError::PartitionKey)?;
            let line = line.unwrap_or_else(|| Line::owner(self.setup.routes.wire_for(partition)));
            let line = line.calling(self.setup.library);
            let line = if self.setup.wait.is_some() { line.pinned() } else { line };
            let keys = ExecutionKeys::new(partition, &grant.execution_id);
            let (lane_id, attempt_index) =
                self.reads.lane_and_attempt(&line, &keys, order, &mut spent).await?;
            let call = Call { line: &line, keys: &keys, order, lane_id: &lane_id, attempt_index };
            lease = Some(call.take_lease(self.function, &mut spent).await?);
            if let Some(wait) = self.setup.wait {
                let replicas = line.call(&WaitForReplicas(wait), &mut spent).await?;
                unreplicated = replicas < u64::from(wait.replicas);
            }
            if self.setup.task_context {
                read_task_context(&line, &keys, &mut spent).await?;
            }
            Ok(())
        };
        let error = done.await.err();
        let outcome = error.as_ref().map_or(Outcome::Claimed, |error: &ClaimError| {
            error.outcome(&self.function.taken(), self.setup.contended, || {
                let grant = &order.ticket.grant;
                // Without a partition nothing was asked of a server.
                grant.partition().is_ok_and(|partition| {
                    let holder = self.setup.routes.wire_for(partition);
                    self.setup.clocks.now_ms(holder.addr()) >= grant.expires_at_ms
                })
            })
        });
        ClaimReceipt {
            outcome,
            lease,
            error,
            cost: spent.cost,
            steps: spent.steps,
            unreplicated,
            begun: None,
            ended: None,
        }
    }
}

impl ClaimPath for Recipe {
    fn path(&self) -> VariantPath {
        self.path
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(self.run(None, order))
    }

    fn claim_over<'a>(&'a self, line: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(self.run(Some(line), order))
    }
}

impl Reads {
    /// Lane and attempt index, read as this says.
    async fn lane_and_attempt<'a>(
        self,
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'a>,
        spent: &mut Spent,
    ) -> Result<(Cow<'a, LaneId>, AttemptIndex), ClaimError> {
        let ticket = order.ticket;
        let carried = Cow::Borrowed(&ticket.grant.lane_id);
        let read = match self {
            Self::Nothing => return Ok((carried, ticket.attempt_index)),
            Self::AttemptIndex => {
                let index = line.call(&ReadAttemptIndex(keys), spent).await?;
                return Ok((carried, index.ok_or(ClaimError::NoAttempt)?));
            }
            Self::LaneThenAttempt => {
                let lane_id = line.call(&ReadLane(keys), spent).await?.ok_or(ClaimError::NoAttempt)?;
                Some(lane_id).zip(line.call(&ReadAttemptIndex(keys), spent).await?)
            }
            Self::Both => line.call(&ReadLaneAndAttempt(keys), spent).await?,
            Self::Pipelined => {
                let both = [line.part(&ReadLane(keys)), line.part(&ReadAttemptIndex(keys))];
                let [lane_id, index] = line.pipeline(ReadLane::WHAT, both, spent).await?;
                let lane_id = ReadLane::parse(&lane_id).map_err(CallError::from)?;
                lane_id.zip(ReadAttemptIndex::parse(&index).map_err(CallError::from)?)
            }
            Self::AttemptCount => {
                // The new attempt's index is the number of attempts so far.
                let count = line.call(&ReadAttemptCount(keys), spent).await?;
                return Ok((carried, AttemptIndex::new(count.unwrap_or(0))));
            }
        };
        let (lane_id, index) = read.ok_or(ClaimError::NoAttempt)?;
        Ok((Cow::Owned(lane_id), index))
    }
}

/// The claiming call: all that the functions are told.
struct Call<'a> {
    line: &'a Line,
    keys: &'a ExecutionKeys,
    order: &'a ClaimOrder<'a>,
    lane_id: &'a LaneId,
    attempt_index: AttemptIndex,
}

impl Call<'_> {
    async fn take_lease(self, function: Function, spent: &mut Spent) -> Result<HeldLease, ClaimError> {
        let Self { line, keys, order, lane_id, attempt_index } = self;
        let ClaimOrder { worker, lease_id, attempt_id, lease_ttl, .. } = order;
        let (worker, lease_ttl) = (*worker, *lease_ttl);
        match function {
            Function::Resume => {
                let claim =
                    ClaimResumedExecution { keys, lane_id, worker, attempt_index, lease_id, lease_ttl };
                Ok(line.call(&claim, spent).await?.into())
            }
            Function::GrantAndClaim => {
                let claim = IssueGrantAndClaim { keys, lane_id, worker, attempt_id, lease_id, lease_ttl };
                Ok(line.call(&claim, spent).await?.into())
            }
            Function::Reclaim => {
                let claim = ReclaimExecution {
                    keys,
                    lane_id,
                    worker,
                    attempt_index,
                    attempt_id,
                    lease_id,
                    lease_ttl,
                };
                Ok(line.call(&claim, spent).await?.into())
            }
            Function::FirstClaim => {
                let claim =
                    ClaimExecution { keys, lane_id, worker, attempt_id, attempt_index, lease_id, lease_ttl };
                Ok(line.call(&claim, spent).await?.into())
            }
        }
    }
}

/// What a worker reads to begin its task, in one pipeline as FlowFabric's SDK sends it
/// ([`reclaim_analysis::scenario::TASK_CONTEXT`]).
async fn read_task_context(line: &Line, keys: &ExecutionKeys, spent: &mut Spent) -> Result<(), ClaimError> {
    let reads = [line.part(&ReadPayload(keys)), line.part(&ReadCore(keys)), line.part(&ReadTags(keys))];
    let [payload, core, tags] = line.pipeline("task context", reads, spent).await?;
    ReadPayload::parse(&payload).map_err(CallError::from)?;
    ReadCore::parse(&core).map_err(CallError::from)?;
    ReadTags::parse(&tags).map_err(CallError::from)?;
    Ok(())
}
