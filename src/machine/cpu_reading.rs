//! What a stretch of time cost this machine: two readings, and what lies between them.

use std::time::{Duration, Instant};

use super::arrangement::Arrangement;
use super::cgroup::Throttling;
use super::host::{MachineCpu, process_cpu, thread_cpu};
use reclaim_analysis::record::GeneratorUse;

/// The clocks of this thread, its process and the machine, at one moment.
pub struct CpuReading {
    at: Instant,
    thread: Duration,
    process: Duration,
    machine: Option<MachineCpu>,
    kept_awake: Option<Duration>,
    throttling: Option<Throttling>,
}

impl CpuReading {
    /// Reads them.
    pub fn now(arrangement: &Arrangement) -> Self {
        Self {
            at: Instant::now(),
            thread: thread_cpu(),
            // What works for this process is no other program.
            process: process_cpu() + arrangement.beside_cpu(),
            machine: MachineCpu::now(),
            kept_awake: arrangement.kept_awake(),
            throttling: Throttling::now(),
        }
    }

    /// What was used since then; the servers' part is not this process' to know.
    pub fn until_now(&self, arrangement: &Arrangement) -> GeneratorUse {
        let now = Self::now(arrangement);
        let seconds = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64();
        let machine = self.machine.zip(now.machine).map(|(before, now)| now.since(before));
        let throttled = self.throttling.zip(now.throttling).map(|(before, now)| now.since(before));
        let between_s = now.at.saturating_duration_since(self.at).as_secs_f64();
        GeneratorUse {
            window_s: between_s,
            read_over_s: Some(between_s),
            thread_cpu_s: seconds(now.thread, self.thread),
            process_cpu_s: Some(seconds(now.process, self.process)),
            machine_cpu_s: machine.map(|machine| machine.busy_s),
            stolen_cpu_s: machine.map(|machine| machine.stolen_s),
            kept_awake_s: self.kept_awake.zip(now.kept_awake).map(|(before, now)| seconds(now, before)),
            throttled_periods: throttled.map(|throttled| throttled.periods),
            throttled_s: throttled.map(|throttled| throttled.held_back_s),
            ..GeneratorUse::default()
        }
    }
}
