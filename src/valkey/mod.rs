//! One server of a cluster, and the map of all: connections, what is said over them, and what a server says
//! of itself.
//!
//! ```text
//! Access ─► Connector ─► Wire ─► ask ─► Info, NodeCounters, Topology
//! ```
//!
//! Nothing here knows who started the servers or what FlowFabric keeps on them; of FlowFabric only the type
//! that names a partition, for the map says where each one lives.

mod access;
mod addr;
mod ask;
#[cfg(feature = "tls")]
mod certificates;
mod channel;
mod clients;
mod connect;
mod counters;
mod error;
#[cfg(test)]
pub(crate) mod hostile_tests;
mod info;
mod length;
mod members;
#[cfg(test)]
pub(crate) mod pipe;
mod reach;
mod sent;
mod slots;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod tls;
mod topology;
mod wire;
mod wire_error;

pub use access::{Access, Password, TlsOptions};
pub use addr::NodeAddr;
pub(crate) use ask::{ask, config, plain, text, unexpected};
pub use channel::Subscription;
pub use clients::{Client, Clients};
pub(crate) use connect::Connector;
pub use counters::{Incidents, NodeCounters, ServerChanged, TOOL_COMMANDS};
pub use error::ValkeyError;
pub(crate) use info::Info;
pub use length::{reply_len, request_len};
pub(crate) use members::{MemberState, read_members};
pub use sent::{SentTo, sent_by, sent_together};
pub(crate) use slots::{read_from_any, read_topology};
pub use topology::{NodeIndex, Primary, Topology, UnservedSlot};
pub use wire::{CommandTally, Redirect, SimulatedNetwork, Wire, WireCounts, WireError};
pub(crate) use wire_error::NOT_RUN;
