//! Why something is inconclusive: found where verdicts are, so that no report has to find it again.

use crate::scenario::Metric;
use crate::stats::{Estimate, TooFew};

use super::control::cluster_allowance;
use super::repeat::{Repeated, RepeatedComparison};
use super::result::{Comparison, RunResult, Verdict};
use super::stored_result::{StoredMetric, StoredVerdict};
use super::verdict::verdict;

/// Why a verdict is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Undecided {
    /// There is too little for an estimate.
    TooFew(TooFew),
    /// There is no estimate, and nothing tells why.
    NoEstimate,
    /// The control forbids every verdict.
    ControlFailed,
    /// The interval is that of a change. Asked so much at once, it may be chance all the same.
    MayBeChance {
        /// Its probability without a change, corrected for how much was asked.
        p_value: f64,
    },
    /// The interval is that of a change, but not with what two clusters of one server may differ by.
    ClustersDifferToo {
        /// What these may differ by, as a share.
        allowance: f64,
    },
    /// The interval holds noise and a change.
    TooWide {
        /// Smallest relative difference that could have been shown; `None` where nobody knows, as over
        /// several runs.
        detectable: Option<f64>,
    },
    /// The interval lies on both sides of where a change fails.
    OnBothSides {
        /// Where that is, as a share of the base.
        threshold: f64,
    },
}

impl RunResult {
    /// Why one of its comparisons is inconclusive; `None` for one that is not.
    pub fn undecided(&self, comparison: &Comparison) -> Option<Undecided> {
        let interval = Interval {
            ratio: comparison.ratio,
            metric: comparison.metric,
            threshold: Some(self.record.scenario.noise_threshold()),
            allowance: cluster_allowance(self.control.as_ref()),
            p_value: comparison.p_value,
            detectable: comparison.detectable,
        };
        let undecided = comparison.verdict == Verdict::Inconclusive;
        undecided.then(|| interval.undecided(comparison.too_few.as_ref(), self.is_vetoed()))
    }
}

impl Repeated {
    /// Why one of its comparisons is inconclusive; `None` for one that is not.
    pub fn undecided(&self, comparison: &RepeatedComparison) -> Option<Undecided> {
        let interval = Interval {
            ratio: comparison.ratio,
            metric: comparison.metric,
            threshold: self.noise_threshold,
            allowance: 0.0,
            p_value: comparison.p_value,
            detectable: None,
        };
        let undecided = comparison.verdict == Verdict::Inconclusive;
        undecided.then(|| interval.undecided(comparison.too_few.as_ref(), !self.control_passed))
    }
}

impl StoredMetric {
    /// Why it is inconclusive; `None` where it is not.
    pub fn undecided(&self) -> Option<Undecided> {
        let undecided = self.verdict == StoredVerdict::Inconclusive;
        undecided.then(|| match (&self.too_few, &self.thresholds) {
            (Some(too_few), _) => Undecided::TooFew(too_few.clone()),
            (None, Some(thresholds)) => Undecided::OnBothSides { threshold: thresholds.fail },
            (None, None) => Undecided::NoEstimate,
        })
    }
}

/// What a verdict was taken from, within a run or over several.
struct Interval {
    ratio: Option<Estimate>,
    metric: Metric,
    threshold: Option<f64>,
    allowance: f64,
    p_value: Option<f64>,
    detectable: Option<f64>,
}

impl Interval {
    /// The first reason that holds: without an estimate the control has nothing to forbid.
    fn undecided(&self, too_few: Option<&TooFew>, vetoed: bool) -> Undecided {
        if let Some(too_few) = too_few {
            return Undecided::TooFew(too_few.clone());
        }
        if vetoed {
            return Undecided::ControlFailed;
        }
        let Some(ratio) = self.ratio else { return Undecided::NoEstimate };
        match (self.is_of_a_change(ratio, self.allowance), self.p_value) {
            (true, Some(p_value)) => Undecided::MayBeChance { p_value },
            (false, _) if self.is_of_a_change(ratio, 0.0) => {
                Undecided::ClustersDifferToo { allowance: self.allowance }
            }
            _ => Undecided::TooWide { detectable: self.detectable },
        }
    }

    /// Whether the rule calls a change what is wider by this allowance.
    fn is_of_a_change(&self, ratio: Estimate, allowance: f64) -> bool {
        let wider = ratio.wider_by_factor(1.0 + allowance);
        let direction = self.metric.row().direction;
        self.threshold.is_some_and(|threshold| verdict(&wider, direction, threshold).is_change())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
    use super::super::{Thresholds, analyse_as, repeat};
    use super::*;
    use crate::record::RunRecord;

    fn run(arms: &[SimulatedArm], seed: u64, change: impl FnOnce(&mut RunRecord)) -> RunResult {
        let mut record = record(arms, seed);
        change(&mut record);
        analyse_as(record, &scenario(arms))
    }

    /// A comparison that says a fifth more, as far as its interval goes.
    fn inconclusive(result: &RunResult) -> Comparison {
        let one = result.comparisons[0].clone();
        assert!(one.metric == Metric::ServiceP50 && one.ratio.unwrap().low > 1.15, "{one:?}");
        Comparison { verdict: Verdict::Inconclusive, ..one }
    }

    #[test]
    fn what_is_decided_has_no_reason_why_it_is_not() {
        let clear = run(&[GRANT_LANE, HGET_LANE], 3, |_| ());
        assert_eq!(clear.comparisons[0].verdict, Verdict::Regression);
        assert_eq!(clear.undecided(&clear.comparisons[0]), None);
        let equal = Comparison { verdict: Verdict::NoChange, ..clear.comparisons[0].clone() };
        assert_eq!(clear.undecided(&equal), None);
    }

    #[test]
    fn too_few_claims_are_told_before_all_else() {
        let short = run(&[GRANT_LANE, TWIN], 3, |record| record.strata.truncate(40));
        let p99 = short.comparisons.iter().find(|one| one.metric == Metric::ServiceP99).unwrap();
        let too_few = p99.too_few.clone().unwrap();
        assert_eq!(short.undecided(p99), Some(Undecided::TooFew(too_few.clone())));
        let mut vetoed = short.clone();
        vetoed.control.as_mut().unwrap().passed = false;
        assert_eq!(vetoed.undecided(p99), Some(Undecided::TooFew(too_few)));
        let untold = Comparison { ratio: None, too_few: None, ..p99.clone() };
        let sound = run(&[GRANT_LANE, TWIN], 3, |_| ());
        assert_eq!(sound.undecided(&untold), Some(Undecided::NoEstimate));
    }

    #[test]
    fn a_failed_control_is_the_reason_for_all_that_it_forbids() {
        let vetoed = run(&[GRANT_LANE, HGET_LANE], 3, |record| {
            for stratum in record.strata.iter_mut().filter(|stratum| stratum.control) {
                stratum.sides[1].service.0.iter_mut().for_each(|ticks| *ticks += *ticks / 10);
            }
        });
        let reasons: Vec<_> = vetoed.comparisons.iter().map(|one| vetoed.undecided(one)).collect();
        assert!(!reasons.is_empty());
        assert!(reasons.iter().all(|reason| *reason == Some(Undecided::ControlFailed)), "{reasons:?}");
    }

    #[test]
    fn an_interval_of_a_change_may_be_chance_or_the_clusters() {
        let mut result = run(&[GRANT_LANE, HGET_LANE], 3, |_| ());
        let one = Comparison { p_value: Some(0.08), ..inconclusive(&result) };
        assert_eq!(result.undecided(&one), Some(Undecided::MayBeChance { p_value: 0.08 }));
        // With a little of it the interval is still that of a change, with a fifth it is not.
        for (allowance, reason) in [
            (0.01, Undecided::MayBeChance { p_value: 0.08 }),
            (0.2, Undecided::ClustersDifferToo { allowance: 0.2 }),
        ] {
            result.control.as_mut().unwrap().allowance = Some(allowance);
            assert_eq!(result.undecided(&one), Some(reason));
        }
    }

    #[test]
    fn an_interval_that_holds_noise_and_a_change_is_too_wide() {
        let result = run(&[GRANT_LANE, HGET_LANE], 3, |_| ());
        let ratio = Estimate { low: 1.0, ..result.comparisons[0].ratio.unwrap() };
        let wide = Comparison { ratio: Some(ratio), detectable: Some(0.03), ..inconclusive(&result) };
        assert_eq!(result.undecided(&wide), Some(Undecided::TooWide { detectable: Some(0.03) }));
    }

    #[test]
    fn a_series_has_reasons_of_its_own() {
        let arms = [GRANT_LANE, HGET_LANE];
        let runs: Vec<RunResult> = (0..4).map(|seed| run(&arms, seed, |_| ())).collect();
        let mut series = repeat(&runs, 4);
        let clear = series.comparisons[0].clone();
        assert_eq!((clear.verdict, series.undecided(&clear)), (Verdict::Regression, None));
        let verdict = Verdict::Inconclusive;
        let chance = RepeatedComparison { verdict, p_value: Some(0.08), ..clear.clone() };
        assert_eq!(series.undecided(&chance), Some(Undecided::MayBeChance { p_value: 0.08 }));
        let ratio = clear.ratio.map(|ratio| Estimate { low: 1.0, ..ratio });
        let wide = RepeatedComparison { ratio, verdict, ..clear };
        assert_eq!(series.undecided(&wide), Some(Undecided::TooWide { detectable: None }));
        series.control_passed = false;
        assert_eq!(series.undecided(&chance), Some(Undecided::ControlFailed));
        let two = repeat(&runs[..2], 2);
        let few = &two.comparisons[0];
        assert_eq!(two.undecided(few), few.too_few.clone().map(Undecided::TooFew));
        assert!(few.too_few.is_some());
    }

    #[test]
    fn a_stored_metric_lies_on_both_sides_of_what_fails_or_has_too_little() {
        let mut metric = StoredMetric {
            variant: "twin".into(),
            metric: Metric::ServiceP99,
            unit: "us".into(),
            base_value: None,
            candidate_value: None,
            ratio: None,
            too_few: None,
            thresholds: Some(Thresholds { warn: 0.1, fail: 0.2 }),
            verdict: StoredVerdict::Inconclusive,
        };
        assert_eq!(metric.undecided(), Some(Undecided::OnBothSides { threshold: 0.2 }));
        let too_few = TooFew::samples("claims", 8, 3);
        metric.too_few = Some(too_few.clone());
        assert_eq!(metric.undecided(), Some(Undecided::TooFew(too_few)));
        (metric.too_few, metric.thresholds) = (None, None);
        assert_eq!(metric.undecided(), Some(Undecided::NoEstimate));
        metric.verdict = StoredVerdict::Warn;
        assert_eq!(metric.undecided(), None);
    }
}
