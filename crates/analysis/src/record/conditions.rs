//! Where threads ran while claims were made, and whether cores slept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{Cores, Placement};

/// What was asked of the generator's machine, and what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conditions {
    /// What the scenario asks for, its defaults filled in.
    pub asked: Asked,
    /// Where threads really ran.
    pub placement: Placement,
    /// Whether cores were really kept awake.
    pub cores: Cores,
    /// Logical cores that the generator's threads were bound to; empty where they were not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generator_on: Vec<u32>,
    /// Logical cores that the servers were bound to; empty where they were not, or are not ours to bind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers_on: Vec<u32>,
    /// How cores were kept awake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awake_by: Option<AwakeBy>,
    /// Why less was done than asked for, or than on a cluster of our own; one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// `machine.placement`.
    pub placement: Placement,
    /// `machine.cores`.
    pub cores: Cores,
}

/// How cores are kept from sleeping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AwakeBy {
    /// `/dev/cpu_dma_latency` held open at 0 µs.
    DmaLatency,
    /// A thread in the idle scheduling class on each of these logical cores.
    Spinning {
        /// Logical cores, one per physical core.
        on: Vec<u32>,
    },
}

impl Conditions {
    /// What [`Self::comparable`] calls where threads ran.
    pub const PLACEMENT: &'static str = "machine placement";

    /// What it calls whether cores were kept awake.
    pub const CORES: &'static str = "machine cores asleep or awake";

    /// What it calls what was asked for.
    pub const ASKED: &'static str = "machine as asked for";

    /// What two results must have in common to be held against each other: all but which cores they were.
    /// Results of versions before conditions were arranged are those of a machine left alone.
    pub fn comparable(conditions: Option<&Self>) -> [(&'static str, String); 3] {
        let left_alone = Self::default();
        let of = conditions.unwrap_or(&left_alone);
        let sizes =
            format!("{} for the generator, {} for the servers", of.generator_on.len(), of.servers_on.len());
        let placement = match of.placement {
            Placement::Free => "free".to_owned(),
            other => format!("{}, cores: {sizes}", other.as_str()),
        };
        let cores = match &of.awake_by {
            None => of.cores.as_str().to_owned(),
            Some(AwakeBy::DmaLatency) => "awake by the latency limit".to_owned(),
            Some(AwakeBy::Spinning { on }) => format!("awake by spinning on {} cores", on.len()),
        };
        let asked = format!("{} and {}", of.asked.placement.as_str(), of.asked.cores.as_str());
        [(Self::PLACEMENT, placement), (Self::CORES, cores), (Self::ASKED, asked)]
    }

    /// Whether the generator worked alike under both.
    pub fn same_for_generator(a: Option<&Self>, b: Option<&Self>) -> bool {
        let of = |conditions: Option<&Self>| conditions.map(|c| (c.placement, c.cores)).unwrap_or_default();
        let spinning = |conditions: Option<&Self>| conditions.is_some_and(Self::is_spinning);
        of(a) == of(b) && spinning(a) == spinning(b)
    }

    /// Whether its threads had cores of their own or the servers', all of which were kept awake by spinning:
    /// what beside other programs repeats best.
    pub fn is_arranged(&self) -> bool {
        self.placement != Placement::Free && self.is_spinning()
    }

    fn is_spinning(&self) -> bool {
        matches!(self.awake_by, Some(AwakeBy::Spinning { .. }))
    }
}
