//! Whether a capacity search can go on: it needs the question that it began with, and machines and servers of
//! the same kind. What a machine is arranged to is known once a probe was made.

use serde_json::Value;

use crate::campaign::CampaignError;
use crate::cluster::Cluster;
use crate::store::{ResultDir, StoredCapacity};
use crate::workload::partitions;
use reclaim_analysis::json::ToJsonLine as _;
use reclaim_analysis::judge::{RunResult, SettingDifference, differences, place_differences};
use reclaim_analysis::record::{Host, Tool, ValkeyInfo};
use reclaim_analysis::scenario::{ClusterSection, ScenarioFile, partition_count};

/// A search can go on only with the question that it began with. Where the servers are, what the tables show,
/// and how closely the rate is to be known may change.
pub(super) fn same_question(earlier: &ScenarioFile, now: &ScenarioFile) -> Result<(), CampaignError> {
    match difference("", &question(earlier), &question(now)) {
        None => Ok(()),
        Some(ChangedKey { key, then, now }) => {
            Err(CampaignError::OtherQuestion { key, then: shown(then.as_ref()), now: shown(now.as_ref()) })
        }
    }
}

/// The probe of an earlier go that all further ones are held to; `None` where there was none. A probe without
/// a result cannot serve as reference, because its generators may be incomplete. It is in no figure that later
/// probes could contradict, so a search that has no other probes goes on as a new one begins.
pub(super) fn gone_on_with(stored: &StoredCapacity) -> Option<RunResult> {
    stored.first_that_says_something().cloned()
}

/// Refuses a probe that was made into `own` under other conditions than `first`, which is of an earlier go, and
/// removes what lies there of it: it is no probe of the search.
pub(super) fn kept_as_of_one_search(
    first: Option<&RunResult>,
    probe: &RunResult,
    own: &ResultDir,
) -> Result<(), CampaignError> {
    let kept = first.map_or(Ok(()), |first| same_conditions(first, probe));
    if kept.is_err() {
        // Why it is refused says more than that something of it stays.
        let _ = std::fs::remove_dir_all(own.path());
    }
    kept
}

/// What `compare` holds two results to and nobody knows before a probe is made: how threads and cores were
/// arranged, on the machine of each generator, and with what priority they ran.
fn same_conditions(first: &RunResult, probe: &RunResult) -> Result<(), CampaignError> {
    if probe.record.partial || probe.record.part.is_some() {
        // It says itself what ended it, and is no probe.
        return Ok(());
    }
    // Two loads of one search, whatever came of them.
    let [mut first, mut probe] = [first.clone(), probe.clone()];
    probe.record.scenario.clone_from(&first.record.scenario);
    (first.valid, probe.valid) = (true, true);
    forbidden(differences(&first, &probe))
}

/// Probes of one search must have met the same kind of servers, and as many generators must have made them.
pub(super) async fn same_servers(
    first: Option<&RunResult>,
    cluster: &Cluster,
    generators: u32,
) -> Result<(), CampaignError> {
    let Some(first) = first else { return Ok(()) };
    let environment = &first.record.environment;
    let wanted = partition_count(&first.record.scenario.population.partitions);
    let now = cluster.info(partitions(cluster, wanted).await?);
    let build = |tool: &Tool| if tool.debug_build { "without optimisation" } else { "optimised" };
    let builds = [build(&first.record.tool), build(&crate::machine::tool())];
    same("function library (sha256)", [environment.library.sha256.clone(), cluster.library().sha256])?;
    same("number of generators", [first.record.generators.len().max(1) as u32, generators])?;
    same("build of the tool", builds)?;
    same_server_build([&environment.valkey, &now])?;
    same_place([&environment.host, &crate::machine::host()], [&environment.valkey, &now])
}

/// Two builds of one version may be patched in another way. What does not say which build it is may be the same one.
fn same_server_build(servers: [&ValkeyInfo; 2]) -> Result<(), CampaignError> {
    match servers.map(|server| server.build_id.as_deref()) {
        [Some(then), Some(now)] => same("build of the servers (redis_build_id)", [then, now]),
        _ => Ok(()),
    }
}

/// What `compare` holds the machines and servers of two results to.
fn same_place(hosts: [&Host; 2], servers: [&ValkeyInfo; 2]) -> Result<(), CampaignError> {
    forbidden(place_differences(hosts, servers))
}

/// The first of these that forbids a comparison.
fn forbidden(found: Vec<SettingDifference>) -> Result<(), CampaignError> {
    match found.into_iter().find(|difference| difference.forbids) {
        None => Ok(()),
        Some(SettingDifference { what, base, candidate, .. }) => {
            Err(CampaignError::OtherConditions { what: what.to_string(), then: base, now: candidate })
        }
    }
}

fn same<T: PartialEq + ToString>(what: &str, [then, now]: [T; 2]) -> Result<(), CampaignError> {
    if then == now {
        return Ok(());
    }
    let (then, now) = (then.to_string(), now.to_string());
    Err(CampaignError::OtherConditions { what: what.to_owned(), then, now })
}

/// What the probes and their order depend on, as the scenario's keys.
fn question(file: &ScenarioFile) -> Value {
    let section = file.capacity();
    let mut file = file.clone();
    (file.cluster, file.capacity) = (ClusterSection::default(), None);
    // A scenario file has only names as keys, so it is JSON as it is TOML.
    let mut keys = file.to_json_value().unwrap_or_default();
    keys["capacity"] = serde_json::json!({
        "claims": section.claims,
        "window": section.window,
        "curve_claims": section.curve_claims,
        "start_rate": section.start_rate,
        "resolution": section.resolution,
    });
    keys
}

struct ChangedKey {
    key: String,
    then: Option<Value>,
    now: Option<Value>,
}

/// The first key that differs, in alphabetical order of the sections.
fn difference(key: &str, then: &Value, now: &Value) -> Option<ChangedKey> {
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().find_map(|name| {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                match (a.get(name), b.get(name)) {
                    (Some(then), Some(now)) => difference(&key, then, now),
                    (then, now) => Some(ChangedKey { key, then: then.cloned(), now: now.cloned() }),
                }
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(n, (then, now))| difference(&format!("{key}[{n}]"), then, now)),
        _ => (then != now).then(|| ChangedKey {
            key: key.to_owned(),
            then: Some(then.clone()),
            now: Some(now.clone()),
        }),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "not given".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge;
    use reclaim_analysis::judge::capacity::simulated::{Simulated, policy};
    use reclaim_analysis::judge::capacity::{CapacityPlan, NextStep, ProbeLoad};
    use reclaim_analysis::judge::fixtures::generator;
    use reclaim_analysis::record::{Conditions, GeneratorUse, InvalidReason, PartNote, RunRecord};
    use reclaim_analysis::scenario::{Draft, Override, Placement, Provider, Shipped};

    fn file(changes: &[(&str, &str)]) -> ScenarioFile {
        let changes: Vec<_> = changes
            .iter()
            .map(|(key, value)| Override {
                shown: format!("--set {key}={value}"),
                key: (*key).to_owned(),
                value: Some((*value).to_owned()),
            })
            .collect();
        let shipped = Shipped::find("capacity").unwrap();
        Draft::new(shipped.name, shipped.text).with(&changes).check().unwrap().file().clone()
    }

    #[test]
    fn the_key_that_differs_is_named_with_both_values() {
        let refused =
            |changes: &[(&str, &str)]| same_question(&file(&[]), &file(changes)).unwrap_err().to_string();
        for (key, value, said) in [
            (
                "slo.response_p99",
                "7ms",
                "slo.response_p99 was \"20ms\" when that search began and is \"7ms\" now",
            ),
            ("capacity.claims", "20000", "capacity.claims was 10000 when that search began and is 20000 now"),
            (
                "capacity.start_rate",
                "900",
                "capacity.start_rate was 500.0 when that search began and is 900.0 now",
            ),
            ("capacity.resolution", "0.1", "capacity.resolution was 0.05 when"),
            ("load.connections", "2", "load.connections was 1 when that search began and is 2 now"),
            ("population.partitions", "16", "population.partitions was \"published\""),
        ] {
            let error = refused(&[(key, value)]);
            assert!(error.contains(said) && error.contains("begin anew"), "{said}: {error}");
        }
        let two = refused(&[("population.lanes", "2"), ("load.timeout", "1s")]);
        assert!(two.contains("load.timeout was"), "the first of them: {two}");
        let missing = same_question(
            &file(&[("load.arrivals", "{ burst = { size = 10, every = \"10ms\" } }")]),
            &file(&[]),
        );
        assert!(missing.unwrap_err().to_string().contains("load.arrivals was {\"burst\""));
    }

    /// Something that differs.
    type Change = fn(&mut ValkeyInfo);

    /// Each alone would be another line.
    #[test]
    fn servers_and_machines_that_compare_would_not_hold_against_each_other_are_refused() {
        let valkey = ValkeyInfo {
            version: "9.1.2".into(),
            allocator: "libc".into(),
            io_threads: 1,
            primaries: 3,
            replicas: 0,
            provider: Provider::Local,
            same_machine: false,
            partitions: 256,
            hottest_share: 1.0,
            shared: None,
            build_id: None,
            tls: Some(false),
        };
        let host = crate::machine::host();
        let servers = |other: &ValkeyInfo| same_place([&host, &host], [&valkey, other]);
        assert!(servers(&valkey).is_ok());
        let untold = ValkeyInfo { tls: None, ..valkey.clone() };
        assert!(servers(&untold).is_ok());
        let others: [(&str, Change); 8] = [
            ("valkey version: 9.1.2 then, 8 now", |v| v.version = "8".into()),
            ("valkey allocator: libc then, jemalloc now", |v| v.allocator = "jemalloc".into()),
            ("valkey io-threads: 1 then, 4 now", |v| v.io_threads = 4),
            ("valkey replicas: 0 then, 1 now", |v| v.replicas = 1),
            ("valkey provider: local then, container now", |v| v.provider = Provider::Container),
            ("partitions: 256 then, 1024 now", |v| v.partitions = 1024),
            ("servers on: other machines then, the generator's machine now", |v| v.same_machine = true),
            ("connections: plain TCP then, TLS now", |v| v.tls = Some(true)),
        ];
        for (said, change) in others {
            let mut other = valkey.clone();
            change(&mut other);
            let refused = servers(&other).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        let machines = |was: &Host| same_place([was, &host], [&valkey, &valkey]).unwrap_err().to_string();
        let fewer = Host { cores: host.cores + 1, ..host.clone() };
        assert!(machines(&fewer).contains("machine cores: "));
        let bound = Host { quota_us_per_s: Some(1_250_000), ..host.clone() };
        assert!(machines(&bound).contains("machine CPU quota: 1.25 cores then"));
        let larger = Host { memory_bytes: 2 * host.memory_bytes, ..host.clone() };
        assert!(machines(&larger).contains("machine memory: "));
    }

    /// A probe at this rate by two generators, each on a machine of its own, after a change.
    fn probe(rate_per_s: f64, change: impl FnOnce(&mut RunRecord)) -> RunResult {
        let mut record = Simulated::serving(2_000.0).run(ProbeLoad::Open { rate_per_s }, 1).record;
        record.generators = (1..=2).map(generator).collect();
        for one in &mut record.generators {
            one.host.boot = Some(format!("boot {}", one.part));
        }
        record.generator = record.generator.map(|used| GeneratorUse { real_time: Some(true), ..used });
        change(&mut record);
        judge::analyse(record).unwrap()
    }

    /// Something that differs of a probe.
    type RecordChange = fn(&mut RunRecord);

    #[test]
    fn a_probe_under_other_conditions_than_the_first_ends_the_search() {
        let first = probe(500.0, |_| ());
        let refused = |change: fn(&mut RunRecord)| {
            let refused = same_conditions(&first, &probe(1_000.0, change));
            refused.err().map_or_else(String::new, |error| error.to_string())
        };
        assert_eq!(refused(|_| ()), "", "another load is no other condition");
        let others: [(&str, RecordChange); 4] = [
            ("machine placement: free then, apart", |record| {
                let placement = Placement::Apart;
                record.environment.conditions = Some(Conditions { placement, ..Conditions::default() });
            }),
            ("generator's priority: real-time then, as other programs now", |record| {
                record.generator.as_mut().unwrap().real_time = Some(false);
            }),
            ("machines of the generators: ", |record| record.generators[1].host.cores = 96),
            ("generators: 2 then, 3 now", |record| record.generators.push(generator(3))),
        ];
        for (said, change) in others {
            let refused = refused(change);
            assert!(refused.contains(said) && refused.contains("begin anew"), "{said}: {refused}");
        }
        // A closed loop has no schedule to keep and no priority for it, what was stopped is no probe, and a
        // part says what ended its run.
        let none: [fn(&mut RunRecord); 3] = [
            |record| record.generator.as_mut().unwrap().real_time = None,
            |record| {
                let placement = Placement::Apart;
                record.environment.conditions = Some(Conditions { placement, ..Conditions::default() });
                record.partial = true;
            },
            |record| {
                record.generators.clear();
                let rendezvous = "night".to_owned();
                record.part = Some(PartNote { number: 1, of: 2, rendezvous, began_us: vec![1] });
            },
        ];
        for change in none {
            assert_eq!(refused(change), "");
        }
    }

    #[test]
    fn of_a_probe_that_is_refused_nothing_stays() {
        let output = tempfile::tempdir().unwrap();
        let left = |change: RecordChange| {
            let (first, made) = (probe(500.0, |_| ()), probe(1_000.0, change));
            let own = ResultDir::create(output.path(), "probe").unwrap();
            crate::store::keep_partial(own.path(), &made.record).unwrap();
            let kept = kept_as_of_one_search(Some(&first), &made, &own).is_ok();
            (kept, own.path().exists())
        };
        assert_eq!(left(|_| ()), (true, true));
        assert_eq!(left(|record| record.generators[1].host.cores = 96), (false, false));
        let own = ResultDir::create(output.path(), "probe").unwrap();
        assert!(kept_as_of_one_search(None, &probe(500.0, |_| ()), &own).is_ok(), "the first one of all");
    }

    #[test]
    fn a_search_without_a_probe_that_says_something_goes_on_as_a_new_one_begins() {
        let scenario = probe(500.0, |_| ()).record.scenario;
        let plan = CapacityPlan { scenario, seed: 1, policy: policy(), stopped: None };
        let mut stored = StoredCapacity::new(plan);
        assert!(gone_on_with(&stored).is_none(), "it begins");
        let gone = InvalidReason::Infrastructure { detail: "generator 2 is gone".into() };
        stored.add(probe(500.0, |record| record.invalid_reasons.push(gone)), "001-open-500");
        assert!(gone_on_with(&stored).is_none(), "nothing holds it to anything");
        assert!(matches!(stored.conclude().next, NextStep::Probe { .. }));
        stored.add(probe(500.0, |_| ()), "002-open-500");
        assert_eq!(gone_on_with(&stored).unwrap().record.generators.len(), 2);
    }

    #[test]
    fn where_the_servers_are_and_what_the_tables_show_may_change() {
        let other =
            [("capacity.targets", "[7]"), ("capacity.concurrency", "[1, 2]"), ("cluster.primaries", "6")];
        assert!(same_question(&file(&[]), &file(&other)).is_ok());
        let closer = [("capacity.precision", "0.02"), ("capacity.refinements", "144")];
        assert!(same_question(&file(&[]), &file(&closer)).is_ok());
    }
}
