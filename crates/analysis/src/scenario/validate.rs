//! From the file form to a [`Scenario`] in which every combination makes sense.
//!
//! All problems are collected, so that a file is mended in one go.

use std::collections::BTreeSet;
use std::time::Duration;

use super::build::{build, build_cluster};
use super::capacity_rules;
use super::checker::Checker;
use super::combination;
use super::error::{InvalidScenario, suggest};
use super::fault_rules;
use super::file::{ClusterSection, ScenarioFile, VariantSection};
use super::library::LibrarySource;
use super::load_section::{ArrivalsForm, IN_FLIGHT};
use super::metric::METRICS;
use super::model::{ClusterSpec, Scenario};
use super::node_name::NodeName;
use super::population_sections::{PartitionsForm, SkewForm};
use super::sdk_rules;
use super::server_rules;
use super::sweep;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Most connections to each primary.
pub const MOST_CONNECTIONS: u16 = 1_024;

impl TryFrom<&ScenarioFile> for Scenario {
    type Error = InvalidScenario;

    /// Validates a file form, as a result holds it.
    fn try_from(file: &ScenarioFile) -> Result<Self, InvalidScenario> {
        check(file.clone())
    }
}

/// Validates a file form; defaults that depend on other keys are filled in here as well.
pub(super) fn check(mut file: ScenarioFile) -> Result<Scenario, InvalidScenario> {
    file.resolve();
    let mut checker = Checker::default();
    check_head(&file, &mut checker);
    check_cluster(&file.cluster, &mut checker);
    check_population(&file, &mut checker);
    check_grant(&file, &mut checker);
    check_load(&file, &mut checker);
    check_variants(&file.variants, &mut checker);
    check_libraries(&file, &mut checker);
    server_rules::check(&file, &mut checker);
    sdk_rules::check(&file, &mut checker);
    check_compare(&file, &mut checker);
    check_gate(&file, &mut checker);
    check_slo(&file, &mut checker);
    fault_rules::check(&file.faults, &mut checker);
    capacity_rules::check(&file, &mut checker);
    sweep::check(file.sweep.as_ref(), &mut checker);
    // Rules about several keys assume that each of them is right by itself.
    if checker.0.is_empty() {
        combination::check(&file, &mut checker);
    }
    if checker.0.is_empty() { Ok(build(file)) } else { Err(InvalidScenario(checker.0)) }
}

/// Validates `[cluster]` where there is no scenario around it.
pub(super) fn check_cluster_alone(cluster: &ClusterSection) -> Result<ClusterSpec, InvalidScenario> {
    let mut checker = Checker::default();
    check_cluster(cluster, &mut checker);
    if checker.0.is_empty() {
        combination::cluster(cluster, &mut checker);
    }
    if checker.0.is_empty() { Ok(build_cluster(cluster)) } else { Err(InvalidScenario(checker.0)) }
}

fn check_head(file: &ScenarioFile, checker: &mut Checker) {
    checker.require(file.schema == 1, "schema", || {
        format!("version {} is not known to this tool, which reads version 1", file.schema)
    });
    checker.name("name", &file.name);
}

fn check_cluster(cluster: &ClusterSection, checker: &mut Checker) {
    checker.within("cluster.primaries", cluster.primaries, 1..=64);
    checker.within("cluster.replicas", cluster.replicas, 0..=5);
    // A comma in a password makes several items of one: where one has a password in it, the others are not
    // shown.
    if let Some(refused) = cluster.nodes.iter().rfind(|node| node.contains('@')) {
        checker.refuse("cluster.nodes", NodeName::parse(refused).err().unwrap_or_default());
        return;
    }
    for (n, node) in cluster.nodes.iter().enumerate() {
        if let Err(what) = NodeName::parse(node) {
            checker.refuse(format!("cluster.nodes[{n}]"), what);
        }
    }
}

fn check_population(file: &ScenarioFile, checker: &mut Checker) {
    let population = &file.population;
    checker.within("population.executions", population.executions, 1..=10_000_000);
    checker.within("population.lanes", population.lanes, 1..=1_024);
    if let PartitionsForm::Count(count) = population.partitions {
        checker.within("population.partitions", count, 1..=16_384);
    }
    for (key, skew) in [("skew", population.skew), ("lane_skew", population.lane_skew)] {
        if let SkewForm::Zipf(exponent) = skew {
            checker.require(exponent > 0.0 && exponent <= 5.0, &format!("population.{key}.zipf"), || {
                format!(
                    "{exponent} is not over 0 and at most 5; for an even spread write {key} = \"uniform\""
                )
            });
        }
    }
    checker.within("population.payload_bytes", population.payload_bytes, 0..=1_048_576);
    let mix = &file.interruption;
    let weights =
        [("signal", mix.signal), ("timeout", mix.timeout), ("operator", mix.operator), ("delay", mix.delay)];
    for (kind, weight) in weights {
        checker.require(weight.is_finite() && weight >= 0.0, &format!("interruption.{kind}"), || {
            format!("{weight} is not a weight: use 0 or a positive number")
        });
    }
    checker.require(weights.iter().any(|(_, weight)| *weight != 0.0), "interruption", || {
        "all weights are zero, so nothing would ever be interrupted; give signal, timeout, operator or delay \
         a positive weight"
            .into()
    });
}

fn check_grant(file: &ScenarioFile, checker: &mut Checker) {
    checker.lasting("grant.ttl", file.grant.ttl, Duration::from_millis(100), DAY);
    checker.lasting("grant.lease_ttl", file.grant.lease_ttl, SECOND, DAY);
    checker.lasting("grant.scan_interval", file.grant.scan_interval, Duration::from_millis(1), SECOND);
    checker.within("grant.unconsumed", file.grant.unconsumed, 0.0..=1.0);
}

/// Highest rate of an open loop, in claims per second.
const HIGHEST_PER_S: f64 = 1e7;

fn check_load(file: &ScenarioFile, checker: &mut Checker) {
    let load = &file.load;
    if let Some(concurrency) = load.concurrency {
        checker.within("load.concurrency", concurrency, IN_FLIGHT);
    }
    let a_rate = |checker: &mut Checker, key: &str, rate: f64| {
        checker.require(rate > 0.0 && rate <= HIGHEST_PER_S, key, || {
            format!("{rate} is not a rate: use claims per second, over 0 and at most {HIGHEST_PER_S}")
        });
    };
    if let Some(rate) = load.rate {
        a_rate(checker, "load.rate", rate);
    }
    match &load.arrivals {
        Some(ArrivalsForm::Burst(burst)) => {
            checker.within("load.arrivals.burst.size", burst.size, 1..=1_000_000);
            checker.lasting("load.arrivals.burst.every", burst.every, Duration::from_millis(1), HOUR);
        }
        Some(ArrivalsForm::Ramp(ramp)) => {
            a_rate(checker, "load.arrivals.ramp.from", ramp.from);
            checker.lasting("load.arrivals.ramp.over", ramp.over, Duration::from_millis(100), DAY);
        }
        Some(ArrivalsForm::Trace(file)) => checker.require(!file.is_empty(), "load.arrivals.trace", || {
            "empty; write the path of a file with one time per line".into()
        }),
        None | Some(ArrivalsForm::Constant | ArrivalsForm::Poisson) => {}
    }
    checker.within("load.connections", load.connections, 1..=MOST_CONNECTIONS);
    if let Some(claims) = load.claims {
        checker.within("load.claims", claims, 1..=100_000_000);
    }
    if let Some(duration) = load.duration {
        checker.lasting("load.duration", duration, Duration::from_millis(100), 7 * DAY);
    }
    checker.within("load.warmup", load.warmup, 0..=10_000_000);
    checker.lasting("load.timeout", load.timeout, Duration::from_millis(10), Duration::from_mins(5));
    checker.within("load.contenders", load.contenders, 1..=64);
    checker.lasting("load.network.added_rtt", load.network.added_rtt, Duration::ZERO, SECOND);
}

fn check_slo(file: &ScenarioFile, checker: &mut Checker) {
    let Some(slo) = &file.slo else { return };
    checker.require(slo.response_p99.is_some() || slo.recovery.is_some(), "slo", || {
        "empty, so nothing would be judged; give response_p99 = \"20ms\", or recovery = \"5s\" with a [[fault]]".into()
    });
    if let Some(bound) = slo.response_p99 {
        checker.lasting("slo.response_p99", bound, Duration::from_micros(1), HOUR);
    }
    if let Some(recovery) = slo.recovery {
        checker.lasting("slo.recovery", recovery, Duration::from_millis(1), HOUR);
        checker.require(!file.faults.is_empty(), "slo.recovery", || {
            "there is nothing to recover from: add a [[fault]], or leave it out".into()
        });
    }
    let Some(abort) = slo.abort else { return };
    checker.lasting("slo.abort", abort, Duration::from_micros(1), HOUR);
    let Some(bound) = slo.response_p99 else {
        checker.refuse("slo.abort", "needs slo.response_p99, the level that is missed");
        return;
    };
    checker.require(abort >= bound, "slo.abort", || {
        format!("{abort} is less than slo.response_p99, {bound}: a run that keeps its level would be ended")
    });
}

fn check_variants(variants: &[VariantSection], checker: &mut Checker) {
    checker.require(!variants.is_empty(), "variant", || {
        "missing; a scenario needs at least one [[variant]] with a name and a path".into()
    });
    checker
        .require(variants.len() <= 32, "variant", || format!("{} are too many: at most 32", variants.len()));
    let mut seen = BTreeSet::new();
    for (n, variant) in variants.iter().enumerate() {
        checker.name(&format!("variant[{n}].name"), &variant.name);
        if !seen.insert(&variant.name) {
            checker.refuse(
                format!("variant[{n}].name"),
                format!("another variant is named `{}` already; results need different names", variant.name),
            );
        }
    }
}

fn check_libraries(file: &ScenarioFile, checker: &mut Checker) {
    let arms = file.variants.iter().enumerate();
    let names = arms.map(|(n, variant)| (format!("variant[{n}].library"), variant.library.as_ref()));
    for (key, name) in names.chain([("library.source".to_owned(), file.library.source.as_ref())]) {
        if let Some(Err(what)) = name.map(|name| LibrarySource::parse(name)) {
            checker.refuse(key, what);
        }
    }
}

fn check_compare(file: &ScenarioFile, checker: &mut Checker) {
    let Some(compare) = &file.compare else { return };
    if file.variants.len() < 2 {
        checker.refuse("compare", "needs at least two variants; add a [[variant]] or leave [compare] out");
        return;
    }
    let names: Vec<&str> = file.variants.iter().map(|variant| variant.name.as_str()).collect();
    if let Some(baseline) = compare.baseline.as_deref().filter(|baseline| !names.contains(baseline)) {
        let what = format!("`{baseline}` is not a variant; {}", suggest(baseline, &names));
        checker.refuse("compare.baseline", what);
    }
    checker.within("compare.strata", compare.strata, 2..=100_000);
    checker.within("compare.control_strata", compare.own_control_strata(), 0..=100_000);
    checker.within("compare.counter_blocks", compare.counter_blocks, 0..=10_000);
    checker.within("compare.block_claims", compare.block_claims, 10..=1_000_000);
    let judged: Vec<&str> =
        METRICS.iter().filter(|metric| metric.is_judged()).map(|metric| metric.name).collect();
    checker.require(!compare.metrics.is_empty(), "compare.metrics", || {
        format!("empty, so nothing would be judged; known: {}", judged.join(", "))
    });
    for (n, metric) in compare.metrics.iter().enumerate() {
        let key = format!("compare.metrics[{n}]");
        if !judged.contains(&metric.as_str()) {
            checker.refuse(&key, format!("`{metric}` is not a metric; {}", suggest(metric, &judged)));
        }
        checker
            .require(!compare.metrics[..n].contains(metric), &key, || format!("`{metric}` is there twice"));
    }
    checker.share("compare.noise_threshold", compare.noise_threshold);
    checker.within("compare.confidence", compare.confidence, 0.5..=0.999);
}

fn check_gate(file: &ScenarioFile, checker: &mut Checker) {
    let gate = &file.gate;
    for (key, value) in [
        ("gate.throughput_warn", gate.throughput_warn),
        ("gate.throughput_fail", gate.throughput_fail),
        ("gate.p99_warn", gate.p99_warn),
        ("gate.p99_fail", gate.p99_fail),
        ("gate.failed", gate.failed),
    ] {
        checker.share(key, value);
    }
    for (key, warn, fail) in [
        ("gate.throughput_warn", gate.throughput_warn, gate.throughput_fail),
        ("gate.p99_warn", gate.p99_warn, gate.p99_fail),
    ] {
        checker
            .require(warn <= fail, key, || format!("{warn} warns only beyond {fail}, which fails already"));
    }
}
