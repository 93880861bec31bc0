//! Environment variables. One that is set to nothing counts as not set: that is how CI systems leave one out.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::bail;

/// Nodes of a running cluster, as `--nodes`.
pub const NODES: &str = "RECLAIM_BENCH_NODES";
/// The password. There is no option for it: arguments are seen by every user of a machine.
pub const PASSWORD: &str = "RECLAIM_BENCH_PASSWORD";
/// Name of a rendezvous, as `--rendezvous`.
pub const RENDEZVOUS: &str = "RECLAIM_BENCH_RENDEZVOUS";
/// Which of several generators this is, as `--part`.
pub const PART: &str = "RECLAIM_BENCH_PART";
/// How many generators there are, where [`JOB_INDEX`] says which one this is.
pub const PARTS: &str = "RECLAIM_BENCH_PARTS";
/// Number of a process in an Indexed Job of Kubernetes, from 0.
pub const JOB_INDEX: &str = "JOB_COMPLETION_INDEX";
/// Number of a process among those of a step of Slurm, from 0, and how many there are.
pub const SLURM: [&str; 2] = ["SLURM_PROCID", "SLURM_NTASKS"];
/// Server binary, as `--valkey-server`.
pub const VALKEY_SERVER: &str = "VALKEY_SERVER";
/// Where GitHub shows a summary, as `--summary`.
pub const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Set by a shell that asks what could come next, to the shell's name.
pub const COMPLETE: &str = "RECLAIM_BENCH_COMPLETE";

/// Columns of the terminal, where a shell has said it.
pub const COLUMNS: &str = "COLUMNS";

/// A variable's text. Its value is in no message: it may be a password.
pub fn text(name: &str) -> anyhow::Result<Option<String>> {
    match value(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => bail!("{name} is not valid UTF-8: set it again in that encoding"),
    }
}

/// Columns of a terminal that a variable names; what is no such number is no more than a shell's odd habit.
pub fn columns() -> Option<u16> {
    value(COLUMNS)?.to_str()?.parse().ok().filter(|columns| *columns > 0)
}

/// A path in a variable.
pub fn path(name: &str) -> Option<PathBuf> {
    value(name).map(PathBuf::from)
}

fn value(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
