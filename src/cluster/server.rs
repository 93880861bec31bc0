//! How one server is started, whoever starts it: the same arguments as a child process and in a container.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::machine::memory_left;
use crate::valkey::NodeAddr;

/// One cluster node to start.
#[derive(Clone, Debug)]
pub(super) struct ServerSpec {
    /// Client port on 127.0.0.1.
    pub(super) port: u16,
    /// Cluster bus port on 127.0.0.1.
    pub(super) bus_port: u16,
    /// Bytes that it may hold; `None` where nobody knows what the machine has.
    pub(super) max_memory: Option<u64>,
}

impl ServerSpec {
    /// Arguments for a cluster node without persistence that listens on loopback only, and that refuses writes before the
    /// machine has no memory left for it.
    pub(super) fn arguments(&self, log_file: &str) -> Vec<String> {
        // 0 is no limit.
        let max_memory = self.max_memory.unwrap_or(0).to_string();
        let pairs = [
            ("--port", self.port.to_string().as_str()),
            ("--cluster-port", self.bus_port.to_string().as_str()),
            ("--bind", "127.0.0.1"),
            ("--protected-mode", "yes"),
            ("--cluster-enabled", "yes"),
            ("--cluster-config-file", "nodes.conf"),
            // Longer than any stall that a scenario causes on purpose, shorter than a user's patience at failover.
            ("--cluster-node-timeout", "5000"),
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
        pairs.into_iter().flatten().collect()
    }
}

pub(super) fn loopback(port: u16) -> NodeAddr {
    NodeAddr { host: Ipv4Addr::LOCALHOST.to_string(), port }
}

/// Specs on ports that are free now.
pub(super) fn specs(count: usize) -> std::io::Result<Vec<ServerSpec>> {
    let ports = free_ports(2 * count)?;
    let max_memory = memory_left().map(|left| share(left, count));
    let spec = |pair: &[u16]| ServerSpec { port: pair[0], bus_port: pair[1], max_memory };
    Ok(ports.chunks_exact(2).map(spec).collect())
}

/// What servers of our own may take together of the bytes that are left: a part stays for the generator and for what a
/// server needs beyond its data.
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

    #[test]
    fn servers_share_the_memory_that_is_left_and_refuse_what_is_beyond() {
        let limits: Vec<_> = specs(3).unwrap().into_iter().map(|spec| spec.max_memory).collect();
        let left = memory_left().unwrap();
        assert!(limits.iter().map(|limit| limit.unwrap()).sum::<u64>() < left);
        assert_eq!(share(15_000, 3), 4_000);
        let spec = ServerSpec { port: 1, bus_port: 2, max_memory: Some(4_000) };
        let arguments = spec.arguments("log").join(" ");
        assert!(arguments.contains("--maxmemory 4000 --maxmemory-policy noeviction"), "{arguments}");
    }
}
