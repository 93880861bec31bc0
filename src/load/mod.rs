//! Offers claims to the cluster: what (planning), when (timing), how (driving), and everything around it.
//!
//! ```text
//! RunSetup ─► Session ─► staged | churn | storm ─► Measured ─► audit, removal ─► RunRecord
//!             (cluster,  (stock, warm-up, window)
//!              paths,         │
//!              clocks)        └─► Driver: a ticket from its grant source ─► claim ─► recorder, claim book
//! ```
//!
//! A mode is a function from the session to what it measured. [`run`] chooses it, and closes the record.

mod driving;
mod error;
mod faults;
#[cfg(test)]
mod fixtures;
mod measuring;
mod modes;
mod observe;
mod planning;
mod progress;
mod rendezvous;
mod room;
mod run;
mod run_record;
mod session;
mod site;
mod striking;
mod timing;
mod workers;

pub use driving::{ClaimBook, Drawn, Driver, Fate, GrantSource, LevelWatch, Ruler, Seat, Twin};
pub use error::LoadError;
pub(crate) use error::no_pacer;
pub use faults::{Ended, FaultLog};
pub use planning::{
    Batch, BlockKind, BlockPlan, NotShareable, Plan, PlanDigest, PlanError, PlannedClaim, Round, StratumPlan,
    memory_needed, server_memory_needed, shareable,
};
pub use progress::{Activity, Progress, Silent};
pub use rendezvous::{Calls, Deaths, MeetingError, PartSetup, ahead, free_number};
pub use run::{run, run_part};
pub use session::RunSetup;
pub use timing::{Draw, Pacer, Schedule, ThreadPacer, TraceError, read_trace};
pub use workers::build_workers;
