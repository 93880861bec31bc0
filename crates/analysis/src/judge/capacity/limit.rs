//! What held a probe back, by evidence: whose CPU ran out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::primary_load::PrimaryLoad;
use crate::record::{OTHERS_EXPLAIN_LATENESS, STOLEN, is_busy_generator};

/// A thread that ran for this share of the window had no time left.
const SATURATED: f64 = 0.9;

/// Share of a machine's cores from which on runnable threads wait for one another so much that response times
/// are theirs. Lower than [`SATURATED`]: several threads come in bunches.
const CORES_BUSY: f64 = 0.85;

/// A main thread that ran for this share of the window makes claims queue for milliseconds, before it is
/// saturated. So do cores that more threads share than there are cores.
const QUEUEING: f64 = 0.5;

/// Servers that waited for a core for this share of the time that they ran were short of cores. On an idle
/// machine it is a fifth, from waking up alone.
const WAITED: f64 = 0.3;

/// Time for which a CPU quota held threads back, per second of the window, from which on it decides the rate.
const THROTTLED: f64 = 0.05;

/// One of several generators.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OneGenerator {
    /// Which part, from 1.
    pub part: u32,
    /// Share of the window that its thread ran, where known.
    pub busy: Option<f64>,
}

/// CPU in the window of a probe, in cores: 1.0 is one core all the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The generator's thread, of several the busiest one's; `None` in results of versions that did not keep
    /// it.
    pub generator: Option<f64>,
    /// Of several generators: the part whose thread that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_part: Option<u32>,
    /// Of several generators: the one that was furthest beyond what a generator may be, busy or late, where
    /// one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_generator: Option<OneGenerator>,
    /// Of several generators: the threads of all that ran on the first one's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators: Option<f64>,
    /// All threads of the generator's process, of several those on the first one's machine, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_process: Option<f64>,
    /// The servers' processes.
    pub servers: Option<f64>,
    /// Those of the primaries alone, where they are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primaries: Option<f64>,
    /// Whether main threads poll while they wait, and the servers' figures are of that as well: with io-threads before
    /// Valkey 9.1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub polling: bool,
    /// Everything on the generator's machine, where the system tells.
    pub machine: Option<f64>,
    /// What the host of the generator's virtual machine took away of that, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen: Option<f64>,
    /// What the primaries' main threads waited for a core, in cores: 1.0 is one of them all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers_waited: Option<f64>,
    /// Cores that the servers were bound to; `None` where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_cores: Option<u32>,
    /// Time for which a control group's CPU quota held threads back, per second; `None` without a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<f64>,
    /// Time over which the machine was looked at, over the window's, in which claims were made; `None` in
    /// results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks_over_window: Option<f64>,
    /// Cores that the generator's process may use.
    pub cores: u32,
    /// Whether the servers run there as well.
    pub same_machine: bool,
}

impl Resources {
    /// Share of the window that the generator's one thread ran.
    pub fn generator_share(&self) -> Option<f64> {
        self.generator
    }

    /// Share of the generator's machine that was busy; `None` where the system does not tell.
    pub fn machine_share(&self) -> Option<f64> {
        (self.cores > 0).then_some(self.machine? / f64::from(self.cores))
    }

    /// Whether the servers' work took much longer because others were on their cores.
    fn servers_short_of_cores(&self) -> bool {
        self.servers_wait_share().is_some_and(|share| share >= WAITED)
    }

    /// Whether what the servers used says that they were short of it. Threads that poll use whatever cores they get:
    /// of those only their waiting for one says so.
    fn servers_use_tells(&self) -> bool {
        !self.polling || self.servers_short_of_cores()
    }

    /// What is left where nothing that is known was short of time.
    pub(super) fn nothing_short(&self) -> Limit {
        if self.polling { Limit::PollingServers } else { Limit::ServiceLevel }
    }

    fn servers_wait_share(&self) -> Option<f64> {
        // Of replicas nobody reads how long they waited.
        Some(self.servers_waited? / self.primaries.or(self.servers).filter(|used| *used > 0.0)?)
    }

    /// Cores of the generator's machine that other programs used.
    pub fn others(&self) -> Option<f64> {
        let servers = if self.same_machine { self.servers? } else { 0.0 };
        let stolen = self.stolen.unwrap_or_default();
        let own = self.generator_process.or(self.threads())?;
        // The machine was looked at for longer than claims were made.
        let there = (own + servers) / self.clocks_over_window.unwrap_or(1.0);
        Some((self.machine? - stolen - there).max(0.0))
    }

    /// Cores of the generator's machine that its thread used, or the threads of all generators there.
    fn threads(&self) -> Option<f64> {
        self.generators.or(self.generator)
    }

    fn generator_limit(&self) -> Limit {
        match self.worst_generator {
            // Its thread may have had time: another's says nothing about why it was late.
            Some(OneGenerator { part, busy }) => Limit::Generator { busy, part: Some(part) },
            None => Limit::Generator { busy: self.generator, part: self.busiest_part },
        }
    }

    /// The servers, if they were busy for this share of the cores that they were bound to.
    fn bound_servers(&self, from: f64) -> Option<Limit> {
        let (servers, cores) = (self.servers?, self.server_cores?);
        let limit = Limit::ServersOnTheirCores { servers, waited: self.servers_wait_share(), cores };
        (self.servers_use_tells() && servers >= from * f64::from(cores.max(1))).then_some(limit)
    }

    fn held_back_by_a_quota(&self) -> Option<Limit> {
        self.throttled.filter(|share| *share >= THROTTLED).map(|held_back| Limit::Quota { held_back })
    }

    fn stolen_by_the_host(&self) -> Option<Limit> {
        let (stolen, cores) = (self.stolen?, self.cores);
        (stolen > STOLEN * f64::from(cores.max(1))).then_some(Limit::Host { stolen, cores })
    }
}

/// What limits the rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "limit")]
pub enum Limit {
    /// Main thread of the busiest primary.
    Server {
        /// The primary.
        primary: String,
        /// Share of the window that its main thread ran.
        busy: f64,
    },
    /// The cores that servers and generator share, most of them used by the servers.
    ServersOnSharedCores {
        /// Cores that the servers used.
        servers: f64,
        /// Cores that the generator used.
        generator: f64,
        /// How long the servers waited for a core, over how long they ran; where the system tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waited: Option<f64>,
        /// Cores that there are.
        cores: u32,
    },
    /// The cores that the servers were bound to, which the generator does not use.
    ServersOnTheirCores {
        /// Cores that the servers used.
        servers: f64,
        /// How long they waited for a core, over how long they ran; where the system tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waited: Option<f64>,
        /// Cores that they were bound to.
        cores: u32,
    },
    /// A control group's CPU quota on the generator's machine.
    Quota {
        /// Time for which it held threads back, per second.
        held_back: f64,
    },
    /// Other programs on the machine.
    OtherPrograms {
        /// Cores that they used.
        others: f64,
        /// Cores that there are.
        cores: u32,
    },
    /// The host of the generator's virtual machine, which ran something else on its cores.
    Host {
        /// Cores that it took away.
        stolen: f64,
        /// Cores that there are.
        cores: u32,
    },
    /// The load generator, not the cluster.
    Generator {
        /// Share of the window that its thread ran, where known.
        busy: Option<f64>,
        /// Of several generators: which part, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<u32>,
    },
    /// The service level is missed although nothing is busy: network, disk, or a level below one claim's own
    /// time.
    ServiceLevel,
    /// A server or the service level, which of them nobody can tell: nothing else was busy, and main threads poll
    /// while they wait.
    PollingServers,
}

impl Limit {
    /// Whether the cluster might sustain more.
    pub fn is_not_the_clusters(&self) -> bool {
        matches!(
            self,
            Self::Generator { .. } | Self::OtherPrograms { .. } | Self::Host { .. } | Self::Quota { .. }
        )
    }

    /// Whether it is a generator whose thread had no time to spare: more of them would offer more.
    pub fn is_busy_generator(&self) -> bool {
        matches!(self, Self::Generator { busy: Some(busy), .. } if is_busy_generator(*busy))
    }
}

/// Names what held back a load that did not pass. `generator_late` says that the generator did not keep its
/// schedule; where the servers took its cores away, that is not its own fault.
pub(super) fn limit(primaries: &[PrimaryLoad], resources: &Resources, generator_late: bool) -> Limit {
    let told = primaries.iter().filter_map(|primary| Some((primary, primary.busy?)));
    let busiest = told.max_by(|a, b| a.1.total_cmp(&b.1));
    let server = |from: f64| {
        let (primary, busy) = busiest.filter(|(_, busy)| *busy >= from)?;
        Some(Limit::Server { primary: primary.addr.clone(), busy })
    };
    if let Some(server) = server(SATURATED) {
        return server;
    }
    if let Some(host) = resources.stolen_by_the_host() {
        return host;
    }
    if let Some(quota) = resources.held_back_by_a_quota() {
        return quota;
    }
    if let Some(crowd) = resources.bound_servers(CORES_BUSY).or_else(|| shared_cores(resources, CORES_BUSY)) {
        return crowd;
    }
    if generator_late {
        let others = resources.others().unwrap_or_default();
        let share = others / f64::from(resources.cores.max(1));
        return if share >= OTHERS_EXPLAIN_LATENESS && others > resources.threads().unwrap_or_default() {
            Limit::OtherPrograms { others, cores: resources.cores }
        } else {
            resources.generator_limit()
        };
    }
    let from = if resources.servers_short_of_cores() { 0.0 } else { QUEUEING };
    let crowded = || resources.bound_servers(from.max(QUEUEING)).or_else(|| shared_cores(resources, from));
    server(QUEUEING).or_else(crowded).unwrap_or_else(|| resources.nothing_short())
}

/// Whoever used most of the cores that servers and generator share, if they were busy for this share of the
/// window; `None` too where those are servers that may have polled.
fn shared_cores(resources: &Resources, from: f64) -> Option<Limit> {
    if !resources.same_machine || resources.machine_share()? < from {
        return None;
    }
    let (servers, used) = (resources.servers.unwrap_or_default(), resources.threads().unwrap_or_default());
    let (others, cores) = (resources.others().unwrap_or_default(), resources.cores);
    Some(if others > servers.max(used) {
        Limit::OtherPrograms { others, cores }
    } else if servers >= used {
        if !resources.servers_use_tells() {
            return None;
        }
        Limit::ServersOnSharedCores {
            servers,
            generator: used,
            waited: resources.servers_wait_share(),
            cores,
        }
    } else {
        resources.generator_limit()
    })
}
