//! The variant without a grant: `ff_issue_grant_and_claim` grants and claims in one call.

use crate::flowfabric::{ExecutionKeys, IssueGrantAndClaim, RefusalCode};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::VariantPath;

use super::variant::Acquire;
use super::{ClaimError, ClaimOrder, HeldLease, Line};

pub(super) struct Fused;

impl Acquire for Fused {
    const PATH: VariantPath = VariantPath::Fused;
    /// As the granting function puts it: not `execution_not_leaseable`.
    const TAKEN: RefusalCode = RefusalCode::ExecutionNotEligible;

    async fn acquire(
        line: &Line,
        keys: &ExecutionKeys,
        order: &ClaimOrder<'_>,
        cost: &mut WireCost,
    ) -> Result<HeldLease, ClaimError> {
        let claim = IssueGrantAndClaim {
            keys,
            lane_id: &order.ticket.grant.lane_id,
            worker: order.worker,
            attempt_id: &order.attempt_id,
            lease_id: &order.lease_id,
            lease_ttl: order.lease_ttl,
        };
        let lease = line.call(&claim, cost).await?;
        Ok(HeldLease {
            lease_id: lease.lease_id,
            epoch: lease.epoch,
            attempt_id: None,
            attempt_index: lease.attempt_index,
            expires_at: None,
        })
    }
}
