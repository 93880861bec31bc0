//! Binds threads to cores. Linux only.

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use reclaim_analysis::record::NotBound;
    use rustix::process::Pid;
    use rustix::thread::{CpuSet, sched_setaffinity};

    /// Why threads cannot be bound to these cores; tries it on the calling thread, which runs on them until
    /// it is bound elsewhere.
    pub fn refusal(cores: &[u32]) -> Option<NotBound> {
        let refused = sched_setaffinity(None, &set(cores)).err()?;
        Some(NotBound::Refused { detail: refused.to_string() })
    }

    /// Binds the calling thread.
    pub fn bind_this_thread(core: u32) -> std::io::Result<()> {
        Ok(sched_setaffinity(None, &set(&[core]))?)
    }

    /// Binds every thread of a process but those of a name. A thread that has ended meanwhile is no error.
    pub fn bind_process(pid: u32, but: &[&str], cores: &[u32]) {
        let cores = set(cores);
        for thread in threads(pid) {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/comm")).unwrap_or_default();
            if let Some(thread) = Pid::from_raw(thread).filter(|_| !but.contains(&comm.trim_end())) {
                let _ = sched_setaffinity(Some(thread), &cores);
            }
        }
    }

    /// Ids of a process' threads.
    pub fn threads(pid: u32) -> Vec<i32> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
        tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// CPU that the threads of a process have used so far, those that have ended aside; `None` of one that
    /// is gone. One that has ended and was not waited for is not gone.
    pub fn cpu_of(pid: u32) -> Option<Duration> {
        let used = |thread: i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
            Some(Duration::from_nanos(stat.split_whitespace().next()?.parse().ok()?))
        };
        threads(pid).into_iter().filter_map(used).fold(None, |sum, more| Some(sum.unwrap_or_default() + more))
    }

    fn set(cores: &[u32]) -> CpuSet {
        let mut set = CpuSet::new();
        for &core in cores.iter().filter(|core| (**core as usize) < CpuSet::MAX_CPU) {
            set.set(core as usize);
        }
        set
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use reclaim_analysis::record::NotBound;

    pub fn refusal(_: &[u32]) -> Option<NotBound> {
        Some(NotBound::LinuxOnly)
    }

    pub fn bind_this_thread(_: u32) -> std::io::Result<()> {
        Err(std::io::Error::other("threads are bound on Linux only"))
    }

    pub fn bind_process(_: u32, _: &[&str], _: &[u32]) {}

    pub fn threads(_: u32) -> Vec<i32> {
        Vec::new()
    }

    pub fn cpu_of(_: u32) -> Option<std::time::Duration> {
        None
    }
}

pub use system::cpu_of;
pub(super) use system::{bind_process, bind_this_thread, refusal, threads};
