//! The Valkey cluster under load: topology, connections, servers of our own.

mod topology;
mod wire;

pub use topology::{NodeAddr, NodeIndex, Primary, SLOTS, Topology, UnservedSlot, slot_of_tag};
pub use wire::{CommandTally, Redirect, Wire, WireCost, WireError};
