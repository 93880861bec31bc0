//! The variants that consume a reclaim grant by `ff_claim_resumed_execution`. They differ only in where lane and
//! attempt index come from.

use ff_core::types::{AttemptIndex, LaneId};

use crate::flowfabric::{
    ClaimResumedExecution, ClaimedLease, ExecutionKeys, ReadAttemptIndex, ReadLane, ReadLaneAndAttempt,
    RefusalCode,
};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::VariantPath;

use super::variant::Acquire;
use super::{ClaimError, ClaimOrder, HeldLease, Line};

/// The family's function says so of an execution that is not runnable.
const TAKEN: RefusalCode = RefusalCode::ExecutionNotLeaseable;

/// Lane from the grant; the attempt index is read.
pub(super) struct GrantLane;
/// Lane and attempt index read one after the other.
pub(super) struct HgetLane;
/// Lane and attempt index read by one command.
pub(super) struct HmgetLane;
/// Lane and attempt index read in one pipeline.
pub(super) struct PipelinedLane;
/// Lane and attempt index both from the producer; nothing is read.
pub(super) struct FullGrant;

impl Acquire for GrantLane {
    const PATH: VariantPath = VariantPath::GrantLane;
    const TAKEN: RefusalCode = TAKEN;

    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError> {
        let attempt_index = line.call(&ReadAttemptIndex(keys), cost).await?.ok_or(ClaimError::NoAttempt)?;
        resume(line, keys, order, &order.ticket.grant.lane_id, attempt_index, cost).await
    }
}

impl Acquire for HgetLane {
    const PATH: VariantPath = VariantPath::HgetLane;
    const TAKEN: RefusalCode = TAKEN;

    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError> {
        let lane_id = line.call(&ReadLane(keys), cost).await?.ok_or(ClaimError::NoAttempt)?;
        let attempt_index = line.call(&ReadAttemptIndex(keys), cost).await?.ok_or(ClaimError::NoAttempt)?;
        resume(line, keys, order, &lane_id, attempt_index, cost).await
    }
}

impl Acquire for HmgetLane {
    const PATH: VariantPath = VariantPath::HmgetLane;
    const TAKEN: RefusalCode = TAKEN;

    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError> {
        let (lane_id, attempt_index) =
            line.call(&ReadLaneAndAttempt(keys), cost).await?.ok_or(ClaimError::NoAttempt)?;
        resume(line, keys, order, &lane_id, attempt_index, cost).await
    }
}

impl Acquire for PipelinedLane {
    const PATH: VariantPath = VariantPath::PipelinedLane;
    const TAKEN: RefusalCode = TAKEN;

    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError> {
        let (lane_id, attempt_index) = line.call_both(&ReadLane(keys), &ReadAttemptIndex(keys), cost).await?;
        let (lane_id, attempt_index) = lane_id.zip(attempt_index).ok_or(ClaimError::NoAttempt)?;
        resume(line, keys, order, &lane_id, attempt_index, cost).await
    }
}

impl Acquire for FullGrant {
    const PATH: VariantPath = VariantPath::FullGrant;
    const TAKEN: RefusalCode = TAKEN;

    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError> {
        let ticket = order.ticket;
        resume(line, keys, order, &ticket.grant.lane_id, ticket.attempt_index, cost).await
    }
}

async fn resume(
    line: &Line,
    keys: &ExecutionKeys,
    order: &ClaimOrder<'_>,
    lane_id: &LaneId,
    attempt_index: AttemptIndex,
    cost: &mut WireCost,
) -> Result<HeldLease, ClaimError> {
    let claim = ClaimResumedExecution {
        keys,
        lane_id,
        worker: order.worker,
        attempt_index,
        lease_id: &order.lease_id,
        lease_ttl: order.lease_ttl,
    };
    Ok(line.call(&claim, cost).await?.into())
}

impl From<ClaimedLease> for HeldLease {
    fn from(lease: ClaimedLease) -> Self {
        Self {
            lease_id: lease.lease_id,
            epoch: lease.epoch,
            attempt_id: Some(lease.attempt_id),
            attempt_index: lease.attempt_index,
            expires_at: Some(lease.expires_at),
        }
    }
}
