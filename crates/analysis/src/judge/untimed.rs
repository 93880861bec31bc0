//! Claims that were sent and have no time: their replies were lost, or servers refused them or sent them
//! elsewhere. No quantile knows of them, and most of them took longer than the others.

use crate::record::{ArmRecord, Outcomes, RunRecord, UntimedP99, Warning};
use crate::scenario::{Metric, Mode, P99};
use crate::stats::Latencies;

/// Claims of a variant without a time, in its window
/// ([`Outcome::is_untimed`](crate::record::Outcome::is_untimed)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Untimed {
    /// Claims that hold their lease, or may hold it, since an unknown moment.
    pub unknown: u64,
    /// Claims that never got a lease, as far as was seen.
    pub never: u64,
}

impl Untimed {
    /// Claims that a function answered without a lease have no time either: they are not among these, for
    /// nobody waited for them.
    pub fn from_arm(arm: &ArmRecord) -> Self {
        // Claims of grants that are left to expire come after the window, and none of them is timed.
        let sum = |of: fn(&Outcomes) -> u64| of(&arm.outcomes).saturating_sub(of(&arm.late));
        Self {
            unknown: sum(|outcomes| outcomes.ambiguous + outcomes.redirected.values().sum::<u64>()),
            never: sum(|outcomes| outcomes.timed_out + outcomes.failed),
        }
    }

    /// All of them.
    pub fn all(self) -> u64 {
        self.unknown + self.never
    }
}

/// What a 99th percentile does not know of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WithoutTime {
    /// Claims that were sent and have no time.
    pub claims: u64,
    /// The 99th percentile in µs with claims without a time counted as slowest; `None` where it is one of
    /// these.
    pub p99_us: Option<f64>,
}

/// What the 99th percentile of these times does not know of; `None` where it knows of all.
pub(super) fn without_time(times: &Latencies, untimed: Untimed) -> Option<WithoutTime> {
    let claims = untimed.all();
    let p99_us = times.quantile_with_later_us(P99, claims);
    (claims > 0).then_some(WithoutTime { claims, p99_us })
}

/// An arm's claims without a time, and what they would make of each 99th percentile. Of a storm's time to
/// resume every execution is one, however often it was claimed: reports count those.
pub(super) fn warning(arm: &ArmRecord, record: &RunRecord) -> Option<Warning> {
    let storm = record.scenario.load.mode == Mode::Storm;
    let clocks = [
        (Metric::ServiceP99, &arm.service),
        (Metric::ResponseP99, &arm.response),
        (Metric::ResumeP99, &arm.resume),
    ];
    let told = clocks.into_iter().filter(|(metric, _)| !(storm && metric.is_of_resuming()));
    let p99: Vec<UntimedP99> = told
        .filter_map(|(metric, histogram)| {
            let times = Latencies::readable(histogram)?;
            let with_late_us = without_time(&times, Untimed::from_arm(arm))?.p99_us;
            Some(UntimedP99 { metric, known_us: times.quantile_us(P99), with_late_us })
        })
        .collect();
    let of = arm.outcomes.sent().saturating_sub(arm.late.sent());
    (!p99.is_empty()).then(|| Warning::Untimed {
        arm: arm.name.clone(),
        claims: Untimed::from_arm(arm).all(),
        of,
        p99,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, record, scenario, spread};

    /// What is said of a run after a change.
    fn said(change: impl FnOnce(&mut RunRecord)) -> Option<Warning> {
        let mut run = record(&[GRANT_LANE], 1);
        change(&mut run);
        let warnings = analyse_as(run, &scenario(&[GRANT_LANE])).warnings;
        warnings.into_iter().find(|warning| matches!(warning, Warning::Untimed { .. }))
    }

    #[test]
    fn claims_without_a_time_are_told_with_what_they_would_make_of_each_p99() {
        assert_eq!(said(|_| ()), None);
        let answered = said(|run| (run.arms[0].outcomes.expired, run.arms[0].outcomes.lost_race) = (9, 9));
        assert_eq!(answered, None, "they had a reply");
        let some = said(|run| {
            run.arms[0].response = spread(6_000, 400.0, 3);
            (run.arms[0].outcomes.ambiguous, run.arms[0].outcomes.timed_out) = (20, 10);
        });
        let Some(Warning::Untimed { claims: 30, of: 6_030, p99, .. }) = &some else { panic!("{some:?}") };
        let of = p99.iter().map(|one| one.metric).collect::<Vec<_>>();
        assert_eq!(of, [Metric::ServiceP99, Metric::ResponseP99]);
        assert!(p99.iter().all(|one| one.with_late_us.is_some_and(|us| us > one.known_us)), "{p99:?}");
        let many = said(|run| run.arms[0].outcomes.ambiguous = 61);
        let Some(Warning::Untimed { p99, .. }) = &many else { panic!("{many:?}") };
        assert_eq!(p99[0].with_late_us, None, "it is one of them");
    }

    /// They come after the window.
    #[test]
    fn claims_of_grants_that_were_left_to_expire_are_not_among_them() {
        let late = said(|run| {
            (run.arms[0].outcomes.failed, run.arms[0].late.failed) = (5, 5);
            run.scenario.grant.unconsumed = 0.1;
        });
        assert_eq!(late, None);
    }

    #[test]
    fn of_a_storm_the_time_to_resume_is_one_of_executions() {
        let storm = said(|run| {
            run.scenario.load.mode = Mode::Storm;
            run.arms[0].resume = spread(6_000, 900_000.0, 2);
            run.arms[0].outcomes.timed_out = 4;
        });
        let Some(Warning::Untimed { p99, .. }) = &storm else { panic!("{storm:?}") };
        assert_eq!(p99.iter().map(|one| one.metric).collect::<Vec<_>>(), [Metric::ServiceP99]);
    }
}
