//! Which server took over from which during a run, and which slots went where: what a change of the map may be
//! explained with.

use std::collections::BTreeSet;

use crate::valkey::NodeAddr;

/// Which server took over from which, and which slots went where, as far as that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heirs {
    passings: Vec<Passing>,
    /// Whether servers were struck, which may have cost them their replicas for a while.
    struck: bool,
}

/// Something that changed hands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Passing {
    /// All that a primary served.
    All { from: NodeAddr, to: NodeAddr },
    /// Nothing but a server's counters.
    Restart(NodeAddr),
    /// Some slots.
    Slots { slots: BTreeSet<u16>, from: NodeAddr, to: NodeAddr, at_once: bool },
}

impl Heirs {
    /// Of servers that a scenario's faults strike.
    pub fn of_struck() -> Self {
        Self { struck: true, ..Self::default() }
    }

    /// Notes that `heir` took over from `primary`; in the order in which that happened.
    pub fn note(&mut self, primary: NodeAddr, heir: NodeAddr) {
        self.passings.push(Passing::All { from: primary, to: heir });
    }

    /// Notes that these slots went from one primary to another; `at_once` as one migration, for which the
    /// former forks.
    pub fn note_slots(&mut self, slots: &[u16], (from, to): (NodeAddr, NodeAddr), at_once: bool) {
        self.passings.push(Passing::Slots { slots: slots.iter().copied().collect(), from, to, at_once });
    }

    /// Notes that a server was started again: it counts from the beginning.
    pub fn note_restart(&mut self, addr: NodeAddr) {
        self.passings.push(Passing::Restart(addr));
    }

    /// Whether a server was started again.
    pub fn has_restarted(&self, addr: &NodeAddr) -> bool {
        self.passings.contains(&Passing::Restart(addr.clone()))
    }

    /// How often a server forked to send slots.
    pub fn forks_of(&self, addr: &NodeAddr) -> u64 {
        let forked = |passing: &&Passing| matches!(passing, Passing::Slots { from, at_once: true, .. } if from == addr);
        self.passings.iter().filter(forked).count() as u64
    }

    /// Whether a server took over from another.
    pub fn is_one(&self, addr: &NodeAddr) -> bool {
        self.passings.iter().any(|passing| matches!(passing, Passing::All { to, .. } if to == addr))
    }

    /// Whether a server was sent the keys of slots, by another server and not by this tool.
    pub fn has_received(&self, addr: &NodeAddr) -> bool {
        self.passings.iter().any(|passing| matches!(passing, Passing::Slots { to, .. } if to == addr))
    }

    /// Whether servers were struck.
    pub(super) fn were_struck(&self) -> bool {
        self.struck
    }

    /// Whether a slot that one primary served is served by the other now.
    pub(super) fn lead<'a>(&'a self, slot: u16, from: &'a NodeAddr, to: &NodeAddr) -> bool {
        let follow = |at: &'a NodeAddr, passing: &'a Passing| match passing {
            Passing::All { from, to } if at == from => to,
            Passing::Slots { slots, to, .. } if slots.contains(&slot) => to,
            Passing::All { .. } | Passing::Slots { .. } | Passing::Restart(_) => at,
        };
        self.passings.iter().fold(from, follow) == to
    }
}
