//! The three modes, each a function from the session to what it measured, and what only they need: how
//! executions are made claimable, where their tickets wait, and how they go round.

pub(super) mod churn;
mod circulation;
#[cfg(test)]
mod circulation_share_tests;
#[cfg(test)]
mod circulation_tests;
mod grant_queue;
mod grant_stock;
mod prepare;
mod producer;
pub(super) mod staged;
mod stocking;
pub(super) mod storm;
mod storm_retries;
mod window;
