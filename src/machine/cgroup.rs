//! What control groups (versions 1 and 2) leave a process of the CPU, and how often they held it back.

use std::path::{Path, PathBuf};

use super::files::{Files, number};

const US_PER_S: u64 = 1_000_000;

/// How often a quota was used up so far, over all groups that this process is in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throttling {
    /// Periods in which one was.
    pub periods: u64,
    /// Time that threads were held back, in seconds.
    pub held_back_s: f64,
}

impl Throttling {
    /// `None` without a quota.
    pub fn now() -> Option<Self> {
        throttling(&Files::here())
    }

    /// What was added since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            periods: self.periods.saturating_sub(earlier.periods),
            held_back_s: (self.held_back_s - earlier.held_back_s).max(0.0),
        }
    }
}

/// The smallest quota of the groups that this process is in, in microseconds of CPU per second.
pub(super) fn quota_us_per_s(files: &Files) -> Option<u64> {
    groups(files).iter().filter_map(|group| group.quota(files)).min()
}

pub(super) fn throttling(files: &Files) -> Option<Throttling> {
    quota_us_per_s(files)?;
    let mut sum = Throttling::default();
    for group in groups(files) {
        let stat = files.read(group.dir.join("cpu.stat"));
        sum.periods += number(&stat, "nr_throttled ").unwrap_or(0);
        // Version 2 counts microseconds, version 1 nanoseconds.
        let v2_s = number(&stat, "throttled_usec ").map(|us| us as f64 / 1e6);
        let v1_s = || number(&stat, "throttled_time ").map(|ns| ns as f64 / 1e9);
        sum.held_back_s += v2_s.or_else(v1_s).unwrap_or(0.0);
    }
    Some(sum)
}

/// A directory with a `cpu.stat`.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    dir: PathBuf,
    unified: bool,
}

impl Group {
    fn quota(&self, files: &Files) -> Option<u64> {
        let (quota, period) = if self.unified {
            let text = files.read(self.dir.join("cpu.max"));
            let mut words = text.split_whitespace();
            // `max` is no number, and no limit.
            (words.next()?.parse::<u64>().ok()?, words.next()?.parse::<u64>().ok()?)
        } else {
            let number = |name| files.read(self.dir.join(name)).trim().parse::<i64>().ok();
            // -1 is no limit.
            let quota = u64::try_from(number("cpu.cfs_quota_us")?).ok()?;
            (quota, u64::try_from(number("cpu.cfs_period_us")?).ok()?)
        };
        (period > 0).then(|| quota * US_PER_S / period)
    }
}

/// The groups that decide about this process' CPU: its own and all above it, as far as they can be seen from
/// here.
fn groups(files: &Files) -> Vec<Group> {
    let membership = files.read("/proc/self/cgroup");
    let mounts = files.read("/proc/self/mountinfo");
    let mut groups = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let unified = controllers.is_empty();
        if !unified && !controllers.split(',').any(|name| name == "cpu") {
            continue;
        }
        let Some(mount) = mounts.lines().filter_map(Mount::parse).find(|mount| mount.is_for(unified)) else {
            continue;
        };
        groups.extend(mount.upwards(path).into_iter().map(|dir| Group { dir, unified }));
    }
    groups
}

/// A line of `mountinfo` that mounts control groups.
struct Mount<'a> {
    /// The group that stands at the mount point.
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split_whitespace().skip(3);
        let mut after = after.split_whitespace();
        let (root, point) = (before.next()?, before.next()?);
        Some(Self { root, point, kind: after.next()?, options: after.nth(1)? })
    }

    fn is_for(&self, unified: bool) -> bool {
        if unified {
            self.kind == "cgroup2"
        } else {
            self.kind == "cgroup" && self.options.split(',').any(|name| name == "cpu")
        }
    }

    /// Directories from a group's own up to the mount point. In a container the mount point is the group, or
    /// above it in a part of the tree that `path` does not name.
    fn upwards(&self, path: &str) -> Vec<PathBuf> {
        let point = Path::new(self.point);
        let below = Path::new(path).strip_prefix(self.root).unwrap_or(Path::new(""));
        let own = point.join(below);
        own.ancestors().take_while(|dir| dir.starts_with(point)).map(Path::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of a machine, with a temporary directory that must outlive them.
    fn machine(texts: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in texts {
            let path = dir.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let files = Files::below(dir.path());
        (dir, files)
    }

    const V2: &str = "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "30 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 1 0:28 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n";

    #[test]
    fn the_smallest_quota_on_the_way_up_counts() {
        let (_dir, files) = machine(&[
            ("/proc/self/cgroup", "0::/user.slice/build.scope\n"),
            ("/proc/self/mountinfo", V2),
            ("/sys/fs/cgroup/cpu.stat", "usage_usec 9\n"),
            ("/sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/user.slice/cpu.stat", "nr_periods 9\nnr_throttled 2\nthrottled_usec 30000\n"),
            ("/sys/fs/cgroup/user.slice/build.scope/cpu.max", "max 100000\n"),
            (
                "/sys/fs/cgroup/user.slice/build.scope/cpu.stat",
                "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
            ),
        ]);
        assert_eq!(quota_us_per_s(&files), Some(1_500_000));
        assert_eq!(throttling(&files), Some(Throttling { periods: 2, held_back_s: 0.03 }));
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount_point() {
        let texts = |quota: &'static str| {
            [
                ("/proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n"),
                ("/proc/self/mountinfo", V1),
                ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", quota),
                ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
                (
                    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
                    "nr_periods 7\nnr_throttled 5\nthrottled_time 250000000\n",
                ),
            ]
        };
        let (_dir, files) = machine(&texts("50000\n"));
        assert_eq!(quota_us_per_s(&files), Some(500_000));
        assert_eq!(throttling(&files), Some(Throttling { periods: 5, held_back_s: 0.25 }));
        let (_dir, unlimited) = machine(&texts("-1\n"));
        assert_eq!((quota_us_per_s(&unlimited), throttling(&unlimited)), (None, None));
    }

    #[test]
    fn no_groups_are_no_limit() {
        let (_dir, files) = machine(&[]);
        assert_eq!((quota_us_per_s(&files), throttling(&files)), (None, None));
        let (_dir, unlimited) = machine(&[
            ("/proc/self/cgroup", "0::/\n"),
            ("/proc/self/mountinfo", V2),
            ("/sys/fs/cgroup/cpu.max", "max 100000\n"),
        ]);
        assert_eq!((quota_us_per_s(&unlimited), throttling(&unlimited)), (None, None));
    }

    #[test]
    fn only_what_was_added_counts() {
        let (before, after) =
            (Throttling { periods: 2, held_back_s: 0.5 }, Throttling { periods: 5, held_back_s: 0.75 });
        assert_eq!(after.since(before), Throttling { periods: 3, held_back_s: 0.25 });
    }
}
