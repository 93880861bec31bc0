//! What can be wrong between the tool and one server, each with what to do about it.

use std::path::PathBuf;

use super::addr::NodeAddr;
use super::topology::UnservedSlot;
use super::wire::WireError;

/// Why a server cannot be talked to, or is not one that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ValkeyError {
    /// Nobody to ask.
    #[error("no node was given: use --nodes host:port")]
    NoNode,
    /// Nobody answers.
    #[error(
        "cannot reach {addr}{told}: {detail}. {}", if *.may_need_map {
            "Check that it runs; where it has another address from here (NAT, containers, port forwards), give --map \
             ANNOUNCED=REACHABLE."
        } else {
            "Check the address, the port, TLS on both sides, and that the server runs."
        }
    )]
    Unreachable {
        /// Whom we asked.
        addr: NodeAddr,
        /// By which way, and who says that the address is its; empty for one that the user gave.
        told: String,
        /// Whether the address is the cluster's word, and may be good only among its nodes.
        may_need_map: bool,
        /// As the system says it.
        detail: String,
    },
    /// This process may open no more connections.
    #[error("cannot open a connection to {addr}: Too many open files")]
    TooManyFiles {
        /// Whom we would have asked.
        addr: NodeAddr,
    },
    /// The connection to a channel has ended, or its slot has moved.
    #[error(
        "{addr} sends no messages of the channel any more: its connection broke, or the channel's slot has moved"
    )]
    ChannelLost {
        /// Whose messages they were.
        addr: NodeAddr,
    },
    /// The user lacks a right.
    #[error(
        "{addr} refused {doing}, for the user lacks a right: {detail}. docs/rights.md lists those that are needed (ACL SETUSER)."
    )]
    Right {
        /// Whom we asked.
        addr: NodeAddr,
        /// What for.
        doing: &'static str,
        /// The server's words, which name the right.
        detail: String,
    },
    /// The server wants another password.
    #[error(
        "{addr} refused the login: {detail}. Give --user and the password by RECLAIM_BENCH_PASSWORD or \
             --password-file."
    )]
    Login {
        /// Whom we asked.
        addr: NodeAddr,
        /// The server's words.
        detail: String,
    },
    /// A standalone server.
    #[error(
        "{addr} is not a cluster node (cluster_enabled:0). FlowFabric's functions are measured on a cluster: \
             start the server with --cluster-enabled yes, or leave out --nodes to get a cluster of your own."
    )]
    NotACluster {
        /// Whom we asked.
        addr: NodeAddr,
    },
    /// Redis, or something else that speaks its protocol.
    #[error("{addr} is {software}, not Valkey. Results are about Valkey: use Valkey 7.2 or later.")]
    NotValkey {
        /// Whom we asked.
        addr: NodeAddr,
        /// What it says it is.
        software: String,
    },
    /// Valkey before 7.2.
    #[error("{addr} runs Valkey {version}; 7.2 or later is needed.")]
    TooOld {
        /// Whom we asked.
        addr: NodeAddr,
        /// `valkey_version`.
        version: String,
    },
    /// Not all slots have a primary.
    #[error("the cluster of {addr} is incomplete: {source}. Repair it (CLUSTER INFO, CLUSTER SLOTS) first.")]
    Uncovered {
        /// Whose map it is.
        addr: NodeAddr,
        /// The first slot in question.
        source: UnservedSlot,
    },
    /// Something else went wrong between us and a server.
    #[error("{addr}: {doing} failed: {source}")]
    Server {
        /// Whom we asked.
        addr: NodeAddr,
        /// What for.
        doing: &'static str,
        /// What came back.
        source: WireError,
    },
    /// A reply that cannot be what we asked for.
    #[error("{addr} answered {doing} with something unexpected: {detail}")]
    Reply {
        /// Whom we asked.
        addr: NodeAddr,
        /// What for.
        doing: &'static str,
        /// What came back.
        detail: String,
    },
    /// A certificate or key cannot be read.
    #[error("cannot read {what} {}: {source}", .path.display())]
    File {
        /// Its role.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("{what} {} cannot be used: {problem}", .path.display())]
    Certificate {
        /// Its role, and the option that named it.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong with it, and what to do about that.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
}

impl ValkeyError {
    /// What a failed command on `addr` means; login trouble and missing rights have their own remedies.
    pub(crate) fn from_wire(addr: &NodeAddr, doing: &'static str, error: WireError) -> Self {
        let addr = addr.clone();
        match error {
            WireError::Server { code, detail } if code == "NOPERM" => {
                Self::Right { addr, doing, detail: format!("{code} {detail}") }
            }
            WireError::Server { code, detail } if matches!(code.as_str(), "NOAUTH" | "WRONGPASS") => {
                Self::Login { addr, detail: format!("{code} {detail}") }
            }
            WireError::Disconnected(detail) => {
                Self::Unreachable { addr, told: String::new(), may_need_map: false, detail }
            }
            source => Self::Server { addr, doing, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_no_refused_login() {
        let addr = NodeAddr { host: "10.0.0.1".to_owned(), port: 6379 };
        let said = |code: &str, detail: &str| {
            let error = WireError::Server { code: code.to_owned(), detail: detail.to_owned() };
            ValkeyError::from_wire(&addr, "UNLINK", error).to_string()
        };
        let lacking = said("NOPERM", "User bench has no permissions to run the 'unlink' command");
        assert!(
            lacking.contains("refused UNLINK")
                && lacking.contains("'unlink'")
                && lacking.contains("rights.md")
        );
        assert!(!lacking.contains("login") && !lacking.contains("password"), "{lacking}");
        assert!(said("WRONGPASS", "invalid pair").contains("refused the login"));
    }
}
