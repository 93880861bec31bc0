//! From single claims to a [`RunRecord`]: recorders, the metric table, the record itself.

mod outcome;
mod record;
mod samples;

pub use outcome::{Outcome, Outcomes, RedirectKind};
pub use record::*;
pub use samples::{Samples, TICKS_PER_US};
