//! The system under test on the wire: grants, keys and arguments, replies as types.
//!
//! Everything that is asked of a server is a [`Request`]: a value with its arguments by name, that encodes itself as
//! one command and reads its own reply. Nothing outside this module spells a key, a field or a status word.

mod beside;
mod condition;
mod encode;
mod functions;
mod grant;
mod keys;
mod reads;
mod refusal;
mod reply;
mod request;
mod secrets;

pub use beside::LibraryAlias;
pub use condition::{OnTimeout, ResumeCondition};
pub use functions::*;
pub use grant::{ReclaimGrant, WorkerIdentity};
pub use keys::ExecutionKeys;
pub use reads::*;
pub use refusal::RefusalCode;
pub use reply::ReplyError;
pub use request::{CallError, Request, call, call_all};
pub use secrets::{ReadCurrentKid, WriteSecret};
