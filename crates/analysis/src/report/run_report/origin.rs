//! Why the figures can be believed, and where they come from.

use super::super::document::Block;
use super::super::format::{bytes, count, difference_within};
use super::super::{calibration, conditions};
use crate::judge::RunResult;
use crate::record::{Environment, RunRecord, short_sha256};
use crate::scenario::Mode;

/// Why the figures can be believed.
pub(in crate::report) fn trust(result: &RunResult) -> Block {
    let audit = &result.record.audit;
    let mut items = Vec::new();
    if let Some(control) = &result.control {
        let ratio = control.ratio.as_ref().map(|ratio| difference_within(ratio) + ", ").unwrap_or_default();
        let word = if control.passed { "passed" } else { "failed" };
        items.push(format!("control (the baseline against itself): {ratio}{word}"));
    }
    let violations = audit.violations();
    items.push(if audit.executions_checked == 0 {
        "audit: NOT MADE, the executions were not read back".to_owned()
    } else { format!(
        "audit: {} grants issued, {} claimed, {} expired, {} left over, {} lost, {} claimed twice; {} executions read \
         back{}, {}",
        count(audit.grants_issued),
        count(audit.claimed),
        count(audit.expired),
        count(audit.outstanding),
        count(audit.lost),
        count(audit.double_claims),
        count(audit.executions_checked),
        if audit.contracts_checked == 0 {
            String::new()
        } else {
            format!(" ({} with all that a claim writes)", count(audit.contracts_checked))
        },
        if violations == 0 { "no violation".to_owned() } else { format!("{} violations", count(violations)) }
    ) });
    items.extend(audit.examples.iter().map(|example| format!("violation: {example}")));
    let staging = &result.record.staging;
    // What a killed run had done in its window stands nowhere but in the claims.
    let so_far = result.record.partial && result.record.scenario.load.mode != Mode::Staged;
    if staging.grants > 0 && !so_far {
        let made = format!(
            "{} executions, {} interruptions, {} grants",
            count(staging.executions),
            count(staging.interruptions),
            count(staging.grants)
        );
        items.push(match result.record.scenario.load.mode {
            Mode::Staged => format!("before the window: {made} in {:.1} s", staging.duration_s),
            // Much of it happens in the window itself.
            Mode::Churn | Mode::Storm => {
                format!("in all: {made}; getting ready took {:.1} s", staging.duration_s)
            }
        });
    }
    items.extend(memory(&result.record));
    Block::List { heading: "Checks".into(), items }
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

/// Where the figures come from.
pub(in crate::report) fn origin(result: &RunResult) -> Block {
    let record = &result.record;
    let mut items = surroundings(&record.environment);
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
    items.extend(record.calibration.as_ref().map(calibration::note));
    items.extend(record.generator.and_then(|used| used.real_time).map(|given| {
        let had = if given { "real-time priority (SCHED_RR)" } else { "no real-time priority" };
        format!("open loop: the generator's threads had {had}")
    }));
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

/// Machine, cluster and library.
pub(in crate::report) fn surroundings(environment: &Environment) -> Vec<String> {
    let (host, valkey, library) = (&environment.host, &environment.valkey, &environment.library);
    let mut items = vec![conditions::machine(host)];
    items.extend(environment.conditions.as_ref().map(conditions::arranged));
    items.extend([
        format!(
            "cluster: Valkey {} ({}, {} io-thread{}), {} primaries, {} replicas, {}{}; {} partitions, busiest primary \
             {:.2} of the mean",
            valkey.version,
            valkey.allocator,
            valkey.io_threads,
            if valkey.io_threads == 1 { "" } else { "s" },
            valkey.primaries,
            valkey.replicas,
            valkey.provider,
            match (valkey.same_machine, valkey.tls == Some(true)) {
                (true, true) => " on this machine over TLS",
                (true, false) => " on this machine",
                (false, true) => " over TLS",
                (false, false) => "",
            },
            valkey.partitions,
            valkey.hottest_share
        ),
        format!("library: {} {}, sha256 {}", library.name, library.version, short_sha256(&library.sha256)),
    ]);
    items
}
