//! The Valkey cluster under load: found or built, checked, connected, and stopped again if it is ours.
//!
//! ```text
//! ClusterRequest ─► provider ─► slots ─► guard ─► library ─► Cluster (wires, counters, refresh)
//!                   external    (map)    (not     (the same
//!                   local                 ours?)   source on
//!                   container                      every primary)
//! ```

mod connect;
#[cfg(all(feature = "container", unix))]
mod container;
mod counters;
mod detached;
mod error;
mod fetch;
mod find;
mod form;
mod guard;
mod handle;
mod info;
mod keeper;
mod library;
mod local;
mod owned_dir;
mod provider;
mod request;
mod server;
mod slots;
mod topology;
mod wire;

pub use counters::{MainThreadClock, NodeCounters, ServerChanged};
pub use detached::{Detached, DetachedServer, DetachedStatus, down, status, up};
pub use error::ClusterError;
pub use fetch::cache_dir;
pub use find::server_binary;
pub use handle::{Cluster, open};
pub use library::{LIBRARY_NAME, Library};
pub use request::{ClusterRequest, NAMESPACE, Password, TlsOptions};
pub use topology::{NodeAddr, NodeIndex, Primary, Topology, UnservedSlot};
pub use wire::{CommandTally, Distance, Redirect, Wire, WireError, reply_len, request_len};

/// Image of container clusters.
pub const DEFAULT_IMAGE: &str = "valkey/valkey:9";
