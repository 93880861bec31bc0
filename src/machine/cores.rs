//! Which cores there are for this process, and which of them are one physical core.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::cgroup::quota_us_per_s;
use super::files::Files;

/// What this process may use of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Available {
    /// Logical cores, as the physical ones that they are part of.
    pub physical: Vec<Vec<u32>>,
    /// Logical cores of the whole machine that are switched on; `None` where the system does not say.
    pub present: Option<u32>,
    /// What a control group leaves, in microseconds of CPU per second.
    pub quota_us_per_s: Option<u64>,
}

impl Available {
    /// As it was when it was first asked for: later, threads may be bound, and a bound one sees only its own
    /// core.
    pub fn here() -> &'static Self {
        static HERE: LazyLock<Available> =
            LazyLock::new(|| Available::from_files(&Files::here(), &allowed()));
        &HERE
    }

    pub(super) fn from_files(files: &Files, allowed: &[u32]) -> Self {
        let present = files.read("/proc/stat").lines().filter(|line| core_of(line).is_some()).count() as u32;
        Self {
            physical: physical(files, allowed),
            present: Some(present).filter(|present| *present > 0),
            quota_us_per_s: quota_us_per_s(files),
        }
    }

    /// Logical cores, ascending.
    pub fn logical(&self) -> Vec<u32> {
        let mut cores: Vec<u32> = self.physical.iter().flatten().copied().collect();
        cores.sort_unstable();
        cores
    }
}

/// The core that a line of `/proc/stat` is about; `None` for every other line.
pub(super) fn core_of(line: &str) -> Option<u32> {
    line.split_whitespace().next()?.strip_prefix("cpu")?.parse().ok()
}

fn physical(files: &Files, allowed: &[u32]) -> Vec<Vec<u32>> {
    let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &core in allowed {
        let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        let siblings = list(&files.read(path));
        // Named after its first thread, whether that is ours or not; without the file, every core is one.
        let name = siblings.into_iter().min().unwrap_or(core);
        groups.entry(name).or_default().push(core);
    }
    groups.into_values().collect()
}

/// `0,2-3` as numbers; empty for what is no list.
fn list(text: &str) -> Vec<u32> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u32>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

/// The logical cores that this thread may run on.
#[cfg(target_os = "linux")]
fn allowed() -> Vec<u32> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores: Vec<u32> =
        (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).map(|core| core as u32).collect();
    if cores.is_empty() { counted() } else { cores }
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Vec<u32> {
    counted()
}

fn counted() -> Vec<u32> {
    (0..std::thread::available_parallelism().map_or(1, |n| n.get() as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in texts {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let files = Files::below(dir.path());
        (dir, files)
    }

    #[test]
    fn threads_of_one_core_stand_together_and_foreign_cores_are_left_out() {
        let sibling = |core: u32| format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        let (a, b, c) = (sibling(1), sibling(2), sibling(3));
        let (_dir, files) = files(&[
            ("proc/stat", "cpu  1 2\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\nintr 5\n"),
            (&a, "1,3\n"),
            (&b, "0,2\n"),
            (&c, "1,3\n"),
        ]);
        let available = Available::from_files(&files, &[1, 2, 3]);
        assert_eq!(available.physical, [vec![2], vec![1, 3]]);
        assert_eq!((available.present, available.quota_us_per_s), (Some(4), None));
        assert_eq!(available.logical(), [1, 2, 3]);
    }

    #[test]
    fn without_a_topology_every_core_is_one() {
        let (_dir, files) = files(&[]);
        let available = Available::from_files(&files, &[0, 1]);
        assert_eq!((available.physical, available.present), (vec![vec![0], vec![1]], None));
        assert_eq!(list("0-1,4\n"), [0, 1, 4]);
        assert_eq!(list("none"), [] as [u32; 0]);
    }

    #[test]
    fn this_process_has_a_core() {
        assert!(!Available::here().physical.is_empty());
    }
}
