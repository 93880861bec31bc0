//! What a server counts by itself: commands, CPU, bytes. Read before and after a window; the difference is
//! exact.

use std::collections::BTreeMap;

use super::addr::NodeAddr;
use super::error::ValkeyError;
use super::info::Info;
use super::wire::Wire;
use crate::machine::run_delay_s;
use reclaim_analysis::record::{CounterDelta, MainThreadClock, RedirectKind};

const SECTIONS: [&str; 6] = ["server", "cpu", "stats", "commandstats", "errorstats", "replication"];

/// Part of the name of a server's process. Its id may be one of a container, which is another process' here.
const SERVER_COMM: &str = "valkey";

/// Commands that only the tool's own housekeeping sends in a window: reading counters and conditions, finding
/// out where slots live, greeting a server, and faults that are asked for.
pub const TOOL_COMMANDS: [&str; 24] = [
    "auth",
    "client|id",
    "client|kill",
    "client|list",
    "cluster|countkeysinslot",
    "cluster|failover",
    "cluster|getkeysinslot",
    "cluster|getslotmigrations",
    "cluster|info",
    "cluster|migrateslots",
    "cluster|nodes",
    "cluster|setslot",
    "cluster|slots",
    "config|get",
    "eval",
    "function|delete",
    "function|list",
    "function|load",
    "info",
    "migrate",
    "pexpire",
    "ping",
    "script|kill",
    "spublish",
];

/// What a server had to do that no healthy run shows, since it started or its counters were reset; or the
/// difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// `evicted_keys`.
    pub evicted_keys: u64,
    /// `errorstat_OOM`: commands refused for want of memory.
    pub out_of_memory: u64,
    /// `total_forks`.
    pub forks: u64,
}

impl Incidents {
    /// Adds those of another time.
    pub fn add(&mut self, more: &Self) {
        self.evicted_keys += more.evicted_keys;
        self.out_of_memory += more.out_of_memory;
        self.forks += more.forks;
    }

    fn since(&self, earlier: &Self) -> Option<Self> {
        Some(Self {
            evicted_keys: self.evicted_keys.checked_sub(earlier.evicted_keys)?,
            out_of_memory: self.out_of_memory.checked_sub(earlier.out_of_memory)?,
            forks: self.forks.checked_sub(earlier.forks)?,
        })
    }
}

/// One primary's counters at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeCounters {
    /// The primary.
    pub addr: NodeAddr,
    /// Changes when the process does.
    pub run_id: String,
    /// `master` or `slave`, as the server says.
    pub role: String,
    /// Calls by lower-case command name (`config|get` for subcommands), commands inside functions included.
    pub calls: BTreeMap<String, u64>,
    /// Main thread, by [`Self::main_thread_clock`].
    pub main_thread_cpu_us: f64,
    /// What the figure above was read from.
    pub main_thread_clock: MainThreadClock,
    /// All threads, user and system.
    pub process_cpu_us: f64,
    /// `total_net_input_bytes`.
    pub net_in_bytes: u64,
    /// `total_net_output_bytes`.
    pub net_out_bytes: u64,
    /// `usec` of `cmdstat_fcall`.
    pub fcall_us: u64,
    /// What no healthy run shows.
    pub incidents: Incidents,
    /// Commands that it answered with a redirect (`errorstat_MOVED` and so on).
    pub redirects: BTreeMap<RedirectKind, u64>,
    /// `total_connections_received`: grows only, unless somebody resets the counters.
    pub connections: u64,
    /// Time in which the main thread could have run and had no core, in seconds; only for a server on this
    /// machine.
    pub run_delay_s: Option<f64>,
}

impl NodeCounters {
    /// Main-thread CPU alone, in seconds, by the same clock: cheap enough for every second of a window.
    pub(crate) async fn read_cpu_s(wire: &Wire, io_threads: u32) -> Result<f64, ValkeyError> {
        main_thread(&Info::read(wire, &["cpu"]).await?, io_threads).map(|(_, seconds)| seconds)
    }

    /// One `INFO`. It adds one call of `info` to what it counts, and nothing else.
    pub(crate) async fn read(wire: &Wire, io_threads: u32) -> Result<Self, ValkeyError> {
        let info = Info::read(wire, &SECTIONS).await?;
        let run_delay_s = info
            .number("process_id")
            .ok()
            .filter(|_| wire.addr().is_loopback())
            .and_then(|pid| run_delay_s(pid, SERVER_COMM));
        Ok(Self { run_delay_s, ..Self::from_info(wire.addr(), &info, io_threads)? })
    }

    /// What a server says of itself; what its machine says of it is left out.
    pub(super) fn from_info(addr: &NodeAddr, info: &Info, io_threads: u32) -> Result<Self, ValkeyError> {
        let text = |field: &str| info.get(field).unwrap_or_default().to_owned();
        let seconds = |field| info.seconds(field);
        let (main_thread_clock, main_thread_s) = main_thread(info, io_threads)?;
        Ok(Self {
            addr: addr.clone(),
            run_id: text("run_id"),
            role: text("role"),
            calls: info.command_calls(),
            main_thread_cpu_us: main_thread_s * 1e6,
            main_thread_clock,
            process_cpu_us: (seconds("used_cpu_user")? + seconds("used_cpu_sys")?) * 1e6,
            net_in_bytes: info.number("total_net_input_bytes")?,
            net_out_bytes: info.number("total_net_output_bytes")?,
            fcall_us: info.command_us("fcall"),
            incidents: Incidents {
                evicted_keys: info.number("evicted_keys").unwrap_or(0),
                out_of_memory: info.error_count("OOM"),
                forks: info.number("total_forks").unwrap_or(0),
            },
            redirects: redirects(info),
            connections: info.number("total_connections_received").unwrap_or(0),
            run_delay_s: None,
        })
    }

    /// What happened since `earlier` on the same server. `sent` of the result is the caller's to fill in.
    pub fn since(&self, earlier: &Self) -> Result<CounterDelta, ServerChanged> {
        let changed = |detail: String| Err(ServerChanged { addr: self.addr.clone(), detail });
        if self.addr != earlier.addr {
            return changed(format!("compared with {}", earlier.addr));
        }
        if self.run_id != earlier.run_id {
            return changed(format!("restarted: run_id {} became {}", earlier.run_id, self.run_id));
        }
        if self.role != earlier.role {
            return changed(format!("failed over: role {} became {}", earlier.role, self.role));
        }
        if self.main_thread_clock != earlier.main_thread_clock {
            return changed("tells its main thread's time by another clock than before".to_owned());
        }
        if let Some(name) = earlier.calls.keys().find(|name| self.calls(name) < earlier.calls(name)) {
            return changed(format!("counters were reset: fewer calls of {name} than before"));
        }
        let calls = self
            .calls
            .iter()
            .map(|(name, calls)| (name.clone(), calls - earlier.calls(name)))
            .filter(|(_, calls)| *calls > 0)
            .collect();
        let (Some(net_in_bytes), Some(net_out_bytes)) = (
            self.net_in_bytes.checked_sub(earlier.net_in_bytes),
            self.net_out_bytes.checked_sub(earlier.net_out_bytes),
        ) else {
            return changed("counters were reset: fewer network bytes than before".to_owned());
        };
        let Some(fcall_us) = self.fcall_us.checked_sub(earlier.fcall_us) else {
            return changed("counters were reset: less time in fcall than before".to_owned());
        };
        if self.connections < earlier.connections || self.incidents.since(&earlier.incidents).is_none() {
            return changed("counters were reset: fewer connections or incidents than before".to_owned());
        }
        Ok(CounterDelta {
            calls,
            sent: BTreeMap::new(),
            by_functions: BTreeMap::new(),
            main_thread_cpu_us: self.main_thread_cpu_us - earlier.main_thread_cpu_us,
            main_thread_clock: Some(self.main_thread_clock),
            process_cpu_us: self.process_cpu_us - earlier.process_cpu_us,
            net_in_bytes,
            net_out_bytes,
            fcall_us,
        })
    }

    /// What no healthy run shows since `earlier`; nothing where the counters were reset in between.
    pub fn incidents_since(&self, earlier: &Self) -> Incidents {
        self.incidents.since(&earlier.incidents).unwrap_or_default()
    }

    /// Connections that were opened to it since `earlier`; none where the counters were reset in between.
    pub fn connections_since(&self, earlier: &Self) -> u64 {
        self.connections.saturating_sub(earlier.connections)
    }

    /// Redirects since `earlier`; nothing where the counters were reset in between.
    pub fn redirects_since(&self, earlier: &Self) -> BTreeMap<RedirectKind, u64> {
        let before = |kind| earlier.redirects.get(kind).copied().unwrap_or(0);
        let since = self.redirects.iter().map(|(kind, n)| (*kind, n.saturating_sub(before(kind))));
        since.filter(|(_, n)| *n > 0).collect()
    }

    /// Calls of one command since the server started or its counters were reset.
    pub fn calls(&self, name: &str) -> u64 {
        self.calls.get(name).copied().unwrap_or(0)
    }
}

/// The server is not the one that was read before, so its counters say nothing about the time between.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{addr} {detail}")]
pub struct ServerChanged {
    /// Which.
    pub addr: NodeAddr,
    /// How.
    pub detail: String,
}

fn redirects(info: &Info) -> BTreeMap<RedirectKind, u64> {
    RedirectKind::ALL.into_iter().map(|kind| (kind, info.error_count(kind.code()))).collect()
}

/// The main thread's work so far in seconds, and which clock says so.
fn main_thread(info: &Info, io_threads: u32) -> Result<(MainThreadClock, f64), ValkeyError> {
    let seconds = |field| info.seconds(field);
    let active = info.seconds("used_active_time_main_thread").ok();
    Ok(match active {
        Some(active) if io_threads > 1 => (MainThreadClock::Active, active),
        _ => (
            MainThreadClock::Cpu,
            seconds("used_cpu_user_main_thread")? + seconds("used_cpu_sys_main_thread")?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(fcalls: u64) -> NodeCounters {
        NodeCounters {
            addr: NodeAddr { host: "127.0.0.1".into(), port: 7000 },
            run_id: "a".into(),
            role: "master".into(),
            calls: BTreeMap::from([("fcall".to_owned(), fcalls), ("ping".to_owned(), 1)]),
            main_thread_cpu_us: 10.0 * fcalls as f64,
            main_thread_clock: MainThreadClock::Cpu,
            process_cpu_us: 12.0 * fcalls as f64,
            net_in_bytes: 100 * fcalls,
            net_out_bytes: 50 * fcalls,
            fcall_us: 70 * fcalls,
            incidents: Incidents { evicted_keys: fcalls, ..Incidents::default() },
            redirects: [(RedirectKind::Moved, fcalls), (RedirectKind::Ask, 1)].into(),
            connections: fcalls,
            run_delay_s: None,
        }
    }

    #[test]
    fn a_delta_holds_what_happened_and_nothing_else() {
        let delta = counters(7).since(&counters(3)).unwrap();
        assert_eq!(delta.calls, BTreeMap::from([("fcall".to_owned(), 4)]));
        assert_eq!((delta.net_in_bytes, delta.net_out_bytes, delta.fcall_us), (400, 200, 280));
        assert_eq!(counters(7).incidents_since(&counters(3)).evicted_keys, 4);
        assert_eq!(counters(7).redirects_since(&counters(3)), [(RedirectKind::Moved, 4)].into());
        assert!((delta.main_thread_cpu_us - 40.0).abs() < 1e-9);
        assert_eq!(delta.main_thread_clock, Some(MainThreadClock::Cpu));
    }

    #[test]
    fn a_server_that_changed_gives_no_delta() {
        let before = counters(3);
        let restarted = NodeCounters { run_id: "b".into(), ..counters(7) };
        assert!(restarted.since(&before).unwrap_err().to_string().contains("restarted"));
        let replica = NodeCounters { role: "slave".into(), ..counters(7) };
        assert!(replica.since(&before).unwrap_err().to_string().contains("failed over"));
        assert!(counters(2).since(&before).unwrap_err().to_string().contains("reset"));
        let other_clock = NodeCounters { main_thread_clock: MainThreadClock::Active, ..counters(7) };
        assert!(other_clock.since(&before).unwrap_err().to_string().contains("another clock"));
        let fewer_connections = NodeCounters { connections: 1, ..counters(7) };
        assert!(fewer_connections.since(&before).unwrap_err().to_string().contains("reset"));
        let fewer_incidents = NodeCounters { incidents: Incidents::default(), ..counters(7) };
        assert!(fewer_incidents.since(&before).unwrap_err().to_string().contains("reset"));
        let time_reset = NodeCounters { fcall_us: 1, ..counters(7) };
        assert!(time_reset.since(&before).unwrap_err().to_string().contains("less time in fcall"));
        let bytes_reset = NodeCounters { net_in_bytes: 0, ..counters(7) };
        assert!(bytes_reset.since(&before).unwrap_err().to_string().contains("reset"));
    }
}
