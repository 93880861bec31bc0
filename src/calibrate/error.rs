//! Why there is no calibration.

use crate::cluster::ClusterError;
use crate::flowfabric::CallError;
use crate::load::no_pacer;
use crate::valkey::ServerChanged;

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// The primary does not answer as it should.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The function that does nothing cannot be called.
    #[error("cannot call the function that does nothing: {0}")]
    Call(#[from] CallError),
    /// The bare socket broke.
    #[error("the bare connection to the primary broke: {0}")]
    Socket(std::io::Error),
    /// Something else answered on the bare socket than on the client's connection.
    #[error("the primary answers differently on a bare connection: is a proxy between?")]
    OtherReply,
    /// The open loop's clock could not be started.
    #[error("{}", no_pacer(.0))]
    Pacer(std::io::Error),
    /// The primary restarted, or its counters were reset.
    #[error("{0}; make sure that servers stay up, and calibrate again")]
    ServerChanged(#[from] ServerChanged),
    /// Ctrl-C.
    #[error("interrupted")]
    Cancelled,
}
