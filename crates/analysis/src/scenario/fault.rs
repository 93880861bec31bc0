//! `[[fault]]`: what is done to the servers within the window of an open loop, when, and to which of them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;

/// `[[fault]]`: exactly one of the kinds, with what it strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSection {
    /// When it strikes, from the start of the window.
    pub at: HumanDuration,
    /// How long it lasts; only for `pause`, `busy` and `partition`, which need it, and `restart`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<HumanDuration>,
    /// The server's process is stopped (SIGSTOP), and goes on after that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<FaultTarget>,
    /// The server's process is killed (SIGKILL), and a replica takes over by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<FaultTarget>,
    /// A replica is asked to take over (CLUSTER FAILOVER), as before planned work on a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<FaultTarget>,
    /// The connections that claims use are cut (CLIENT KILL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<FaultTarget>,
    /// A script keeps the server from serving anybody else until it has used that time of CPU: at least for
    /// so long, and for longer on a busy machine, for scripts have no other clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<FaultTarget>,
    /// The server's process is ended (SIGTERM) and started again with the same arguments: at once, or after
    /// the time that `for` gives. Without persistence it comes back empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<FaultTarget>,
    /// The server is cut off from the network for that time; only with `cluster.provider = "container"`,
    /// where each server then has a container of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<FaultTarget>,
    /// From whom `partition` cuts it off. Default `"everybody"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_from: Option<CutFrom>,
    /// Slots of partitions in use move from the server to another primary, which the seed draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub move_slots: Option<FaultTarget>,
    /// How many slots `move_slots` moves. Default 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u16>,
    /// How `move_slots` moves them. Default `"auto"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<SlotMoveForm>,
}

/// `fault.how`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SlotMoveForm {
    /// As one migration where the servers have it, else one by one.
    #[default]
    Auto,
    /// All of them as one migration of the servers' (CLUSTER MIGRATESLOTS; Valkey 9.0 and later).
    Atomic,
    /// One slot after the other, key by key (CLUSTER SETSLOT, MIGRATE).
    OneByOne,
}

/// `fault.cut_from`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CutFrom {
    /// From clients and servers: nobody reaches it.
    #[default]
    Everybody,
    /// From the other servers alone: clients reach it, and it accepts writes until it notices that most of
    /// the others are gone. When a replica has taken over, they are lost.
    Servers,
}

/// Which server a fault strikes, by its role when the window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FaultTarget {
    /// The primary with most of the run's executions.
    #[serde(rename = "busiest primary")]
    BusiestPrimary,
    /// A primary that the seed draws.
    #[serde(rename = "any primary")]
    AnyPrimary,
    /// A replica of the primary with most of the run's executions.
    #[serde(rename = "replica of busiest primary")]
    ReplicaOfBusiest,
    /// A replica of a primary that the seed draws.
    #[serde(rename = "replica of any primary")]
    ReplicaOfAny,
}

impl FaultTarget {
    /// Whether it is a replica.
    pub fn is_replica(self) -> bool {
        matches!(self, Self::ReplicaOfBusiest | Self::ReplicaOfAny)
    }

    /// As written in scenarios.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BusiestPrimary => "busiest primary",
            Self::AnyPrimary => "any primary",
            Self::ReplicaOfBusiest => "replica of busiest primary",
            Self::ReplicaOfAny => "replica of any primary",
        }
    }
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Stops a process for a time.
    Pause,
    /// Kills one; its replica takes over.
    Kill,
    /// Has a replica take over.
    Failover,
    /// Cuts connections.
    Disconnect,
    /// Keeps a server busy for a time.
    Busy,
    /// Ends a process and starts it again.
    Restart,
    /// Cuts a server off from the network for a time.
    Partition,
    /// Moves slots to another primary.
    MoveSlots,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pause,
        Self::Kill,
        Self::Failover,
        Self::Disconnect,
        Self::Busy,
        Self::Restart,
        Self::Partition,
        Self::MoveSlots,
    ];

    /// As written in scenarios.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Failover => "failover",
            Self::Disconnect => "disconnect",
            Self::Busy => "busy",
            Self::Restart => "restart",
            Self::Partition => "partition",
            Self::MoveSlots => "move_slots",
        }
    }

    /// Whether it is done to a process, and not by a command: only to servers that the tool runs itself.
    pub fn needs_process(self) -> bool {
        matches!(self, Self::Pause | Self::Kill | Self::Restart | Self::Partition)
    }

    /// Whether it is done to a network: only to servers in containers, each of which has its own then.
    pub fn needs_networks(self) -> bool {
        self == Self::Partition
    }

    /// Whether it can strike a replica, which touches no claim.
    pub fn may_strike_replica(self) -> bool {
        matches!(self, Self::Pause | Self::Partition)
    }

    /// Whether it lasts for a time that the scenario gives.
    pub fn lasts(self) -> bool {
        matches!(self, Self::Pause | Self::Busy | Self::Partition)
    }

    /// Whether the scenario may give it a time to last.
    pub fn may_last(self) -> bool {
        self.lasts() || self == Self::Restart
    }

    /// Whether it is over when the servers are ready again, and not when it has been done.
    pub fn has_end(self) -> bool {
        self.may_last() || self == Self::MoveSlots
    }

    /// Whether a replica takes over.
    pub fn moves_primary(self) -> bool {
        matches!(self, Self::Kill | Self::Failover)
    }
}

/// One fault, validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultSpec {
    /// When it strikes, from the start of the window.
    pub at: Duration,
    /// What it does.
    pub kind: FaultKind,
    /// To which server.
    pub target: FaultTarget,
    /// How long it lasts; zero for kinds that have no length of their own.
    pub lasting: Duration,
    /// How many slots move; zero for kinds that move none.
    pub slots: u16,
    /// How they do.
    pub how: SlotMoveForm,
    /// From whom a server is cut off, for the kind that does that.
    pub cut_from: CutFrom,
}

/// Slots that move where the scenario does not say how many.
pub(super) const SLOTS: u16 = 8;

impl FaultSection {
    /// The kinds that are given, with their targets.
    pub(super) fn given(&self) -> Vec<(FaultKind, FaultTarget)> {
        FaultKind::ALL.into_iter().filter_map(|kind| Some((kind, self.target(kind)?))).collect()
    }

    fn target(&self, kind: FaultKind) -> Option<FaultTarget> {
        match kind {
            FaultKind::Pause => self.pause,
            FaultKind::Kill => self.kill,
            FaultKind::Failover => self.failover,
            FaultKind::Disconnect => self.disconnect,
            FaultKind::Busy => self.busy,
            FaultKind::Restart => self.restart,
            FaultKind::Partition => self.partition,
            FaultKind::MoveSlots => self.move_slots,
        }
    }

    /// Fills in the defaults that depend on its kind.
    pub(super) fn resolve(&mut self) {
        if self.move_slots.is_some() {
            self.slots.get_or_insert(SLOTS);
            self.how.get_or_insert_default();
        }
        if self.partition.is_some() {
            self.cut_from.get_or_insert_default();
        }
    }
}

/// Translates sections that have passed every check, in the order of time.
pub(super) fn build(sections: &[FaultSection]) -> Vec<FaultSpec> {
    let spec = |section: &FaultSection| {
        let (kind, target) = *section.given().first()?;
        let lasting = section.lasting.map(|lasting| lasting.0).unwrap_or_default();
        let slots = if kind == FaultKind::MoveSlots { section.slots.unwrap_or(SLOTS) } else { 0 };
        let how = section.how.unwrap_or_default();
        let cut_from = section.cut_from.unwrap_or_default();
        Some(FaultSpec { at: section.at.0, kind, target, lasting, slots, how, cut_from })
    };
    let mut faults: Vec<FaultSpec> = sections.iter().filter_map(spec).collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}
