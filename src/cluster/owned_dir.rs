//! Temporary directories of servers, which a later run can tell to be abandoned and removes.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

const LOCK_FILE: &str = "owner.lock";
/// Between making its lock and taking it, an owner's directory looks abandoned.
const SETTLED: Duration = Duration::from_mins(1);

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
        let lock = File::create(dir.path().join(LOCK_FILE))?;
        lock.lock()?;
        Ok(Self { dir, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Whether nobody holds the lock of an owner's directory that was settled: its owner has ended, or it is gone.
#[cfg(all(feature = "container", unix))]
pub(super) fn is_ownerless(dir: &Path) -> bool {
    match File::open(dir.join(LOCK_FILE)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Best effort: whatever cannot be removed is not ours.
fn sweep(temp: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(temp) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix)
            && File::open(entry.path().join(LOCK_FILE)).is_ok_and(|lock| abandoned(&lock))
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn abandoned(lock: &File) -> bool {
    let made = lock.metadata().and_then(|metadata| metadata.modified());
    let settled = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > SETTLED));
    settled && lock.try_lock().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_directories_are_swept() {
        let prefix = format!("reclaim-bench-test-{}-", std::process::id());
        let kept = OwnedDir::create(&prefix).unwrap();
        let abandoned = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap().keep();
        let lock = File::create(abandoned.join(LOCK_FILE)).unwrap();
        let fresh = OwnedDir::create(&prefix).unwrap();
        assert!(abandoned.exists(), "its owner may be about to lock it");
        let held = File::options().write(true).open(kept.path().join(LOCK_FILE)).unwrap();
        for old in [&lock, &held] {
            old.set_modified(std::time::SystemTime::now() - 2 * SETTLED).unwrap();
        }
        drop(lock);
        assert!(is_ownerless(&abandoned) && !is_ownerless(kept.path()));
        let another = OwnedDir::create(&prefix).unwrap();
        assert!(kept.path().exists() && fresh.path().exists() && another.path().exists());
        assert!(!abandoned.exists() && is_ownerless(&abandoned));
    }
}
