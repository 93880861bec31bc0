//! Why a run ended without a record.

use super::patience::Silent;
use super::planned::PlanError;
use super::trace::TraceError;
use crate::cluster::ClusterError;
use crate::flowfabric::CallError;
use crate::valkey::NodeAddr;
use crate::workload::WorkloadError;

/// A run that could not be carried out. What was measured before it is in the last snapshot.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The scenario does not fit its population.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The recorded arrivals cannot be replayed.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The cluster does not answer as it should.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Executions could not be created, interrupted, granted, audited or removed.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The population is larger than what a primary may hold.
    #[error(
        "{executions} executions need about {needed_mb} MB on {addr}, and its maxmemory leaves {left_mb} MB: take fewer \
         (population.executions), smaller ones (population.payload_bytes), or more memory"
    )]
    DoesNotFit {
        /// The primary.
        addr: NodeAddr,
        /// All of the population, of which the primary has its share.
        executions: u32,
        /// Estimated for that share.
        needed_mb: u64,
        /// Left there.
        left_mb: u64,
    },
    /// A primary does not answer any more.
    #[error(transparent)]
    Silent(#[from] Silent),
    /// A server's clock could not be read.
    #[error("cannot read the servers' clock: {0}")]
    Clock(CallError),
    /// The open loop's clock could not be started.
    #[error("cannot start the pacer's thread: {0}; free some memory or raise the limit on processes")]
    Pacer(std::io::Error),
    /// The run was cancelled before anything was measured.
    #[error("interrupted before anything was measured")]
    Cancelled,
}
