//! A result directory: probed before the run, each of its files written in one step.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::StoreError;
use super::file_names::SUMMARY;
use reclaim_analysis::report::plain_text;

/// Space that a result may need; probed before hours of load are spent on it.
const PROBE_BYTES: usize = 4 << 20;

/// A directory for one run, or for one thing that is made of several. Where nothing was put into it, it goes
/// with this value.
#[derive(Debug)]
pub struct ResultDir {
    path: PathBuf,
}

impl ResultDir {
    /// Creates `<output>/<scenario>-<UTC time>-<id>` and makes sure that a result will fit into it.
    pub fn create(output: &Path, scenario: &str) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Output { output: output.to_owned(), source };
        fs::create_dir_all(output).map_err(failed)?;
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(['-', ':'], "");
        let free = tempfile::Builder::new()
            .prefix(&format!("{scenario}-{now}-"))
            .rand_bytes(6)
            .tempdir_in(output)
            .map_err(failed)?;
        probe(free.path()).map_err(failed)?;
        let path = free.keep();
        open_to_others(&path).map_err(failed)?;
        Ok(Self { path })
    }

    /// A directory that is there, to write into it again.
    pub fn existing(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Creates the directory of one of several runs in here.
    pub fn part(&self, name: &str) -> Result<Self, StoreError> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(|source| StoreError::File {
            doing: "create",
            path: path.clone(),
            source,
        })?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its own name, without the path before it.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whoever reads `name` sees the old or the new content, never a part of it, and it survives a power cut.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        put(&self.path, name, content)
    }

    /// Puts the words for people beside the rest.
    pub(super) fn put_summary(&self, markdown: &str) -> Result<(), StoreError> {
        self.put(SUMMARY, plain_text(markdown).as_bytes())
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::File { doing: "remove", path, source })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for ResultDir {
    fn drop(&mut self) {
        // Only an empty directory can be removed this way: what fails here has something in it, or is gone.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Puts a file into a directory in one step.
pub(super) fn put(dir: &Path, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let target = dir.join(name);
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(content)?;
        open_to_others(file.path())?;
        file.as_file().sync_all()?;
        file.persist(&target)?;
        fs::File::open(dir)?.sync_all()
    };
    write().map_err(|source| StoreError::File { doing: "write", path: target.clone(), source })
}

fn probe(dir: &Path) -> std::io::Result<()> {
    let mut probe = tempfile::NamedTempFile::new_in(dir)?;
    probe.write_all(&vec![0; PROBE_BYTES])?;
    probe.as_file().sync_all()
}

/// Temporary files are private; results are for everyone whom the directory lets in.
fn open_to_others(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        dir.put("some", b"thing").unwrap();
        let path = dir.path().to_owned();
        drop(dir);
        assert!(path.exists());
        let empty = ResultDir::create(output.path(), "x").unwrap();
        let path = empty.path().to_owned();
        drop(empty);
        assert!(!path.exists());
    }

    #[test]
    fn an_output_that_is_no_directory_is_refused_with_what_to_do() {
        let output = tempfile::tempdir().unwrap();
        let file = output.path().join("file");
        fs::write(&file, "").unwrap();
        let error = ResultDir::create(&file, "x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write results to") && error.contains("--output"), "{error}");
    }
}
