//! What a run's executions were found to be, read back at its end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What reading back every execution showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// Grants that the scanner issued.
    pub grants_issued: u64,
    /// Grants consumed by a claim.
    pub claimed: u64,
    /// Grants that vanished unconsumed.
    pub expired: u64,
    /// Grants still in stock at the end.
    pub outstanding: u64,
    /// Grants that none of the above explains.
    pub lost: u64,
    /// Grants that more than one claim consumed.
    pub double_claims: u64,
    /// Executions whose attempt id or index is not the one of their first claim.
    pub attempt_changed: u64,
    /// Executions whose lease epoch is not the number of successful claims.
    pub epoch_errors: u64,
    /// Executions in a state that the run did not leave them in.
    pub state_errors: u64,
    /// Executions read back.
    pub executions_checked: u64,
    /// Executions of which everything was read that their functions promise to write or to take away: lease record,
    /// attempt, indexes, history. All of them, or a sample of 10,000, in which a fault of one claim in 1,000 shows with a
    /// probability of 0.99995. 0 in results of versions that did not look.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contracts_checked: u64,
    /// Executions among those that lack something, or have something that should be gone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contract_errors: u64,
    /// The first few violations, in words.
    pub examples: Vec<String>,
}

impl Audit {
    /// Grants and executions that are not as the run must have left them.
    pub fn violations(&self) -> u64 {
        self.lost
            + self.double_claims
            + self.attempt_changed
            + self.epoch_errors
            + self.state_errors
            + self.contract_errors
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}
