//! What a claim has spent so far.

use reclaim_analysis::record::{StepTimes, WireCost};

/// Counts and times of the round trips that one claim has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Exact counts.
    pub cost: WireCost,
    /// How long each round trip took that brought a reply.
    pub steps: StepTimes,
}
