//! What is measured around claims: the servers' counters and what others did there, the machine's CPU, and what
//! measuring itself costs.

mod foreign;
mod inside;
mod measured;
mod meter;
mod recording;
mod site_meter;
pub(super) mod stretch;

pub(super) use measured::{Measured, MeasuredBlock, Prepared};
pub(super) use meter::{Meter, OpenStretch};
pub(super) use recording::recorder;
