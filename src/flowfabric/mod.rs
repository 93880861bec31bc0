//! The system under test on the wire: grants, keys and arguments, replies as types.

mod grant;

pub use grant::{ReclaimGrant, WorkerIdentity};
