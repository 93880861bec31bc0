//! Offers claims to the cluster: what (plan), when (schedule, pacer), how (driver), and everything around it.
//!
//! ```text
//! RunSetup ─► Session ─► staged | churn | storm ─► Measured ─► audit, removal ─► RunRecord
//!             (cluster,  (stock, warm-up, window)
//!              paths,         │
//!              clocks)        └─► Driver: a ticket from its grant source ─► claim ─► recorder, claim book
//! ```
//!
//! A mode is a function from the session to what it measured. [`run`] chooses it, and closes the record.

mod added_rtt;
mod arms;
mod churn;
mod circulation;
#[cfg(test)]
mod circulation_share_tests;
#[cfg(test)]
mod circulation_tests;
mod claim_book;
mod digest;
mod driver;
#[cfg(test)]
mod driver_tests;
mod error;
mod fault_log;
mod faults;
#[cfg(test)]
mod fixtures;
mod following;
mod foreign;
mod injector;
mod inside;
mod level;
mod measured;
mod memory;
mod meter;
#[cfg(test)]
mod mixing_tests;
mod observe;
mod pacer;
mod packer;
mod patience;
mod persisting;
mod plan;
#[cfg(test)]
mod plan_tests;
mod planned;
mod prepare;
mod producer;
mod progress;
mod queue;
mod recording;
mod recovering;
mod rendezvous;
mod ruler;
mod rulers;
mod run;
mod run_record;
mod schedule;
mod session;
mod share;
#[cfg(test)]
mod share_tests;
mod shareable;
mod site;
mod site_meter;
mod staged;
mod stock;
mod storm;
mod storm_retries;
mod strikes;
mod targets;
mod together;
mod trace;
mod window;
mod workers;

pub use claim_book::{ClaimBook, Drawn, GrantSource};
pub use digest::PlanDigest;
pub use driver::{Driver, Fate, Seat, Twin};
pub use error::LoadError;
pub use fault_log::{Ended, FaultLog};
pub use level::LevelWatch;
pub use memory::{memory_needed, server_memory_needed};
pub use pacer::{Pacer, ThreadPacer};
pub use plan::Plan;
pub use planned::{Batch, BlockKind, BlockPlan, PlanError, PlannedClaim, Round, StratumPlan};
pub use progress::{Activity, Progress, Silent};
pub use rendezvous::{Calls, Deaths, MeetingError, PartSetup, ahead, free_number};
pub use ruler::Ruler;
pub use run::{run, run_part};
pub use schedule::{Draw, Schedule};
pub use session::RunSetup;
pub use shareable::{NotShareable, shareable};
pub use trace::{TraceError, read as read_trace};
pub use workers::build_workers;
