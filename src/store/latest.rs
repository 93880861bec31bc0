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
        name.strip_prefix(scenario).is_some_and(is_time_and_id) && path.join(RESULT).is_file()
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

/// Whether this is what stands behind a scenario's name in the name of a result's directory, and not the rest of
/// a longer name: `-20260102T030405Z-a1b2c3`.
fn is_time_and_id(rest: &str) -> bool {
    let day = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    rest.strip_prefix('-').and_then(|time| time.split_once('T')).is_some_and(|(date, _)| day(date))
}

#[cfg(test)]
mod tests {
    use super::is_time_and_id;

    #[test]
    fn a_scenario_whose_name_another_begins_with_has_its_own_runs_alone() {
        let behind = |name: &str| name.strip_prefix("steady").map(is_time_and_id);
        assert_eq!(behind("steady-20260102T030405Z-a1b2c3"), Some(true));
        for other in [
            "steady-2nodes-20260102T030405Z-a1b2c3",
            "steady-20T-20260102T030405Z-a1b2c3",
            "steady",
            "steady-sweep",
        ] {
            assert_eq!(behind(other), Some(false), "{other}");
        }
    }
}
