//! From single claims to a [`RunRecord`]: recorders, the metric table, the record itself.

mod outcome;
mod record;
mod recorder;
mod samples;
mod timeline;

pub use outcome::{Outcome, Outcomes, RedirectKind};
pub use record::*;
pub use recorder::{ArmRecorder, LatencyHistogram, Purpose, Recorder, Stamps};
pub use samples::{Samples, TICKS_PER_US};
