//! From single claims to a [`RunRecord`]: recorders, the record itself.

mod calibration;
mod conditions;
mod event;
mod fault;
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

pub use calibration::{
    CalibratedLag, CalibrationNote, CalibrationRecord, Disturbance, LevelRecord, LevelRound, RoundTripRecord,
    SendLagRecord,
};
pub use conditions::{Asked, AwakeBy, Conditions};
pub use event::{WindowEvent, WindowEventKind};
pub use fault::{Fault, Warning};
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
    OTHERS_WORTH_A_WARNING, STOLEN,
};
pub use wire_cost::WireCost;
