//! The calibration of this machine, in the user's cache: written by `calibrate`, looked up by runs.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::result_dir;
use crate::cluster::cache_dir;
use crate::machine::{host, tool};
use reclaim_analysis::judge::{self, CALIBRATION_SCHEMA, Calibration};
use reclaim_analysis::record::{CalibrationNote, RunRecord};
use reclaim_analysis::scenario::Scenario;

/// The file, here and in result directories.
pub(super) const CALIBRATION: &str = "calibration.json";

/// Replaces the stored calibration; returns where it is.
pub(super) fn save(calibration: &Calibration) -> anyhow::Result<PathBuf> {
    let dir = cache_dir().context("no cache directory: neither XDG_CACHE_HOME nor HOME is set")?;
    save_in(&dir, calibration)
}

/// What the stored calibration says about a run; `None` without one that fits this machine and this build. One that
/// cannot be read is said through `complain` and is no obstacle.
pub(super) fn note(
    record: &RunRecord,
    scenario: &Scenario,
    complain: impl FnOnce(&str),
) -> Option<CalibrationNote> {
    let path = cache_dir()?.join(CALIBRATION);
    match read(&path) {
        Ok(stored) => stored
            .filter(|calibration| calibration.fits(&tool(), &host()))?
            .note(scenario, record.environment.valkey.primaries),
        Err(error) => {
            complain(&format!("warning: {error:#}; run `reclaim-bench calibrate` again"));
            None
        }
    }
}

/// A stored calibration, given as its directory or its file. What it says is concluded again from what was measured.
pub(super) fn stored(path: &Path) -> anyhow::Result<Calibration> {
    let (_, file) = result_dir::parts(path, CALIBRATION);
    let stored: Calibration = result_dir::document(&file, CALIBRATION_SCHEMA, "a calibration")?;
    Ok(judge::assess(stored.record))
}

fn save_in(dir: &Path, calibration: &Calibration) -> anyhow::Result<PathBuf> {
    let path = dir.join(CALIBRATION);
    let write = || -> anyhow::Result<()> {
        fs::create_dir_all(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut file, calibration)?;
        file.write_all(b"\n")?;
        file.persist(&path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// `None` where there is no file.
fn read(path: &Path) -> anyhow::Result<Option<Calibration>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    serde_json::from_str(&text).map(Some).with_context(|| format!("{} is damaged", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::fixtures::calibration_record;

    #[test]
    fn what_is_saved_can_be_read_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("not/there/yet");
        assert!(read(&cache.join(CALIBRATION)).unwrap().is_none());
        let calibration = reclaim_analysis::judge::assess(calibration_record());
        let path = save_in(&cache, &calibration).unwrap();
        assert_eq!(read(&path).unwrap().as_ref(), Some(&calibration));
        fs::write(&path, "{}").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("calibration.json is damaged"), "{error}");
    }
}
