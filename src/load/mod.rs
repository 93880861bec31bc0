//! Offers claims to the cluster: what (plan), when (schedule, pacer), how (driver), and everything around it
//! (session: stock, warm-up, window, drain, audit).

mod churn;
#[cfg(test)]
mod churn_tests;
mod driver;
#[cfg(test)]
mod driver_tests;
#[cfg(test)]
mod fixtures;
mod pacer;
mod plan;
mod progress;
mod schedule;
mod seed;

pub use driver::{Deck, Driver};
pub use pacer::{Pacer, ThreadPacer};
pub use plan::{Batch, BlockPlan, Plan, PlanError, PlannedClaim, Round, StratumPlan, baseline_arm};
pub use progress::{Phase, Progress, Silent};
pub use schedule::Schedule;
pub use seed::stream;
