//! The first claim, for contrast: a claim grant consumed by `ff_claim_execution`, which starts a new attempt.

use ff_core::types::AttemptIndex;

use crate::flowfabric::{ClaimExecution, ExecutionKeys, RefusalCode};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::VariantPath;

use super::variant::Acquire;
use super::{ClaimError, ClaimOrder, HeldLease, Line};

pub(super) struct FirstClaim;

impl Acquire for FirstClaim {
    const PATH: VariantPath = VariantPath::FirstClaim;
    const TAKEN: RefusalCode = RefusalCode::ExecutionNotLeaseable;

    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError> {
        let claim = ClaimExecution {
            keys,
            lane_id: &order.ticket.grant.lane_id,
            worker: order.worker,
            attempt_id: &order.attempt_id,
            // A first claim makes the first attempt; the function counts for itself.
            attempt_index: AttemptIndex::new(0),
            lease_id: &order.lease_id,
            lease_ttl: order.lease_ttl,
        };
        Ok(line.call(&claim, cost).await?.into())
    }
}
