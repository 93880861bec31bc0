//! What one arm takes more than another, in the metric's unit: the answer of a comparison as a figure of its
//! own, for exports, histories, and results that are held against each other.

use super::comparison_result::Comparison;
use super::control::{cluster_allowance, difference_between_clusters};
use super::result::RunResult;
use crate::scenario::Metric;
use crate::stats::Estimate;

/// Between the names of two arms in the name of both: no variant's name has a space.
const LESS: &str = " less ";

/// One metric of two arms that a run has compared.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmDifference {
    /// Name of the arm that takes so much more.
    pub candidate: String,
    /// Name of the arm that it is held against.
    pub baseline: String,
    /// The metric; the difference is in its unit.
    pub metric: Metric,
    /// Candidate less baseline, with the comparison's interval; where each has a cluster of its own, wider by what
    /// the verdicts allow for, since it goes where no control stands beside it. Below zero where the candidate has
    /// less.
    pub difference: Estimate,
}

impl ArmDifference {
    /// Both arms as exports and histories name them: `hget-lane less grant-lane`.
    pub fn pair(&self) -> String {
        pair(&self.candidate, &self.baseline)
    }

    /// Whether it is surely more than nothing: only of such amounts a ratio of one run's to another's means
    /// something.
    pub fn has_ratio(&self) -> bool {
        self.difference.low > 0.0
    }
}

/// Every difference of a result, comparison by comparison. None of a run that must not be used, nor of one
/// whose control forbids verdicts: its arms may not have been treated alike.
pub fn arm_differences(result: &RunResult) -> Vec<ArmDifference> {
    if !result.is_judged() {
        return Vec::new();
    }
    let allowance = cluster_allowance(result.control.as_ref());
    let on_one_cluster = |one: &Comparison| {
        let of = |arm: &str| result.record.cluster_of_named(arm);
        of(&one.candidate).zip(of(&one.baseline)).is_some_and(|(one, other)| std::ptr::eq(one, other))
    };
    let told = result.comparisons.iter().filter_map(|one| {
        let allowance = if on_one_cluster(one) { 0.0 } else { allowance };
        Some(ArmDifference {
            candidate: one.candidate.clone(),
            baseline: one.baseline.clone(),
            metric: one.metric,
            difference: difference_between_clusters(one.difference?, one.baseline_value, allowance),
        })
    });
    told.collect()
}

/// The name of two arms together.
pub(super) fn pair(candidate: &str, baseline: &str) -> String {
    format!("{candidate}{LESS}{baseline}")
}

/// The arms in a key of a history (`variant/metric`): one, or a difference's candidate and baseline.
pub(super) fn arms_of(key: &str) -> (&str, Option<&str>) {
    let arms = key.split('/').next().unwrap_or_default();
    arms.split_once(LESS).map_or((arms, None), |(candidate, baseline)| (candidate, Some(baseline)))
}

/// The metric in a key of a history; `None` for one that is counted by itself, as a command is, and for one that this
/// version does not know.
pub(super) fn metric_in(key: &str) -> Option<Metric> {
    let (_, name) = key.split_once('/')?;
    Metric::find(name)
}

/// Whether a key of a history is of what one arm takes more than another, and not of one arm.
pub fn is_of_two_arms(key: &str) -> bool {
    arms_of(key).1.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::analyse;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, TWIN};
    use super::super::ruler_fixture::in_round_trips;
    use super::super::server_fixture::server_duet;
    use super::*;

    #[test]
    fn a_difference_is_told_in_each_unit_that_was_compared() {
        let told = arm_differences(&in_round_trips(&[GRANT_LANE, HGET_LANE], 1, 1));
        assert_eq!(told.len(), 2, "{told:?}");
        for (one, (metric, more)) in
            told.iter().zip([(Metric::ServiceP50, 40.0), (Metric::ServiceP50RoundTrips, 0.8)])
        {
            assert_eq!((one.metric, one.pair().as_str()), (metric, "hget-lane less grant-lane"));
            assert!(one.difference.contains(more), "{one:?}");
        }
        let has_ratio = |low: f64| {
            let difference = Estimate { low, ..told[0].difference };
            ArmDifference { difference, ..told[0].clone() }.has_ratio()
        };
        assert_eq!([0.1, 0.0, -1.0].map(has_ratio), [true, false, false]);
    }

    #[test]
    fn nothing_is_told_of_a_run_that_may_not_judge() {
        let sound = in_round_trips(&[GRANT_LANE, HGET_LANE], 1, 1);
        let with = |change: fn(&mut RunResult)| {
            let mut result = sound.clone();
            change(&mut result);
            arm_differences(&result).len()
        };
        assert_eq!(with(|_| ()), 2);
        assert_eq!(with(|result| result.valid = false), 0);
        assert_eq!(with(|result| result.record.partial = true), 0);
        assert_eq!(with(|result| result.control.as_mut().unwrap().passed = false), 0);
        // As in results of versions that did not tell.
        assert_eq!(with(|result| result.comparisons[1].difference = None), 1);
    }

    /// By which both verdicts and differences are wider on either side, whichever metric it is.
    #[test]
    fn a_difference_between_clusters_allows_for_what_two_of_one_server_differ_by() {
        let mut duet = analyse(server_duet(&[GRANT_LANE, TWIN], 1)).unwrap();
        let allowance = duet.control.as_ref().unwrap().allowance.unwrap();
        assert!(allowance > 0.0, "{:?}", duet.control);
        let told = arm_differences(&duet);
        assert!(told.len() > 1, "{told:?}");
        for (one, of_run) in told.iter().zip(&duet.comparisons) {
            let (wide, own) = (one.difference, of_run.difference.unwrap());
            assert_eq!((one.metric, wide.estimate.to_bits()), (of_run.metric, own.estimate.to_bits()));
            let candidate = of_run.candidate_value;
            for more in [own.low - wide.low, wide.high - own.high] {
                assert!((more / (allowance * candidate) - 1.0).abs() < 0.1, "{wide:?} {own:?} {allowance}");
            }
        }
        let assert_as_of_run = |duet: &RunResult, why: &str| {
            for (one, of_run) in arm_differences(duet).iter().zip(&duet.comparisons) {
                assert_eq!(Some(one.difference), of_run.difference, "{why}");
            }
        };
        // Variants without a server of their own share the baseline's cluster.
        let mut shared = duet.clone();
        shared.record.clusters[0].arms = vec![0, 1];
        assert_as_of_run(&shared, "on one cluster");
        duet.control.as_mut().unwrap().allowance = None;
        assert_as_of_run(&duet, "nothing to allow for");
    }

    #[test]
    fn a_key_of_two_arms_is_known_from_one_of_one() {
        let key = format!("{}/service_p50", pair("hget-lane", "grant-lane"));
        assert_eq!(arms_of(&key), ("hget-lane", Some("grant-lane")));
        assert!(is_of_two_arms(&key));
        assert_eq!(arms_of("less-work/calls.hget"), ("less-work", None));
        assert!(!is_of_two_arms("less-work/calls.hget"));
    }
}
