//! The result directory: probed before the run, written when it is over, `result.json` last.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

use super::calibration_store::CALIBRATION;
use super::kind::Kind;
use reclaim_analysis::judge::capacity::Capacity;
use reclaim_analysis::judge::{self, Calibration, RunResult, SCHEMA};
use reclaim_analysis::record::RunRecord;
use reclaim_analysis::report;

/// The finished result, in a result directory.
pub const RESULT: &str = "result.json";
/// The safety copy of a run that goes on.
pub const PARTIAL: &str = "result.partial.json";
/// What a series of runs has come to.
pub const SERIES: &str = "repeat.json";
/// What a capacity search has come to.
pub const CAPACITY: &str = "capacity.json";
const CAPACITY_CURVE: &str = "curve.csv";
const CAPACITY_KNEE: &str = "knee.svg";
/// The curve of a sweep, and its points for a plot.
pub const SWEEP: &str = "sweep.json";
const CURVE: &str = "sweep.csv";
const SUMMARY: &str = "summary.md";
const HISTOGRAMS: &str = "latency.hlog";

/// Space that a result may need; probed before hours of load are spent on it.
const PROBE_BYTES: usize = 4 << 20;

/// A directory of its own for one run.
#[derive(Debug)]
pub struct ResultDir {
    path: PathBuf,
}

impl ResultDir {
    /// Creates `<output>/<scenario>-<UTC time>-<id>` and makes sure that a result will fit into it.
    pub fn create(output: &Path, scenario: &str) -> anyhow::Result<Self> {
        let advice = || {
            format!(
                "cannot write results to {}: choose another directory with --output, or make room",
                output.display()
            )
        };
        fs::create_dir_all(output).with_context(advice)?;
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(['-', ':'], "");
        let free = tempfile::Builder::new()
            .prefix(&format!("{scenario}-{now}-"))
            .rand_bytes(6)
            .tempdir_in(output)
            .with_context(advice)?;
        let mut probe = tempfile::NamedTempFile::new_in(free.path()).with_context(advice)?;
        probe.write_all(&vec![0; PROBE_BYTES]).with_context(advice)?;
        probe.as_file().sync_all().with_context(advice)?;
        drop(probe);
        let path = free.keep();
        open_to_others(&path).with_context(advice)?;
        Ok(Self { path })
    }

    /// A directory that is there, to write into it again.
    pub fn existing(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Creates the directory of one of several runs in here.
    pub fn part(&self, name: &str) -> anyhow::Result<Self> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the safety copy of what has been measured so far.
    pub fn keep_partial(&self, record: &RunRecord) -> anyhow::Result<()> {
        self.put(PARTIAL, &serde_json::to_vec(record)?)
    }

    /// Writes everything, `result.json` last, and removes the safety copy.
    pub fn store(&self, result: &RunResult) -> anyhow::Result<()> {
        self.put(SUMMARY, report::markdown(result).as_bytes())?;
        self.put(HISTOGRAMS, &report::hlog(result)?)?;
        self.put(RESULT, report::json(result)?.as_bytes())?;
        match fs::remove_file(self.path.join(PARTIAL)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path.join(PARTIAL).display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes what the generator can do.
    pub fn store_calibration(&self, calibration: &Calibration) -> anyhow::Result<()> {
        self.put(CALIBRATION, (serde_json::to_string_pretty(calibration)? + "\n").as_bytes())
    }

    /// Replaces what a series of runs has come to so far; the runs themselves have directories of their own in here.
    pub fn store_series(&self, series: &impl serde::Serialize, markdown: &str) -> anyhow::Result<()> {
        self.put(SUMMARY, markdown.as_bytes())?;
        self.put(SERIES, (serde_json::to_string_pretty(series)? + "\n").as_bytes())
    }

    /// Replaces what a capacity search has come to so far; its probes have directories of their own in here.
    pub fn store_capacity(&self, capacity: &Capacity) -> anyhow::Result<()> {
        self.put(SUMMARY, report::capacity_markdown(capacity).as_bytes())?;
        self.put(CAPACITY_CURVE, report::capacity_csv(capacity).as_bytes())?;
        self.put(CAPACITY, report::capacity_json(capacity)?.as_bytes())?;
        match report::capacity_svg(capacity)? {
            Some(picture) => self.put(CAPACITY_KNEE, picture.as_bytes()),
            None => Ok(()),
        }
    }

    /// Replaces what a sweep has come to so far.
    pub fn store_sweep(
        &self,
        curve: &impl serde::Serialize,
        markdown: &str,
        csv: &str,
    ) -> anyhow::Result<()> {
        self.put(SUMMARY, markdown.as_bytes())?;
        self.put(CURVE, csv.as_bytes())?;
        self.put(SWEEP, (serde_json::to_string_pretty(curve)? + "\n").as_bytes())
    }

    /// Removes the directory of a run that measured nothing. A safety copy keeps it.
    pub fn remove_if_empty(&self) {
        // An error here means that there is something in it, or that it is gone: both are fine.
        let _ = fs::remove_dir(&self.path);
    }

    /// Whoever reads `name` sees the old or the new content, never a part of it, and it survives a power cut.
    fn put(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let target = self.path.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            file.write_all(content)?;
            open_to_others(file.path())?;
            file.as_file().sync_all()?;
            file.persist(&target)?;
            fs::File::open(&self.path)?.sync_all()
        };
        write().with_context(|| format!("cannot write {}", target.display()))
    }
}

/// Temporary files are private; results are for everyone whom the directory lets in.
fn open_to_others(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Reads a stored result, given as its directory or as the file. Of a run that was killed it reads the safety copy,
/// which is marked as partial.
pub fn read(path: &Path) -> anyhow::Result<RunResult> {
    let file = if path.is_dir() { path.join(RESULT) } else { path.to_owned() };
    let copy = path.join(PARTIAL);
    if !file.exists() && copy.exists() {
        return read_copy(&copy);
    }
    match Kind::of(path) {
        Kind::Run if path.is_dir() && !file.exists() => bail!(
            "{} holds no result: the run was killed before anything of it was stored, or it is another directory",
            path.display()
        ),
        Kind::Run => {}
        Kind::Calibration => {
            bail!("{} holds a calibration, not a run: `reclaim-bench report` shows it", path.display())
        }
        set => bail!(
            "{} holds {}: `reclaim-bench report` shows them together; give {}/*/ for the single runs",
            path.display(),
            set.what(),
            path.display()
        ),
    }
    document(&file, SCHEMA, "a result of reclaim-bench")
}

/// Reads a JSON file that says of itself that it has this schema.
pub fn document<T: DeserializeOwned>(file: &Path, schema: &str, what: &str) -> anyhow::Result<T> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
    match json.get("schema").and_then(|schema| schema.as_str()) {
        Some(own) if own == schema => {}
        Some(other) => bail!("{} has the format {other}, this tool reads {schema}", file.display()),
        None => bail!("{} is not {what}: it has no \"schema\"", file.display()),
    }
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))
}

/// The directory and the file of something that is given as either.
pub fn parts(path: &Path, file: &str) -> (PathBuf, PathBuf) {
    let is_file = path.file_name().is_some_and(|name| name == file) && !path.is_dir();
    let dir = if is_file { path.parent().unwrap_or(Path::new(".")) } else { path };
    (dir.to_owned(), dir.join(file))
}

/// What a killed run had measured when it last kept a copy.
fn read_copy(file: &Path) -> anyhow::Result<RunResult> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let record: RunRecord =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
    Ok(judge::analyse(RunRecord { partial: true, ..record })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, record, scenario};

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
        dir.keep_partial(&record).unwrap();
        dir.keep_partial(&record).unwrap();
        assert_eq!(names(&dir), [PARTIAL]);
        let copy = read(dir.path()).unwrap();
        assert!(copy.record.partial);
        assert_eq!(copy.record.arms, record.arms);
        let result = reclaim_analysis::judge::analyse_as(record, &scenario(&[GRANT_LANE]));
        dir.store(&result).unwrap();
        assert_eq!(names(&dir), [HISTOGRAMS, RESULT, SUMMARY]);
        assert_eq!(read(dir.path()).unwrap(), result);
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("lane-ab-20") && name.contains("Z-"), "{name}");
    }

    #[test]
    fn two_runs_in_one_second_do_not_share_a_directory() {
        let output = tempfile::tempdir().unwrap();
        let one = ResultDir::create(output.path(), "x").unwrap();
        let two = ResultDir::create(output.path(), "x").unwrap();
        assert_ne!(one.path(), two.path());
    }

    #[test]
    fn only_an_empty_directory_is_removed() {
        let output = tempfile::tempdir().unwrap();
        let dir = ResultDir::create(output.path(), "x").unwrap();
        dir.keep_partial(&record(&[GRANT_LANE], 1)).unwrap();
        dir.remove_if_empty();
        assert!(dir.path().exists());
        let empty = ResultDir::create(output.path(), "x").unwrap();
        empty.remove_if_empty();
        assert!(!empty.path().exists());
    }

    #[test]
    fn an_output_that_is_no_directory_is_refused_with_what_to_do() {
        let output = tempfile::tempdir().unwrap();
        let file = output.path().join("file");
        fs::write(&file, "").unwrap();
        let error = format!("{:#}", ResultDir::create(&file, "x").unwrap_err());
        assert!(error.starts_with("cannot write results to") && error.contains("--output"), "{error}");
    }
}
