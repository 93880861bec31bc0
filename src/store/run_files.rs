//! One run: its result, the words and histograms beside it, and the safety copy while it goes on.

use std::path::Path;

use super::error::StoreError;
use super::file_names::{HISTOGRAMS, Kind, PAGE, PARTIAL, RESULT};
use super::json::{Format, bytes, document, is_of_ff_bench, text, typed, unwritable};
use super::result_dir::{ResultDir, put};
use reclaim_analysis::json::ToJsonLine as _;
use reclaim_analysis::judge::{self, RunResult, SCHEMA};
use reclaim_analysis::record::RunRecord;
use reclaim_analysis::report;

/// `result.json`. There was no other version before this one.
const FORMAT: Format = Format { now: SCHEMA, before: None, what: "a result of reclaim-bench" };

/// Replaces the safety copy of what has been measured so far, in the run's directory: by its path, for whoever writes it
/// beside the run.
pub fn keep_partial(dir: &Path, record: &RunRecord) -> Result<(), StoreError> {
    let copy = record.to_json_line().map_err(|error| unwritable(PARTIAL, &error))?;
    put(dir, PARTIAL, copy.as_bytes())
}

impl ResultDir {
    /// Writes everything, `result.json` last, and removes the safety copy.
    pub fn store_run(&self, result: &RunResult) -> Result<(), StoreError> {
        let histograms = report::hlog(result).map_err(|error| unwritable(HISTOGRAMS, &error))?;
        let json = bytes(RESULT, result)?;
        self.put_summary(&report::markdown(result))?;
        self.put(PAGE, report::html::runs(&[result]).as_bytes())?;
        self.put(HISTOGRAMS, &histograms)?;
        self.put(RESULT, &json)?;
        self.remove(PARTIAL)
    }
}

/// Reads a stored run, given as its directory or as the file. Of a run that was killed it reads the safety
/// copy, which is marked as partial.
pub fn read_run(path: &Path) -> Result<RunResult, StoreError> {
    let file = if path.is_dir() { path.join(RESULT) } else { path.to_owned() };
    let copy = path.join(PARTIAL);
    if !file.exists() && copy.exists() {
        return read_copy(&copy);
    }
    match Kind::at(path) {
        Kind::Run if !path.exists() => return Err(StoreError::NotThere(path.to_owned())),
        Kind::Run if path.is_dir() && !file.exists() => return Err(StoreError::NoResult(path.to_owned())),
        Kind::Run => {}
        kind @ (Kind::Calibration | Kind::History) => {
            return Err(StoreError::OtherForRun { path: path.to_owned(), kind });
        }
        kind => return Err(StoreError::SeveralForRun { path: path.to_owned(), kind }),
    }
    document(&file, &FORMAT).map_err(|error| match error {
        StoreError::NoSchema { path, .. } if holds_ff_bench(&path) => StoreError::OfFfBench(path),
        other => other,
    })
}

fn holds_ff_bench(file: &Path) -> bool {
    let json = text(file).ok().and_then(|text| serde_json::from_str(&text).ok());
    json.is_some_and(|json| is_of_ff_bench(&json))
}

/// What a killed run had measured when it last kept a copy.
fn read_copy(file: &Path) -> Result<RunResult, StoreError> {
    let record: RunRecord = typed(file, &text(file)?)?;
    judge::analyse(RunRecord { partial: true, ..record })
        .map_err(|source| StoreError::Scenario { path: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::super::file_names::SUMMARY;
    use super::*;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, record, scenario};
    use std::fs;

    fn names(dir: &ResultDir) -> Vec<String> {
        let entries = fs::read_dir(dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_finished_run_leaves_its_files_and_no_safety_copy() {
        let output = tempfile::tempdir().unwrap();
        let dir = ResultDir::create(&output.path().join("not/there/yet"), "lane-ab").unwrap();
        assert_eq!(names(&dir), Vec::<String>::new());
        let record = record(&[GRANT_LANE], 1);
        keep_partial(dir.path(), &record).unwrap();
        keep_partial(dir.path(), &record).unwrap();
        assert_eq!(names(&dir), [PARTIAL]);
        let copy = read_run(dir.path()).unwrap();
        assert!(copy.record.partial);
        assert_eq!(copy.record.arms, record.arms);
        let result = reclaim_analysis::judge::analyse_as(record, &scenario(&[GRANT_LANE]));
        dir.store_run(&result).unwrap();
        assert_eq!(names(&dir), [HISTOGRAMS, PAGE, RESULT, SUMMARY]);
        assert_eq!(read_run(dir.path()).unwrap(), result);
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("lane-ab-20") && name.contains("Z-"), "{name}");
    }
}
