//! Why there is no worker, or none any more.

use std::path::PathBuf;
use std::time::Duration;

/// What went wrong with the worker of one side of an SDK duet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// A program that building needs cannot be run.
    #[error(
        "cannot run {program}: {detail}; a worker of an SDK is built by cargo: install Rust, with cargo and rustc on PATH"
    )]
    NoTool {
        /// Which.
        program: &'static str,
        /// What the system says.
        detail: String,
    },
    /// The tool's cache cannot be used.
    #[error("cannot keep the worker in the cache {}: {detail}; set XDG_CACHE_HOME to a directory that can be written", .dir.display())]
    Cache {
        /// Where.
        dir: PathBuf,
        /// Why not.
        detail: String,
    },
    /// The sources of the SDK are not there, or no crate of that name.
    #[error("{}: {detail}", .path.display())]
    Sources {
        /// Where they should be.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A revision cannot be read.
    #[error(
        "cannot read {object} with git: {detail}; name a revision of the repository in the current directory"
    )]
    Revision {
        /// As it was named.
        object: String,
        /// What git says.
        detail: String,
    },
    /// Cargo could not build it.
    #[error("the worker for ff-sdk {sdk} cannot be built; the last that {step} said:\n{said}")]
    Build {
        /// As it was named.
        sdk: String,
        /// The command.
        step: &'static str,
        /// Its last lines.
        said: String,
    },
    /// The program does not begin.
    #[error("its worker does not start: {0}")]
    Start(String),
    /// It began and cannot claim.
    #[error("its worker cannot connect: {0}")]
    Refused(String),
    /// It ended by itself.
    #[error("its worker (process {pid}) has ended by itself: {status}{}", said_by(.said))]
    Died {
        /// Its process.
        pid: u32,
        /// How.
        status: String,
        /// The last that it wrote to its standard error.
        said: String,
    },
    /// It does not answer.
    #[error(
        "its worker (process {pid}) has not answered for {} s, load.timeout for each round trip of a claim, and was ended{}",
        .waited.as_secs_f64(), said_by(.said)
    )]
    Silent {
        /// Its process.
        pid: u32,
        /// For how long.
        waited: Duration,
        /// The last that it wrote to its standard error.
        said: String,
    },
    /// It answers what nobody asked.
    #[error("its worker (process {pid}) answered with nonsense ({problem}) and was ended; it said `{line}`")]
    Nonsense {
        /// Its process.
        pid: u32,
        /// What is wrong with it.
        problem: String,
        /// What it said, cut.
        line: String,
    },
    /// Nobody waits for it any more.
    #[error("interrupted while a worker was built")]
    Cancelled,
}

fn said_by(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; its last words: {said}") }
}
