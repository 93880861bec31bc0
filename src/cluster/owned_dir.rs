//! Temporary directories of servers, which a later run can tell to be abandoned and removes.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

const LOCK_FILE: &str = "owner.lock";
/// What the lock is called until its owner has it.
const LOCK_TO_BE: &str = "owner.lock.new";
/// How long an owner may take from making its directory to having the lock in it.
const SETTLED: Duration = Duration::from_mins(1);
/// What the names of all owners' directories begin with.
const ANY: &str = "reclaim-bench-";

/// A temporary directory whose owner holds a lock in it as long as it lives. Removed on drop.
pub(super) struct OwnedDir {
    // Before the lock, or another run could sweep the directory while this one removes it.
    dir: TempDir,
    _lock: File,
}

impl OwnedDir {
    /// Makes one, after removing those of the same prefix whose owners were killed.
    pub(super) fn create(prefix: &str) -> std::io::Result<Self> {
        sweep(&std::env::temp_dir(), prefix);
        let dir = tempfile::Builder::new().prefix(prefix).tempdir()?;
        // Under its name it is never seen without its owner: whoever finds it free may remove the directory.
        let to_be = dir.path().join(LOCK_TO_BE);
        let lock = File::create(&to_be)?;
        lock.lock()?;
        std::fs::rename(to_be, dir.path().join(LOCK_FILE))?;
        Ok(Self { dir, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Whether nobody holds the lock of an owner's directory that was settled: its owner has ended, or it is
/// gone.
#[cfg(all(feature = "container", unix))]
pub(super) fn is_ownerless(dir: &Path) -> bool {
    match File::open(dir.join(LOCK_FILE)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Removes the directories of all owners that were killed; for commands that make none.
pub(super) fn sweep_left() {
    sweep(&std::env::temp_dir(), ANY);
}

/// Best effort: whatever cannot be removed is not ours.
fn sweep(temp: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(temp) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) && is_abandoned(&entry.path()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether an owner made this directory and has ended: its lock is free, or it was killed before it had one.
fn is_abandoned(dir: &Path) -> bool {
    match (File::open(dir.join(LOCK_FILE)), File::open(dir.join(LOCK_TO_BE))) {
        (Ok(lock), _) => lock.try_lock().is_ok(),
        (Err(_), Ok(lock)) => {
            let made = lock.metadata().and_then(|metadata| metadata.modified());
            let settled = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > SETTLED));
            settled && lock.try_lock().is_ok()
        }
        (Err(_), Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_directories_are_swept() {
        let prefix = format!("{ANY}test-{}-", std::process::id());
        let kept = OwnedDir::create(&prefix).unwrap();
        let made = |lock: Option<&str>| {
            let dir = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap().keep();
            (dir.clone(), lock.map(|name| File::create(dir.join(name)).unwrap()))
        };
        let (foreign, _) = made(None);
        let (being_made, lock) = made(Some(LOCK_TO_BE));
        // As the kernel leaves it when an owner is killed, whenever that was.
        let (abandoned, _) = made(Some(LOCK_FILE));
        assert!(is_ownerless(&abandoned) && !is_ownerless(kept.path()));
        let another = OwnedDir::create(&prefix).unwrap();
        assert!(kept.path().exists() && another.path().exists() && foreign.exists());
        assert!(!abandoned.exists() && is_ownerless(&abandoned));
        assert!(being_made.exists(), "its owner may be about to lock it");
        lock.unwrap().set_modified(std::time::SystemTime::now() - 2 * SETTLED).unwrap();
        let (left, _) = made(Some(LOCK_FILE));
        sweep_left();
        assert!(!being_made.exists() && !left.exists() && kept.path().exists() && another.path().exists());
        std::fs::remove_dir(foreign).unwrap();
    }
}
