//! How many claims per second a cluster sustains, from runs at many loads. Pure: the same runs give the same
//! answer.
//!
//! ```text
//! RunResult ─► probe: passed, failed, or the generator's fault ─► search: the next load, or the end
//!                └► limit: whose CPU ran out                        ├► boundary: the rate with its interval
//!                                                                   ├► usl: the closed-loop curve
//!                                                                   └► sizing: primaries for more
//! ```

mod boundary;
mod conclude;
mod drift;
mod floor;
mod found;
mod from_run;
mod goes;
mod limit;
mod load;
mod policy;
mod probe;
mod search;
#[cfg(any(test, feature = "fixtures"))]
pub mod simulated;
#[cfg(test)]
mod tests;
mod usl;

pub use boundary::Boundary;
pub use drift::Drift;
pub use floor::NearFloor;
pub use found::{
    CAPACITY_SCHEMA, Capacity, CapacityPlan, ChangedLevel, Required, SearchOutcome, SizingMissing, Stopped,
};
pub use goes::Goes;
pub use limit::{Limit, OneGenerator, Resources};
pub use load::ProbeLoad;
pub use policy::CapacityPolicy;
pub use probe::{Probe, ProbeVerdict, Reason};
pub use search::{NextStep, ProbePurpose, Search, search};
pub use usl::{LoadPoint, Usl, fit_usl};

pub use super::primary_load::PrimaryLoad;
pub use super::sizing::{SizingBasis, SizingRow, hottest_share, sizing};
