//! What is decided before the first command is sent: who claims what and in which order, each generator's
//! share of it, and what a run must have room for.

mod block_order;
mod digest;
mod endless_strata;
mod memory;
mod packer;
mod plan;
#[cfg(test)]
mod plan_tests;
mod planned;
mod rulers;
mod share;
#[cfg(test)]
mod share_tests;
mod shareable;
mod unsent_claims;

pub use digest::PlanDigest;
pub(super) use digest::hex;
pub(super) use endless_strata::ArmSequence;
pub use memory::{memory_needed, server_memory_needed};
pub use plan::Plan;
pub(super) use plan::claims_wanted;
pub(super) use planned::is_warmup;
pub use planned::{Batch, BlockKind, BlockPlan, PlanError, PlannedClaim, Round, StratumPlan};
pub(super) use share::{Share, dealt};
pub use shareable::{NotShareable, shareable};
pub(super) use unsent_claims::UnsentClaims;
