//! How one server is started, whoever starts it: the same arguments as a child process and in a container.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::valkey::NodeAddr;

/// One cluster node to start.
#[derive(Clone, Debug)]
pub(super) struct ServerSpec {
    /// Client port on 127.0.0.1.
    pub(super) port: u16,
    /// Cluster bus port on 127.0.0.1.
    pub(super) bus_port: u16,
}

impl ServerSpec {
    /// Arguments for a cluster node without persistence that listens on loopback only.
    pub(super) fn arguments(&self, log_file: &str) -> Vec<String> {
        let pairs = [
            ("--port", self.port.to_string().as_str()),
            ("--cluster-port", self.bus_port.to_string().as_str()),
            ("--bind", "127.0.0.1"),
            ("--protected-mode", "yes"),
            ("--cluster-enabled", "yes"),
            ("--cluster-config-file", "nodes.conf"),
            // Longer than any stall that a scenario causes on purpose, shorter than a user's patience at failover.
            ("--cluster-node-timeout", "5000"),
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
    Ok(ports.chunks_exact(2).map(|pair| ServerSpec { port: pair[0], bus_port: pair[1] }).collect())
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
