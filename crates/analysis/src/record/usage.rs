//! Whose CPU a window took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CPU over the window, for the questions whether the generator or other work was the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorUse {
    /// Time in which claims were made, the counter blocks included.
    pub window_s: f64,
    /// CPU of the thread that makes the claims.
    pub thread_cpu_s: f64,
    /// CPU of all threads of its process, the clocks included; `None` in results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_cpu_s: Option<f64>,
    /// CPU of the servers' processes.
    pub servers_cpu_s: f64,
    /// CPU of everything on the generator's machine, and what its host took away; where the system tells.
    pub machine_cpu_s: Option<f64>,
    /// Of that, what the host of a virtual machine took away: `steal` in `/proc/stat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_cpu_s: Option<f64>,
    /// Time in which the servers' main threads could have run and had no core, summed; where they run on the
    /// generator's machine and the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers_waited_s: Option<f64>,
    /// Whether the threads that keep an open loop's schedule had real-time priority (`SCHED_RR`); `None` in a closed
    /// loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_time: Option<bool>,
}

impl GeneratorUse {
    /// Share of the machine's cores that neither the tool nor, where they run here, its servers used; `None` where the
    /// system does not tell.
    pub fn others_share(&self, cores: u32, servers_here: bool) -> Option<f64> {
        let own = self.process_cpu_s.unwrap_or(self.thread_cpu_s);
        let servers = if servers_here { self.servers_cpu_s } else { 0.0 };
        let stolen = self.stolen_cpu_s.unwrap_or_default();
        let others_s = self.machine_cpu_s.filter(|_| self.window_s > 0.0)? - stolen - own - servers;
        // The clocks tick differently.
        Some(others_s.max(0.0) / self.window_s / f64::from(cores.max(1)))
    }

    /// Share of the machine's cores that its host took away; `None` where the system does not tell.
    pub fn stolen_share(&self, cores: u32) -> Option<f64> {
        Some(self.stolen_cpu_s.filter(|_| self.window_s > 0.0)? / self.window_s / f64::from(cores.max(1)))
    }
}

/// Share of the window that the generator's thread may run before it is named as a possible limit.
pub const GENERATOR_BUSY: f64 = 0.8;

/// Share of a virtual machine's cores from which on its host's taking them explains a tail of one per cent.
pub const STOLEN: f64 = 0.02;
