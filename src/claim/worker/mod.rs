//! Workers of an SDK duet: programs of their own, each built against the SDK of one side, that claim what
//! they are handed.
//!
//! ```text
//! SdkSource ─► manifest, sources ─► program (cargo, cached) ─► process (a child and two pipes) ─► Hand ─► ClaimPath
//! ```

mod error;
mod fingerprint;
mod hand;
mod manifest;
mod process;
mod program;
mod protocol;
mod resolved;
mod sources;

pub use error::WorkerError;
pub use hand::Hand;
pub use process::{WorkerLogin, WorkerProcess};
pub use program::{Program, program};
