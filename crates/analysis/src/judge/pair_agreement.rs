//! What several runs of one scenario say of two variants, and whether they say the same.

use super::comparison_result::{Comparison, Verdict};
use super::result::RunResult;
use crate::scenario::Metric;

/// The verdicts of runs of one scenario on the first two variants that are compared, by its first metric.
#[derive(Clone, Debug, PartialEq)]
pub struct PairAgreement<'a> {
    /// Name of the variant that is held against the baseline.
    pub candidate: &'a str,
    /// Name of the baseline.
    pub baseline: &'a str,
    /// The metric.
    pub metric: Metric,
    /// The verdict of each run that counts and has one, in their order; at least one.
    pub verdicts: Vec<Verdict>,
    /// Further candidates that the first of these runs compares.
    pub other_candidates: usize,
}

impl<'a> PairAgreement<'a> {
    /// Of those of the runs whose verdicts count; `None` where the first of them compares nothing.
    pub fn from_runs(runs: &[&'a RunResult]) -> Option<Self> {
        let mut judged = runs.iter().copied().filter(|run| run.is_judged()).peekable();
        let compared = judged.peek()?.by_first_metric();
        let (_, first) = *compared.first()?;
        let same = |one: &&Comparison| {
            (&one.candidate, &one.baseline, one.metric) == (&first.candidate, &first.baseline, first.metric)
        };
        Some(Self {
            candidate: &first.candidate,
            baseline: &first.baseline,
            metric: first.metric,
            verdicts: judged
                .filter_map(|run| run.comparisons.iter().find(same))
                .map(|one| one.verdict)
                .collect(),
            other_candidates: compared.len() - 1,
        })
    }

    /// What all of them say; `None` where they do not agree.
    pub fn common(&self) -> Option<Verdict> {
        let first = *self.verdicts.first()?;
        self.verdicts.iter().all(|verdict| *verdict == first).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
    use super::super::spoilt_fixture::control_fails;
    use super::*;

    fn run(arms: &[SimulatedArm], spoilt: bool) -> RunResult {
        let mut record = record(arms, 1);
        if spoilt {
            control_fails(&mut record);
        }
        analyse_as(record, &scenario(arms))
    }

    #[test]
    fn runs_agree_where_all_verdicts_that_count_are_the_same() {
        let slower = run(&[GRANT_LANE, HGET_LANE, TWIN], false);
        let equal = run(&[GRANT_LANE, SimulatedArm { name: "hget-lane", ..TWIN }], false);
        let spoilt = run(&[GRANT_LANE, HGET_LANE], true);
        let both = PairAgreement::from_runs(&[&spoilt, &slower, &slower]).unwrap();
        assert_eq!((both.candidate, both.baseline, both.other_candidates), ("hget-lane", "grant-lane", 1));
        assert_eq!((both.verdicts.len(), both.common()), (2, Some(Verdict::Regression)));
        let torn = PairAgreement::from_runs(&[&slower, &equal]).unwrap();
        assert_eq!((torn.verdicts.len(), torn.common()), (2, None));
        assert_eq!(PairAgreement::from_runs(&[&spoilt]), None);
        assert_eq!(PairAgreement::from_runs(&[&run(&[GRANT_LANE], false)]), None);
    }
}
