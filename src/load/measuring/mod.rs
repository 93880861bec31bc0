//! What is measured around claims: the servers' counters and what others did there, the machine's CPU, each
//! second of a window, and what measuring itself costs.

mod foreign;
pub(super) mod inside;
mod measured;
mod meter;
pub(super) mod observe;
mod recording;
mod site_meter;
pub(super) mod stretch;

pub(super) use measured::{Measured, MeasuredBlock, Prepared, recorder};
pub(super) use meter::Meter;
pub(super) use recording::recording_ns_per_claim;
