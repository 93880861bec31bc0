//! How a storm went, execution by execution: what the claims' own clocks do not show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A storm: everything was interrupted, and everything resumed at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StormRecord {
    /// Executions in it.
    pub executions: u64,
    /// Executions of which a claim took the lease, those included whose claim had no reply and was found in
    /// effect by a read: when it took effect nobody knows, so time to resume does not have them.
    pub held: u64,
    /// Executions that were given up on: refused, or too many claims came to nothing.
    pub given_up: u64,
    /// From the first signal being sent until the last one was sent, in microseconds; `None` where the storm
    /// ended before that. Until then the producer's time is in every time to resume. An execution that is
    /// resumed in another way has that call in the place of its signal. Several generators count from the
    /// moment at which all of them began.
    pub last_signal_us: Option<f64>,
    /// From the first signal being sent until all were answered, in microseconds.
    pub signals_answered_us: Option<f64>,
    /// Claims that came to nothing and after which the execution was to be claimed again, by what they came
    /// to. Each of these claims is counted in its arm's outcomes as well.
    pub retries: BTreeMap<RetryCause, u64>,
}

/// Why an execution is claimed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryCause {
    /// No reply, and no effect was seen or nobody can tell: the grant is handed out again.
    Unanswered,
    /// The cluster kept sending the claim elsewhere.
    Redirected,
    /// The grant was past its time: the scanner issues another.
    GrantGone,
}

impl StormRecord {
    /// Executions that hold no lease.
    pub fn without_lease(&self) -> u64 {
        self.executions.saturating_sub(self.held)
    }
}
