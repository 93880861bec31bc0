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
    /// Why less was done than asked for, or than on a cluster of our own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<ConditionRemark>,
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

/// Why less was done than asked for, or than on a cluster of our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "remark")]
pub enum ConditionRemark {
    /// The generator may use one core, so there is nothing to arrange.
    OneCore,
    /// Threads are not bound to cores.
    NotBound {
        /// Why.
        because: NotBound,
    },
    /// The servers are not the tool's to place: only the generator is.
    ServersNotOurs,
    /// Cores are kept awake, or not, by another generator of the run.
    LeftToAnother {
        /// By which.
        keeper: AwakeKeeper,
    },
    /// Nothing spins; the latency limit keeps cores awake in its place.
    NothingSpins {
        /// Why.
        because: NoSpinning,
    },
    /// Cores may sleep: nothing spins, and no latency limit keeps them awake.
    MaySleep {
        /// Why nothing spins.
        because: NoSpinning,
    },
    /// Cores may sleep from some time on: what kept them awake was lost.
    AwakeLost {
        /// The error, in the system's words.
        detail: String,
    },
    /// In words, as earlier versions told it.
    #[serde(untagged)]
    InWords(String),
}

/// Why threads are not bound to cores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum NotBound {
    /// It is done on Linux only.
    LinuxOnly,
    /// The system refused.
    Refused {
        /// In its words.
        detail: String,
    },
    /// Another generator of the run has some of these cores and not the same.
    SharedInPart,
    /// Those who share these cores cannot have one each.
    TooFewCores {
        /// Generators of the run that have these cores.
        generators: u32,
        /// Whether the servers need some of them too.
        servers: bool,
        /// How many cores all of them have together.
        cores: u32,
    },
}

/// Why no thread spins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum NoSpinning {
    /// It is done on Linux only.
    LinuxOnly,
    /// It would use up the CPU quota of a control group.
    Quota,
    /// The helper whose threads spin is this tool's own program, and another one runs the tool as a library.
    RunAsLibrary,
    /// The helper did not start.
    NotStarted {
        /// The error, in the system's words or the helper's.
        detail: String,
    },
}

/// Which other generator of the run keeps cores awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AwakeKeeper {
    /// The first one on this machine.
    FirstGenerator,
    /// One that has some of these cores and not the same, which leaves the others asleep.
    OverlappingGenerator,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_less_was_done_is_stored_with_its_figures_and_read_again() {
        let because = NotBound::TooFewCores { generators: 5, servers: true, cores: 5 };
        let remarks = vec![
            ConditionRemark::OneCore,
            ConditionRemark::NotBound { because },
            ConditionRemark::LeftToAnother { keeper: AwakeKeeper::FirstGenerator },
            ConditionRemark::MaySleep { because: NoSpinning::NotStarted { detail: "no room".into() } },
        ];
        let conditions = Conditions { remarks, ..Conditions::default() };
        let json = serde_json::to_value(&conditions).unwrap();
        let stored = serde_json::json!([
            { "remark": "one_core" },
            {
                "remark": "not_bound",
                "because": { "why": "too_few_cores", "generators": 5, "servers": true, "cores": 5 },
            },
            { "remark": "left_to_another", "keeper": "first_generator" },
            { "remark": "may_sleep", "because": { "why": "not_started", "detail": "no room" } },
        ]);
        assert_eq!(json["remarks"], stored);
        assert_eq!(serde_json::from_value::<Conditions>(json).unwrap(), conditions);
    }

    #[test]
    fn sentences_of_earlier_versions_are_read_and_stored_as_they_are() {
        let mut json = serde_json::to_value(Conditions::default()).unwrap();
        json["remarks"] = serde_json::json!(["nothing spins: threads spin on Linux only"]);
        let read: Conditions = serde_json::from_value(json.clone()).unwrap();
        let words = "nothing spins: threads spin on Linux only".to_owned();
        assert_eq!(read.remarks, [ConditionRemark::InWords(words)]);
        assert_eq!(serde_json::to_value(&read).unwrap(), json);
    }
}
