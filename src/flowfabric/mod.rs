//! The system under test on the wire: grants, keys and arguments, replies as types.
//!
//! Everything that is asked of a server is a [`Request`]: a value with its arguments by name, that encodes
//! itself as one command and reads its own reply. Nothing outside this module spells a key, a field or a
//! status word.

mod condition;
mod contract;
mod encode;
mod functions;
mod grant;
#[cfg(test)]
mod hostile_tests;
mod instrument;
mod keys;
mod library_alias;
mod library_calls;
mod reads;
mod refusal;
mod rename;
mod reply;
mod request;
mod secrets;
mod views;

pub use condition::{OnTimeout, ResumeCondition};
pub use contract::{
    Acquired, IsAmongLeases, ReadAttemptRecord, ReadLastAcquired, ReadLeaseRecord, ReadOwner, ReadScore,
    SortedIndex, Texts,
};
pub(crate) use functions::do_nothing;
pub use functions::*;
pub use grant::{ReclaimGrant, WorkerIdentity};
pub(crate) use instrument::instrument_library;
pub use keys::ExecutionKeys;
pub use library_alias::{LIBRARY_NAME, LibraryAlias};
pub(crate) use library_calls::raise;
pub use library_calls::{CallBounds, LibraryCalls};
pub use reads::*;
pub use refusal::RefusalCode;
pub(crate) use rename::rename_library;
pub use reply::ReplyError;
pub use request::{CallError, Request, call};
pub use secrets::{ReadCurrentKid, WriteSecret};
pub use views::{AuditView, ReadForAudit, ReadForScan, ScanView};
