//! The machine that the generator runs on, and how busy it is.

use std::io;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use reclaim_analysis::record::Host;

use super::cores::{Available, core_of};

/// What the machine is, as it was when it was first asked for: records are put together between claims too, and reading
/// it takes a while where there are many cores. Unknown parts are said to be unknown; nothing here can fail a run.
pub fn host() -> Host {
    static HOST: LazyLock<Host> = LazyLock::new(read_host);
    HOST.clone()
}

fn read_host() -> Host {
    let uname = rustix::system::uname();
    let available = Available::here();
    let cores = available.logical().len() as u32;
    let cores_present = available.present.filter(|present| *present > cores);
    Host {
        cpu: cpu_model(&read("/proc/cpuinfo")).unwrap_or_else(|| "unknown".into()),
        cores,
        cores_present,
        quota_us_per_s: available.quota_us_per_s,
        memory_bytes: memory_bytes(&read("/proc/meminfo")).unwrap_or(0),
        kernel: format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy()),
        boot: boot(&read("/proc/sys/kernel/random/boot_id")),
        which_cores: cores_present.map(|_| available.logical()).unwrap_or_default(),
    }
}

fn boot(file: &str) -> Option<String> {
    Some(file.trim().to_owned()).filter(|id| !id.is_empty())
}

/// What the machine is called in its network.
pub fn node_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A process in words, for whoever looks for it: which one, and where.
pub fn process_on(process: u32, node: &str) -> String {
    format!("process {process} on {node}")
}

/// This process in words.
pub fn this_process() -> String {
    process_on(std::process::id(), &node_name())
}

/// The file that this program is run from, to run it again. Where that was replaced or removed since, as by a
/// build, what is still mapped: other code would make other figures, or none.
pub fn own_program() -> io::Result<PathBuf> {
    let named = std::env::current_exe()?;
    let mapped = PathBuf::from("/proc/self/exe");
    Ok(if named.exists() || !mapped.exists() { named } else { mapped })
}

/// CPU used by the calling thread so far. The load runs on one thread, so this is the generator's own cost.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU used by this process so far, all of its threads: the clocks of an open loop and of a simulated network
/// too.
pub fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What became of the cores that this process may use so far, in seconds, from `/proc/stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MachineCpu {
    /// Not idle: what all processes used, and [`Self::stolen_s`].
    pub busy_s: f64,
    /// A virtual machine's threads could have run, and its host ran something else (`steal`).
    pub stolen_s: f64,
}

impl MachineCpu {
    /// Reads it; `None` where the system does not say.
    pub fn now() -> Option<Self> {
        Self::parse(&read("/proc/stat"), &Available::here().logical())
    }

    /// What was added since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { busy_s: self.busy_s - earlier.busy_s, stolen_s: self.stolen_s - earlier.stolen_s }
    }

    /// The sum over these cores. All of them are the first line, whose figures are rounded once and not per
    /// core.
    fn parse(stat: &str, cores: &[u32]) -> Option<Self> {
        let all = stat.lines().filter_map(core_of).all(|core| cores.contains(&core));
        if all {
            return Self::parse_line(stat.lines().next()?);
        }
        let lines = stat.lines().filter(|line| core_of(line).is_some_and(|core| cores.contains(&core)));
        lines.map(Self::parse_line).try_fold(Self::default(), |sum, line| {
            let line = line?;
            Some(Self { busy_s: sum.busy_s + line.busy_s, stolen_s: sum.stolen_s + line.stolen_s })
        })
    }

    fn parse_line(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace().skip(1).map(str::parse::<u64>);
        let mut next = || fields.next()?.ok();
        let (user, nice, system) = (next()?, next()?, next()?);
        let (_idle, _iowait, irq, softirq, steal) = (next()?, next()?, next()?, next()?, next()?);
        // USER_HZ is 100 on every Linux that /proc describes this way.
        let seconds = |ticks: u64| ticks as f64 / 100.0;
        let busy_s = seconds(user + nice + system + irq + softirq + steal);
        Some(Self { busy_s, stolen_s: seconds(steal) })
    }
}

/// Time in which a process' main thread could have run and had no core so far, in seconds: the second figure
/// of `/proc/<pid>/schedstat`. `None` where the system does not say, and for a process whose name does not
/// contain `name`.
pub fn run_delay_s(pid: u32, name: &str) -> Option<f64> {
    let task = format!("/proc/{pid}/task/{pid}");
    if !read(&format!("{task}/comm")).contains(name) {
        return None;
    }
    let delay_ns: u64 = read(&format!("{task}/schedstat")).split_whitespace().nth(1)?.parse().ok()?;
    Some(delay_ns as f64 / 1e9)
}

/// Pages that the machine has moved to and from disk since it started, for want of memory; `None` where the
/// system does not say.
pub fn swapped_pages() -> Option<u64> {
    swapped(&read("/proc/vmstat"))
}

fn swapped(vmstat: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        vmstat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    };
    Some(field("pswpin")? + field("pswpout")?)
}

/// Resident memory of this process now; `None` where the system does not say.
pub fn resident_bytes() -> Option<u64> {
    field_kib(&read("/proc/self/status"), "VmRSS:")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    field_kib(meminfo, "MemTotal:")
}

fn field_kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_as_they_are_written() {
        assert_eq!(cpu_model("processor : 0\nmodel name\t: AMD EPYC\n").as_deref(), Some("AMD EPYC"));
        assert_eq!(memory_bytes("MemTotal:       24576 kB\n"), Some(24_576 * 1024));
        assert_eq!(memory_bytes(""), None);
        assert_eq!((boot("8f1c\n").as_deref(), boot("")), (Some("8f1c"), None));
        assert_eq!(swapped("pgpgin 7\npswpin 3\npswpout 4\n"), Some(7));
        assert_eq!(swapped("pswpin 3\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_busy_thread_shows_in_its_own_clock() {
        let before = thread_cpu();
        let mut sum = 0u64;
        while thread_cpu() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(run_delay_s(std::process::id(), "").is_some_and(|delay_s| delay_s >= 0.0));
        assert_eq!(run_delay_s(std::process::id(), "another program"), None);
        assert!(host().memory_bytes > 0 && MachineCpu::now().is_some() && resident_bytes().is_some());
    }

    #[test]
    fn what_the_host_took_is_told_apart() {
        let stat = "cpu  100 20 30 4000 5 6 7 250 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        let now = MachineCpu::parse(stat, &[0]).unwrap();
        assert_eq!(now, MachineCpu { busy_s: 4.13, stolen_s: 2.5 });
        let since = now.since(MachineCpu { busy_s: 4.0, stolen_s: 2.0 });
        assert!((since.busy_s - 0.13).abs() < 1e-9 && (since.stolen_s - 0.5).abs() < 1e-9);
        assert_eq!(MachineCpu::parse("cpu  100 20\n", &[0]), None);
        assert_eq!(MachineCpu::parse("", &[0]), None);
    }

    #[test]
    fn what_others_do_on_cores_that_are_not_ours_is_not_counted() {
        let stat = "cpu  1300 0 0 0 0 0 0 60 0 0\ncpu0 1000 0 0 0 0 0 0 50 0 0\n\
                    cpu1 200 0 0 0 0 0 0 7 0 0\ncpu2 100 0 0 0 0 0 0 3 0 0\nintr 5\n";
        let ours = MachineCpu::parse(stat, &[1, 2]).unwrap();
        assert!((ours.busy_s - 3.1).abs() < 1e-9 && (ours.stolen_s - 0.1).abs() < 1e-9, "{ours:?}");
        let all = MachineCpu::parse(stat, &[0, 1, 2]).unwrap();
        assert!((all.busy_s - 13.6).abs() < 1e-9, "{all:?}");
    }
}
