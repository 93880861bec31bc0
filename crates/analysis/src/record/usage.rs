//! Whose CPU a window took.

use std::ops::AddAssign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CPU over the window, for the questions whether the generator or other work was the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorUse {
    /// Time in which claims were made, the counter blocks included.
    pub window_s: f64,
    /// Time between the readings of the machine's and the servers' clocks: several generators read them
    /// before the moment at which they begin. `None` in results of versions that did not keep it: `window_s`
    /// then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_over_s: Option<f64>,
    /// CPU of the thread that makes the claims.
    pub thread_cpu_s: f64,
    /// CPU of all threads of its process, the clocks included; `None` in results of versions that did not
    /// keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_cpu_s: Option<f64>,
    /// CPU of the servers' processes: of all that are the tool's own processes, replicas included, as the
    /// system counts it; elsewhere (containers, clusters of others), and in results of earlier versions, of the
    /// primaries as they say themselves.
    pub servers_cpu_s: f64,
    /// Of that, CPU of the primaries, as they say themselves; `None` in results of versions whose figure above
    /// was this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primaries_cpu_s: Option<f64>,
    /// CPU of everything on the cores that this process may use, and what the machine's host took away of
    /// them; where the system tells. Keeping cores awake is in it.
    pub machine_cpu_s: Option<f64>,
    /// Of that, what the host of a virtual machine took away: `steal` in `/proc/stat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_cpu_s: Option<f64>,
    /// Time in which the primaries' main threads could have run and had no core, summed; where they run on the
    /// generator's machine and the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers_waited_s: Option<f64>,
    /// CPU of the threads that kept cores awake, by their own clocks: they ran when nothing else would have.
    /// It is in the figure of the machine, and in neither the process' nor the servers'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_awake_s: Option<f64>,
    /// Periods in which a control group of this process used up its CPU quota; `None` without a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_periods: Option<u64>,
    /// Time that threads of the group were held back for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_s: Option<f64>,
    /// Whether the threads that keep an open loop's schedule had real-time priority (`SCHED_RR`); `None` in a
    /// closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_time: Option<bool>,
    /// What recording a claim costs the thread that makes it, in nanoseconds: the clock read for each round
    /// trip of the variant with the most, and the times kept. Measured before the window, with nothing sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_ns_per_claim: Option<f64>,
}

impl GeneratorUse {
    /// Time over which the machine's clocks were read, in seconds; `None` where no window was measured.
    pub fn clocks_s(&self) -> Option<f64> {
        Some(self.read_over_s.unwrap_or(self.window_s)).filter(|seconds| *seconds > 0.0)
    }

    /// CPU of everything on this process' cores, keeping them awake aside; `None` where the system does not
    /// tell.
    pub fn machine_used_s(&self) -> Option<f64> {
        Some((self.machine_cpu_s? - self.kept_awake_s.unwrap_or_default()).max(0.0))
    }

    /// Share of the cores that this process may use which neither the tool nor, where they run here, its
    /// servers used; `None` where the system does not tell. Keeping cores awake counts as the tool's.
    pub fn others_share(&self, cores: u32, servers_here: bool) -> Option<f64> {
        let own = self.process_cpu_s.unwrap_or(self.thread_cpu_s);
        let servers = if servers_here { self.servers_cpu_s } else { 0.0 };
        let stolen = self.stolen_cpu_s.unwrap_or_default();
        let others_s = self.machine_used_s()? - stolen - own - servers;
        // The clocks tick differently.
        Some(others_s.max(0.0) / self.clocks_s()? / f64::from(cores.max(1)))
    }

    /// Share of the machine's cores that its host took away; `None` where the system does not tell.
    pub fn stolen_share(&self, cores: u32) -> Option<f64> {
        Some(self.stolen_cpu_s? / self.clocks_s()? / f64::from(cores.max(1)))
    }
}

/// Adds a later stretch. A figure that the system did not give for that stretch is missing in the sum.
impl AddAssign for GeneratorUse {
    fn add_assign(&mut self, more: Self) {
        let sum = |sum: Option<f64>, more: Option<f64>| Some(sum.unwrap_or_default() + more?);
        *self = Self {
            window_s: self.window_s + more.window_s,
            read_over_s: sum(self.read_over_s, more.read_over_s),
            thread_cpu_s: self.thread_cpu_s + more.thread_cpu_s,
            process_cpu_s: sum(self.process_cpu_s, more.process_cpu_s),
            servers_cpu_s: self.servers_cpu_s + more.servers_cpu_s,
            primaries_cpu_s: sum(self.primaries_cpu_s, more.primaries_cpu_s),
            machine_cpu_s: sum(self.machine_cpu_s, more.machine_cpu_s),
            stolen_cpu_s: sum(self.stolen_cpu_s, more.stolen_cpu_s),
            servers_waited_s: sum(self.servers_waited_s, more.servers_waited_s),
            kept_awake_s: sum(self.kept_awake_s, more.kept_awake_s),
            throttled_periods: more.throttled_periods.map(|n| n + self.throttled_periods.unwrap_or_default()),
            throttled_s: sum(self.throttled_s, more.throttled_s),
            real_time: more.real_time.or(self.real_time),
            recording_ns_per_claim: more.recording_ns_per_claim.or(self.recording_ns_per_claim),
        };
    }
}

/// Share of the machine's cores that other programs may use in a run's window before the run warns of them.
pub(super) const OTHERS_WORTH_A_WARNING: f64 = 0.15;

/// The same in cores: a busy loop takes one core on any machine, and of many cores that is a small share.
const CORES_WORTH_A_WARNING: f64 = 0.5;

/// Below this share, other programs cannot be told from error of the CPU clocks.
const WITHIN_THE_CLOCKS: f64 = 0.03;

/// Whether it is worth a warning that others took `share` of `cores` cores in a run's window.
pub(super) fn is_busy(share: f64, cores: u32) -> bool {
    let of_a_core = CORES_WORTH_A_WARNING / f64::from(cores.max(1));
    share > OTHERS_WORTH_A_WARNING.min(of_a_core.max(WITHIN_THE_CLOCKS))
}

/// Share of the cores in use by other programs that marks a calibration as disturbed: a calibration is made
/// once and stands for many runs.
pub const OTHERS_DISTURB_A_CALIBRATION: f64 = 0.1;

/// Share of the cores from which on other programs explain why a probe's generator was late.
pub const OTHERS_EXPLAIN_LATENESS: f64 = 0.25;

/// Share of the window that the generator's thread may run before it is named as a possible limit.
pub const GENERATOR_BUSY: f64 = 0.8;

/// Whether a generator's thread that ran for this share of the window had no time to spare.
pub fn is_busy_generator(share: f64) -> bool {
    share > GENERATOR_BUSY
}

/// A run's send lag may be this share of its service level, or of its median response.
pub const SEND_LAG_SHARE: f64 = 0.1;

/// Share of a virtual machine's cores that its host must take to explain a tail of one per cent.
pub const STOLEN: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 ms before each block of 10 ms: the other core of two was busy all the time.
    #[test]
    fn what_others_took_while_generators_waited_for_each_other_is_held_against_that_time() {
        let used = GeneratorUse {
            window_s: 1.0,
            read_over_s: Some(11.0),
            machine_cpu_s: Some(12.0),
            process_cpu_s: Some(1.0),
            ..GeneratorUse::default()
        };
        assert!((used.others_share(2, false).unwrap() - 0.5).abs() < 1e-9);
        let earlier = GeneratorUse { read_over_s: None, window_s: 11.0, ..used };
        assert_eq!(earlier.others_share(2, false), used.others_share(2, false));
        assert_eq!(GeneratorUse::default().clocks_s(), None);
    }

    /// Ten seconds on two cores: the generator used 2 of 20, the servers 5, what else there is as given.
    fn used(others_s: f64, kept_awake_s: Option<f64>) -> GeneratorUse {
        GeneratorUse {
            window_s: 10.0,
            thread_cpu_s: 2.0,
            process_cpu_s: Some(2.0),
            servers_cpu_s: 5.0,
            machine_cpu_s: Some(7.0 + others_s + kept_awake_s.unwrap_or_default()),
            kept_awake_s,
            ..GeneratorUse::default()
        }
    }

    #[test]
    fn keeping_cores_awake_is_no_other_program() {
        for kept_awake_s in [None, Some(0.0), Some(9.0), Some(13.0)] {
            let share = |others_s| used(others_s, kept_awake_s).others_share(2, true).unwrap();
            assert!(share(0.0).abs() < 1e-9, "{kept_awake_s:?}");
            assert!((share(4.0) - 0.2).abs() < 1e-9, "a busy machine is seen behind it: {kept_awake_s:?}");
        }
        assert!((used(0.0, Some(13.0)).machine_used_s().unwrap() - 7.0).abs() < 1e-9);
    }

    #[test]
    fn a_loop_makes_a_machine_of_any_usual_size_busy() {
        for cores in [1, 2, 8, 24] {
            let beside = |others_s| used(others_s, Some(9.0)).others_share(cores, true).unwrap();
            // Ten seconds of one, and one of them.
            assert!(is_busy(beside(10.0), cores), "{cores}");
            assert!(!is_busy(beside(1.0), cores), "{cores}");
        }
        assert!(is_busy(0.16, 2) && !is_busy(0.14, 2));
        // Of a hundred cores two are no more than their clocks may differ by.
        assert!(!is_busy(0.02, 100) && is_busy(0.04, 100));
    }

    #[test]
    fn a_clock_that_ticks_late_takes_nothing_away() {
        let late = GeneratorUse { machine_cpu_s: Some(6.9), ..used(0.0, Some(13.0)) };
        assert!(late.others_share(2, true).unwrap().abs() < 1e-9);
        assert_eq!(late.machine_used_s(), Some(0.0));
    }
}
