//! A worker as a program: built by cargo once for each SDK, compiler and set of flags, and kept in the user's
//! cache.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::error::WorkerError;
use super::manifest::{BESIDE, SDK, manifest};
use super::sources::{Scratch, hash_dir, sources};
use crate::cluster::cache_dir;
use reclaim_analysis::record::SdkInfo;
use reclaim_analysis::scenario::SdkSource;

const MAIN: &str = include_str!("../../../sdk-worker/src/main.rs");

/// Versions that the tool itself was tested with: what both sides take from the registry is the same then, as
/// far as an SDK allows it.
const LOCK: &str = include_str!("../../../Cargo.lock");

const NAME: &str = "reclaim-sdk-worker";

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
        detail: "neither XDG_CACHE_HOME nor HOME is set".to_owned(),
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
            sha256: digest(project.path(), &resolved, &compiler).map_err(|error| self.kept(&error))?,
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

/// All that the binary depends on.
fn digest(project: &Path, resolved: &Resolved, compiler: &str) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut part = |name: &str, content: &[u8]| {
        hash.update(name);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    };
    part("template", include_bytes!("../../../sdk-worker/Cargo.toml.in"));
    part("main", MAIN.as_bytes());
    part("lock", &std::fs::read(project.join("Cargo.lock"))?);
    part("compiler", compiler.as_bytes());
    for (name, value) in
        flags(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        }))
    {
        part(&name, value.as_bytes());
    }
    part("features and editions", resolved.shapes.join("\n").as_bytes());
    for file in configurations(project) {
        part("configuration", settings(&std::fs::read_to_string(file)?).as_bytes());
    }
    for (name, dir) in &resolved.dirs {
        hash.update(name);
        hash_dir(&mut hash, dir)?;
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// Settings of the environment that change what cargo builds: cargo's own, and those of compilers, which may
/// have a target behind them.
fn flags(environment: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    const COMPILERS: [&str; 5] = ["CC", "CXX", "AR", "CFLAGS", "CXXFLAGS"];
    // Where and how quickly it is built.
    const NO_MATTER: [&str; 4] =
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_JOBS"];
    let counts = |name: &str| {
        let of_cargo = ["CARGO_PROFILE_RELEASE_", "CARGO_TARGET_", "CARGO_BUILD_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        let of_rustc = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].contains(&name) || name.starts_with("RUSTC");
        let of_either = name.strip_prefix("HOST_").or_else(|| name.strip_prefix("TARGET_")).unwrap_or(name);
        let first = of_either.split('_').next().unwrap_or_default();
        (of_cargo || of_rustc || COMPILERS.contains(&first)) && !NO_MATTER.contains(&name)
    };
    let mut flags: Vec<_> = environment.filter(|(name, _)| counts(name)).collect();
    flags.sort();
    flags
}

/// Files of settings that cargo reads in a folder: of each one above it, and the user's.
fn configurations(project: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let places = project.ancestors().map(|dir| dir.join(".cargo")).chain(home);
    let mut found: Vec<PathBuf> = places
        .flat_map(|place| [place.join("config.toml"), place.join("config")])
        .filter(|file| file.is_file())
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|file| seen.insert(file.clone()));
    found
}

/// What of such a file changes a binary; what cannot be read is taken whole, and cargo will say what is wrong.
fn settings(text: &str) -> String {
    let Ok(mut table) = text.parse::<toml::Table>() else { return text.to_owned() };
    table.retain(|name, _| ["build", "env", "patch", "profile", "source", "target"].contains(&name));
    if let Some(build) = table.get_mut("build").and_then(toml::Value::as_table_mut) {
        build.retain(|name, _| !["jobs", "target-dir", "build-dir"].contains(&name));
    }
    table.to_string()
}

/// What cargo chose.
struct Resolved {
    /// Version of the SDK.
    version: String,
    /// Crates that lie in directories, by name, with these.
    dirs: Vec<(String, PathBuf)>,
    /// Edition and features of every crate. The manifest of a workspace may decide both for its members, and
    /// lies above their directories.
    shapes: Vec<String>,
}

impl Resolved {
    /// Reads `cargo metadata`.
    fn read(metadata: &Value) -> Result<Self, String> {
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
        for name in [SDK].iter().chain(&BESIDE) {
            let found: Vec<String> = packages
                .iter()
                .filter(|package| package["name"] == *name)
                .map(|package| format!("{} ({})", text(package, "version"), text(package, "manifest_path")))
                .collect();
            if found.len() != 1 {
                return Err(format!(
                    "{} of {name} would be linked, and a worker speaks through one: {}",
                    found.len(),
                    found.join(", ")
                ));
            }
        }
        let local = packages.iter().filter(|package| package["source"].is_null() && package["name"] != NAME);
        let mut dirs: Vec<(String, PathBuf)> = local
            .map(|package| {
                let manifest = PathBuf::from(text(package, "manifest_path"));
                (text(package, "name"), manifest.parent().map(Path::to_owned).unwrap_or_default())
            })
            .collect();
        dirs.sort();
        let sdk = packages.iter().find(|package| package["name"] == SDK);
        let shapes = shapes(packages, &metadata["resolve"]["nodes"]);
        Ok(Self { version: sdk.map(|sdk| text(sdk, "version")).unwrap_or_default(), dirs, shapes })
    }
}

/// A line for each crate of `cargo metadata`, by name and version: an id has the path in it.
fn shapes(packages: &[Value], nodes: &Value) -> Vec<String> {
    let shape = |package: &Value| {
        let of_it = |node: &&Value| node["id"] == package["id"];
        let node = nodes.as_array().into_iter().flatten().find(of_it);
        let features = node.map(|node| node["features"].to_string()).unwrap_or_default();
        format!("{} {} {} {features}", package["name"], package["version"], package["edition"])
    };
    let mut shapes: Vec<String> = packages.iter().map(shape).collect();
    shapes.sort();
    shapes
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

    fn package(name: &str, source: Option<&str>, dir: &str) -> Value {
        serde_json::json!({
            "name": name, "version": "0.15.0", "source": source, "manifest_path": format!("{dir}/Cargo.toml"),
        })
    }

    #[test]
    fn crates_in_directories_are_found_and_two_of_one_are_refused() {
        let registry = Some("registry+x");
        let all = |more: Option<Value>| {
            let mut packages = vec![
                package(NAME, None, "/cache/build"),
                package("ff-sdk", None, "/ff/sdk"),
                package("ff-core", registry, "/registry/core"),
                package("ff-backend-valkey", registry, "/registry/backend"),
                package("ferriskey", registry, "/registry/ferriskey"),
            ];
            packages.extend(more);
            Resolved::read(&serde_json::json!({ "packages": packages }))
        };
        let resolved = all(None).unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(resolved.version, "0.15.0");
        assert_eq!(resolved.dirs, [("ff-sdk".to_owned(), PathBuf::from("/ff/sdk"))]);
        let said = all(Some(package("ff-core", None, "/ff/core"))).err().unwrap();
        assert!(
            said.contains("2 of ff-core would be linked") && said.contains("/ff/core/Cargo.toml"),
            "{said}"
        );
        assert!(Resolved::read(&Value::Null).is_err());
    }

    #[test]
    fn flags_that_change_the_binary_are_part_of_what_it_is() {
        let counting = [
            "CARGO_PROFILE_RELEASE_OPT_LEVEL",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CC_x86_64-unknown-linux-gnu",
            "CFLAGS",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "TARGET_CFLAGS",
        ];
        let others = ["HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "CCACHE_DIR", "CARGO_BUILD_JOBS"];
        let all = counting.into_iter().chain(others).map(|name| (name.to_owned(), "x".to_owned()));
        let names: Vec<String> = flags(all).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, counting);
    }

    #[test]
    fn settings_that_change_the_binary_are_part_of_what_it_is() {
        let native =
            settings("[build]\nrustflags = [\"-C\", \"target-cpu=native\"]\njobs = 2\n[term]\nquiet = true");
        assert!(
            native.contains("native") && !native.contains("jobs") && !native.contains("quiet"),
            "{native}"
        );
        assert_eq!(settings("[term]\nquiet = true\n[net]\nretry = 3"), settings(""));
        assert_eq!(settings("[build"), "[build");
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("a/b");
        std::fs::create_dir_all(dir.path().join("a/.cargo")).unwrap();
        std::fs::create_dir_all(&project).unwrap();
        let file = dir.path().join("a/.cargo/config.toml");
        std::fs::write(&file, "[build]").unwrap();
        assert!(configurations(&project).contains(&file));
    }

    /// The manifest of a workspace decides features and editions of its members, and lies above all of them.
    #[test]
    fn features_and_editions_that_a_workspace_decides_are_part_of_what_a_worker_is() {
        let of = |edition: &str, features: &[&str], place: &str| {
            let id = format!("path+file://{place}#ff-sdk@0.15.0");
            let package =
                serde_json::json!({ "name": "ff-sdk", "version": "0.15.0", "id": id, "edition": edition });
            let nodes = serde_json::json!([{ "id": id, "features": features }]);
            shapes(&[package], &nodes)
        };
        let one = of("2021", &["default"], "/base/crates/ff-sdk");
        assert_eq!(one, of("2021", &["default"], "/candidate/crates/ff-sdk"));
        assert_ne!(one, of("2024", &["default"], "/base/crates/ff-sdk"));
        assert_ne!(one, of("2021", &["default", "more"], "/base/crates/ff-sdk"));
    }

    #[test]
    fn the_last_lines_are_what_a_compiler_ends_with() {
        let long = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let last = last_lines(&long).unwrap();
        assert!(last.ends_with("line 99") && last.lines().count() == LAST_LINES);
        assert_eq!(last_lines("\n"), None);
    }
}
