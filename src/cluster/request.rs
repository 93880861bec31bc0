//! What the command line asks for: which cluster, how to reach it, which function library it must run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::presence::Announcement;
use super::started::Started;
use crate::flowfabric::FUNCTIONS;
use crate::valkey::{Access, NodeAddr, Password, TlsOptions};
use reclaim_analysis::scenario::{ArmCluster, LibrarySource, Provider, Scenario};

/// Namespace of every execution that this tool creates. Executions of another namespace are somebody's work.
pub const NAMESPACE: &str = "reclaim-bench";

/// Image of container clusters.
pub const DEFAULT_IMAGE: &str = "valkey/valkey:9";

/// What to do about primaries that cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// There is no cluster then.
    Refused,
    /// They are left out, as long as one can be reached: for `clean`.
    LeftOut,
}

/// How servers of our own are spread over containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containers {
    /// All in one, on the machine's network.
    One,
    /// Each in one of its own, on networks of its own, so that it can be cut off; only for provider
    /// `container`.
    Each,
}

/// A cluster to open, with everything needed to reach or build it.
#[derive(Clone, Debug)]
pub struct ClusterRequest {
    /// Who provides the servers.
    pub provider: Provider,
    /// Seeds of an external cluster; one that answers is enough.
    pub nodes: Vec<NodeAddr>,
    /// What another generator of the run has started these nodes from, if one has.
    pub started: Option<Started>,
    /// Primaries of a cluster that we build.
    pub primaries: u16,
    /// Replicas of each of them.
    pub replicas: u16,
    /// How long servers of our own wait for a silent one before they call it failed.
    pub node_timeout: Duration,
    /// Server binary for `local`; `None` looks on PATH, in the user's cache, then fetches the pinned build.
    pub valkey_server: Option<PathBuf>,
    /// Settings of servers for `local` beside those that all have, by name.
    pub config: BTreeMap<String, String>,
    /// Clusters of ours that share this machine's memory, this one included.
    pub clusters: u16,
    /// How servers are spread over containers, where they run in such.
    pub containers: Containers,
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
    /// Functions that it must have: those that are called.
    pub functions: Vec<&'static str>,
    /// Whether the library is loaded at all; `clean` needs none.
    pub load_library: bool,
    /// Whether a different library on an external cluster may be replaced.
    pub replace_library: bool,
    /// Whether an external cluster may hold another deployment's `ff:*` keys.
    pub shared: bool,
    /// What becomes of the request where a primary cannot be reached.
    pub unreachable: Unreachable,
    /// How the run makes itself known on an external cluster; `None` for what needs no mark there, since
    /// nobody else is.
    pub announcement: Option<Announcement>,
}

impl Default for ClusterRequest {
    /// Three primaries of our own, the published library.
    fn default() -> Self {
        Self {
            provider: Provider::Auto,
            nodes: Vec::new(),
            started: None,
            primaries: 3,
            replicas: 0,
            // Longer than any stall that a scenario causes on purpose, shorter than a user's patience at
            // failover.
            node_timeout: Duration::from_secs(5),
            valkey_server: None,
            config: BTreeMap::new(),
            clusters: 1,
            containers: Containers::One,
            image: None,
            tls: None,
            map: Vec::new(),
            user: None,
            password: None,
            connections: 1,
            timeout: Duration::from_secs(5),
            library: LibrarySource::Published,
            functions: FUNCTIONS.to_vec(),
            load_library: true,
            replace_library: false,
            shared: false,
            unreachable: Unreachable::Refused,
            announcement: None,
        }
    }
}

impl ClusterRequest {
    /// One request for each cluster of the scenario, in its order: itself, or in a server duet processes on
    /// this machine, each cluster of its own server.
    pub fn of_clusters(&self, scenario: &Scenario) -> Vec<Self> {
        let clusters = scenario.clusters();
        let count = clusters.len() as u16;
        let request = |cluster: ArmCluster| {
            let Some(server) = cluster.server else { return self.clone() };
            Self {
                provider: Provider::Local,
                replicas: server.replicas,
                valkey_server: server.path.or_else(|| self.valkey_server.clone()),
                config: server.config,
                clusters: count,
                ..self.clone()
            }
        };
        clusters.into_iter().map(request).collect()
    }

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
