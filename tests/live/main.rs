//! Tests against real Valkey servers, in one binary to link once: requests, claims, clusters, and a run of each kind.
//! The servers are found as `reclaim-bench` finds them: `VALKEY_SERVER`, PATH, the user's cache, the pinned build.
//! What takes minutes is in `tests/runs`, what needs more than a server in `tests/equipped`.

mod claim;
mod cluster;
mod cluster_life;
mod cluster_refusals;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "tests/runs uses the rest")]
mod common;
mod detached;
mod flowfabric;
mod recovery;
mod run;
#[cfg(feature = "sdk")]
mod sdk;
#[cfg(feature = "sdk")]
mod sdk_duet;
mod workload;
