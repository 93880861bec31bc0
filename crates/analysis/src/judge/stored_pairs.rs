//! What two stored results say of the same two arms. Each has measured them beside each other, so that what
//! changed between the results is in neither difference as it is in their figures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arm_differences::{arm_differences, pair};
use super::metric_source::question;
use super::result::{Comparison, RunResult};
use crate::scenario::Metric;
use crate::stats::Estimate;

/// What one arm takes more than another, in either of two results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoredPair {
    /// Name of the baseline arm, in both results.
    pub baseline: String,
    /// Name of the other arm.
    pub candidate: String,
    /// The metric: the median service time, as a time or in bare round trips.
    pub metric: Metric,
    /// Its unit.
    pub unit: String,
    /// Other arm less baseline arm in the base result, in a server duet with what its clusters may differ by; `None` where its control forbids verdicts, or
    /// it has too little.
    pub in_base: Option<Estimate>,
    /// The same as the candidate result has it.
    pub in_candidate: Option<Estimate>,
    /// Whether the two intervals meet; `None` where one is missing, or where they are in round trips of
    /// different kinds.
    pub agree: Option<bool>,
}

impl StoredPair {
    /// Both arms by one name: `hget-lane less grant-lane`.
    pub fn pair(&self) -> String {
        pair(&self.candidate, &self.baseline)
    }
}

/// By the median service time, all pairs of arms that both results have compared, of which at least one says
/// something.
pub(super) fn own_arms(base: &RunResult, candidate: &RunResult) -> Vec<StoredPair> {
    let told = [base, candidate].map(arm_differences);
    let [of_base, of_candidate] = [base, candidate].map(|result| result.record.ruler());
    let same_ruler = of_base == of_candidate;
    let of = |one: &Comparison| {
        let [in_base, in_candidate] = told.each_ref().map(|all| {
            let asked = asked(one);
            let same = all.iter().find(|told| (&told.candidate, &told.baseline, told.metric) == asked);
            same.map(|told| told.difference)
        });
        let comparable = same_ruler || one.metric != Metric::ServiceP50RoundTrips;
        let both = in_base.zip(in_candidate).filter(|_| comparable);
        StoredPair {
            baseline: one.baseline.clone(),
            candidate: one.candidate.clone(),
            metric: one.metric,
            unit: one.metric.row().unit.name().to_owned(),
            in_base,
            in_candidate,
            agree: both.map(|(a, b)| a.low <= b.high && b.low <= a.high),
        }
    };
    let in_both = |one: &&Comparison| candidate.comparisons.iter().any(|other| asked(other) == asked(one));
    let medians = base.comparisons.iter().filter(|one| question(one.metric) == Metric::ServiceP50);
    medians
        .filter(in_both)
        .map(of)
        .filter(|pair| pair.in_base.is_some() || pair.in_candidate.is_some())
        .collect()
}

/// What a comparison asks.
fn asked(one: &Comparison) -> (&String, &String, Metric) {
    (&one.candidate, &one.baseline, one.metric)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{GRANT_LANE, HGET_LANE};
    use super::super::ruler_fixture::in_round_trips;
    use super::*;

    fn run(seed: u64, times: u32) -> RunResult {
        in_round_trips(&[GRANT_LANE, HGET_LANE], seed, times)
    }

    /// In microseconds, then in round trips.
    fn agreeing(base: &RunResult, candidate: &RunResult) -> Vec<Option<bool>> {
        own_arms(base, candidate).iter().map(|pair| pair.agree).collect()
    }

    #[test]
    fn what_takes_twice_as_long_on_another_machine_takes_as_many_round_trips() {
        let pairs = own_arms(&run(1, 1), &run(3, 1));
        let named: Vec<_> = pairs.iter().map(|one| (one.pair(), one.metric, one.unit.as_str())).collect();
        let both = "hget-lane less grant-lane".to_owned();
        let wanted =
            [(both.clone(), Metric::ServiceP50, "us"), (both, Metric::ServiceP50RoundTrips, "round trips")];
        assert_eq!(named, wanted);
        assert_eq!(agreeing(&run(1, 1), &run(3, 1)), [Some(true), Some(true)], "{pairs:?}");
        assert_eq!(agreeing(&run(1, 1), &run(3, 2)), [Some(false), Some(true)]);
    }

    #[test]
    fn round_trips_of_another_kind_are_shown_and_not_held_against_each_other() {
        let (base, mut other) = (run(1, 1), run(3, 1));
        other.record.ruler_command = Some("PING".into());
        let pairs = own_arms(&base, &other);
        assert_eq!((pairs[0].agree, pairs[1].agree), (Some(true), None));
        assert!(pairs[1].in_base.is_some() && pairs[1].in_candidate.is_some(), "{pairs:?}");
    }

    #[test]
    fn a_result_that_may_not_judge_says_nothing_of_its_arms() {
        let (sound, mut vetoed) = (run(1, 1), run(3, 1));
        vetoed.control.as_mut().unwrap().passed = false;
        for (pairs, sides) in
            [(own_arms(&sound, &vetoed), (true, false)), (own_arms(&vetoed, &sound), (false, true))]
        {
            let told = |one: &StoredPair| (one.in_base.is_some(), one.in_candidate.is_some());
            assert!(pairs.iter().all(|one| told(one) == sides && one.agree.is_none()), "{pairs:?}");
            assert_eq!(pairs.len(), 2);
        }
        assert_eq!(own_arms(&vetoed, &vetoed), []);
        let mut other = sound.clone();
        other.comparisons.retain(|one| one.metric == Metric::ServiceP50);
        assert_eq!(own_arms(&sound, &other).len(), 1, "what one of them did not compare");
    }
}
