//! The machine that the generator runs on, and this build of the tool.

mod host;
mod precedence;

use reclaim_analysis::record::Tool;

pub use host::{MachineCpu, host, process_cpu, resident_bytes, run_delay_s, thread_cpu};
pub(crate) use precedence::{Precedence, Role};

/// This build.
pub fn tool() -> Tool {
    Tool {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("RECLAIM_BENCH_COMMIT").to_owned(),
        debug_build: cfg!(debug_assertions),
    }
}
