//! Why the figures can be believed, and where they come from.

use super::super::document::Block;
use super::super::format::{bytes, count, primaries, several, share, time_us};
use super::super::{calibration, conditions, findings, servers};
use crate::judge::{Control, RunResult};
use crate::record::{ArmRecord, Audit, Environment, RunRecord, short_sha256};
use crate::scenario::Mode;

/// Why the figures can be believed.
pub(in crate::report) fn trust(result: &RunResult) -> Block {
    let record = &result.record;
    let mut items: Vec<String> = result.control.as_ref().map(control).into_iter().collect();
    let violations = record.audits().into_iter().map(Audit::violations).sum();
    items.extend(audited(&record.audit, violations));
    items.extend(staged(record));
    items.extend(memory(record));
    Block::List { heading: "Checks".into(), items }
}

fn control(control: &Control) -> String {
    let what = match control.allowance {
        None => "the baseline against itself",
        Some(_) => "the baseline's server on a third cluster",
    };
    let allowed = control.allowance.filter(|_| control.passed).map(|allowance| {
        format!("; verdicts allow for {}, which two clusters of one server may differ by", share(allowance))
    });
    format!("control ({what}): {}{}", findings::control_state(control), allowed.unwrap_or_default())
}

/// What reading back has shown.
fn audited(audit: &Audit, violations: u64) -> Vec<String> {
    let unless_none = |n: u64, words: &dyn Fn(String) -> String| {
        if n == 0 { String::new() } else { words(count(n)) }
    };
    let violations = match violations {
        0 => "no violation".to_owned(),
        violations => format!("{} violations", count(violations)),
    };
    let mut items = vec![if audit.executions_checked == 0 {
        "audit: NOT MADE, the executions were not read back".to_owned()
    } else {
        format!(
            "audit: {} grants issued, {} claimed, {} expired, {} left over,{} {} lost, {} claimed twice; {} executions read \
             back{}, {violations}",
            count(audit.grants_issued),
            count(audit.claimed),
            count(audit.expired),
            count(audit.outstanding),
            unless_none(audit.lost_by_server, &|n| format!(" {n} lost by the servers,")),
            count(audit.lost),
            count(audit.double_claims),
            count(audit.executions_checked),
            unless_none(audit.contracts_checked, &|n| format!(" ({n} with all that a claim writes)")),
        )
    }];
    let doubtful = audit.doubtful_claimed + audit.doubtful_not_claimed;
    if doubtful > 0 {
        items.push(format!(
            "of {} claims without a reply nobody could tell in the run: reading back shows {} claimed, {} not",
            count(doubtful),
            count(audit.doubtful_claimed),
            count(audit.doubtful_not_claimed)
        ));
    }
    items.extend(audit.examples.iter().map(|example| format!("violation: {example}")));
    items
}

/// What was got ready, and how long that took.
fn staged(record: &RunRecord) -> Option<String> {
    let (staging, mode) = (&record.staging, record.scenario.load.mode);
    // What a killed run had done in its window stands nowhere but in the claims.
    let so_far = record.partial && mode != Mode::Staged;
    if staging.grants == 0 || so_far {
        return None;
    }
    let amounts = format!(
        "{} executions, {} interruptions, {} grants",
        count(staging.executions),
        count(staging.interruptions),
        count(staging.grants)
    );
    Some(match mode {
        Mode::Staged => format!("before the window: {amounts} in {:.1} s", staging.duration_s),
        // Much of it happens in the window itself.
        Mode::Churn | Mode::Storm => {
            format!("in all: {amounts}; getting ready took {:.1} s", staging.duration_s)
        }
    })
}

/// Whether the tool itself grows: a window of a minute or more says so.
fn memory(record: &RunRecord) -> Option<String> {
    const MINUTE: usize = 60;
    let known: Vec<(f64, u64)> =
        record.timeline.iter().filter_map(|point| Some((point.t_s, point.tool_resident_bytes?))).collect();
    let (_, end) = *known.last().filter(|_| known.len() >= MINUTE)?;
    let (at, begin) = known[MINUTE / 2];
    Some(format!("memory of the tool: {} after {at:.0} s, {} at the end", bytes(begin), bytes(end)))
}

/// What the clocks and histograms take of a claim.
fn recording(result: &RunResult) -> Option<String> {
    let us = result.record.generator?.recording_ns_per_claim? / 1e3;
    let quickest =
        result.variants.iter().filter_map(|variant| Some(variant.service_us.as_ref()?.p50)).reduce(f64::min);
    let of_claim = quickest
        .filter(|p50| *p50 > 0.0)
        .map(|p50| format!(", {} of the quickest variant's median", share(us / p50)));
    Some(format!("recording a claim takes the generator {}{}", time_us(us), of_claim.unwrap_or_default()))
}

/// Where the figures come from.
pub(in crate::report) fn origin(result: &RunResult) -> Block {
    let record = &result.record;
    let environment = &record.environment;
    let mut items = machine(environment);
    if record.is_server_duet() {
        items.extend(servers::lines(record));
        items.push(library(environment));
    } else {
        items.extend(cluster_and_library(environment));
    }
    items.extend(record.arms.iter().filter_map(|arm| {
        let library = arm.library.as_ref()?;
        let section = record.scenario.variants.iter().find(|variant| variant.name == arm.name);
        let source = section.and_then(|variant| variant.library.as_ref());
        Some(format!(
            "library of {}: {}, sha256 {}{}",
            arm.name,
            library.version,
            short_sha256(&library.sha256),
            source.map(|source| format!(", from {source}")).unwrap_or_default()
        ))
    }));
    items.extend(record.arms.iter().filter_map(sdk));
    items.extend(record.calibration.as_ref().map(calibration::note));
    items.extend(record.generator.and_then(|used| used.real_time).map(|given| {
        let had = if given { "real-time priority (SCHED_RR)" } else { "no real-time priority" };
        format!("open loop: the generator's threads had {had}")
    }));
    items.extend(recording(result));
    items.push(format!(
        "run: {} for {:.1} s, seed {}, plan {}, reclaim-bench {} ({})",
        record.started,
        record.duration_s,
        record.seed,
        short_sha256(&record.plan_sha256),
        record.tool.version,
        record.tool.commit
    ));
    Block::List { heading: "Where this was measured".into(), items }
}

/// The SDK of an arm whose claims a worker of its own makes.
fn sdk(arm: &ArmRecord) -> Option<String> {
    let sdk = arm.sdk.as_ref()?;
    let from = match &sdk.commit {
        Some(commit) => format!(" from {} ({})", sdk.source, commit.get(..12).unwrap_or(commit)),
        None if sdk.source == sdk.version => String::new(),
        None => format!(" from {}", sdk.source),
    };
    let beside = arm.handover_p50_us.map(|us| {
        format!("; the pipe to it, which is in no time of a claim, took {} per claim (median)", time_us(us))
    });
    Some(format!(
        "SDK of {}: ff-sdk {}{from}, worker {}, built by {}{}",
        arm.name,
        sdk.version,
        short_sha256(&sdk.sha256),
        sdk.compiler,
        beside.unwrap_or_default()
    ))
}

/// Machine, cluster and library.
pub(in crate::report) fn surroundings(environment: &Environment) -> Vec<String> {
    let mut items = machine(environment);
    items.extend(cluster_and_library(environment));
    items
}

fn machine(environment: &Environment) -> Vec<String> {
    let arranged = environment.conditions.as_ref().map(conditions::arranged);
    std::iter::once(conditions::machine(&environment.host)).chain(arranged).collect()
}

fn library(environment: &Environment) -> String {
    let library = &environment.library;
    format!("library: {} {}, sha256 {}", library.name, library.version, short_sha256(&library.sha256))
}

fn cluster_and_library(environment: &Environment) -> [String; 2] {
    let valkey = &environment.valkey;
    [
        format!(
            "cluster: Valkey {} ({}, {} io-thread{}), {}, {}, {}{}; {}, busiest primary \
             {:.2} of the mean",
            valkey.version,
            valkey.allocator,
            valkey.io_threads,
            if valkey.io_threads == 1 { "" } else { "s" },
            primaries(valkey.primaries),
            several(valkey.replicas.into(), "replica", "replicas"),
            valkey.provider,
            match (valkey.same_machine, valkey.tls == Some(true)) {
                (true, true) => " on this machine over TLS",
                (true, false) => " on this machine",
                (false, true) => " over TLS",
                (false, false) => "",
            },
            several(valkey.partitions.into(), "partition", "partitions"),
            valkey.hottest_share
        ),
        library(environment),
    ]
}
