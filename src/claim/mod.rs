//! The ways of doing a claim, as values behind one trait.
//!
//! ```text
//! ClaimOrder ─► ClaimPath (a recipe per variant) ─► Line ─► the partition's primary
//!                    │                                        │
//!                    ▼                                        ▼
//!               ClaimReceipt ◄── outcome of the error, or the lease
//!                    └─► claim_with_recovery (redirects), settle_unanswered (no reply)
//! ```

mod clock;
mod error;
mod follow_up;
mod line;
mod order;
mod path;
mod recipe;
mod routes;
#[cfg(test)]
mod scripted;
#[cfg(feature = "sdk")]
mod sdk;
#[cfg(not(feature = "sdk"))]
#[path = "without_sdk.rs"]
mod sdk;
mod sdk_login;
mod sdk_receipt;
mod spent;
mod wait;
mod worker;

pub use crate::workload::{ClaimTicket, HeldLease};
pub use clock::ServerClocks;
pub use error::{ClaimError, SdkRefusal};
pub use follow_up::{claim_with_recovery, settle_unanswered};
pub use line::Line;
pub use order::{ClaimOrder, ClaimReceipt};
pub use path::{ClaimPath, ClaimSetup};
pub use recipe::claim_path;
pub use routes::{LocalFuture, Reroutes, Routes};
#[cfg(test)]
pub(crate) use scripted::Scripted;
pub use sdk::{SDK_BUILT, Sdk, sdk_path};
pub use sdk_login::{SdkError, SdkLogin, sdk_client_name};
pub use worker::{Hand, Program, WorkerError, WorkerLogin, WorkerProcess, program};
