//! From plans to stored results: one run, a series of runs, a sweep, a capacity search, a calibration.
//!
//! ```text
//! RunPlan ─┬► run        one cluster, one load, one result
//!          ├► series     one plan several times ─┐
//!          └► sweep      one plan for each value ├► run, each in a directory of its own
//! SearchPlan ► capacity  one cluster, many loads ┘
//! ```
//!
//! A run, and each probe of a search, may have several generators: `generators` starts them, or has this
//! process be one of them; the first one has all their records, which are merged before they are judged.
//!
//! What a command line asks for is decided before; whoever watches is told through [`Watch`], and a signal
//! reaches a campaign as a [`Stop`].

mod calibration;
mod capacity;
mod error;
mod generators;
mod on_cluster;
mod run;
mod safety_copies;
mod series;
mod stop;
mod sweep;
mod watch;

pub use calibration::calibration;
pub use capacity::{CapacitySearch, SearchPlan, follow as follow_search};
pub use error::{CampaignError, in_words};
pub use generators::{COMMAND as GENERATOR, ENDED_BY_FIRST, Generators, Joined, Task};
pub use on_cluster::on_cluster;
pub use run::{RunPlan, any_part, follow, run};
pub use series::{Several, series};
pub use stop::Stop;
pub use sweep::{SweepPlan, sweep};
pub use watch::Watch;
