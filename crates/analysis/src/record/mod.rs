//! From single claims to a [`RunRecord`]: recorders, the record itself.

mod aborted;
mod audit;
mod calibration;
mod conditions;
mod environment;
mod event;
mod fault;
mod histogram;
mod latency;
mod outcome;
mod recorder;
mod run_record;
mod samples;
mod seed;
mod slots;
mod stamps;
mod steps;
mod storm;
mod timeline;
mod usage;
mod wire_cost;

pub use aborted::Aborted;
pub use audit::Audit;
pub use calibration::{
    CalibratedLag, CalibrationNote, CalibrationRecord, Disturbance, LevelRecord, LevelRound, RoundTripRecord,
    SendLagRecord,
};
pub use conditions::{Asked, AwakeBy, Conditions};
pub use environment::{Environment, Host, LibraryInfo, Tool, ValkeyInfo};
pub use event::{WindowEvent, WindowEventKind};
pub use fault::{Fault, Violation, Warning};
pub use histogram::Histogram;
pub use latency::LatencyHistogram;
pub use outcome::{Outcome, Outcomes, RedirectKind};
pub use recorder::{ArmRecorder, Purpose, Recorder};
pub use run_record::*;
pub use samples::{Samples, TICKS_PER_US};
pub(crate) use seed::below;
pub use seed::stream;
pub use slots::{SLOTS, slot_of_tag};
pub use stamps::Stamps;
pub use steps::StepTimes;
pub use storm::{RetryCause, StormRecord};
pub use usage::{
    GENERATOR_BUSY, GeneratorUse, OTHERS_DISTURB_A_CALIBRATION, OTHERS_EXPLAIN_LATENESS,
    OTHERS_WORTH_A_WARNING, SEND_LAG_SHARE, STOLEN,
};
pub use wire_cost::WireCost;
