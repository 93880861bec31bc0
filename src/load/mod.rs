//! Offers claims to the cluster: what (plan), when (schedule, pacer), how (driver), and everything around it
//! (session: stock, warm-up, window, drain, audit).

mod assemble;
mod churn;
#[cfg(test)]
mod churn_tests;
mod comebacks;
mod distance;
mod driver;
#[cfg(test)]
mod driver_tests;
mod error;
#[cfg(test)]
mod fixtures;
mod meter;
mod pacer;
mod plan;
#[cfg(test)]
mod plan_tests;
mod progress;
mod recovering;
mod run;
mod schedule;
mod session;
mod staged;
mod stock;
mod trace;
mod watched;

pub use driver::{Deck, Driver, Fate};
pub use error::LoadError;
pub use pacer::{Pacer, ThreadPacer};
pub use plan::{Batch, BlockPlan, Plan, PlanError, PlannedClaim, Round, StratumPlan, baseline_arm};
pub use progress::{Phase, Progress, Silent};
pub use run::{RunSetup, run};
pub use schedule::{Draw, Schedule};
pub use trace::{TraceError, read as read_trace};
