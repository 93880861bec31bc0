//! The clusters of a server duet: what was asked for, what was found on each primary, and what reading back
//! showed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Audit, ValkeyInfo};

/// One of the clusters of a server duet. All of them ran at the same time, on the same machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterRecord {
    /// Arms that claimed on it (index into `arms` of the record); none for the control's cluster, which is
    /// the baseline's server once more.
    pub arms: Vec<u32>,
    /// What was started.
    pub server: StartedServer,
    /// The cluster, as `environment.valkey` has it of the baseline's.
    pub valkey: ValkeyInfo,
    /// What each primary said of itself before the first window.
    pub before: Vec<ServerReading>,
    /// The same after the last one; empty in a copy that was kept before that.
    pub after: Vec<ServerReading>,
    /// What reading back its executions showed. `audit` of the record is the sum over all clusters.
    pub audit: Audit,
}

/// The server that a cluster was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartedServer {
    /// Where its binary was found.
    pub path: String,
    /// SHA-256 of the binary.
    pub sha256: String,
    /// What the binary says of itself (`valkey-server --version`): its version.
    pub version: String,
    /// Its allocator.
    pub allocator: String,
    /// Its build id, where it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Settings that it was started with beside those that every server of a run has, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Replicas of each primary.
    pub replicas: u16,
}

/// What one primary said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerReading {
    /// Its address.
    pub addr: String,
    /// `valkey_version` of `INFO server`.
    pub version: String,
    /// `mem_allocator` of `INFO memory`.
    pub allocator: String,
    /// What `CONFIG GET` says of each setting that was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
}

impl ClusterRecord {
    /// Whether it is the control's.
    pub fn is_control(&self) -> bool {
        self.arms.is_empty()
    }
}

impl ClusterRecord {
    /// What may not differ between two runs that are compared: version, allocator, io-threads, replicas,
    /// settings. Where a binary lies and what its build is called may.
    pub fn settings(&self) -> Vec<String> {
        let (valkey, server) = (&self.valkey, &self.server);
        let mut settings = vec![
            valkey.version.clone(),
            format!("({})", valkey.allocator),
            format!("io-threads={}", valkey.io_threads),
            format!("replicas={}", server.replicas),
        ];
        settings.extend(server.config.iter().map(|(name, value)| format!("{name}={value}")));
        settings
    }
}
