//! How much memory this process can still have.

use rustix::process::{Resource, getrlimit};

/// Bytes: what the machine has free, the control group's limit, or the limit on this process, whichever is
/// least. `None` where the system says none of them.
pub fn memory_left() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let limits = [
        available(&read("/proc/meminfo")),
        read("/sys/fs/cgroup/memory.max").trim().parse().ok(),
        read("/sys/fs/cgroup/memory/memory.limit_in_bytes").trim().parse().ok(),
        getrlimit(Resource::As).current,
        getrlimit(Resource::Data).current,
    ];
    limits.into_iter().flatten().min()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_read_as_the_kernel_writes_it() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:       24576 kB\n"), Some(24_576 * 1024));
        assert_eq!(available(""), None);
        assert!(cfg!(not(target_os = "linux")) || memory_left().is_some_and(|left| left > 0));
    }
}
