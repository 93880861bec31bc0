//! Whether a run found its machine in the state in which it made the runs before. What changes that state from outside (another guest
//! of the host that empties shared caches, a slower clock) is in no figure of the run itself: it only takes longer throughout.

use crate::record::Warning;
use crate::scenario::Metric;

use super::comparable::differences;
use super::comparison::value;
use super::result::RunResult;

/// Runs that say what is usual.
const MIN_RUNS_BEFORE: usize = 2;

/// Claims of which a median says what a claim takes.
const MIN_CLAIMS: u64 = 1_000;

/// A median outside of what the runs before had by more than this factor is that of another state: on shared machines they vary by a
/// tenth, and in trials in which they took 1.4 times as long, the ratio of two variants was a different one
/// (results/reference/trials/headline-third.txt).
const OTHERWISE: f64 = 1.25;

/// A warning where a run's median claim took much longer or shorter than those of the runs `before` on its machine. Runs that measured
/// something else, or another function library, or are no use, say nothing; fewer than two say nothing.
pub fn unlike_before<'a>(
    result: &RunResult,
    before: impl IntoIterator<Item = &'a RunResult>,
) -> Option<Warning> {
    let arm = &result.record.arms.first()?.name;
    let now_us = median_us(result, arm)?;
    let comparable = |past: &&RunResult| {
        let library = |result: &RunResult| result.record.environment.library.sha256.clone();
        library(past) == library(result) && !differences(past, result).iter().any(|one| one.forbids)
    };
    let usual: Vec<f64> =
        before.into_iter().filter(comparable).filter_map(|past| median_us(past, arm)).collect();
    let (low_us, high_us) =
        (usual.iter().copied().fold(f64::INFINITY, f64::min), usual.iter().copied().fold(0.0, f64::max));
    let unlike = now_us > high_us * OTHERWISE || now_us * OTHERWISE < low_us;
    (usual.len() >= MIN_RUNS_BEFORE && unlike).then(|| Warning::UnlikeBefore {
        arm: arm.clone(),
        now_us,
        low_us,
        high_us,
        runs: usual.len() as u64,
    })
}

fn median_us(result: &RunResult, arm: &str) -> Option<f64> {
    let record = &result.record;
    let position = record.arms.iter().position(|one| one.name == arm)?;
    let enough = record.arms[position].outcomes.claimed >= MIN_CLAIMS;
    enough.then(|| value(record, position, Metric::ServiceP50)).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::analyse::analyse_as;
    use super::super::fixtures::{GRANT_LANE, SimulatedArm, record, scenario};
    use super::*;

    /// A run whose median is `us`.
    fn run(us: f64, seed: u64) -> RunResult {
        let arms = [SimulatedArm { slower: us / 200.0, ..GRANT_LANE }];
        analyse_as(record(&arms, seed), &scenario(&arms))
    }

    fn found(now: &RunResult, before: &[RunResult]) -> Option<[f64; 3]> {
        unlike_before(now, before).map(|warning| {
            let Warning::UnlikeBefore { now_us, low_us, high_us, .. } = warning else {
                panic!("{warning:?}")
            };
            [now_us, low_us, high_us]
        })
    }

    #[test]
    fn a_machine_in_another_state_is_noticed_and_one_that_varies_is_not() {
        let before = [run(200.0, 1), run(230.0, 2), run(210.0, 3)];
        for usual in [170.0, 200.0, 230.0, 280.0] {
            assert_eq!(found(&run(usual, 4), &before), None, "{usual}");
        }
        for other in [150.0, 300.0, 450.0] {
            let [now, low, high] = found(&run(other, 4), &before).unwrap();
            assert!((now / other - 1.0).abs() < 0.02 && (low / 200.0 - 1.0).abs() < 0.02, "{now} {low}");
            assert!((high / 230.0 - 1.0).abs() < 0.02, "{high}");
        }
    }

    #[test]
    fn runs_that_measured_something_else_or_are_no_use_say_nothing() {
        type Change = fn(&mut RunResult);
        let changes: [Change; 5] = [
            |past| past.valid = false,
            |past| past.record.environment.host.cores += 1,
            |past| past.record.environment.library.sha256 = "cd".repeat(32),
            |past| past.record.scenario.load.claims = Some(1),
            |past| past.record.arms[0].outcomes.claimed = 999,
        ];
        let now = run(450.0, 4);
        assert!(found(&now, &[run(200.0, 1), run(210.0, 2)]).is_some());
        for (n, change) in changes.into_iter().enumerate() {
            let mut other = run(210.0, 2);
            change(&mut other);
            assert_eq!(found(&now, &[run(200.0, 1), other]), None, "change {n}: one run is no custom");
        }
    }
}
