//! `[machine]`: where threads run on the machine that the tool is on, and whether its cores may sleep.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[machine]`. What is left out follows from the cluster and the machine: servers of our own are kept apart
/// and cores awake where there are two cores or more; of other clusters, only the generator is placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MachineSection {
    /// Where the generator's threads and the servers run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Whether cores may sleep while claims are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<Cores>,
}

impl MachineSection {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `machine.placement`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// The generator's threads and the servers on different cores.
    Apart,
    /// Both on one core.
    Together,
    /// Where the scheduler puts them.
    #[default]
    Free,
}

impl Placement {
    /// As written in scenarios.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Together => "together",
            Self::Free => "free",
        }
    }
}

/// `machine.cores`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cores {
    /// Kept from sleeping while claims are made: waking a halted core takes as long as a round trip.
    Awake,
    /// As the system has them.
    #[default]
    Free,
}

impl Cores {
    /// As written in scenarios.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awake => "awake",
            Self::Free => "free",
        }
    }
}
