//! Whole runs on real Valkey servers, and what happens in them: faults, other programs, several generators, searches,
//! duets. They take minutes, so `cargo test` leaves them to `cargo test --test runs`; `.ci/run` has both.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "tests/live uses the rest")]
mod common;

mod calibrate;
mod capacity;
mod capacity_parts;
mod ci;
mod clocks;
mod duet;
mod faults;
mod half_writing;
mod others;
mod parts;
mod parts_unplanned;
mod presence;
mod profile;
mod reach;
mod releases;
mod rights;
mod room;
mod servers;
mod shapes;
mod tool;
mod waits;
