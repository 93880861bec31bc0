//! When each claim of an open loop is due, by a process or by recorded arrivals, the thread that says so, and
//! how long a simulated network holds each reply.

mod added_rtt;
mod pacer;
mod schedule;
mod trace;

pub(super) use added_rtt::{AddedRtt, Remote};
pub use pacer::{Pacer, ThreadPacer};
pub use schedule::{Draw, Schedule};
pub use trace::{TraceError, read as read_trace};
