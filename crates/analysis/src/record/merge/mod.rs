//! The records of all parts of a run as one record, as a single generator would have made it. Pure and exact:
//! histograms, counts and samples of the parts are those of the whole, nothing is averaged.
//!
//! ```text
//! parts ─► fitting: each part once, of one run, of one shape
//!       ─► claims (arms, strata, blocks), seconds, batches (times of the window), generators, findings ─► one record
//! ```
//!
//! What was read of the servers is the first part's, whose record holds what all parts sent to them.

mod batches;
mod claims;
#[cfg(test)]
mod dealt_tests;
mod error;
mod findings;
mod fitting;
mod generators;
#[cfg(test)]
mod refusal_tests;
mod seconds;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use error::{MergeError, Tie};

use super::machine_use::{by_machine, of_all};
use super::{Audit, ClusterRecord, Offered, PrimaryRecord, RunRecord, Staging, StormRecord, WindowTotals};
use batches::Batches;

/// Makes one record of the parts of a run, in whatever order they are given.
pub fn merge(parts: Vec<RunRecord>) -> Result<RunRecord, MergeError> {
    let parts = fitting::ordered(parts)?;
    fitting::one_run(&parts)?;
    fitting::same_shape(&parts)?;
    let batches = Batches::from_parts(&parts)?;
    let batches = batches.as_ref();
    let generators = generators::generators(&parts)?;
    let (longest_gap_s, events) = batches::gap_and_events(&parts, batches);
    let stalled_s = batches.and_then(Batches::stalled_s);
    let first = &parts[0];
    let earliest = |a: &super::Aborted, b: &super::Aborted| a.after_s.total_cmp(&b.after_s);
    Ok(RunRecord {
        tool: first.tool.clone(),
        scenario: first.scenario.clone(),
        seed: first.seed,
        plan_sha256: first.plan_sha256.clone(),
        started: first.started.clone(),
        duration_s: parts.iter().map(|part| part.duration_s).fold(0.0, f64::max),
        partial: parts.iter().any(|part| part.partial),
        environment: first.environment.clone(),
        clusters: clusters(&parts),
        staging: staging(&parts),
        arms: claims::arms(&parts, batches)?,
        strata: claims::strata(&parts),
        blocks: claims::blocks(&parts),
        primaries: primaries(&parts),
        added_rtt: claims::added_rtt(&parts)?,
        offered: parts.iter().filter_map(|part| part.offered).reduce(both_offered),
        storm: parts.iter().filter_map(|part| part.storm.clone()).reduce(both_storms),
        // Parts of a run with faults are refused.
        injected: None,
        generator: of_all(&by_machine(&generators)),
        part: None,
        calibration: first.calibration.clone(),
        longest_gap_s,
        stalled_s,
        rulers_unanswered: parts.iter().map(|part| part.rulers_unanswered).sum(),
        ruler_command: parts.iter().find_map(|part| part.ruler_command.clone()),
        aborted: parts.iter().filter_map(|part| part.aborted).min_by(earliest),
        timeline: seconds::timeline(&parts)?,
        window: Some(window(&parts, batches)),
        events,
        audit: audit(parts.iter().map(|part| &part.audit)),
        runs_before: Vec::new(),
        invalid_reasons: findings::invalid_reasons(&parts),
        warnings: findings::warnings(&parts),
        generators,
    })
}

/// The window of all parts; each of them has one.
fn window(parts: &[RunRecord], batches: Option<&Batches>) -> WindowTotals {
    let windows = || parts.iter().filter_map(|part| part.window.as_ref());
    let longest_s = || windows().map(|window| window.active_s).fold(0.0, f64::max);
    WindowTotals {
        active_s: batches.map_or_else(longest_s, Batches::active_s),
        outcomes: claims::outcomes(windows().map(|window| &window.outcomes)),
        batches: Vec::new(),
    }
}

fn audit<'a>(all: impl Iterator<Item = &'a Audit>) -> Audit {
    all.fold(Audit::default(), |mut sum, more| {
        sum += more.clone();
        sum
    })
}

/// Each part reads back its own executions on every cluster.
fn clusters(parts: &[RunRecord]) -> Vec<ClusterRecord> {
    let with_audits = |(n, first): (usize, &ClusterRecord)| ClusterRecord {
        audit: audit(parts.iter().map(|part| &part.clusters[n].audit)),
        ..first.clone()
    };
    parts[0].clusters.iter().enumerate().map(with_audits).collect()
}

/// All parts get ready at the same time; what a grant costs the servers the first one has read.
fn staging(parts: &[RunRecord]) -> Staging {
    let sum = |of: fn(&Staging) -> u64| parts.iter().map(|part| of(&part.staging)).sum();
    Staging {
        executions: sum(|staging| staging.executions),
        interruptions: sum(|staging| staging.interruptions),
        grants: sum(|staging| staging.grants),
        duration_s: parts.iter().map(|part| part.staging.duration_s).fold(0.0, f64::max),
        grant_cpu_us: parts[0].staging.grant_cpu_us,
    }
}

/// The servers' side once, the claims of all parts.
fn primaries(parts: &[RunRecord]) -> Vec<PrimaryRecord> {
    let mut claims: BTreeMap<(Option<u32>, &str), u64> = BTreeMap::new();
    for primary in parts.iter().flat_map(|part| &part.primaries) {
        *claims.entry((primary.cluster, &primary.addr)).or_default() += primary.claims;
    }
    let of_all = |first: &PrimaryRecord| PrimaryRecord {
        claims: claims.get(&(first.cluster, first.addr.as_str())).copied().unwrap_or_default(),
        ..first.clone()
    };
    parts[0].primaries.iter().map(of_all).collect()
}

/// Each part has the claims of its own executions out of one schedule.
fn both_offered(one: Offered, other: Offered) -> Offered {
    Offered { claims: one.claims + other.claims, schedule_s: one.schedule_s.max(other.schedule_s) }
}

/// The storms of two parts as one. All parts count from the moment that they agreed on, so the storm's last
/// signal is the latest one of any part.
fn both_storms(one: StormRecord, other: StormRecord) -> StormRecord {
    let later = |a: Option<f64>, b: Option<f64>| Some(a?.max(b?));
    let StormRecord { executions, held, given_up, last_signal_us, signals_answered_us, mut retries } = one;
    for (cause, n) in other.retries {
        *retries.entry(cause).or_default() += n;
    }
    StormRecord {
        executions: executions + other.executions,
        held: held + other.held,
        given_up: given_up + other.given_up,
        last_signal_us: later(last_signal_us, other.last_signal_us),
        signals_answered_us: later(signals_answered_us, other.signals_answered_us),
        retries,
    }
}
