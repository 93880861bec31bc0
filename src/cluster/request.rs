//! What the command line asks for: which cluster, how to reach it, which function library it must run.

use std::path::PathBuf;
use std::time::Duration;

use super::presence::Announcement;
use crate::valkey::{Access, NodeAddr, Password, TlsOptions};
use reclaim_analysis::scenario::{LibrarySource, Provider};

/// Namespace of every execution that this tool creates. Executions of another namespace are somebody's work.
pub const NAMESPACE: &str = "reclaim-bench";

/// Image of container clusters.
pub const DEFAULT_IMAGE: &str = "valkey/valkey:9";

/// A cluster to open, with everything needed to reach or build it.
#[derive(Clone, Debug)]
pub struct ClusterRequest {
    /// Who provides the servers.
    pub provider: Provider,
    /// Seeds of an external cluster; one that answers is enough.
    pub nodes: Vec<NodeAddr>,
    /// Primaries of a cluster that we build.
    pub primaries: u16,
    /// Replicas of each of them.
    pub replicas: u16,
    /// Server binary for `local`; `None` looks on PATH, in the user's cache, then fetches the pinned build.
    pub valkey_server: Option<PathBuf>,
    /// Image for `container`; `None` takes [`DEFAULT_IMAGE`].
    pub image: Option<String>,
    /// TLS to an external cluster; `None` is plain TCP.
    pub tls: Option<TlsOptions>,
    /// Pairs of an address that an external cluster announces and the one that leads there from here.
    pub map: Vec<(NodeAddr, NodeAddr)>,
    /// ACL user; `None` is the default user.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Password>,
    /// Connections per primary for claims. The administrative one comes on top.
    pub connections: u16,
    /// Longest wait for one reply, and for one connection.
    pub timeout: Duration,
    /// The library that every primary must run.
    pub library: LibrarySource,
    /// Whether the library is loaded at all; `clean` needs none.
    pub load_library: bool,
    /// Whether a different library on an external cluster may be replaced.
    pub replace_library: bool,
    /// Whether an external cluster may hold another deployment's `ff:*` keys.
    pub shared: bool,
    /// How the run makes itself known on an external cluster; `None` for what needs no mark there, since nobody else is.
    pub announcement: Option<Announcement>,
}

impl Default for ClusterRequest {
    /// Three primaries of our own, the published library.
    fn default() -> Self {
        Self {
            provider: Provider::Auto,
            nodes: Vec::new(),
            primaries: 3,
            replicas: 0,
            valkey_server: None,
            image: None,
            tls: None,
            map: Vec::new(),
            user: None,
            password: None,
            connections: 1,
            timeout: Duration::from_secs(5),
            library: LibrarySource::Published,
            load_library: true,
            replace_library: false,
            shared: false,
            announcement: None,
        }
    }
}

impl ClusterRequest {
    /// How to reach the nodes.
    pub(super) fn access(&self) -> Access {
        Access {
            tls: self.tls.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
            map: self.map.clone(),
            timeout: self.timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_never_shows_its_password() {
        let request =
            ClusterRequest { password: Some(Password::new("open sesame")), ..ClusterRequest::default() };
        assert!(!format!("{request:?}").contains("sesame"));
    }
}
