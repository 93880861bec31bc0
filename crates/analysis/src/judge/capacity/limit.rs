//! What held a probe back, by evidence: whose CPU ran out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::primary_load::PrimaryLoad;
use crate::record::{OTHERS_EXPLAIN_LATENESS, STOLEN};

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
        (servers >= from * f64::from(cores.max(1))).then_some(limit)
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
}

impl Limit {
    /// Whether the cluster might sustain more.
    pub fn is_not_the_clusters(&self) -> bool {
        matches!(
            self,
            Self::Generator { .. } | Self::OtherPrograms { .. } | Self::Host { .. } | Self::Quota { .. }
        )
    }
}

/// Names what held back a load that did not pass. `generator_late` says that the generator did not keep its
/// schedule; where the servers took its cores away, that is not its own fault.
pub(super) fn limit(primaries: &[PrimaryLoad], resources: &Resources, generator_late: bool) -> Limit {
    let busiest = primaries.iter().max_by(|a, b| a.busy.total_cmp(&b.busy));
    let server = |from: f64| {
        let primary = busiest.filter(|primary| primary.busy >= from)?;
        Some(Limit::Server { primary: primary.addr.clone(), busy: primary.busy })
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
    server(QUEUEING).or_else(crowded).unwrap_or(Limit::ServiceLevel)
}

/// Whoever used most of the cores that servers and generator share, if they were busy for this share of the
/// window.
fn shared_cores(resources: &Resources, from: f64) -> Option<Limit> {
    if !resources.same_machine || resources.machine_share()? < from {
        return None;
    }
    let (servers, used) = (resources.servers.unwrap_or_default(), resources.threads().unwrap_or_default());
    let (others, cores) = (resources.others().unwrap_or_default(), resources.cores);
    Some(if others > servers.max(used) {
        Limit::OtherPrograms { others, cores }
    } else if servers >= used {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn primaries(busy: [f64; 3]) -> Vec<PrimaryLoad> {
        let load = |(n, busy): (usize, f64)| PrimaryLoad {
            addr: format!("127.0.0.1:700{n}"),
            partitions: 85,
            claims: 1,
            busy,
        };
        busy.into_iter().enumerate().map(load).collect()
    }

    fn used(generator: f64, servers: f64, machine: f64, same_machine: bool) -> Resources {
        Resources {
            generator: Some(generator),
            busiest_part: None,
            worst_generator: None,
            generators: None,
            generator_process: None,
            servers: Some(servers),
            primaries: None,
            machine: Some(machine),
            stolen: None,
            servers_waited: None,
            server_cores: None,
            throttled: None,
            clocks_over_window: None,
            cores: 2,
            same_machine,
        }
    }

    #[test]
    fn a_main_thread_without_time_is_the_limit_whatever_the_generator_says() {
        for late in [false, true] {
            let limit = limit(&primaries([0.4, 0.97, 0.5]), &used(0.5, 1.9, 2.0, true), late);
            assert_eq!(limit, Limit::Server { primary: "127.0.0.1:7001".into(), busy: 0.97 });
        }
    }

    #[test]
    fn shared_cores_go_to_whoever_uses_most_of_them() {
        let named = |generator: f64, servers: f64| {
            limit(&primaries([0.5, 0.5, 0.4]), &used(generator, servers, 1.95, true), true)
        };
        assert!(matches!(named(0.4, 1.4), Limit::ServersOnSharedCores { .. }));
        assert!(matches!(named(1.0, 0.9), Limit::Generator { .. }));
        assert!(matches!(named(0.2, 0.3), Limit::OtherPrograms { .. }));
    }

    #[test]
    fn a_late_generator_with_cores_to_spare_is_the_limit_itself() {
        let idle = primaries([0.3, 0.3, 0.3]);
        assert_eq!(
            limit(&idle, &used(0.95, 0.9, 1.0, false), true),
            Limit::Generator { busy: Some(0.95), part: None }
        );
        assert!(matches!(limit(&idle, &used(0.2, 0.9, 1.2, true), true), Limit::Generator { .. }));
        // The servers have machines of their own: what they use is not the generator's.
        assert!(matches!(limit(&idle, &used(0.9, 2.9, 1.0, false), true), Limit::Generator { .. }));
    }

    #[test]
    fn what_others_used_is_known_where_the_machine_was_looked_at_for_longer() {
        // 4 cores for 2.2 s: of 6.5 s in use 1.2 and 3.0 s were the tool's and the servers', in a window of 2
        // s.
        let longer = Resources { clocks_over_window: Some(1.1), ..used(0.6, 1.5, 6.5 / 2.2, true) };
        assert!((longer.others().unwrap() - 2.3 / 2.2).abs() < 1e-9, "{:?}", longer.others());
    }

    #[test]
    fn of_several_generators_the_one_that_was_late_is_named_and_not_the_busiest_one() {
        let idle = primaries([0.3, 0.3, 0.3]);
        let several = |worst_generator| Resources {
            busiest_part: Some(1),
            generators: Some(1.1),
            worst_generator,
            ..used(0.7, 0.9, 1.0, false)
        };
        let late = OneGenerator { part: 3, busy: Some(0.2) };
        let named = limit(&idle, &several(Some(late)), true);
        assert_eq!(named, Limit::Generator { busy: Some(0.2), part: Some(3) });
        let named = limit(&idle, &several(None), true);
        assert_eq!(named, Limit::Generator { busy: Some(0.7), part: Some(1) });
        // However late one of them was: the server had no time left.
        let server = limit(&primaries([0.3, 0.95, 0.3]), &several(Some(late)), true);
        assert_eq!(server, Limit::Server { primary: "127.0.0.1:7001".into(), busy: 0.95 });
    }

    #[test]
    fn servers_that_use_more_of_shared_cores_than_all_generators_together_are_the_limit() {
        let named = |generators: f64, servers: f64| {
            let resources = Resources { generators: Some(generators), ..used(0.6, servers, 3.6, true) };
            limit(&primaries([0.5, 0.5, 0.4]), &Resources { cores: 4, ..resources }, true)
        };
        assert!(matches!(named(1.2, 2.2), Limit::ServersOnSharedCores { .. }), "three main threads");
        // Each of them for itself used less than the servers.
        assert!(matches!(named(2.0, 1.4), Limit::Generator { .. }));
    }

    #[test]
    fn other_programs_are_named_where_they_take_the_generators_cores() {
        let idle = primaries([0.05, 0.05, 0.05]);
        for same_machine in [true, false] {
            let resources = used(0.06, 0.15, 1.2, same_machine);
            assert!(matches!(limit(&idle, &resources, true), Limit::OtherPrograms { .. }));
            // In time, but the servers' cores are the ones that are gone.
            let disturbed = matches!(limit(&idle, &resources, false), Limit::OtherPrograms { .. });
            assert_eq!(disturbed, same_machine);
        }
        assert!(matches!(limit(&idle, &used(0.06, 0.15, 0.4, true), true), Limit::Generator { .. }));
    }

    #[test]
    fn cores_that_the_host_took_are_its_own_unless_a_main_thread_had_no_time() {
        let stolen = |cores: f64| Resources { stolen: Some(cores), ..used(0.2, 0.9, 1.2 + cores, true) };
        for late in [true, false] {
            let named = limit(&primaries([0.4, 0.3, 0.3]), &stolen(0.3), late);
            assert_eq!(named, Limit::Host { stolen: 0.3, cores: 2 });
            assert!(named.is_not_the_clusters());
            let saturated = limit(&primaries([0.95, 0.3, 0.3]), &stolen(0.3), late);
            assert!(matches!(saturated, Limit::Server { .. }));
        }
        assert!(matches!(limit(&primaries([0.4, 0.3, 0.3]), &stolen(0.03), true), Limit::Generator { .. }));
        assert!((stolen(0.3).others().unwrap() - 0.1).abs() < 1e-9, "what it took is not other programs'");
    }

    #[test]
    fn servers_with_cores_of_their_own_are_the_limit_when_those_are_used_up() {
        let bound =
            |servers: f64| Resources { server_cores: Some(1), ..used(0.3, servers, servers + 0.3, true) };
        let named = |servers: f64| limit(&primaries([0.3, 0.3, 0.3]), &bound(servers), false);
        assert_eq!(named(0.97), Limit::ServersOnTheirCores { servers: 0.97, waited: None, cores: 1 });
        assert!(!named(0.97).is_not_the_clusters());
        assert!(matches!(named(0.6), Limit::ServersOnTheirCores { .. }), "a queue before saturation");
        assert_eq!(named(0.3), Limit::ServiceLevel);
        let late = limit(&primaries([0.3, 0.3, 0.3]), &bound(0.6), true);
        assert!(matches!(late, Limit::Generator { .. }), "they do not take the generator's core");
    }

    #[test]
    fn a_quota_that_holds_threads_back_is_not_the_clusters_fault() {
        let named = |throttled: f64| {
            let resources = Resources { throttled: Some(throttled), ..used(0.2, 0.9, 1.0, true) };
            limit(&primaries([0.4, 0.3, 0.3]), &resources, true)
        };
        assert_eq!(named(0.3), Limit::Quota { held_back: 0.3 });
        assert!(named(0.3).is_not_the_clusters());
        assert!(matches!(named(0.0), Limit::Generator { .. }));
    }

    #[test]
    fn a_queue_before_saturation_is_the_servers_and_none_is_the_service_level() {
        let resources = used(0.2, 1.0, 1.2, false);
        assert!(matches!(limit(&primaries([0.7, 0.2, 0.2]), &resources, false), Limit::Server { .. }));
        assert_eq!(limit(&primaries([0.3, 0.2, 0.2]), &resources, false), Limit::ServiceLevel);
        let crowded = used(0.2, 1.0, 1.2, true);
        let shared = limit(&primaries([0.3, 0.3, 0.3]), &crowded, false);
        assert!(matches!(shared, Limit::ServersOnSharedCores { .. }), "{shared:?}");
        let named = |waited: f64| {
            let resources = Resources { servers_waited: Some(waited), ..used(0.1, 0.7, 0.84, true) };
            limit(&primaries([0.2, 0.2, 0.2]), &resources, false)
        };
        assert!(matches!(named(0.24), Limit::ServersOnSharedCores { .. }));
        assert_eq!(named(0.14), Limit::ServiceLevel);
        // What replicas use is no time in which primaries ran.
        let replicated =
            Resources { primaries: Some(0.4), servers_waited: Some(0.14), ..used(0.1, 0.7, 0.84, true) };
        let shared = limit(&primaries([0.2, 0.1, 0.1]), &replicated, false);
        assert!(matches!(shared, Limit::ServersOnSharedCores { .. }), "{shared:?}");
        assert_eq!(limit(&[], &Resources::default(), false), Limit::ServiceLevel);
    }
}
