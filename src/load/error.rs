//! Why a run ended without a record.

use super::faults::SilentPrimary;
use super::planning::PlanError;
use super::rendezvous::MeetingError;
use super::timing::TraceError;
use crate::claim::{SdkError, WorkerError};
use crate::cluster::{ClusterError, FaultError};
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
    /// The scenario needs other clusters than there are.
    #[error(
        "the scenario needs {needed} clusters at once, and {have} were opened: one for each arm with a server"
    )]
    Clusters {
        /// Of the scenario.
        needed: usize,
        /// That were opened.
        have: usize,
    },
    /// The generators of the run did not meet, or did not stay together.
    #[error(transparent)]
    Meeting(#[from] MeetingError),
    /// A primary does not answer any more.
    #[error(transparent)]
    Silent(#[from] SilentPrimary),
    /// A fault of the scenario cannot be done to this cluster.
    #[error("[[fault]]: {0}")]
    Fault(Box<FaultError>),
    /// A variant waits for more replicas than a primary has.
    #[error(
        "wait_replicas = {wanted} of variant {variant} needs as many replicas of each primary, and {addr} has {has}: start \
         replicas, or leave it out"
    )]
    TooFewReplicas {
        /// The variant.
        variant: String,
        /// Replicas that it waits for.
        wanted: u16,
        /// The primary.
        addr: NodeAddr,
        /// Replicas that it has.
        has: u32,
    },
    /// A variant's claims are made by FlowFabric's SDK, which cannot make them here.
    #[error("variant {variant}: {source}")]
    Sdk {
        /// The variant.
        variant: String,
        /// Why.
        source: SdkError,
    },
    /// The worker of a variant is not there, or claims no more.
    #[error("variant {variant}: {source}")]
    Worker {
        /// The variant.
        variant: String,
        /// Why.
        source: WorkerError,
    },
    /// A server's clock could not be read.
    #[error("cannot read the servers' clock: {0}")]
    Clock(CallError),
    /// What an instrumented library counted could not be read.
    #[error("cannot read what the instrumented library counted: {0}")]
    Inside(CallError),
    /// The open loop's clock could not be started.
    #[error("{}", no_pacer(.0))]
    Pacer(std::io::Error),
    /// The run was cancelled before anything was measured.
    #[error("interrupted before anything was measured")]
    Cancelled,
}

/// Why an open loop has no clock.
pub(crate) fn no_pacer(error: &std::io::Error) -> String {
    format!("cannot start the pacer's thread: {error}; free some memory or raise the limit on processes")
}

impl LoadError {
    /// Whether this is how a run says that it was told to end.
    pub fn is_told_to_end(&self) -> bool {
        matches!(
            self,
            Self::Cancelled
                | Self::Workload(WorkloadError::Cancelled)
                | Self::Meeting(MeetingError::Interrupted)
        )
    }
}
