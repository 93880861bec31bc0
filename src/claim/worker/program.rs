//! A worker as a program: built by cargo once for each SDK, compiler and set of flags, and kept in the user's
//! cache.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::error::WorkerError;
use super::fingerprint::fingerprint;
use super::manifest::manifest;
use super::resolved::{NAME, Resolved};
use super::sources::{Scratch, sources};
use crate::cluster::{NO_CACHE_DIR, cache_dir};
use reclaim_analysis::record::SdkInfo;
use reclaim_analysis::scenario::SdkSource;

const MAIN: &str = include_str!("../../../sdk-worker/src/main.rs");

/// Versions that the tool itself was tested with: what both sides take from the registry is the same then, as
/// far as an SDK allows it.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// Lines of a compiler that say what was wrong, as a rule.
const LAST_LINES: usize = 40;

/// Between two looks at whether another build has ended.
const PAUSE: Duration = Duration::from_millis(200);

/// A worker that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The binary.
    pub path: PathBuf,
    /// What it was built from.
    pub info: SdkInfo,
}

/// The worker for an SDK: the one in the cache, or built now, which takes minutes the first time. Whoever
/// waits is told.
pub async fn program(
    sdk: &SdkSource,
    notify: &dyn Fn(&str),
    cancel: &CancellationToken,
) -> Result<Program, WorkerError> {
    let cache = cache_dir().map(|dir| dir.join("sdk-workers")).ok_or_else(|| WorkerError::Cache {
        dir: PathBuf::from("sdk-workers"),
        detail: NO_CACHE_DIR.to_owned(),
    })?;
    let bench = Bench { sdk, cache: &cache, cancel };
    tokio::select! {
        built = bench.program(notify) => built,
        () = cancel.cancelled() => Err(WorkerError::Cancelled),
    }
}

/// Where one worker is built, one at a time.
struct Bench<'a> {
    sdk: &'a SdkSource,
    cache: &'a Path,
    cancel: &'a CancellationToken,
}

impl Bench<'_> {
    fn kept(&self, error: &std::io::Error) -> WorkerError {
        WorkerError::Cache { dir: self.cache.to_owned(), detail: error.to_string() }
    }

    async fn program(&self, notify: &dyn Fn(&str)) -> Result<Program, WorkerError> {
        std::fs::create_dir_all(self.cache).map_err(|error| self.kept(&error))?;
        let _alone = self.alone(notify).await?;
        let sources = sources(self.sdk, self.cache)?;
        // The same place for all: cargo then builds what they share once.
        let project = Scratch::new(self.cache.join("build")).map_err(|error| self.kept(&error))?;
        write(project.path(), &manifest(&sources.located)?).map_err(|error| self.kept(&error))?;
        let compiler = self.compiler(project.path()).await?;
        let resolved = self.resolve(project.path()).await?;
        let info = SdkInfo {
            source: self.sdk.to_string(),
            version: resolved.version.clone(),
            commit: sources.commit.clone(),
            sha256: fingerprint(project.path(), &resolved, &compiler).map_err(|error| self.kept(&error))?,
            compiler,
        };
        let path = self.cache.join("programs").join(&info.sha256).join(NAME);
        if !path.is_file() {
            notify(&format!(
                "building the worker of ff-sdk {} with cargo (minutes the first time, kept in {})",
                self.sdk,
                self.cache.display()
            ));
            let built = self.build(project.path()).await?;
            keep(&built, &path).map_err(|error| self.kept(&error))?;
        }
        Ok(Program { path, info })
    }

    /// Waits until nobody else builds; others wait until what this returns is dropped.
    async fn alone(&self, notify: &dyn Fn(&str)) -> Result<File, WorkerError> {
        let lock = File::create(self.cache.join("lock")).map_err(|error| self.kept(&error))?;
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(std::fs::TryLockError::WouldBlock) => {}
                Err(std::fs::TryLockError::Error(error)) => return Err(self.kept(&error)),
            }
            if !std::mem::replace(&mut told, true) {
                notify("another run builds a worker: waiting for it");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn compiler(&self, project: &Path) -> Result<String, WorkerError> {
        let output = self.run("rustc", &["--version"], project).await?;
        self.succeeded("rustc --version", &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Has cargo choose versions, which it writes into the lock file.
    async fn resolve(&self, project: &Path) -> Result<Resolved, WorkerError> {
        let output = self.run("cargo", &["metadata", "--format-version", "1"], project).await?;
        self.succeeded("cargo metadata", &output)?;
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| self.failed("cargo metadata", format!("what is no JSON: {error}")))?;
        Resolved::read(&metadata).map_err(|said| self.failed("cargo metadata", said))
    }

    async fn build(&self, project: &Path) -> Result<PathBuf, WorkerError> {
        // Where the binary is depends on the user's configuration: cargo says it.
        let arguments = ["build", "--release", "--locked", "--message-format", "json-render-diagnostics"];
        let output = self.run("cargo", &arguments, project).await?;
        self.succeeded("cargo build", &output)?;
        let messages = String::from_utf8_lossy(&output.stdout);
        let binary = messages.lines().rev().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        });
        binary.ok_or_else(|| self.failed("cargo build", "it named no binary".to_owned()))
    }

    async fn run(
        &self,
        program: &'static str,
        arguments: &[&str],
        project: &Path,
    ) -> Result<Output, WorkerError> {
        if self.cancel.is_cancelled() {
            return Err(WorkerError::Cancelled);
        }
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(project)
            .env("CARGO_TARGET_DIR", self.cache.join("target"))
            .env("CARGO_TERM_COLOR", "never")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.output().await.map_err(|error| WorkerError::NoTool { program, detail: error.to_string() })
    }

    fn succeeded(&self, step: &'static str, output: &Output) -> Result<(), WorkerError> {
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(self.failed(step, last_lines(&said).unwrap_or_else(|| output.status.to_string())))
    }

    fn failed(&self, step: &'static str, said: String) -> WorkerError {
        WorkerError::Build { sdk: self.sdk.to_string(), step, said }
    }
}

/// Writes a project into its directory.
fn write(project: &Path, manifest: &str) -> std::io::Result<()> {
    std::fs::create_dir(project.join("src"))?;
    std::fs::write(project.join("Cargo.toml"), manifest)?;
    std::fs::write(project.join("Cargo.lock"), LOCK)?;
    std::fs::write(project.join("src/main.rs"), MAIN)
}

/// Puts a binary into the cache, all of it or nothing.
fn keep(built: &Path, path: &Path) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    std::fs::create_dir_all(dir)?;
    let partial = dir.join("partial");
    std::fs::copy(built, &partial)?;
    std::fs::rename(&partial, path)
}

/// The end of what a program said; `None` where it said nothing.
fn last_lines(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    (!last.is_empty()).then(|| last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_what_a_compiler_ends_with() {
        let long = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let last = last_lines(&long).unwrap();
        assert!(last.ends_with("line 99") && last.lines().count() == LAST_LINES);
        assert_eq!(last_lines("\n"), None);
    }
}
