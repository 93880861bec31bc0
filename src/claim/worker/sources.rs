//! The sources of an SDK: brought to where cargo finds them, and what identifies them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::error::WorkerError;
use super::manifest::Located;
use reclaim_analysis::scenario::SdkSource;

/// Directories without sources.
const NO_SOURCES: [&str; 3] = [".git", "node_modules", "target"];

/// Sources that are there until this is dropped.
#[derive(Debug)]
pub(super) struct WorkerSources {
    pub(super) located: Located,
    /// The commit, of a revision.
    pub(super) commit: Option<String>,
    _exported: Option<Scratch>,
}

/// A directory that is gone when this is.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// An empty directory; what was there before is removed.
    pub(super) fn new(dir: PathBuf) -> std::io::Result<Self> {
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is a cache's: what cannot be removed now is removed when it is needed again.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Finds the sources, or has git write those of a revision below `cache`.
pub(super) fn sources(sdk: &SdkSource, cache: &Path) -> Result<WorkerSources, WorkerError> {
    match sdk {
        SdkSource::Release(version) => {
            Ok(WorkerSources { located: Located::Release(version.clone()), commit: None, _exported: None })
        }
        SdkSource::Dir(dir) => {
            let found = dir.canonicalize().map_err(|error| WorkerError::Sources {
                path: dir.clone(),
                detail: format!(
                    "{error}; give the directory of the crate ff-sdk, or a version such as 0.15.0"
                ),
            })?;
            Ok(WorkerSources { located: Located::Dir(found), commit: None, _exported: None })
        }
        SdkSource::Git { revision, path } => {
            let object = sdk.to_string();
            let refused = |detail: String| WorkerError::Revision { object: object.clone(), detail };
            let commit = git(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])
                .map_err(|said| {
                    refused(if said.is_empty() { "no such revision".to_owned() } else { said })
                })?;
            // Of its own for each commit: cargo goes by the time of files, and must not take one for another.
            let dir = cache.join("sources").join(&commit);
            let kept =
                |error: std::io::Error| WorkerError::Cache { dir: dir.clone(), detail: error.to_string() };
            let exported = Scratch::new(dir.clone()).map_err(kept)?;
            export(&commit, exported.path()).map_err(refused)?;
            let crate_dir = exported.path().join(path);
            if !crate_dir.join("Cargo.toml").is_file() {
                return Err(refused(format!("there is no {path}/Cargo.toml in it")));
            }
            Ok(WorkerSources {
                located: Located::Dir(crate_dir),
                commit: Some(commit),
                _exported: Some(exported),
            })
        }
    }
}

/// What git answers; the error is what it said instead.
fn git(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("fatal: ").to_owned())
    }
}

/// Writes a commit's files into `dir`: the whole repository, for crates take names and versions from their
/// workspace.
fn export(commit: &str, dir: &Path) -> Result<(), String> {
    // From the top, also where the command runs below it.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let mut archive = Command::new("git")
        .args(["-C", &top, "archive", "--format=tar", commit])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run git: {error}"))?;
    let stream = archive.stdout.take().ok_or("git has no output")?;
    let unpacked = Command::new("tar")
        // Times of now: cargo builds again what is newer than what it built.
        .args(["-x", "-m", "-C"])
        .arg(dir)
        .stdin(Stdio::from(stream))
        .output()
        .map_err(|error| format!("cannot run tar: {error}"));
    let archived = archive.wait_with_output().map_err(|error| error.to_string())?;
    let said = |stderr: &[u8]| String::from_utf8_lossy(stderr).trim().to_owned();
    if !archived.status.success() {
        return Err(format!("git archive: {}", said(&archived.stderr)));
    }
    match unpacked? {
        done if done.status.success() => Ok(()),
        failed => Err(format!("tar: {}", said(&failed.stderr))),
    }
}

/// Adds all files of a crate's directory, by name and content.
pub(super) fn hash_dir(hash: &mut Sha256, dir: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    collect(dir, &mut files)?;
    files.sort();
    for file in files {
        let content = std::fs::read(&file)?;
        let name = file.strip_prefix(dir).unwrap_or(&file).to_string_lossy().into_owned();
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    Ok(())
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // As what a link leads to: cargo follows it.
        let kind = std::fs::metadata(entry.path());
        match kind {
            Ok(kind) if kind.is_dir() => {
                let name = entry.file_name();
                let linked = entry.file_type()?.is_symlink();
                if !linked && !NO_SOURCES.iter().any(|none| name == *none) {
                    collect(&entry.path(), files)?;
                }
            }
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            // A link to nowhere, a socket: nothing that is compiled.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(dir: &Path) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash_dir(&mut hash, dir).unwrap();
        hash.finalize().to_vec()
    }

    #[test]
    fn one_letter_more_in_any_source_is_another_sdk_and_a_copy_is_the_same() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [first.path(), second.path()] {
            std::fs::create_dir_all(dir.join("src")).unwrap();
            std::fs::write(dir.join("src/lib.rs"), "fn a() {}").unwrap();
            std::fs::write(dir.join("Cargo.toml"), "[package]").unwrap();
        }
        assert_eq!(digest(first.path()), digest(second.path()));
        std::fs::create_dir_all(second.path().join("target")).unwrap();
        std::fs::write(second.path().join("target/x"), "built").unwrap();
        assert_eq!(digest(first.path()), digest(second.path()), "what was built is no source");
        std::fs::write(second.path().join("src/lib.rs"), "fn b() {}").unwrap();
        assert_ne!(digest(first.path()), digest(second.path()));
    }

    #[test]
    fn a_directory_and_a_revision_that_are_not_there_are_named() {
        let cache = tempfile::tempdir().unwrap();
        let said =
            |text: &str| sources(&SdkSource::parse(text).unwrap(), cache.path()).unwrap_err().to_string();
        assert!(said("./no-such-sdk").contains("./no-such-sdk: "), "{}", said("./no-such-sdk"));
        let revision = said("no-such-revision:crates/ff-sdk");
        assert!(revision.contains("cannot read no-such-revision:crates/ff-sdk with git"), "{revision}");
        assert!(!cache.path().join("sources").exists(), "nothing is left behind");
    }
}
