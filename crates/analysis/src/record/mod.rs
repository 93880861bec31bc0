//! From single claims to a [`RunRecord`]: recorders, the record itself.

mod aborted;
mod arm_record;
mod arm_recorder;
mod audit;
mod batch_note;
mod calibration;
mod cluster;
mod conditions;
mod counter_block;
mod environment;
mod event;
mod histogram;
mod injected;
mod inside;
mod invalid_reason;
mod is_zero;
mod latency;
mod machine_use;
mod main_thread;
mod merge;
mod outcome;
mod part;
mod purpose;
mod recorder;
mod run_before;
mod run_record;
mod samples;
mod seconds;
mod seed;
mod slots;
mod stamps;
mod steady;
mod steps;
mod storm;
mod timeline;
mod usage;
mod warning;
mod wire_cost;

pub use aborted::Aborted;
pub use arm_record::*;
pub use arm_recorder::ArmRecorder;
pub use audit::Audit;
pub use batch_note::{BatchNote, QUIET_NS};
pub use calibration::{
    CalibratedLag, CalibrationNote, CalibrationRecord, Disturbance, LevelRecord, LevelRound, RoundTripRecord,
    SendLagRecord,
};
pub use cluster::{ClusterRecord, ServerReading, StartedServer};
pub use conditions::{Asked, AwakeBy, AwakeKeeper, ConditionRemark, Conditions, NoSpinning, NotBound};
pub use counter_block::*;
pub use environment::{Environment, Host, LibraryInfo, SdkInfo, Tool, ValkeyInfo};
pub use event::{WindowEvent, WindowEventKind};
pub use histogram::{BadHistogram, Histogram};
pub use injected::{
    Doubts, FailedTry, InjectedFault, InjectedRecord, InjectionFailure, MovedSlots, NotCounted, SlotMoveWay,
    TimeSlice,
};
pub use inside::{CommandSums, FunctionSums, Inside, TimerSums};
pub use invalid_reason::{ForeignClient, InvalidReason, Violation};
pub(crate) use is_zero::is_zero;
pub use latency::LatencyHistogram;
pub use machine_use::{MachineUse, by_machine};
pub use main_thread::{MainThreadClock, MainThreadDoubt};
pub use merge::{MergeError, Tie, merge};
pub use outcome::{Outcome, Outcomes, RedirectKind};
pub use part::{GeneratorRecord, PartNote};
pub use purpose::Purpose;
pub use recorder::Recorder;
pub use run_before::{RatioBefore, RunBefore};
pub use run_record::*;
pub use samples::{Samples, TICKS_PER_US};
pub use seconds::*;
pub use seed::{stream, sweep_order};
pub use slots::{SLOTS, slot_of_tag};
pub use stamps::Stamps;
pub use steps::StepTimes;
pub use storm::{RetryCause, StormRecord};
pub use usage::{
    GENERATOR_BUSY, GeneratorUse, OTHERS_DISTURB_A_CALIBRATION, OTHERS_EXPLAIN_LATENESS, SEND_LAG_SHARE,
    STOLEN, is_busy_generator,
};
pub use warning::{UntimedP99, Warning};
pub use wire_cost::WireCost;
