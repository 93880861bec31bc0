//! Tests against real Valkey servers, in one binary to link once. The servers are found as `reclaim-bench` finds
//! them: `VALKEY_SERVER`, PATH, the user's cache, the pinned build.

mod claim;
mod cluster;
#[cfg(feature = "container")]
mod container;
mod flowfabric;
mod recovery;
mod staged;
mod support;
mod workload;
