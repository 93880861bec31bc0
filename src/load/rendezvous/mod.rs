//! How several generators of one run meet, begin every window at the same moment, and hand over what they
//! measured.
//!
//! ```text
//! every other generator                       leader (generator 1)
//!   here ────────────────────────────────────►  all there?   ──► welcome
//!   (stages) ready k ────────────────────────►  all ready?   ──► quiet k
//!   silent k ────────────────────────────────►  all silent?  reads the counters ──► begin k at T
//!   (claims from T on) done k, what it sent ─►  all done?    reads the counters ──► closed k
//!   (audits) delivered ──────────────────────►  all there?   takes the records  ──► received
//! ```
//!
//! Messages go over two shard channels of the cluster itself: whoever waits sends nothing. Signs of life are
//! commands like all others, which everybody counts; between `silent` and `begin`, and between `done` and
//! `closed`, there are none.

mod bus;
mod calls;
mod clock;
mod cluster_bus;
mod deaths;
mod delivery;
mod error;
mod leader;
mod life;
mod meeting;
mod message;
mod part;
mod registry;
mod roster;
#[cfg(test)]
mod scale_tests;
mod standing;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use calls::Calls;
pub use deaths::Deaths;
pub use error::MeetingError;
pub(super) use meeting::{Meeting, Start};
pub use meeting::{PartSetup, ahead};
pub use registry::free_number;

/// Between two heartbeats of a generator (`alive`).
const ALIVE: Duration = Duration::from_secs(5);

/// A generator without a heartbeat for this long counts as gone.
const LOST: Duration = Duration::from_secs(20);

/// What waiting for the others came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// All are there.
    Passed,
    /// The run is to end.
    Ended,
}

/// A message as it was said.
fn parsed<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, MeetingError> {
    serde_json::from_str(text).map_err(|error| {
        let detail = error.to_string();
        MeetingError::NoMessage { name: name.to_owned(), detail }
    })
}
