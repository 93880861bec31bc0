//! The Valkey cluster under load: found or built, checked, connected, and stopped again if it is ours.
//!
//! ```text
//! ClusterRequest ─► provider ─► map ─► guard ─► presence ─► library ─► Cluster (wires, counters, refresh)
//!                   external            (not     (other      (the same
//!                   local                 ours?)   runs?)      source on
//!                   container                                  every primary)
//! ```

mod busy;
mod child_servers;
mod conditions;
#[cfg(all(feature = "container", unix))]
mod container;
#[cfg(all(feature = "container", unix))]
mod container_thread;
mod describe;
mod detached;
#[cfg(all(feature = "container", unix))]
mod docker;
mod error;
mod facts;
mod fault;
mod fetch;
mod find;
mod follow;
mod form;
mod guard;
mod handle;
mod heirs;
mod identity;
mod library;
mod library_on_servers;
mod loaded;
mod local;
mod marks;
mod meeting;
#[cfg(all(feature = "container", unix))]
mod networks;
mod opening;
mod owned_dir;
mod partition;
mod presence;
mod provider;
mod request;
mod restart;
mod room;
mod server_arguments;
mod slot_move;
mod started;
mod taken_port;
mod visits;

pub(crate) use child_servers::die_with_parent;
pub use conditions::{Change, ClusterConditions, Strangers};
pub use detached::{Detached, DetachedServer, DetachedStatus, down, status, up};
pub use error::ClusterError;
pub use fault::{FaultError, ServerView, StoppedProcess};
pub use fetch::{NO_CACHE_DIR, cache_dir};
pub use find::server_binary;
pub use follow::Look;
pub use handle::Cluster;
pub use heirs::Heirs;
pub use library::Library;
pub use meeting::RENDEZVOUS;
pub use opening::open;
pub use partition::CutOff;
pub use presence::{Announcement, Company, OtherRun};
pub use request::{ClusterRequest, Containers, DEFAULT_IMAGE, NAMESPACE, Unreachable};
pub use restart::CameBack;
pub(crate) use server_arguments::for_servers;
pub use slot_move::SlotMove;
pub use started::Started;
pub use visits::{Visit, is_card};
