//! The machine that the generator runs on: what it is, how busy, who runs where on it, and this build of the
//! tool.
//!
//! ```text
//! files ─► cgroup ─► cores (available) ─► host     what it is, how busy
//!                          └─► plan ─► arrangement ─► window: binding (threads on cores), awake (cores do not sleep)
//! neighbours (who shares cores) ─┘
//! cpu_reading: what a stretch of time cost
//! real_time: the threads that keep a schedule go first, those that spin go last
//! aside: what claims must not wait for
//! ```

mod arrangement;
mod aside;
mod awake;
mod binding;
mod cgroup;
mod cores;
mod cpu_reading;
mod files;
mod host;
mod memory;
mod neighbours;
mod plan;
mod real_time;
mod regular_file;

use reclaim_analysis::record::Tool;

pub use arrangement::{Arranged, Arrangement};
pub(crate) use aside::aside;
pub(crate) use awake::{COMMAND as KEEP_AWAKE, has_keep_awake, keep_awake};
pub use binding::cpu_of;
pub use cpu_reading::CpuReading;
pub use host::{
    MachineCpu, host, node_name, own_program, process_on, resident_bytes, run_delay_s, swapped_pages,
    this_process, thread_cpu,
};
pub use memory::memory_left;
pub use neighbours::{Neighbours, Whereabouts};
pub use plan::ServersAt;
pub(crate) use real_time::{RealTime, Role};
pub use regular_file::{read_text, regular};

/// This build.
pub fn tool() -> Tool {
    Tool {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("RECLAIM_BENCH_COMMIT").to_owned(),
        debug_build: cfg!(debug_assertions),
    }
}
