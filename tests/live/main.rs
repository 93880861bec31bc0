//! Tests against real Valkey servers, in one binary to link once. The servers are found as `reclaim-bench` finds
//! them: `VALKEY_SERVER`, PATH, the user's cache, the pinned build. `RECLAIM_BENCH_TEST_IMAGE` (from
//! `.ci/build-image.sh`) and `RECLAIM_BENCH_TEST_TLS_SERVER` (from `.ci/debian-valkey.sh DIR`) name what the container
//! and TLS tests need; with `CI` set they fail without it.

mod calibrate;
mod capacity;
mod ci;
mod claim;
mod cluster;
mod cluster_life;
mod cluster_refusals;
mod container;
mod detached;
mod duet;
mod flowfabric;
mod recovery;
mod run;
mod shapes;
mod staged;
mod support;
mod tls;
mod tool;
mod workload;
