//! Faults under load: what is done to the servers in a window, and how claims come through it, or through
//! servers that fail by themselves.

#[cfg(test)]
mod fakes;
mod fault_log;
mod following;
pub(super) mod injector;
mod persisting;
mod recovering;
mod reopening;
mod run_faults;
mod silent_primary;
mod strikes;
mod targets;

pub use fault_log::{Ended, FaultLog};
pub(super) use persisting::Persisting;
pub(super) use recovering::Recovering;
pub(super) use reopening::Reopening;
pub(super) use run_faults::Faults;
pub(super) use silent_primary::{Patience, Silent};
