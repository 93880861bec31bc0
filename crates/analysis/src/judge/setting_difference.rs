//! What two results differ in besides their figures, and the refusal where a difference forbids the
//! comparison. Its words are the report's.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The key of a run's scenario whose difference makes all its others a matter of course.
const NAME: &str = "name";

/// What differs. In JSON a text: `scenario load.connections`, `machine cpu`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Setting {
    /// The name of the run's scenario: of another one nearly every key is another.
    ScenarioName,
    /// A key of the run's scenario.
    ScenarioKey(String),
    /// The scenario of a report without intervals.
    ReportScenario,
    /// The report of this scenario, which one side has not. Read back from JSON it is a key.
    Report(String),
    /// The settings of another harness as a whole: no key of the one side is on the other.
    Config,
    /// A key of these.
    ConfigKey(String),
    /// Whether the base's figures may be used at all.
    BaseResult,
    /// Whether the candidate's may.
    CandidateResult,
    /// A part of what it was measured with, by its name: machine, servers, generator, libraries.
    Part(String),
}

impl Setting {
    /// A key of the scenario, its name among them.
    pub(super) fn scenario_key(key: String) -> Self {
        if key == NAME { Self::ScenarioName } else { Self::ScenarioKey(key) }
    }

    /// Whether it is that a result must not be used, and nothing that it was measured with.
    pub fn is_unusable_result(&self) -> bool {
        matches!(self, Self::BaseResult | Self::CandidateResult)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScenarioName => write!(f, "scenario {NAME}"),
            Self::ScenarioKey(key) | Self::Report(key) => write!(f, "scenario {key}"),
            Self::ReportScenario => f.write_str("scenario"),
            Self::Config => f.write_str("config"),
            Self::ConfigKey(key) => write!(f, "config {key}"),
            Self::BaseResult => f.write_str("base result"),
            Self::CandidateResult => f.write_str("candidate result"),
            Self::Part(name) => f.write_str(name),
        }
    }
}

impl From<Setting> for String {
    fn from(setting: Setting) -> Self {
        setting.to_string()
    }
}

impl From<String> for Setting {
    fn from(text: String) -> Self {
        match text.as_str() {
            "scenario" => Self::ReportScenario,
            "config" => Self::Config,
            "base result" => Self::BaseResult,
            "candidate result" => Self::CandidateResult,
            _ => match text.split_once(' ') {
                Some(("scenario", key)) => Self::scenario_key(key.to_owned()),
                Some(("config", key)) => Self::ConfigKey(key.to_owned()),
                _ => Self::Part(text),
            },
        }
    }
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingDifference {
    /// What: a key of the scenario, a part of the machine.
    pub what: Setting,
    /// In the base.
    pub base: String,
    /// In the candidate.
    pub candidate: String,
    /// Whether it forbids the comparison; the function library does not, it is what one compares.
    pub forbids: bool,
}

impl fmt::Display for SettingDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} against {}", self.what, self.base, self.candidate)
    }
}

/// Two results that measured different things. `report::not_comparable` says it for a reader, in as many lines as it takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotComparable(pub Vec<SettingDifference>);

impl fmt::Display for NotComparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("results are not comparable")?;
        self.0.iter().enumerate().try_for_each(|(n, one)| {
            let before = if n == 0 { ": " } else { "; " };
            write!(f, "{before}{one}")
        })
    }
}

/// What differs so far.
#[derive(Default)]
pub(super) struct Differences(pub(super) Vec<SettingDifference>);

/// A machine as a side tells it.
pub(super) struct Machine<'a> {
    /// Model of the processor.
    pub(super) cpu: &'a str,
    /// Its cores.
    pub(super) cores: u64,
    /// Its memory, as exactly as the side tells it.
    pub(super) memory: String,
}

impl Differences {
    pub(super) fn compare(&mut self, what: Setting, [base, candidate]: [String; 2], forbids: bool) {
        if base != candidate {
            self.0.push(SettingDifference { what, base, candidate, forbids });
        }
    }

    pub(super) fn part(&mut self, name: impl Into<String>, sides: [String; 2], forbids: bool) {
        self.compare(Setting::Part(name.into()), sides, forbids);
    }

    /// Another machine forbids every comparison.
    pub(super) fn machine(&mut self, [base, candidate]: [Machine<'_>; 2]) {
        self.part("machine cpu", [base.cpu.to_owned(), candidate.cpu.to_owned()], true);
        self.part("machine cores", [base.cores.to_string(), candidate.cores.to_string()], true);
        self.part("machine memory", [base.memory, candidate.memory], true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_a_text_in_json_and_comes_back() {
        let all = [
            (Setting::ScenarioName, "scenario name"),
            (Setting::ScenarioKey("load.connections".into()), "scenario load.connections"),
            (Setting::ReportScenario, "scenario"),
            (Setting::Config, "config"),
            (Setting::ConfigKey("workers".into()), "config workers"),
            (Setting::BaseResult, "base result"),
            (Setting::CandidateResult, "candidate result"),
            (Setting::Part("machine cpu".into()), "machine cpu"),
            (Setting::Part("server of result".into()), "server of result"),
        ];
        for (setting, text) in all {
            assert_eq!(serde_json::to_value(&setting).unwrap(), text);
            assert_eq!(serde_json::from_value::<Setting>(text.into()).unwrap(), setting);
        }
        let report = Setting::Report("smoke".into());
        assert_eq!(serde_json::to_value(&report).unwrap(), "scenario smoke");
    }
}
