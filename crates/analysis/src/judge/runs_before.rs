//! Where the next run would lie, from this one and those before it that measured the same. The interval of a
//! run holds what varied while it lasted; what differs from one run to the next is in none of them.

use std::iter::once;

use crate::record::{RatioBefore, RunBefore, Tool};
use crate::stats::{agreement, log_error_of, next_value};

use super::beside_others::ran_beside_others;
use super::comparable::{differences, somebodys_cluster};
use super::repeat::MIN_RUNS;
use super::result::{Comparison, RunResult, WithRunsBefore};

/// Notes in a result which of the runs `before` it, the earliest first, measured the same, and says of its
/// comparisons where the next run would lie. Nothing else of it follows from them, so that it need not be
/// judged anew.
pub fn note_runs_before(result: &mut RunResult, before: &[RunResult]) {
    result.record.runs_before = runs_before(result, before);
    add_next_run(&mut result.comparisons, &result.record.runs_before);
}

/// Earlier undisturbed runs with equal settings and software, used to predict the next run, whatever they
/// found. None for a run during which other programs were busy: what those changed is no matter of chance.
fn runs_before(result: &RunResult, before: &[RunResult]) -> Vec<RunBefore> {
    if !result.is_usable() || ran_beside_others(&result.warnings) {
        return Vec::new();
    }
    let arms = || result.record.arms.iter().map(|arm| arm.name.as_str());
    before.iter().filter(|past| measured_the_same(past, result, arms())).map(noted).collect()
}

/// Whether a run by itself measured the same with the same: what these arms were made of, too.
pub(super) fn measured_the_same<'a>(
    past: &RunResult,
    now: &RunResult,
    arms: impl IntoIterator<Item = &'a str>,
) -> bool {
    let with = |result: &RunResult, arm: &str| {
        let record = &result.record;
        let own = record.arm(arm)?;
        let server = record.cluster_of_named(arm).map(|cluster| cluster.server.sha256.clone());
        let sdk = own.sdk.as_ref().map(|sdk| sdk.sha256.clone());
        let library = record.library_of(arm).sha256.clone();
        Some((library, sdk, server))
    };
    let build = |result: &RunResult| result.record.environment.valkey.build_id.clone();
    let same_build = build(past).zip(build(now)).is_none_or(|(past, now)| past == now);
    arms.into_iter().all(|arm| with(past, arm) == with(now, arm))
        && made_by_one(&past.record.tool, &now.record.tool)
        && same_build
        && somebodys_cluster(&past.record) == somebodys_cluster(&now.record)
        && !ran_beside_others(&past.warnings)
        && !differences(past, now).iter().any(|one| one.forbids)
}

/// Whether one and the same program made both.
fn made_by_one(past: &Tool, now: &Tool) -> bool {
    now.names_its_build() && (&past.version, &past.commit) == (&now.version, &now.commit)
}

fn noted(past: &RunResult) -> RunBefore {
    let ratio = |comparison: &Comparison| {
        let ratio = comparison.ratio?;
        Some(RatioBefore {
            baseline: comparison.baseline.clone(),
            candidate: comparison.candidate.clone(),
            metric: comparison.metric,
            ratio: ratio.estimate,
            log_error: log_error_of(&ratio),
        })
    };
    RunBefore {
        started: past.record.started.clone(),
        seed: past.record.seed,
        ratios: past.comparisons.iter().filter_map(ratio).collect(),
    }
}

/// Says of each comparison where the next run would lie.
pub(super) fn add_next_run(comparisons: &mut [Comparison], before: &[RunBefore]) {
    for comparison in comparisons {
        comparison.with_runs_before = with_runs_before(comparison, before);
    }
}

fn with_runs_before(comparison: &Comparison, before: &[RunBefore]) -> Option<WithRunsBefore> {
    let own = comparison.ratio?;
    let same = |past: &&RatioBefore| {
        (&past.baseline, &past.candidate, past.metric)
            == (&comparison.baseline, &comparison.candidate, comparison.metric)
    };
    let past = before.iter().filter_map(|run| run.ratios.iter().find(same));
    let all: Vec<(f64, f64)> = past
        .map(|past| (past.ratio.ln(), past.log_error))
        .chain(once((own.estimate.ln(), log_error_of(&own))))
        .collect();
    let logs: Vec<f64> = all.iter().map(|(log, _)| *log).collect();
    let next_run = next_value(&logs, own.confidence).ok().filter(|_| logs.len() >= MIN_RUNS)?;
    Some(WithRunsBefore {
        runs: logs.len() as u64,
        lowest: logs.iter().copied().fold(f64::INFINITY, f64::min).exp(),
        highest: logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).exp(),
        next_run: next_run.exponential(),
        agreement: agreement(&all),
    })
}

#[cfg(test)]
mod tests {
    use super::super::analyse::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record, scenario};
    use super::*;
    use crate::record::Warning;
    use crate::scenario::{Metric, Provider};

    /// A run whose second arm is slower by `factor` than the usual one.
    fn run(factor: f64, seed: u64) -> RunResult {
        let arms = [GRANT_LANE, SimulatedArm { slower: HGET_LANE.slower * factor, ..HGET_LANE }];
        analyse_as(record(&arms, seed), &scenario(&arms))
    }

    fn after(now: &RunResult, before: &[RunResult]) -> Option<WithRunsBefore> {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut record = now.record.clone();
        record.runs_before = runs_before(now, before);
        let judged = analyse_as(record, &scenario(&arms));
        let mut noted = now.clone();
        note_runs_before(&mut noted, before);
        assert_eq!(noted, judged, "as if it were judged anew");
        // What this run says by itself stays what it was.
        let alone = |result: &RunResult| {
            let of = |one: &Comparison| (one.ratio, one.verdict);
            result.comparisons.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(alone(&judged), alone(now));
        judged.comparisons.into_iter().find(|one| one.metric == Metric::ServiceP50)?.with_runs_before
    }

    #[test]
    fn runs_that_differ_by_more_than_their_intervals_widen_the_next_one_alone() {
        let apart = after(&run(1.0, 9), &[run(1.04, 1), run(0.96, 2), run(1.03, 3)]).unwrap();
        assert!(apart.runs == 4 && apart.disagreement().is_some(), "{apart:?}");
        assert!(apart.next_run.low < apart.lowest && apart.next_run.high > apart.highest, "{apart:?}");
        assert!((apart.highest / apart.lowest / (1.04 / 0.96) - 1.0).abs() < 0.02, "{apart:?}");
        let alike = after(&run(1.0, 9), &[run(1.0, 1), run(1.0, 2), run(1.0, 3)]).unwrap();
        assert!(alike.disagreement().is_none(), "{alike:?}");
        assert!(alike.next_run.half_width() < apart.next_run.half_width() / 3.0, "{alike:?}");
    }

    #[test]
    fn two_runs_say_nothing_of_a_third() {
        assert_eq!(after(&run(1.0, 9), &[run(1.0, 1)]), None);
        assert_eq!(after(&run(1.0, 9), &[]), None);
    }

    #[test]
    fn what_measured_something_else_or_beside_others_is_left_out_and_a_failed_control_is_not() {
        type Change = fn(&mut RunResult);
        let no_use: [Change; 10] = [
            |past| past.valid = false,
            |past| past.record.partial = true,
            |past| past.record.environment.host.cores += 1,
            |past| past.record.environment.library.sha256 = "cd".repeat(32),
            |past| past.record.scenario.load.claims = Some(1),
            |past| past.record.tool.commit = "another".into(),
            |past| past.record.tool.version = "another".into(),
            |past| past.record.environment.valkey.build_id = Some("another".into()),
            |past| past.record.arms[1].name = "another".into(),
            |past| past.warnings.push(Warning::BusyMachine { share: 0.5 }),
        ];
        let [first, second, now] = [run(1.0, 1), run(1.0, 2), run(1.0, 9)].map(|mut run| {
            run.record.environment.valkey.build_id = Some("one".into());
            run
        });
        let runs = |before: [RunResult; 2]| after(&now, &before).map(|all| all.runs);
        assert_eq!(runs([first.clone(), second.clone()]), Some(3));
        for (n, change) in no_use.into_iter().enumerate() {
            let mut other = second.clone();
            change(&mut other);
            assert_eq!(runs([first.clone(), other]), None, "change {n}");
        }
        let all_by = |commit: &str| {
            let [first, second, now] = [&first, &second, &now].map(|run| {
                let mut run = run.clone();
                run.record.tool.commit = commit.into();
                run
            });
            runs_before(&now, &[first, second]).len()
        };
        assert_eq!(["0123456", "0123456-dirty", "unknown"].map(all_by), [2, 0, 0]);
        let of_somebody = |result: &RunResult, addr: &str| {
            let mut result = result.clone();
            result.record.environment.valkey.provider = Provider::External;
            result.record.primaries[0].addr = addr.into();
            result
        };
        let there = |third: &str| {
            let before = [of_somebody(&first, "10.0.0.1:1"), of_somebody(&second, third)];
            runs_before(&of_somebody(&now, "10.0.0.1:1"), &before).len()
        };
        assert_eq!([there("10.0.0.1:1"), there("10.0.0.9:1")], [2, 1], "another cluster");
        let mut vetoed = second.clone();
        vetoed.control.as_mut().unwrap().passed = false;
        assert_eq!(runs([first.clone(), vetoed]), Some(3), "runs are not chosen by what came out");
        let mut beside = now.clone();
        beside.warnings.push(Warning::BusyMachine { share: 0.5 });
        assert_eq!(runs_before(&beside, &[first, second]), []);
    }
}
