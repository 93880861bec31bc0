//! Whether a run found its machine in the state in which it made the runs before. What changes that state
//! from outside (another guest of the host that empties shared caches, a slower clock) is in no figure of the
//! run itself: it only takes longer throughout.

use crate::record::Warning;
use crate::scenario::Metric;

use super::beside_others::ran_beside_others;
use super::comparison::value;
use super::result::RunResult;
use super::runs_before::measured_the_same;

/// Runs that say what is usual.
const MIN_RUNS_BEFORE: usize = 2;

/// Claims of which a median says what a claim takes.
const MIN_CLAIMS: u64 = 1_000;

/// A median outside of what the runs before had by more than this factor is that of another state: on shared
/// machines they vary by a tenth, and in trials in which they took 1.4 times as long, the ratio of two
/// variants was a different one (results/reference/trials/headline-third.txt).
const OTHERWISE: f64 = 1.25;

/// Runs that are looked at, the latest that say something.
const MOST_RUNS_BEFORE: usize = 3;

/// A warning where a run's median claim took much longer or shorter than those of the runs `before` on its
/// machine, the earliest first: the last three that measured the same, by themselves. Fewer than two say
/// nothing. A run beside other programs is told of them, and no custom is made of runs that were unlike the
/// ones before them.
pub fn unlike_before(result: &RunResult, before: &[RunResult]) -> Option<Warning> {
    let arm = &result.record.arms.first()?.name;
    let now_us = median_us(result, arm).filter(|_| !ran_beside_others(&result.warnings))?;
    let usual: Vec<f64> = before
        .iter()
        .rev()
        .filter(|past| says_what_is_usual(past, result, arm))
        .filter_map(|past| median_us(past, arm))
        .take(MOST_RUNS_BEFORE)
        .collect();
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

/// Whether a past run shows what the first arm usually takes here. It must have used the same library and
/// tool, which `compare` lets differ: another one would be a cause of its own.
fn says_what_is_usual(past: &RunResult, now: &RunResult, arm: &str) -> bool {
    let own = |warning: &Warning| matches!(warning, Warning::UnlikeBefore { .. });
    measured_the_same(past, now, [arm]) && !past.warnings.iter().any(own)
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
        let unlike = Warning::UnlikeBefore {
            arm: "grant-lane".into(),
            now_us: 450.0,
            low_us: 200.0,
            high_us: 210.0,
            runs: 2,
        };
        let changes: [Change; 8] = [
            |past| past.valid = false,
            |past| past.record.partial = true,
            |past| past.record.environment.host.cores += 1,
            |past| past.record.environment.library.sha256 = "cd".repeat(32),
            |past| past.record.scenario.load.claims = Some(1),
            |past| past.record.arms[0].outcomes.claimed = 999,
            |past| past.record.tool.commit = "another".into(),
            |past| past.warnings.push(Warning::BusyMachine { share: 0.5 }),
        ];
        let now = run(450.0, 4);
        let [first, second] = [run(200.0, 1), run(210.0, 2)];
        assert!(found(&now, &[first.clone(), second.clone()]).is_some());
        for (n, change) in changes.into_iter().enumerate() {
            let mut other = second.clone();
            change(&mut other);
            assert_eq!(
                found(&now, &[first.clone(), other.clone()]),
                None,
                "change {n}: one run is no custom"
            );
            // They take no other's place.
            let before = [first.clone(), second.clone(), other.clone(), other.clone(), other];
            assert!(found(&now, &before).is_some(), "change {n}");
        }
        let beside = |warning: Warning| {
            let mut now = now.clone();
            now.warnings.push(warning);
            now
        };
        assert_eq!(
            found(&beside(Warning::BusyMachine { share: 0.5 }), &[first.clone(), second.clone()]),
            None
        );
        // Repeated, it is as unlike the runs before as it was.
        assert!(found(&now, &[first, second, beside(unlike)]).is_some());
    }

    #[test]
    fn the_latest_of_them_say_what_is_usual() {
        let before = [450.0, 460.0, 200.0, 210.0, 205.0].map(|us| run(us, 1));
        assert!(found(&run(450.0, 4), &before).is_some());
        assert_eq!(found(&run(210.0, 4), &before), None);
    }
}
