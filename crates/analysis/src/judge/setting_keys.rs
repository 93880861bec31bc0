//! The keys of a run's settings, each with its value: which of them change what is measured, in which of them two
//! runs differ, and one digest of all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::result::RunResult;
use crate::json::ToJsonLine as _;

/// Keys of a scenario that do not change what is measured: what is judged, where the servers are and where
/// threads ran (the environment says that), and the library (the environment names what ran).
const NOT_MEASURED: &[&str] =
    &["gate", "slo", "summary", "library", "capacity", "machine", "cluster.provider", "cluster.nodes"];

/// A digest of all that a scenario measures with: equal for runs that may be one trend.
pub(super) fn settings_digest(result: &RunResult) -> String {
    let mut keys = BTreeMap::new();
    flatten("", &result.record.scenario.to_json_value().unwrap_or_default(), &mut keys);
    let mut hash = Sha256::new();
    for (key, value) in keys {
        hash.update(format!("{key}={value}\n"));
    }
    let bytes: Vec<String> = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

/// Keys whose values differ, with both values.
pub(super) fn scenario_differences(sides: [&RunResult; 2]) -> Vec<(String, [String; 2])> {
    let [base, candidate] = sides.map(|side| {
        let mut keys = BTreeMap::new();
        // A scenario that came out of a result goes back into JSON.
        flatten("", &side.record.scenario.to_json_value().unwrap_or_default(), &mut keys);
        keys
    });
    let all: BTreeSet<&String> = base.keys().chain(candidate.keys()).collect();
    all.into_iter()
        .filter_map(|key| {
            let of = |keys: &BTreeMap<String, String>| keys.get(key).cloned().unwrap_or("nothing".to_owned());
            let values = [of(&base), of(&candidate)];
            (values[0] != values[1]).then(|| (key.clone(), values))
        })
        .collect()
}

/// All keys of a scenario that change what is measured, with their values.
fn flatten(prefix: &str, value: &Value, keys: &mut BTreeMap<String, String>) {
    let ignored = |key: &str| {
        NOT_MEASURED
            .iter()
            .any(|known| key == *known || key.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')))
            || (key.starts_with("variant.")
                && (is_server(key)
                    || key.rsplit('.').next().is_some_and(|last| ["library", "sdk"].contains(&last))))
    };
    leaves(prefix, value, &ignored, keys);
}

/// Whether a key of a variant is of its server, which the environment names as it was found.
fn is_server(key: &str) -> bool {
    key.split('.').nth(2) == Some("server")
}

/// All keys of another harness' settings, with their values.
pub(super) fn settings_of(config: &Value) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    leaves("", config, &|_| false, &mut keys);
    keys
}

fn leaves(prefix: &str, value: &Value, ignored: &impl Fn(&str) -> bool, keys: &mut BTreeMap<String, String>) {
    if ignored(prefix) {
        return;
    }
    let join = |part: &str| if prefix.is_empty() { part.to_owned() } else { format!("{prefix}.{part}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(&join(key), value, ignored, keys)),
        Value::Array(items) => {
            let each = items.iter().enumerate();
            each.for_each(|(i, value)| leaves(&join(&i.to_string()), value, ignored, keys));
        }
        Value::String(text) => {
            keys.insert(prefix.to_owned(), text.clone());
        }
        other => {
            keys.insert(prefix.to_owned(), other.to_string());
        }
    }
}
