//! `[sweep]`: one run for each value of one key, or for each pair of values of two.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checker::Checker;

/// Most runs of a sweep.
const MOST: usize = 64;

/// `[sweep]`: one run for each value of one key, in random order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepSection {
    /// Dotted path of the key, e.g. `load.network.added_rtt`.
    pub key: String,
    /// Its values, written as for `--set`.
    pub values: Vec<String>,
    /// A second key: each of its values is run with each of the first one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SweepBy>,
}

/// `sweep.by`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepBy {
    /// Dotted path of the key.
    pub key: String,
    /// Its values, written as for `--set`.
    pub values: Vec<String>,
}

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepStep {
    /// As results name it.
    pub name: String,
    /// Keys and their values.
    pub set: Vec<(String, String)>,
}

impl SweepSection {
    /// What is varied, as results name it.
    pub fn title(&self) -> String {
        match &self.by {
            None => self.key.clone(),
            Some(by) => format!("{} and {}", self.key, by.key),
        }
    }

    /// The runs, in the order of the values.
    pub fn steps(&self) -> Vec<SweepStep> {
        let of = |value: &String| (self.key.clone(), value.clone());
        let Some(by) = &self.by else {
            return self.values.iter().map(|v| SweepStep { name: v.clone(), set: vec![of(v)] }).collect();
        };
        let pair = |first: &String, second: &String| SweepStep {
            name: format!("{first} + {second}"),
            set: vec![of(first), (by.key.clone(), second.clone())],
        };
        self.values.iter().flat_map(|v| by.values.iter().map(move |w| pair(v, w))).collect()
    }
}

pub(super) fn check(sweep: Option<&SweepSection>, checker: &mut Checker) {
    let Some(sweep) = sweep else { return };
    key("sweep", &sweep.key, &sweep.values, checker);
    if let Some(by) = &sweep.by {
        key("sweep.by", &by.key, &by.values, checker);
        checker.require(by.key != sweep.key, "sweep.by.key", || {
            format!("`{}` is swept already; leave sweep.by out and list all values in sweep.values", by.key)
        });
    }
    let runs = sweep.values.len() * sweep.by.as_ref().map_or(1, |by| by.values.len());
    checker.require(runs <= MOST, "sweep.values", || format!("{runs} runs are too many: at most {MOST}"));
}

fn key(section: &str, key: &str, values: &[String], checker: &mut Checker) {
    checker.require(!key.is_empty() && !key.starts_with("sweep"), &format!("{section}.key"), || {
        format!("`{key}` is not the key of a scenario; write it like load.network.added_rtt")
    });
    let name = format!("{section}.values");
    checker.require((2..=MOST).contains(&values.len()), &name, || {
        format!("{} values are no sweep: give 2 to {MOST}", values.len())
    });
    let different: BTreeSet<&String> = values.iter().collect();
    checker.require(different.len() == values.len(), &name, || {
        "one value is there twice; to run one several times use --repeat".into()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(by: Option<(&str, &[&str])>) -> SweepSection {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        SweepSection {
            key: "machine.placement".into(),
            values: list(&["apart", "free"]),
            by: by.map(|(key, values)| SweepBy { key: key.into(), values: list(values) }),
        }
    }

    #[test]
    fn every_value_of_one_key_meets_every_value_of_the_other() {
        let one = section(None);
        assert_eq!(one.title(), "machine.placement");
        assert_eq!(one.steps()[1].name, "free");
        let two = section(Some(("machine.cores", &["awake", "free"])));
        assert_eq!(two.title(), "machine.placement and machine.cores");
        let names: Vec<_> = two.steps().into_iter().map(|step| step.name).collect();
        assert_eq!(names, ["apart + awake", "apart + free", "free + awake", "free + free"]);
        let set = two.steps().swap_remove(1).set;
        assert_eq!(
            set,
            [("machine.placement".into(), "apart".into()), ("machine.cores".into(), "free".into())]
        );
    }
}
