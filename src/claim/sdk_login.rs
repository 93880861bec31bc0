//! What a worker of FlowFabric's SDK needs to connect, and why it could not.

use std::time::Duration;

use uuid::Uuid;

use crate::flowfabric::WorkerIdentity;
use crate::valkey::{Access, NodeAddr};

/// A lane that no execution is in: a worker must name one, and claims name their own.
pub(super) const IDLE_LANE: &str = "reclaim-bench-unused";

/// A name for the connections of one worker of FlowFabric's SDK.
pub fn sdk_client_name() -> String {
    format!("reclaim-bench-sdk-{}", Uuid::new_v4())
}

/// What a worker of FlowFabric's SDK needs to connect.
pub struct SdkLogin<'a> {
    /// One of the primaries.
    pub addr: &'a NodeAddr,
    /// Whether it is one of a cluster, whose other nodes are then found by asking it.
    pub cluster: bool,
    /// Login and encryption.
    pub access: &'a Access,
    /// The name by which servers know its connections.
    pub client_name: &'a str,
    /// Who claims.
    pub worker: &'a WorkerIdentity,
    /// Lease that it asks for.
    pub lease_ttl: Duration,
    /// Flow partitions.
    pub partitions: u16,
}

/// Why there is no worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdkError {
    /// The feature is not in this build.
    #[error(
        "claims by FlowFabric's SDK are not in this build: build with `cargo build --release --features sdk`, or \
         `cargo install --locked --path . --features sdk`"
    )]
    NotBuilt,
    /// It does not do what the cluster asks for.
    #[error(
        "FlowFabric's SDK cannot reach this cluster: it has no {0}; leave out the variants whose path begins with sdk-"
    )]
    Lacks(&'static str),
    /// It could not connect.
    #[error("FlowFabric's SDK cannot connect to {addr}: {error}")]
    Connect {
        /// Where.
        addr: NodeAddr,
        /// What it said.
        error: String,
    },
}
