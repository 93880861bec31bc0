//! What the generator can do: in a result directory, and in the user's cache for runs on the same machine.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::file_names::{self, CALIBRATION, PAGE};
use super::json::{Format, bytes, document, text, typed};
use super::result_dir::{ResultDir, put};
use crate::cluster::cache_dir;
use crate::machine::{host, tool};
use reclaim_analysis::judge::{self, CALIBRATION_SCHEMA, Calibration};
use reclaim_analysis::record::{CalibrationNote, RunRecord};
use reclaim_analysis::report;
use reclaim_analysis::scenario::Scenario;

/// `calibration.json`.
const FORMAT: Format = Format { now: CALIBRATION_SCHEMA, before: None, what: "a calibration" };

impl ResultDir {
    /// Writes what the generator can do.
    pub fn store_calibration(&self, calibration: &Calibration) -> Result<(), StoreError> {
        let json = bytes(CALIBRATION, calibration)?;
        self.put(PAGE, report::html::calibrations(&[calibration]).as_bytes())?;
        self.put(CALIBRATION, &json)
    }
}

/// Replaces the calibration that runs look for; returns where it is.
pub fn keep_for_runs(calibration: &Calibration) -> Result<PathBuf, StoreError> {
    keep_in(&cache_dir().ok_or(StoreError::NoCache)?, calibration)
}

/// What the calibration that was kept says about a run; `None` without one that fits this machine, this kind
/// of build, and the conditions and the servers of the run.
pub fn kept_note(record: &RunRecord, scenario: &Scenario) -> Result<Option<CalibrationNote>, StoreError> {
    let Some(dir) = cache_dir() else { return Ok(None) };
    let kept = kept(&dir.join(CALIBRATION))?.filter(|kept| kept.fits(&tool(), &host(), record));
    let (primaries, generators) = (record.environment.valkey.primaries, record.generators.len() as u32);
    Ok(kept.and_then(|calibration| calibration.note(scenario, primaries, generators)))
}

/// A stored calibration, given as its directory or its file. What it says is concluded again from what was
/// measured.
pub fn read_calibration(path: &Path) -> Result<Calibration, StoreError> {
    let (_, file) = file_names::parts(path, CALIBRATION);
    let stored: Calibration = document(&file, &FORMAT)?;
    Ok(judge::assess(stored.record))
}

fn keep_in(dir: &Path, calibration: &Calibration) -> Result<PathBuf, StoreError> {
    let path = dir.join(CALIBRATION);
    fs::create_dir_all(dir).map_err(|source| StoreError::File {
        doing: "write",
        path: path.clone(),
        source,
    })?;
    put(dir, CALIBRATION, &bytes(CALIBRATION, calibration)?)?;
    Ok(path)
}

/// `None` where there is no file.
fn kept(path: &Path) -> Result<Option<Calibration>, StoreError> {
    match text(path) {
        Err(StoreError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => typed(path, &text?).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::fixtures::calibration_record;

    #[test]
    fn what_is_saved_can_be_read_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("not/there/yet");
        assert!(kept(&cache.join(CALIBRATION)).unwrap().is_none());
        let calibration = reclaim_analysis::judge::assess(calibration_record());
        let path = keep_in(&cache, &calibration).unwrap();
        assert_eq!(kept(&path).unwrap().as_ref(), Some(&calibration));
        fs::write(&path, "{}").unwrap();
        let error = kept(&path).unwrap_err().to_string();
        assert!(error.contains("calibration.json is damaged"), "{error}");
    }
}
