//! How far a result can be believed, each kind of result by rules of its own. Pages only word it.
//!
//! ```text
//! RunResult, Repeated, Sweep, Trend ... ─► what decides it: a type of each kind ─► level: yes, with care, no
//!                 └► warnings: those that bear on differences as well
//! ```
//!
//! A kind of result whose stored form already says why has a level alone.

mod calibration;
mod capacity;
mod history;
mod level;
mod profile;
mod run;
mod series;
mod side_by_side;
mod stored;
mod sweep;
mod warnings;

pub use history::HistoryTrust;
pub use level::Trust;
pub use profile::ProfileTrust;
pub use run::RunTrust;
pub use series::SeriesTrust;
pub use side_by_side::SideBySideTrust;
pub use sweep::SweepTrust;
