//! What it takes to reach the nodes of one cluster.

use std::path::PathBuf;
use std::time::Duration;

use super::addr::NodeAddr;

/// Login, encryption and patience, the same for every node.
#[derive(Clone, Debug)]
pub struct Access {
    /// TLS; `None` is plain TCP.
    pub tls: Option<TlsOptions>,
    /// ACL user; `None` is the default user.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Password>,
    /// Pairs of an address that the cluster announces and the one that leads there.
    pub map: Vec<(NodeAddr, NodeAddr)>,
    /// Longest wait for one reply, and for one connection.
    pub timeout: Duration,
}

/// How to speak TLS to an external cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of the certificate authority; `None` trusts the system's.
    pub cacert: Option<PathBuf>,
    /// PEM file of the client certificate, with [`Self::key`].
    pub cert: Option<PathBuf>,
    /// PEM file of the client key.
    pub key: Option<PathBuf>,
    /// Accept any certificate. For test clusters.
    pub insecure: bool,
}

/// A password. Never shown by `Debug`, and without `Serialize`, so it cannot reach a log or a result.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps the password as read from its file or variable.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}
