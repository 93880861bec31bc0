//! The loop that makes claims, what it makes them with and notes them in, the bare round trips among them,
//! and the service level at which it ends a run.

mod claim_book;
mod driver;
#[cfg(test)]
mod driver_tests;
mod fate;
mod level;
#[cfg(test)]
mod mixing_tests;
mod ruler;

pub use claim_book::{ClaimBook, Drawn, GrantSource};
pub(super) use driver::Due;
pub use driver::{Driver, Seat, Twin};
pub use fate::Fate;
pub use level::LevelWatch;
pub use ruler::Ruler;
pub(super) use ruler::{Ping, RULER};
