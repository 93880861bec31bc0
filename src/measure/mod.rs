//! From single claims to a [`RunRecord`]: recorders, the metric table, the record itself.

mod calibration;
mod fault;
mod host;
mod metrics;
mod outcome;
mod record;
mod recorder;
mod samples;
mod storm;
mod timeline;
mod usage;

pub use calibration::{
    CalibratedLag, CalibrationNote, CalibrationRecord, Disturbance, LevelRecord, LevelRound, RoundTripRecord,
    SendLagRecord,
};
pub use fault::{Fault, Warning};
pub use host::{MachineCpu, host, process_cpu, resident_bytes, run_delay_s, thread_cpu};
pub use metrics::{Direction, METRICS, Metric, Source, metric};
pub use outcome::{Outcome, Outcomes, RedirectKind};
pub use record::*;
pub use recorder::{ArmRecorder, LatencyHistogram, Purpose, Recorder, Stamps};
pub use samples::{Samples, TICKS_PER_US};
pub use storm::{RetryCause, StormRecord};
pub use usage::{GENERATOR_BUSY, GeneratorUse, STOLEN};
