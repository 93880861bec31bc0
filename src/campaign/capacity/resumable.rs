//! Whether a capacity search can go on: it needs the question that it began with, and servers of the same
//! kind.

use serde_json::Value;

use crate::campaign::CampaignError;
use crate::cluster::Cluster;
use crate::workload::partitions;
use reclaim_analysis::json::ToJsonLine as _;
use reclaim_analysis::judge::RunResult;
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

/// Probes of one search must have met the same kind of servers, and as many generators must have made them.
pub(super) async fn same_servers(
    first: Option<&RunResult>,
    cluster: &Cluster,
    generators: u32,
) -> Result<(), CampaignError> {
    let Some(first) = first else { return Ok(()) };
    let environment = &first.record.environment;
    let library = cluster.library().sha256;
    let generators_then = first.record.generators.len().max(1);
    for (what, then, now) in [
        ("function library (sha256)", environment.library.sha256.clone(), library),
        ("number of generators", generators_then.to_string(), generators.to_string()),
    ] {
        same(what, then, now)?;
    }
    let wanted = partition_count(&first.record.scenario.population.partitions);
    let found = partitions(cluster, wanted).await?;
    same("number of flow partitions", environment.valkey.partitions.to_string(), found.to_string())?;
    alike(&environment.valkey, &cluster.info(found))?;
    same_machine(&environment.host, &crate::machine::host())?;
    let build = |tool: &Tool| if tool.debug_build { "without optimisation" } else { "optimised" };
    same("build of the tool", build(&first.record.tool), build(&crate::machine::tool()))
}

/// What `compare` holds the servers of two results to.
fn alike(was: &ValkeyInfo, is: &ValkeyInfo) -> Result<(), CampaignError> {
    for (what, then, now) in [
        ("Valkey version", was.version.clone(), is.version.clone()),
        ("servers' allocator", was.allocator.clone(), is.allocator.clone()),
        ("number of io-threads", was.io_threads.to_string(), is.io_threads.to_string()),
        ("number of primaries", was.primaries.to_string(), is.primaries.to_string()),
        ("number of replicas", was.replicas.to_string(), is.replicas.to_string()),
        ("provider", was.provider.clone(), is.provider.clone()),
    ] {
        same(what, then, now)?;
    }
    let place = |valkey: &ValkeyInfo| if valkey.same_machine { "this machine" } else { "other machines" };
    same("servers' place", place(was), place(is))?;
    // Results of versions that did not say it forbid nothing.
    let told = was.tls.zip(is.tls);
    let wire = |tls| if tls { "TLS" } else { "plain TCP" };
    told.map_or(Ok(()), |(then, now)| same("connection to the servers", wire(then), wire(now)))
}

/// And the machine.
fn same_machine(was: &Host, is: &Host) -> Result<(), CampaignError> {
    let quota =
        |host: &Host| host.quota_us_per_s.map_or_else(|| "none".to_owned(), |us| format!("{us} us/s"));
    for (what, then, now) in [
        ("machine", was.cpu.clone(), is.cpu.clone()),
        ("number of cores", was.cores.to_string(), is.cores.to_string()),
        ("CPU quota", quota(was), quota(is)),
    ] {
        same(what, then, now)?;
    }
    Ok(())
}

fn same(what: &'static str, then: impl Into<String>, now: impl Into<String>) -> Result<(), CampaignError> {
    let (then, now) = (then.into(), now.into());
    if then == now { Ok(()) } else { Err(CampaignError::OtherServers { what, then, now }) }
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
    use reclaim_analysis::scenario::{Draft, Override, Shipped};

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
            provider: "local".into(),
            same_machine: false,
            partitions: 256,
            hottest_share: 1.0,
            shared: None,
            tls: Some(false),
        };
        assert!(alike(&valkey, &valkey).is_ok());
        let untold = ValkeyInfo { tls: None, ..valkey.clone() };
        assert!(alike(&untold, &ValkeyInfo { tls: Some(true), ..valkey.clone() }).is_ok());
        let others: [(&str, Change); 7] = [
            ("Valkey version was 9.1.2 and is 8", |v| v.version = "8".into()),
            ("servers' allocator was libc and is jemalloc", |v| v.allocator = "jemalloc".into()),
            ("number of io-threads was 1 and is 4", |v| v.io_threads = 4),
            ("number of replicas was 0 and is 1", |v| v.replicas = 1),
            ("provider was local and is container", |v| v.provider = "container".into()),
            ("servers' place was other machines and is this machine", |v| v.same_machine = true),
            ("connection to the servers was plain TCP and is TLS", |v| v.tls = Some(true)),
        ];
        for (said, change) in others {
            let mut other = valkey.clone();
            change(&mut other);
            let refused = alike(&valkey, &other).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        let host = crate::machine::host();
        assert!(same_machine(&host, &host).is_ok());
        let fewer = Host { cores: host.cores + 1, ..host.clone() };
        assert!(same_machine(&fewer, &host).unwrap_err().to_string().contains("number of cores was"));
        let bound = Host { quota_us_per_s: Some(1_234_567), ..host.clone() };
        assert!(same_machine(&bound, &host).unwrap_err().to_string().contains("CPU quota was 1234567 us/s"));
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
