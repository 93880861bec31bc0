//! What a run's executions were found to be, read back at its end.

use std::ops::AddAssign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::invalid_reason::Violation;
use super::is_zero::is_zero;

/// What reading back every execution showed. Of several generators, or clusters, all of it summed.
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
    /// Grants that a failover lost: issued, or claimed, and acknowledged by a primary whose replica had not
    /// got that yet when it took over. Each is named in `lost_by_server_ids`. 0 without a fault that moves a
    /// primary.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_by_server: u64,
    /// Further executions that such a failover put back by a step.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rolled_back: u64,
    /// What each of these lost, with the execution's id; the first thousand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost_by_server_ids: Vec<String>,
    /// Executions with a claim that had no reply and of which nobody could tell in the run, and that are
    /// claimed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub doubtful_claimed: u64,
    /// The same, and they are not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub doubtful_not_claimed: u64,
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
    /// Executions of which everything was read that their functions promise to write or to take away: lease
    /// record, attempt, indexes, history. All of them, or a sample of 10,000, in which a fault of one claim
    /// in 1,000 shows with a probability of 0.99995. 0 in results of versions that did not look.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contracts_checked: u64,
    /// Executions among those that lack something, or have something that should be gone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contract_errors: u64,
    /// The first few violations, in words.
    pub examples: Vec<String>,
}

impl Audit {
    /// Violations that are kept in words.
    pub const MOST_EXAMPLES: usize = 10;

    /// Losses of servers that are kept by name.
    pub const MOST_LOSSES: usize = 1_000;

    /// Grants and executions that are not as the run must have left them, by what is wrong with them.
    pub fn found(&self) -> [(Violation, u64); 7] {
        [
            (Violation::GrantsUnaccounted, self.lost),
            (Violation::GrantsConsumedTwice, self.double_claims),
            (Violation::AttemptLost, self.attempt_changed),
            (Violation::WrongLeaseEpoch, self.epoch_errors),
            (Violation::WrongState, self.state_errors),
            (Violation::WritesMissing, self.contract_errors),
            (Violation::SumOfGrants, self.unexplained()),
        ]
    }

    /// By how many the grants that were issued differ from what became of them.
    pub fn unexplained(&self) -> u64 {
        let explained = self.claimed + self.expired + self.outstanding + self.lost + self.lost_by_server;
        self.grants_issued.abs_diff(explained)
    }

    /// All of them.
    pub fn violations(&self) -> u64 {
        self.found().iter().map(|(_, count)| count).sum()
    }
}

impl AddAssign for Audit {
    /// What reading back another cluster of the same run showed, or what another generator read back.
    fn add_assign(&mut self, more: Self) {
        self.grants_issued += more.grants_issued;
        self.claimed += more.claimed;
        self.expired += more.expired;
        self.outstanding += more.outstanding;
        self.lost_by_server += more.lost_by_server;
        self.rolled_back += more.rolled_back;
        self.lost_by_server_ids.extend(more.lost_by_server_ids);
        self.lost_by_server_ids.truncate(Self::MOST_LOSSES);
        self.doubtful_claimed += more.doubtful_claimed;
        self.doubtful_not_claimed += more.doubtful_not_claimed;
        self.lost += more.lost;
        self.double_claims += more.double_claims;
        self.attempt_changed += more.attempt_changed;
        self.epoch_errors += more.epoch_errors;
        self.state_errors += more.state_errors;
        self.executions_checked += more.executions_checked;
        self.contracts_checked += more.contracts_checked;
        self.contract_errors += more.contract_errors;
        self.examples.extend(more.examples);
        self.examples.truncate(Self::MOST_EXAMPLES);
    }
}
