//! Claims that come through faults, those that were asked for and servers that fail by themselves, and what
//! faults did, as it happens.

#[cfg(test)]
mod ended;
#[cfg(test)]
mod fakes;
mod fault_log;
mod following;
mod persisting;
mod recovering;
mod reopening;
mod run_faults;
mod silent_primary;
mod trying_again;

pub(super) use fault_log::AFTERMATH;
pub use fault_log::{Ended, FaultLog};
pub(super) use persisting::Persisting;
pub(super) use recovering::Recovering;
pub(super) use reopening::Reopening;
pub(super) use run_faults::Faults;
pub(super) use silent_primary::{Patience, SilentPrimary};
