//! Whether two stored results may be held against each other, and if not, why.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::result::RunResult;
use crate::record::{Conditions, Host, short_sha256};

/// Keys of a scenario that do not change what is measured: what is judged, where the servers are and where threads ran
/// (the environment says that), and the library (the environment names what ran).
const NOT_MEASURED: &[&str] =
    &["gate", "slo", "summary", "library", "capacity", "machine", "cluster.provider", "cluster.nodes"];

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingDifference {
    /// What: a key of the scenario, a part of the machine.
    pub what: String,
    /// In the base.
    pub base: String,
    /// In the candidate.
    pub candidate: String,
    /// Whether it forbids the comparison; the function library does not, it is what one compares.
    pub forbids: bool,
}

/// Two results that measured different things.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("results are not comparable: {}", listed(.0))]
pub struct NotComparable(pub Vec<SettingDifference>);

fn listed(differences: &[SettingDifference]) -> String {
    let each = differences.iter().map(|d| format!("{}: {} against {}", d.what, d.base, d.candidate));
    each.collect::<Vec<_>>().join("; ")
}

/// Everything that differs between two results, what forbids the comparison first.
pub fn differences(base: &RunResult, candidate: &RunResult) -> Vec<SettingDifference> {
    let sides = [base, candidate];
    let mut all = Vec::new();
    let mut compare = |what: &str, [base, candidate]: [String; 2], forbids: bool| {
        if base != candidate {
            all.push(SettingDifference { what: what.to_owned(), base, candidate, forbids });
        }
    };
    for (key, values) in scenario_differences(sides) {
        compare(&format!("scenario {key}"), values, true);
    }
    let environment = sides.map(|side| &side.record.environment);
    let host = environment.map(|e| &e.host);
    compare("machine cpu", host.map(|h| h.cpu.clone()), true);
    compare("machine cores", host.map(|h| h.cores.to_string()), true);
    // Kernels report a few pages more or less from boot to boot.
    compare(
        "machine memory",
        host.map(|h| format!("{:.1} GiB", h.memory_bytes as f64 / 1_073_741_824.0)),
        true,
    );
    // Updates come by themselves: a baseline that ended with each would never be one.
    compare("machine kernel", host.map(|h| h.kernel.clone()), false);
    compare("machine CPU quota", host.map(quota), true);
    let [base_conditions, candidate_conditions] =
        environment.map(|e| Conditions::comparable(e.conditions.as_ref()));
    for ((what, base), (_, candidate)) in base_conditions.into_iter().zip(candidate_conditions) {
        compare(what, [base, candidate], true);
    }
    let valkey = environment.map(|e| &e.valkey);
    compare("valkey version", valkey.map(|v| v.version.clone()), true);
    compare("valkey allocator", valkey.map(|v| v.allocator.clone()), true);
    compare("valkey io-threads", valkey.map(|v| v.io_threads.to_string()), true);
    compare("valkey primaries", valkey.map(|v| v.primaries.to_string()), true);
    compare("valkey replicas", valkey.map(|v| v.replicas.to_string()), true);
    compare("valkey provider", valkey.map(|v| v.provider.clone()), true);
    compare("partitions", valkey.map(|v| v.partitions.to_string()), true);
    let build = |debug| if debug { "without optimisation" } else { "optimised" };
    compare("tool build", sides.map(|s| build(s.record.tool.debug_build).to_owned()), true);
    let real_time = sides.map(|side| side.record.generator.and_then(|used| used.real_time));
    let priority = |real_time: Option<bool>| match real_time {
        Some(true) => "real-time".to_owned(),
        Some(false) => "as other programs".to_owned(),
        None => "not recorded".to_owned(),
    };
    // Where one of them does not say, nobody knows whether it differs.
    compare("generator's priority", real_time.map(priority), real_time.iter().all(Option::is_some));
    let tls = valkey.map(|v| v.tls);
    let encrypted = |tls: Option<bool>| match tls {
        Some(true) => "TLS".to_owned(),
        Some(false) => "plain TCP".to_owned(),
        None => "not recorded".to_owned(),
    };
    compare("connections", tls.map(encrypted), tls.iter().all(Option::is_some));
    let here = |same_machine| if same_machine { "the generator's machine" } else { "other machines" };
    compare("servers on", valkey.map(|v| here(v.same_machine).to_owned()), true);
    compare("tool commit", sides.map(|s| s.record.tool.commit.clone()), false);
    let library = environment.map(|e| &e.library);
    compare(
        "function library",
        library.map(|l| format!("{} ({})", l.version, short_sha256(&l.sha256))),
        false,
    );
    for arm in &base.record.arms {
        let Some(other) = candidate.record.arms.iter().find(|other| other.name == arm.name) else { continue };
        let of = |library: &Option<crate::record::LibraryInfo>| {
            library
                .as_ref()
                .map_or("the run's".to_owned(), |l| format!("{} ({})", l.version, short_sha256(&l.sha256)))
        };
        compare(&format!("library of {}", arm.name), [&arm.library, &other.library].map(of), false);
    }
    compare("tool version", sides.map(|s| s.record.tool.version.clone()), false);
    for (what, side) in [("base", base), ("candidate", candidate)] {
        let mut unusable = |state: &str| {
            all.push(SettingDifference {
                what: format!("{what} result"),
                base: state.to_owned(),
                candidate: "a complete, valid run".to_owned(),
                forbids: true,
            });
        };
        if !side.valid {
            unusable("invalid");
        } else if side.record.partial {
            unusable("interrupted");
        }
    }
    all.sort_by_key(|difference| !difference.forbids);
    all
}

fn quota(host: &Host) -> String {
    host.quota_us_per_s.map_or("none".to_owned(), |us| format!("{:.2} cores", us as f64 / 1e6))
}

/// A digest of all that a scenario measures with: equal for runs that may be one trend.
pub(super) fn settings_digest(result: &RunResult) -> String {
    let mut keys = BTreeMap::new();
    flatten("", &serde_json::to_value(&result.record.scenario).unwrap_or_default(), &mut keys);
    let mut hash = Sha256::new();
    for (key, value) in keys {
        hash.update(format!("{key}={value}\n"));
    }
    let bytes: Vec<String> = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

/// Keys whose values differ, with both values.
fn scenario_differences(sides: [&RunResult; 2]) -> Vec<(String, [String; 2])> {
    let [base, candidate] = sides.map(|side| {
        let mut keys = BTreeMap::new();
        // A scenario that came out of a result goes back into JSON.
        flatten("", &serde_json::to_value(&side.record.scenario).unwrap_or_default(), &mut keys);
        keys
    });
    let all: std::collections::BTreeSet<&String> = base.keys().chain(candidate.keys()).collect();
    all.into_iter()
        .filter_map(|key| {
            let of = |keys: &BTreeMap<String, String>| keys.get(key).cloned().unwrap_or("nothing".to_owned());
            let values = [of(&base), of(&candidate)];
            (values[0] != values[1]).then(|| (key.clone(), values))
        })
        .collect()
}

fn flatten(prefix: &str, value: &Value, keys: &mut BTreeMap<String, String>) {
    let ignored = NOT_MEASURED
        .iter()
        .any(|key| prefix == *key || prefix.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
        || (prefix.starts_with("variant.") && prefix.ends_with(".library"));
    if ignored {
        return;
    }
    let join = |part: &str| if prefix.is_empty() { part.to_owned() } else { format!("{prefix}.{part}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&join(key), value, keys)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| flatten(&join(&i.to_string()), value, keys));
        }
        Value::String(text) => {
            keys.insert(prefix.to_owned(), text.clone());
        }
        other => {
            keys.insert(prefix.to_owned(), other.to_string());
        }
    }
}
