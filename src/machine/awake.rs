//! Keeps cores from sleeping while claims are made.
//!
//! A halted core takes as long to wake as a round trip takes in all, so a claim would measure how deeply
//! cores slept. A thread in the idle scheduling class spins on each core: it runs only while the core would
//! halt. Where none can, `/dev/cpu_dma_latency` is held open, to which virtual machines may not listen.
//!
//! The threads belong to a helper, this program run again, in a session of its own. Linux shares cores out
//! between sessions (autogroups) before it looks at classes: spinning in the session of the servers would
//! count as their use of the core, and beside another busy session they would wait for it (measured: 1.3 ms
//! instead of 76 µs to wake up).

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reclaim_analysis::record::NoSpinning;

use super::binding::{bind_this_thread, threads};
use super::files::Files;
use super::real_time::run_idle;

/// The hidden command of this program that spins.
pub(crate) const COMMAND: &str = "keep-awake";

const LATENCY: &str = "/dev/cpu_dma_latency";
const GO: u8 = b'1';
const REST: u8 = b'0';

/// Whether this program, run again, knows [`COMMAND`].
static HAS_COMMAND: AtomicBool = AtomicBool::new(false);

/// Says that it does; the command line's first act.
pub(crate) fn has_keep_awake() {
    HAS_COMMAND.store(true, Ordering::Relaxed);
}

/// Spins between two looks at whether to stop: some microseconds.
const SPINS: u32 = 200;

/// Lets the kernel know that cores must not sleep, while it is there.
#[derive(Debug)]
pub(super) struct LatencyLimit(#[expect(dead_code, reason = "what counts is that it is open")] File);

impl LatencyLimit {
    /// Whether that keeps cores awake here: it may be opened, and something decides how deeply cores sleep
    /// that would listen.
    pub fn is_enough() -> bool {
        let driver = Files::here().read("/sys/devices/system/cpu/cpuidle/current_driver");
        !matches!(driver.trim(), "" | "none") && Self::hold().is_ok()
    }

    pub fn hold() -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(LATENCY)?;
        file.write_all(&0i32.to_ne_bytes())?;
        Ok(Self(file))
    }
}

/// The helper. It ends with this process, however that ends: its input closes then.
#[derive(Debug)]
pub(super) struct Spinner {
    /// `None` once it is dropped.
    child: Option<Child>,
    input: ChildStdin,
}

impl Spinner {
    /// Why there can be none.
    pub fn refusal() -> Option<NoSpinning> {
        if !cfg!(target_os = "linux") {
            return Some(NoSpinning::LinuxOnly);
        }
        // Another program that uses this crate as a library would be started again in the helper's place. Its
        // file's name says nothing: people rename the tool.
        (!HAS_COMMAND.load(Ordering::Relaxed)).then_some(NoSpinning::RunAsLibrary)
    }

    /// Starts it; it waits.
    pub fn start(cores: &[u32]) -> io::Result<Self> {
        let list: Vec<String> = cores.iter().map(u32::to_string).collect();
        // The file that runs, also where it was replaced on disk.
        let mut child = Command::new("/proc/self/exe")
            .args([COMMAND, &list.join(",")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the helper has no pipes"));
        };
        let mut answer = String::new();
        BufReader::new(output).read_line(&mut answer)?;
        let spinner = Self { child: Some(child), input };
        if answer.trim() == READY { Ok(spinner) } else { Err(io::Error::other(answer.trim().to_owned())) }
    }

    /// Fails where the helper is gone.
    pub fn spin(&mut self, on: bool) -> io::Result<()> {
        self.input.write_all(&[if on { GO } else { REST }])
    }

    /// CPU of its threads so far, by their own clocks.
    pub fn used(&self) -> Option<Duration> {
        let pid = self.child.as_ref()?.id();
        let ns = |thread: i32| -> Option<u64> {
            let text = Files::here().read(format!("/proc/{pid}/task/{thread}/schedstat"));
            text.split_whitespace().next()?.parse().ok()
        };
        let used: Option<u64> = threads(pid).into_iter().map(ns).sum();
        used.filter(|ns| *ns > 0).map(Duration::from_nanos)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        // Its threads need a core to end on, which a busy one does not have at once: nobody here waits for
        // that.
        if let Some(mut child) = self.child.take() {
            // Fails only for one that has ended already.
            let _ = child.kill();
            let _ = std::thread::Builder::new().spawn(move || child.wait());
        }
    }
}

const READY: &str = "ready";

/// The helper's side: spins on the cores whenever its input says so, until that closes. `hint` is whether the
/// processor is told that nothing is done; without it is for a comparison of both.
///
/// # Errors
/// A core that it cannot be bound to, or that it cannot be idle on; the first line of its output says so too.
pub(crate) fn keep_awake(cores: &[u32], hint: bool) -> io::Result<()> {
    leave_session();
    let spin = Arc::new(AtomicBool::new(false));
    let started = cores
        .iter()
        .map(|&core| spinning_thread(core, hint, Arc::clone(&spin)))
        .collect::<io::Result<Vec<_>>>();
    let mut out = io::stdout();
    let workers = match started {
        Ok(workers) => workers,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Err(error);
        }
    };
    writeln!(out, "{READY}")?;
    out.flush()?;
    let mut orders = io::stdin().lock();
    let mut order = [0];
    while io::Read::read(&mut orders, &mut order)? > 0 {
        spin.store(order[0] == GO, Ordering::Relaxed);
        workers.iter().for_each(std::thread::Thread::unpark);
    }
    // The threads end with the process.
    Ok(())
}

/// A thread that waits until it is to spin. On a busy core it takes part of a second until it gets to tell
/// that it is ready.
fn spinning_thread(core: u32, hint: bool, spin: Arc<AtomicBool>) -> io::Result<std::thread::Thread> {
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name(format!("awake-{core}")).spawn(move || {
        let refused = || io::Error::other("the system has no idle scheduling class for it");
        let ready = bind_this_thread(core).and_then(|()| run_idle().then_some(()).ok_or_else(refused));
        let stop = ready.is_err();
        if tell.send(ready).is_err() || stop {
            return;
        }
        loop {
            while spin.load(Ordering::Relaxed) {
                for turn in 0..SPINS {
                    if hint {
                        std::hint::spin_loop();
                    } else {
                        std::hint::black_box(turn);
                    }
                }
            }
            std::thread::park();
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended")))?;
    Ok(thread.thread().clone())
}

/// A session of its own whose share of a core, where sessions have one, is the smallest.
#[cfg(target_os = "linux")]
fn leave_session() {
    // Both are refused only where there is nothing to leave.
    let _ = rustix::process::setsid();
    let _ = std::fs::write("/proc/self/autogroup", "19");
}

#[cfg(not(target_os = "linux"))]
fn leave_session() {}
