//! How one server is started, whoever starts it: the same arguments as a child process and in a container.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::machine::memory_left;
use crate::valkey::NodeAddr;

/// One cluster node to start.
#[derive(Clone, Debug)]
pub(super) struct ServerSpec {
    /// Client port.
    pub(super) port: u16,
    /// Cluster bus port.
    pub(super) bus_port: u16,
    /// Bytes that it may hold; `None` where nobody knows what the machine has.
    pub(super) max_memory: Option<u64>,
    /// How long it waits for a silent node before it calls that one failed.
    pub(super) node_timeout: Duration,
    /// The address that it announces where it listens on networks of its own; `None` for loopback and nothing
    /// else.
    pub(super) announced: Option<Ipv4Addr>,
    /// Settings of its own, which win over those that every server has.
    pub(super) config: BTreeMap<String, String>,
}

impl ServerSpec {
    /// Arguments for a cluster node without persistence that listens on loopback only, or on all networks of
    /// its container, and that refuses writes before the machine has no memory left for it.
    pub(super) fn arguments(&self, log_file: &str) -> Vec<String> {
        // 0 is no limit.
        let max_memory = self.max_memory.unwrap_or(0).to_string();
        let node_timeout = self.node_timeout.as_millis().to_string();
        let pairs = [
            ("--port", self.port.to_string().as_str()),
            ("--cluster-port", self.bus_port.to_string().as_str()),
            ("--bind", if self.announced.is_some() { "0.0.0.0" } else { "127.0.0.1" }),
            ("--protected-mode", if self.announced.is_some() { "no" } else { "yes" }),
            ("--cluster-enabled", "yes"),
            ("--cluster-config-file", "nodes.conf"),
            ("--cluster-node-timeout", node_timeout.as_str()),
            ("--maxmemory", max_memory.as_str()),
            ("--maxmemory-policy", "noeviction"),
            ("--save", ""),
            ("--appendonly", "no"),
            ("--daemonize", "no"),
            ("--logfile", log_file),
            // Replicas need not wait for company.
            ("--repl-diskless-sync-delay", "0"),
        ]
        .map(|(name, value)| [name.to_owned(), value.to_owned()]);
        let announced = self.announced.map(|addr| ["--cluster-announce-ip".to_owned(), addr.to_string()]);
        let own = self.config.iter().map(|(name, value)| [format!("--{name}"), value.clone()]);
        pairs.into_iter().chain(announced).chain(own).flatten().collect()
    }
}

pub(super) fn loopback(port: u16) -> NodeAddr {
    NodeAddr { host: Ipv4Addr::LOCALHOST.to_string(), port }
}

/// Specs on ports that are free now, for `count` of the `sharing` servers that share the memory that is left.
pub(super) fn specs(
    count: usize,
    sharing: usize,
    node_timeout: Duration,
) -> std::io::Result<Vec<ServerSpec>> {
    let ports = free_ports(2 * count)?;
    let max_memory = memory_left().map(|left| share(left, sharing));
    let spec = |pair: &[u16]| ServerSpec {
        port: pair[0],
        bus_port: pair[1],
        max_memory,
        node_timeout,
        announced: None,
        config: BTreeMap::new(),
    };
    Ok(ports.chunks_exact(2).map(spec).collect())
}

/// What servers of our own may take together of the bytes that are left: a part stays for the generator and
/// for what a server needs beyond its data.
pub fn for_servers(left: u64) -> u64 {
    left / 5 * 4
}

fn share(left: u64, count: usize) -> u64 {
    for_servers(left) / count.max(1) as u64
}

/// All are held until the last one is chosen, so they differ.
fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let held = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<Vec<_>>>()?;
    held.iter().map(|listener| listener.local_addr().map(|addr| addr.port())).collect()
}

/// The end of a server's log, for an error; empty where there is none.
pub(super) fn log_tail(log_file: &Path) -> String {
    let log = std::fs::read_to_string(log_file).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn servers_share_the_memory_that_is_left_and_refuse_what_is_beyond() {
        let limits: Vec<_> = specs(3, 3, SECOND).unwrap().into_iter().map(|spec| spec.max_memory).collect();
        let left = memory_left().unwrap();
        assert!(limits.iter().map(|limit| limit.unwrap()).sum::<u64>() < left);
        assert_eq!(share(15_000, 3), 4_000);
        let spec = ServerSpec { max_memory: Some(4_000), ..specs(1, 1, SECOND).unwrap().remove(0) };
        let arguments = spec.arguments("log").join(" ");
        assert!(arguments.contains("--maxmemory 4000 --maxmemory-policy noeviction"), "{arguments}");
        assert!(arguments.contains("--cluster-node-timeout 1000 "), "{arguments}");
        assert!(arguments.contains("--bind 127.0.0.1 --protected-mode yes"), "{arguments}");
        let config = [("appendonly".to_owned(), "yes".to_owned())].into();
        let own = ServerSpec { config, ..spec.clone() }.arguments("log").join(" ");
        assert!(own.ends_with(" --appendonly yes"), "after the default, so that it wins: {own}");
        let apart = ServerSpec { announced: Some(Ipv4Addr::new(172, 18, 0, 16)), ..spec };
        let arguments = apart.arguments("log").join(" ");
        assert!(arguments.contains("--bind 0.0.0.0 --protected-mode no"), "{arguments}");
        assert!(arguments.ends_with("--cluster-announce-ip 172.18.0.16"), "{arguments}");
    }
}
