//! The Valkey cluster under load: found or built, checked, connected, and stopped again if it is ours.
//!
//! ```text
//! ClusterRequest ─► provider ─► map ─► guard ─► presence ─► library ─► Cluster (wires, counters, refresh)
//!                   external            (not     (other      (the same
//!                   local                 ours?)   runs?)      source on
//!                   container                                  every primary)
//! ```

mod child_servers;
mod conditions;
#[cfg(all(feature = "container", unix))]
mod container;
mod detached;
mod error;
mod fetch;
mod find;
mod form;
mod guard;
mod handle;
mod library;
mod loaded;
mod local;
mod marks;
mod owned_dir;
mod presence;
mod provider;
mod request;
mod room;
mod server;
mod tidy;

pub use conditions::{Change, Conditions};
pub use detached::{Detached, DetachedServer, DetachedStatus, down, status, up};
pub use error::ClusterError;
pub use fetch::cache_dir;
pub use find::server_binary;
pub use handle::{Cluster, open};
pub use library::Library;
pub use presence::{Announcement, Company, OtherRun};
pub use request::{ClusterRequest, DEFAULT_IMAGE, NAMESPACE};
pub(crate) use server::for_servers;
