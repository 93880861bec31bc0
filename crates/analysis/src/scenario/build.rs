//! From a file form that has passed every check to what it means.

use super::arrivals::Arrivals;
use super::choices::Mode;
use super::compare_section::{CompareSection, ControlForm};
use super::fault;
use super::file::{ClusterSection, ScenarioFile, VariantSection};
use super::library::LibrarySource;
use super::load_section::{ArrivalsForm, LoadSection, ModelForm};
use super::metric::Metric;
use super::mixing::mixing;
use super::model::{
    Amount, ClusterSpec, Compare, ControlSides, GrantSpec, InterruptionMix, Load, Mixing, Model,
    PartitionCount, Population, ReplicaWait, Scenario, Skew, Slo, VariantSpec,
};
use super::node_name::NodeName;
use super::population_sections::{PartitionsForm, SkewForm};
use super::sdk_source::SdkSource;

/// Translates a file form that has passed every check.
pub(super) fn build(file: ScenarioFile) -> Scenario {
    Scenario {
        name: file.name.clone(),
        summary: file.summary.clone(),
        cluster: build_cluster(&file.cluster),
        library: library(file.library.source.as_ref()).unwrap_or(LibrarySource::Published),
        population: build_population(&file),
        interruption: InterruptionMix {
            signal: file.interruption.signal,
            timeout: file.interruption.timeout,
            operator: file.interruption.operator,
            delay: file.interruption.delay,
        },
        grant: GrantSpec {
            ttl: file.grant.ttl.0,
            unconsumed: file.grant.unconsumed,
            lease_ttl: file.grant.lease_ttl.0,
            scan_interval: file.grant.scan_interval.0,
        },
        load: build_load(&file),
        compare: file.compare.as_ref().map(|compare| build_compare(&file, compare)),
        variants: file.variants.iter().map(|variant| build_variant(&file, variant)).collect(),
        machine: file.machine,
        slo: file.slo.as_ref().map(|slo| Slo {
            response_p99: slo.response_p99.map(|bound| bound.0),
            abort: slo.abort.map(|abort| abort.0),
            recovery: slo.recovery.map(|bound| bound.0),
        }),
        faults: fault::build(&file.faults),
        file,
    }
}

/// Translates `[cluster]`.
pub(super) fn build_cluster(section: &ClusterSection) -> ClusterSpec {
    ClusterSpec {
        provider: section.provider,
        // The checks leave only nodes that can be read.
        nodes: section.nodes.iter().filter_map(|node| NodeName::parse(node).ok()).collect(),
        primaries: section.primaries,
        replicas: section.replicas,
        node_timeout: section.node_timeout.map(|timeout| timeout.0),
    }
}

fn build_compare(file: &ScenarioFile, compare: &CompareSection) -> Compare {
    Compare {
        baseline: compare.baseline.clone().unwrap_or_else(|| file.variants[0].name.clone()),
        strata: compare.strata,
        counter_blocks: compare.counter_blocks,
        block_claims: compare.block_claims,
        // The checks leave only names of metrics.
        metrics: compare.metrics.iter().filter_map(|name| Metric::find(name)).collect(),
        noise_threshold: compare.noise_threshold,
        confidence: compare.confidence,
        mixing: mixing(file, &model(&file.load)),
        control: control_sides(file, compare),
    }
}

/// What `compare.control` comes to: blocks, and arms that are processes or clusters of their own, have a
/// second one of the baseline.
pub(super) fn control_sides(file: &ScenarioFile, compare: &CompareSection) -> ControlSides {
    let instances = |variant: &VariantSection| variant.sdk.is_some() || variant.server.is_some();
    match compare.control {
        ControlForm::Own => ControlSides::OwnStrata(compare.own_control_strata()),
        ControlForm::Shared if file.variants.iter().any(instances) => ControlSides::SideOfItsOwn,
        ControlForm::Shared if mixing(file, &model(&file.load)) == Mixing::Blocks => {
            ControlSides::SideOfItsOwn
        }
        ControlForm::Shared => ControlSides::Halves,
    }
}

fn build_variant(file: &ScenarioFile, variant: &VariantSection) -> VariantSpec {
    VariantSpec {
        name: variant.name.clone(),
        path: variant.path,
        library: library(variant.library.as_ref()),
        // The checks leave only names that can be read.
        sdk: variant.sdk.as_deref().and_then(|sdk| SdkSource::parse(sdk).ok()),
        instrumented: variant.instrumented,
        server: variant.server.as_ref().map(|server| server.build(file.cluster.replicas)),
        wait: variant.wait_replicas.map(|replicas| ReplicaWait { replicas, timeout: variant.waits_for().0 }),
    }
}

/// The checks leave only names that can be read.
fn library(name: Option<&String>) -> Option<LibrarySource> {
    name.and_then(|name| LibrarySource::parse(name).ok())
}

/// What `population.partitions` comes to.
pub fn partition_count(form: &PartitionsForm) -> PartitionCount {
    match *form {
        PartitionsForm::Word(_) => PartitionCount::Published,
        PartitionsForm::Count(count) => PartitionCount::Count(count),
    }
}

fn build_population(file: &ScenarioFile) -> Population {
    Population {
        executions: file.population.executions,
        lanes: file.population.lanes,
        partitions: partition_count(&file.population.partitions),
        skew: skew(file.population.skew),
        lane_skew: skew(file.population.lane_skew),
        payload_bytes: file.population.payload_bytes,
    }
}

fn skew(form: SkewForm) -> Skew {
    match form {
        SkewForm::Uniform => Skew::Uniform,
        SkewForm::Zipf(exponent) => Skew::Zipf(exponent),
    }
}

/// The arrival process of an open loop.
pub(super) fn arrivals(form: Option<&ArrivalsForm>) -> Arrivals {
    match form {
        None | Some(ArrivalsForm::Constant) => Arrivals::Constant,
        Some(ArrivalsForm::Poisson) => Arrivals::Poisson,
        Some(ArrivalsForm::Burst(burst)) => Arrivals::Burst { size: burst.size, every: burst.every.0 },
        Some(ArrivalsForm::Ramp(ramp)) => Arrivals::Ramp { from_per_sec: ramp.from, over: ramp.over.0 },
        Some(ArrivalsForm::Trace(file)) => Arrivals::Trace { file: file.into() },
    }
}

/// Who decides when a claim is made. The checks leave exactly the keys of the model.
pub(super) fn model(load: &LoadSection) -> Model {
    match load.model {
        ModelForm::Closed => Model::Closed { concurrency: load.in_flight() },
        ModelForm::Open => {
            Model::Open { rate_per_sec: load.rate.unwrap_or(1.0), arrivals: arrivals(load.arrivals.as_ref()) }
        }
    }
}

fn build_load(file: &ScenarioFile) -> Load {
    let load = &file.load;
    Load {
        mode: load.mode,
        model: model(load),
        connections: load.connections,
        // The checks leave exactly one length.
        amount: match (load.claims, load.duration) {
            (Some(claims), _) => Amount::Claims(claims),
            (None, Some(duration)) => Amount::Duration(duration.0),
            // Each execution of a storm is claimed once; a trace is replayed to its end.
            (None, None) if load.mode == Mode::Storm => Amount::Claims(file.population.executions.into()),
            (None, None) => Amount::Trace,
        },
        warmup: load.warmup,
        timeout: load.timeout.0,
        contenders: load.contenders,
        task_context: load.task_context,
        added_rtt: load.network.added_rtt.0,
    }
}
