//! Estimates with intervals from recorded samples. Pure: no clock, no network, one seed.

mod estimate;

pub use estimate::{Estimate, TooFew};
