//! Tests against real Valkey servers, in one binary to link once. The servers are found as `reclaim-bench` finds
//! them: `VALKEY_SERVER`, PATH, the user's cache, the pinned build. What needs more than a server is in `tests/equipped`.

mod calibrate;
mod capacity;
mod ci;
mod claim;
mod clocks;
mod cluster;
mod cluster_life;
mod cluster_refusals;
mod detached;
mod duet;
mod flowfabric;
mod half_writing;
mod others;
mod owner;
mod presence;
mod reach;
mod recovery;
mod rights;
mod room;
mod run;
mod shapes;
mod staged;
mod support;
mod tool;
mod workload;
