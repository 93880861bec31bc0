//! What this machine measured lately.

use std::path::{Path, PathBuf};

use super::run::read_run;
use crate::machine::host;
use reclaim_analysis::judge::RunResult;

/// Results that are read, the latest ones.
const LATEST: usize = 3;

/// The latest results of a scenario below `output` that a machine like this one made, the earliest first.
pub fn latest_runs(output: &Path, scenario: &str) -> Vec<RunResult> {
    let Ok(entries) = std::fs::read_dir(output) else { return Vec::new() };
    let own = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(scenario).is_some_and(|rest| rest.starts_with("-2"))
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(own).collect();
    found.sort();
    let here = host();
    let same_machine = |result: &RunResult| {
        let there = &result.record.environment.host;
        (&there.cpu, there.cores) == (&here.cpu, here.cores)
    };
    // What cannot be read says nothing; whoever asks for that result is told.
    let mut latest: Vec<RunResult> =
        found.iter().rev().filter_map(|path| read_run(path).ok()).filter(same_machine).take(LATEST).collect();
    latest.reverse();
    latest
}
