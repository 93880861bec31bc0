//! For tests: claims that have ended.

use ff_core::types::{AttemptIndex, LeaseEpoch, LeaseId};

use crate::claim::{ClaimError, ClaimReceipt};
use crate::flowfabric::CallError;
use crate::valkey::WireError;
use crate::workload::HeldLease;
use reclaim_analysis::record::{Outcome, WireCost};

/// One that ended so, without a lease.
pub(super) fn receipt(outcome: Outcome, error: Option<WireError>) -> ClaimReceipt {
    let error = error.map(|error| ClaimError::Call(CallError::Wire(error)));
    ClaimReceipt { error, ..ClaimReceipt::bare(outcome, WireCost::default()) }
}

/// A lease that one may hold.
pub(super) fn lease() -> HeldLease {
    HeldLease {
        lease_id: LeaseId::new(),
        epoch: LeaseEpoch(1),
        attempt_id: None,
        attempt_index: AttemptIndex(0),
        expires_at: None,
    }
}
