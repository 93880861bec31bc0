//! What this machine measured lately.

use std::path::{Path, PathBuf};

use super::file_names::RESULT;
use super::run_files::read_run;
use crate::machine::host;
use reclaim_analysis::judge::RunResult;

/// Of the `most` latest results of a scenario below `output` those that a machine like this one made, the
/// earliest first. What is in the making says nothing yet, and neither does what cannot be read: whoever asks
/// for that result is told.
pub fn latest_runs(output: &Path, scenario: &str, most: usize) -> Vec<RunResult> {
    let Ok(entries) = std::fs::read_dir(output) else { return Vec::new() };
    let own = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(scenario).is_some_and(|rest| rest.starts_with("-2")) && path.join(RESULT).is_file()
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(own).collect();
    found.sort();
    let here = host();
    let same_machine = |result: &RunResult| {
        let there = &result.record.environment.host;
        (&there.cpu, there.cores) == (&here.cpu, here.cores)
    };
    let latest = &found[found.len().saturating_sub(most)..];
    latest.iter().filter_map(|path| read_run(path).ok()).filter(same_machine).collect()
}
