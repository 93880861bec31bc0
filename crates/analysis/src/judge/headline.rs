//! Which of several differences an answer names first: of those that count the one that is farthest from
//! none.

use super::result::{Comparison, RunResult, Verdict};
use super::{Conclusion, StoredComparison, StoredExact, StoredFailures, StoredMetric, StoredVerdict};
use crate::stats::Estimate;

impl RunResult {
    /// The comparison that an answer names first, with its place among all: of several candidates by the first
    /// metric the best of those that are better; else the first one. `None` where nothing is compared.
    pub fn headline(&self) -> Option<(usize, &Comparison)> {
        let candidates = self.by_first_metric();
        let better = candidates.iter().copied().filter(|(_, one)| one.verdict == Verdict::Improvement);
        farthest(better, |one| one.ratio).or_else(|| candidates.first().copied())
    }
}

/// In what a candidate is worse than its base, or cannot be told to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StoredHeadline<'a> {
    /// In this metric, which stands at this place among all.
    Metric(usize, &'a StoredMetric),
    /// In claims that did not succeed.
    Failures(&'a StoredFailures),
    /// In what does not vary.
    Exact(&'a StoredExact),
}

impl StoredComparison {
    /// In what the candidate is worse, or cannot be told to be: the metric that changed most, or the first
    /// count. `None` where the conclusion is another one.
    pub fn headline(&self) -> Option<StoredHeadline<'_>> {
        let verdict = match self.conclusion {
            Conclusion::Regression => StoredVerdict::Fail,
            Conclusion::Inconclusive => StoredVerdict::Inconclusive,
            Conclusion::Pass | Conclusion::Invalid => return None,
        };
        let metrics = self.metrics.iter().enumerate().filter(|(_, metric)| metric.verdict == verdict);
        if let Some((place, metric)) = farthest(metrics, |metric| metric.ratio) {
            return Some(StoredHeadline::Metric(place, metric));
        }
        if let Some(failures) = self.failures.iter().find(|one| one.verdict == verdict) {
            return Some(StoredHeadline::Failures(failures));
        }
        self.exact.iter().find(|one| one.verdict == verdict).map(StoredHeadline::Exact)
    }
}

/// The one whose ratio is farthest from 1, with its place; one without a ratio is nearest.
fn farthest<'a, T: 'a>(
    all: impl Iterator<Item = (usize, &'a T)>,
    ratio: fn(&T) -> Option<Estimate>,
) -> Option<(usize, &'a T)> {
    let size = |one: &T| ratio(one).map_or(0.0, |ratio| ratio.estimate.ln().abs());
    all.max_by(|a, b| size(a.1).total_cmp(&size(b.1)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, TWIN, record, scenario};
    use super::super::{StoredOptions, analyse_as, compare};
    use super::*;

    fn ratio(of: f64) -> Estimate {
        Estimate { estimate: of, low: 0.9 * of, high: 1.1 * of, confidence: 0.95 }
    }

    #[test]
    fn an_answer_names_the_best_of_those_that_are_better_and_else_the_first() {
        let arms = [GRANT_LANE, HGET_LANE, TWIN];
        let result = analyse_as(record(&arms, 1), &scenario(&arms));
        let named = |judged: [(Verdict, Option<f64>); 2]| {
            let mut result = result.clone();
            let first = result.comparisons[0].metric;
            let by_first = result.comparisons.iter_mut().filter(|one| one.metric == first);
            for (one, (verdict, of)) in by_first.zip(judged) {
                (one.verdict, one.ratio) = (verdict, of.map(ratio));
            }
            let (place, one) = result.headline().unwrap();
            assert_eq!(&result.comparisons[place], one);
            one.candidate.clone()
        };
        let (better, worse) = (Verdict::Improvement, Verdict::Regression);
        assert_eq!(named([(better, Some(0.9)), (better, Some(0.8))]), "twin");
        assert_eq!(named([(better, Some(0.8)), (better, Some(0.9))]), "hget-lane");
        assert_eq!(named([(worse, Some(1.5)), (better, Some(0.9))]), "twin");
        assert_eq!(named([(worse, Some(1.1)), (worse, Some(1.5))]), "hget-lane");
        assert_eq!(named([(better, None), (better, Some(1.0 / 1.1))]), "twin");
        let alone = [GRANT_LANE];
        assert_eq!(analyse_as(record(&alone, 1), &scenario(&alone)).headline(), None);
    }

    #[test]
    fn of_two_results_the_metric_that_changed_most_is_named_before_any_count() {
        let arms = [GRANT_LANE];
        let [base, candidate] = [1, 2].map(|seed| analyse_as(record(&arms, seed), &scenario(&arms)));
        let options = StoredOptions::from_gate_section(&base.record.scenario.gate);
        let mut compared = compare(&base, &candidate, &options).unwrap();
        compared.conclusion = Conclusion::Regression;
        for (place, metric) in compared.metrics.iter_mut().enumerate() {
            metric.verdict = if place < 2 { StoredVerdict::Fail } else { StoredVerdict::Warn };
            metric.ratio = Some(ratio([1.2, 0.5, 9.0][place.min(2)]));
        }
        compared.failures.push(StoredFailures {
            variant: "grant-lane".into(),
            base: 0,
            base_of: 1_000,
            candidate: 20,
            candidate_of: 1_000,
            verdict: StoredVerdict::Fail,
        });
        assert!(matches!(compared.headline(), Some(StoredHeadline::Metric(1, _))), "farthest either way");
        compared.metrics.iter_mut().for_each(|metric| metric.verdict = StoredVerdict::Pass);
        assert_eq!(compared.headline(), Some(StoredHeadline::Failures(&compared.failures[0])));
        compared.conclusion = Conclusion::Inconclusive;
        assert_eq!(compared.headline(), None, "nothing of that verdict");
        compared.conclusion = Conclusion::Pass;
        assert_eq!(compared.headline(), None);
    }
}
