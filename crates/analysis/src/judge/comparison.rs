//! Arms against the baseline: ratios with intervals, and their verdicts, unless the control forbids them.

use std::collections::BTreeSet;

use crate::record::{CounterBlock, RunRecord, Warning};
use crate::scenario::{Compare, Metric};
use crate::stats::{
    Latencies, PairedEffect, TooFew, Totals, halves, holm_bonferroni, paired_means, paired_quantile,
    paired_quantile_over, paired_totals,
};

use super::arm_counts::{arm_samples, blocks_of_metric, rulers};
use super::beside_others::allow_for_others;
use super::control::{cluster_allowance, control};
use super::exact_values::exact_pairs;
use super::metric_source::{Source, is_withheld, question, source};
use super::result::{Comparison, Control, ExactMetric, RatioHalves, Verdict};
use super::stratum_sides::{SidePair, borrowed, stratum_pairs};
use super::verdict::verdict;

/// All that a comparison within one run says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Judgement {
    pub comparisons: Vec<Comparison>,
    pub exact: Vec<ExactMetric>,
    pub control: Option<Control>,
    /// What was asked for and cannot be compared.
    pub remarks: Vec<Warning>,
}

/// Compares every other arm with the baseline. `allowed` is the share of an effect that its interval is wider
/// by for what ran beside it.
pub(super) fn judge(record: &RunRecord, compare: &Compare, allowed: Option<f64>) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(baseline) = record.arms.iter().position(|arm| arm.name == compare.baseline) else {
        judgement.remarks.push(Warning::NoBaseline { name: compare.baseline.clone() });
        return judgement;
    };
    for candidate in (0..record.arms.len()).filter(|&arm| arm != baseline) {
        let sides = ArmPair { record, compare, baseline, candidate };
        for &metric in &compare.metrics {
            match sides.compared(metric) {
                Some(comparison) => judgement.comparisons.push(comparison),
                None => judgement.remarks.push(Warning::NotMeasured {
                    metric: metric.name().to_owned(),
                    arm: record.arms[candidate].name.clone(),
                }),
            }
        }
        judgement.exact.extend(sides.exact());
    }
    if let Some(share) = allowed
        && allow_for_others(&mut judgement.comparisons, share, record)
    {
        judgement.remarks.push(Warning::WiderBesideOthers { share });
    }
    let changed: Vec<Warning> = changed_effects(&judgement.comparisons).collect();
    judgement.remarks.extend(changed);
    judgement.control = control(record, baseline, compare);
    let allowance = cluster_allowance(judgement.control.as_ref());
    judge_by_intervals(&mut judgement.comparisons, allowance, compare.noise_threshold);
    correct_for_many(&mut judgement.comparisons, compare);
    if judgement.control.as_ref().is_some_and(|control| !control.passed) {
        for comparison in &mut judgement.comparisons {
            comparison.verdict = Verdict::Inconclusive;
        }
    }
    judgement
}

/// A verdict for each interval. Arms on clusters of their own differ by what two clusters of one server
/// differ by as well: it must hold with the interval wider by that `allowance` on either side.
fn judge_by_intervals(comparisons: &mut [Comparison], allowance: f64, threshold: f64) {
    for comparison in comparisons {
        let Some(ratio) = &comparison.ratio else { continue };
        let wider = ratio.wider_by_factor(1.0 + allowance);
        comparison.verdict = verdict(&wider, comparison.metric.row().direction, threshold);
        if allowance > 0.0 {
            let with_it = |size: f64| (1.0 + size) * (1.0 + allowance) - 1.0;
            comparison.detectable = comparison.detectable.map(with_it);
        }
    }
}

/// Replaces raw p-values by corrected ones; a change that does not survive the correction is inconclusive.
fn correct_for_many(comparisons: &mut [Comparison], compare: &Compare) {
    let asked: Vec<_> =
        comparisons.iter().map(|one| (one.metric, one.candidate.clone(), one.p_value)).collect();
    for (comparison, p_value) in comparisons.iter_mut().zip(corrected_for_many(&asked)) {
        comparison.p_value = p_value;
        if p_value.is_some() {
            comparison.verdict = comparison.verdict.if_significant(p_value, compare.confidence);
        }
    }
}

/// p-values of all that is asked at once (Holm and Bonferroni), in the order asked. One question that is
/// answered in two units is asked once: by the less certain of its answers.
pub(super) fn corrected_for_many(asked: &[(Metric, String, Option<f64>)]) -> Vec<Option<f64>> {
    let mut raw: Vec<((Metric, &str), f64)> = Vec::new();
    for one in asked {
        let Some(p_value) = one.2 else { continue };
        let key = (question(one.0), one.1.as_str());
        match raw.iter_mut().find(|known| known.0 == key) {
            Some(known) => known.1 = known.1.max(p_value),
            None => raw.push((key, p_value)),
        }
    }
    let adjusted = holm_bonferroni(&raw.iter().map(|(_, p_value)| *p_value).collect::<Vec<_>>());
    let of = |one: &(Metric, String, Option<f64>)| {
        one.2?;
        raw.iter().position(|known| known.0 == (question(one.0), one.1.as_str())).map(|at| adjusted[at])
    };
    asked.iter().map(of).collect()
}

/// Probability below which an effect is said to be another one in the second half. Of a thousand runs in which
/// nothing changed one says so.
const CHANGED: f64 = 0.001;

/// Of ln(candidate / baseline), pair by pair in the order taken.
fn in_halves(differences: &[f64]) -> Option<RatioHalves> {
    let halves = halves(differences)?;
    Some(RatioHalves { first: halves.first.exp(), second: halves.second.exp(), p_value: halves.p_value })
}

/// Of the metric that an answer is given by: the run's figure is one of how long it lasted.
fn changed_effects(comparisons: &[Comparison]) -> impl Iterator<Item = Warning> {
    let first = comparisons.first().map(|one| one.metric);
    comparisons.iter().filter(move |one| Some(one.metric) == first).filter_map(|one| {
        let halves = one.halves.filter(|halves| halves.p_value < CHANGED)?;
        Some(Warning::EffectChanged {
            candidate: one.candidate.clone(),
            metric: one.metric,
            first: halves.first,
            second: halves.second,
        })
    })
}

/// One candidate against the baseline.
struct ArmPair<'a> {
    record: &'a RunRecord,
    compare: &'a Compare,
    baseline: usize,
    candidate: usize,
}

impl ArmPair<'_> {
    /// One metric; `None` where the run has no value of it, or withholds it, which a gate takes for no pass.
    fn compared(&self, metric: Metric) -> Option<Comparison> {
        let values = self.values(metric)?;
        let row = metric.row();
        let effect = match source(metric) {
            Source::Histogram { .. } => Err(TooFew::Samples {
                what: format!("stratum with single {} samples", row.name),
                needed: 1,
                have: 0,
            }),
            _ => self.effect(metric),
        };
        let (policy, names) = (self.compare, &self.record.arms);
        let mut comparison = Comparison {
            baseline: names[self.baseline].name.clone(),
            candidate: names[self.candidate].name.clone(),
            metric,
            unit: row.unit.name().to_owned(),
            baseline_value: values[0],
            candidate_value: values[1],
            ratio: None,
            difference: None,
            too_few: None,
            p_value: None,
            detectable: None,
            allowed_for_others: None,
            halves: None,
            with_runs_before: None,
            verdict: Verdict::Inconclusive,
        };
        match effect {
            Err(reason) => comparison.too_few = Some(reason),
            Ok(effect) => {
                comparison.baseline_value = effect.baseline;
                comparison.candidate_value = effect.candidate;
                comparison.ratio = Some(effect.ratio(policy.confidence));
                comparison.difference = Some(effect.difference(policy.confidence));
                comparison.p_value = Some(effect.p_value);
                comparison.halves = in_halves(&effect.differences);
                comparison.detectable = Some(effect.detectable(policy.noise_threshold, policy.confidence));
            }
        }
        Some(comparison)
    }

    fn effect(&self, metric: Metric) -> Result<PairedEffect, TooFew> {
        let seed = self.record.seed;
        if let Source::Blocks(quotient) = source(metric) {
            return paired_totals(&self.block_pairs(metric, quotient), seed);
        }
        let sides = stratum_pairs(self.record, self.baseline, self.candidate);
        let claims =
            |side: fn(&SidePair) -> &Vec<f64>| sides.iter().map(|pair| side(pair).len() as u64).sum();
        let fewest: u64 = u64::min(claims(|pair| &pair.0), claims(|pair| &pair.1));
        let needed = metric.row().min_claims();
        if fewest < needed {
            return Err(TooFew::samples("claims per arm", needed, fewest));
        }
        match source(metric) {
            Source::ServiceQuantile(q) => paired_quantile(&borrowed(&sides), q, seed),
            Source::ServiceInRoundTrips(q) => {
                let rulers: Vec<Vec<f64>> = rulers(self.record).collect();
                let triples: Vec<_> =
                    sides.iter().zip(&rulers).map(|((a, b), r)| (&a[..], &b[..], &r[..])).collect();
                paired_quantile_over(&triples, q, seed)
            }
            _ => paired_means(&borrowed(&sides), seed),
        }
    }

    /// Blocks of each group, baseline and candidate. A group in which either has none is left out.
    fn block_pairs(
        &self,
        metric: Metric,
        quotient: fn(&CounterBlock) -> (f64, f64),
    ) -> Vec<(Totals, Totals)> {
        let groups: BTreeSet<u32> = self.record.blocks.iter().map(|block| block.group).collect();
        let of = |group: u32, arm: usize| {
            let own = blocks_of_metric(self.record, arm, metric).filter(|block| block.group == group);
            let add = |sum: Totals, (amount, per)| Totals { amount: sum.amount + amount, per: sum.per + per };
            own.map(quotient).fold(None, |sum, part| Some(add(sum.unwrap_or_default(), part)))
        };
        groups
            .into_iter()
            .filter_map(|group| Some((of(group, self.baseline)?, of(group, self.candidate)?)))
            .collect()
    }

    /// Both arms' values; `None` where one of them has none.
    fn values(&self, metric: Metric) -> Option<[f64; 2]> {
        let a = value(self.record, self.baseline, metric)?;
        let b = value(self.record, self.candidate, metric)?;
        Some([a, b])
    }

    /// Every metric that does not vary.
    fn exact(&self) -> impl Iterator<Item = ExactMetric> {
        let [baseline, candidate] = [self.baseline, self.candidate].map(|arm| &self.record.arms[arm].name);
        exact_pairs([(self.record, self.baseline), (self.record, self.candidate)]).into_iter().map(|pair| {
            ExactMetric {
                baseline: baseline.clone(),
                candidate: candidate.clone(),
                baseline_value: pair.values[0],
                candidate_value: pair.values[1],
                equal: pair.is_equal(),
                metric: pair.name,
            }
        })
    }
}

/// An arm's value of a judged metric, without an interval; `None` where the run has none, or cannot be read.
pub(super) fn value(record: &RunRecord, arm: usize, metric: Metric) -> Option<f64> {
    match source(metric) {
        Source::ServiceQuantile(q) => {
            let samples = arm_samples(record, arm);
            crate::stats::quantile(&samples, q)
                .or_else(|| Some(Latencies::readable(&record.arms[arm].service)?.quantile_us(q)))
        }
        Source::ServiceMean => Some(Latencies::readable(&record.arms[arm].service)?.mean_us()),
        Source::ServiceInRoundTrips(q) => {
            let ruler: Vec<f64> = rulers(record).flatten().collect();
            let unit = crate::stats::quantile(&ruler, 0.5)?;
            Some(crate::stats::quantile(&arm_samples(record, arm), q)? / unit)
        }
        Source::Histogram { of: histogram, quantile } => {
            Some(Latencies::readable(histogram(&record.arms[arm]))?.quantile_us(quantile))
        }
        Source::Blocks(_) if is_withheld(metric, record) => None,
        Source::Blocks(quotient) => {
            let (amount, per) = blocks_of_metric(record, arm, metric)
                .map(quotient)
                .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            (per > 0.0).then(|| amount / per)
        }
        Source::Exact(_) | Source::Calls => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use super::*;

    /// Warnings of a run in whose second half the candidate takes `factor` of its time.
    fn changed(factor: f64) -> Vec<Warning> {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut record = record(&arms, 1);
        let half = record.strata.len() / 2;
        for side in record.strata[half..].iter_mut().flat_map(|stratum| &mut stratum.sides) {
            if side.arm == 1 {
                side.service.0.iter_mut().for_each(|ticks| *ticks = (f64::from(*ticks) * factor) as u32);
            }
        }
        analyse_as(record, &scenario(&arms)).warnings
    }

    #[test]
    fn an_effect_that_is_another_one_later_is_told() {
        assert_eq!(changed(1.0), []);
        let [Warning::EffectChanged { candidate, metric, first, second }] = &changed(0.9)[..] else {
            panic!("{:?}", changed(0.9))
        };
        assert_eq!((candidate.as_str(), *metric), ("hget-lane", Metric::ServiceP50));
        assert!((first - 1.2).abs() < 0.02 && (second - 1.08).abs() < 0.02, "{first} and {second}");
    }
}
