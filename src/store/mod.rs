//! Result directories: where they lie, what is in them, how they are read again.
//!
//! ```text
//! file_names (what a path holds, by its files) ─► result_dir (a directory, there whole or not at all)
//!     ─► run_files, series, sweep, capacity, calibration
//! json (what files say of themselves, the version before)
//! ```
//!
//! What is made of several runs is concluded again from the runs' own results whenever it is read.

mod calibration;
mod capacity;
mod error;
mod ff_bench;
mod file_names;
mod history;
mod json;
mod latest;
mod result_dir;
mod run_files;
mod series;
mod sweep;

pub use calibration::{keep_for_runs, kept_note, read_calibration};
pub use capacity::StoredCapacity;
pub use error::StoreError;
pub use ff_bench::{Comparable, read_comparable};
pub use file_names::Kind;
pub use history::{append_to_history, read_history};
pub use latest::latest_runs;
pub use result_dir::ResultDir;
pub use run_files::{keep_partial, read_run};
pub use series::read_series;
pub use sweep::read_sweep;
