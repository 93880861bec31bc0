//! Tests against real Valkey servers, in one binary to link once. The servers are found as `reclaim-bench` finds
//! them: `VALKEY_SERVER`, PATH, the user's cache, the pinned build.

mod claim;
mod cluster;
mod cluster_life;
mod cluster_refusals;
mod container;
mod detached;
mod flowfabric;
mod recovery;
mod run;
mod staged;
mod support;
mod workload;
