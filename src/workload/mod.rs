//! Everything around the claim: executions, their interruptions, the reclaim scanner, and what is left
//! afterwards.
//!
//! ```text
//! Planned ─create► Fresh ─first claim► Active ─interrupt► Interrupted ─make_runnable► Runnable ─scan► ticket
//!                                        ▲ │                                                            │
//!                                        │ └─lose_leases► Lapsed ─issue_reclaim_grants────────► ticket │
//!                                        └────────────────── the claim under test ◄─────────────────────┘
//! ```
//!
//! A [`Workload`] does all of it for the driver. What it did stands in its ledger, which [`Workload::audit`]
//! compares with the cluster and from which [`Workload::remove`] knows what to remove; [`clean`] does without
//! a ledger.

mod audit;
mod batch;
mod cleanup;
mod contract;
mod error;
mod executions;
mod interruption;
mod issuing;
mod ledger;
mod lost_leases;
mod names;
mod needs;
mod nodes;
mod population;
mod scanner;
mod secrets;
mod shares;
mod slice;
mod staging;
mod ticket;

pub use batch::Oversight;
pub use cleanup::{Removal, clean, remove_secrets};
pub use error::{Unmade, WorkloadError};
pub use executions::Workload;
pub use ledger::{GrantTotals, Phase};
pub use lost_leases::ReclaimGrants;
pub use needs::functions_called;
pub use nodes::partitions;
pub use population::{ExecIndex, InterruptionKind, LANE_PREFIX, LaneIndex, PopulationPlan};
pub use scanner::{LaneSet, ScanReport, ScanRequest, Seek};
pub use slice::Slice;
pub use ticket::{ClaimTicket, HeldLease};
