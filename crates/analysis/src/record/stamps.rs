//! The moments of one claim.

use std::time::Duration;

use super::steps::StepTimes;

/// When a claim was due, sent and done, as offsets from the start of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamps {
    /// When the schedule wanted it; `None` in a closed loop.
    pub scheduled: Option<Duration>,
    /// When it was handed to the wire.
    pub sent: Duration,
    /// When its outcome was known.
    pub done: Duration,
    /// From the call that made the execution runnable until the lease was held, where that is known.
    pub resume: Option<Duration>,
    /// Each of its round trips.
    pub steps: StepTimes,
}
