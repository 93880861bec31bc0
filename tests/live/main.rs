//! Tests against real Valkey servers, in one binary to link once. The servers are found as `reclaim-bench`
//! finds them: `VALKEY_SERVER`, PATH, the user's cache, the pinned build. What needs more than a server is in
//! `tests/equipped`.

mod calibrate;
mod capacity;
mod capacity_parts;
mod ci;
mod claim;
mod clocks;
mod cluster;
mod cluster_life;
mod cluster_refusals;
mod detached;
mod duet;
mod faults;
mod flowfabric;
mod half_writing;
mod others;
mod owner;
mod parts;
mod parts_unplanned;
mod presence;
mod profile;
mod reach;
mod recovery;
mod releases;
mod rights;
mod room;
mod run;
#[cfg(feature = "sdk")]
mod sdk;
#[cfg(feature = "sdk")]
mod sdk_duet;
mod servers;
mod shapes;
mod staged;
mod support;
mod tool;
mod waits;
mod workload;
