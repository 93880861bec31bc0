//! Arms against the baseline: ratios with intervals, the verdict rule, the control's veto.

use std::collections::BTreeSet;

use crate::record::{CounterBlock, RunRecord, Stratum, Warning};
use crate::scenario::{Compare, Direction, METRICS, Metric, MetricName};
use crate::stats::{
    CONTROL_CONFIDENCE, Estimate, Latencies, PairedEffect, TooFew, Totals, holm_bonferroni, paired_means,
    paired_quantile, paired_quantile_over, paired_totals,
};

use super::arm_counts::{arm_blocks, arm_samples, calls_per_claim, own_sides, rulers, wire_per_claim};
use super::beside_others::allow_for_others;
use super::metric_source::{Source, is_withheld, question, source};
use super::result::{Comparison, Control, ControlFailure, ExactMetric, Verdict};
use super::values::is_uncounted;

/// What the control is of: the baseline's median against itself.
pub const CONTROLLED: Metric = Metric::ServiceP50;

/// Its quantile.
const CONTROL_QUANTILE: f64 = 0.5;

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
    judgement.control = control(record, baseline, compare);
    let allowance = judgement.control.as_ref().and_then(|control| control.allowance).unwrap_or_default();
    judge_by_intervals(&mut judgement.comparisons, allowance, compare.noise_threshold);
    correct_for_many(&mut judgement.comparisons, compare);
    if judgement.control.as_ref().is_some_and(|control| !control.passed) {
        for comparison in &mut judgement.comparisons {
            comparison.verdict = Verdict::Inconclusive;
        }
    }
    judgement
}

/// Ratios within are noise: swapping the sides of a comparison swaps the ends of the band.
pub(crate) fn noise_band(threshold: f64) -> [f64; 2] {
    [1.0 / (1.0 + threshold), 1.0 + threshold]
}

/// The rule: a change only if the whole interval lies beyond the noise threshold, none only if all of it lies
/// within.
pub(crate) fn verdict(ratio: &Estimate, direction: Direction, threshold: f64) -> Verdict {
    let [low, high] = noise_band(threshold);
    let (lower, higher) = match direction {
        Direction::LowerIsBetter => (Verdict::Improvement, Verdict::Regression),
        Direction::HigherIsBetter => (Verdict::Regression, Verdict::Improvement),
    };
    if ratio.low > high {
        higher
    } else if ratio.high < low {
        lower
    } else if ratio.low > low && ratio.high < high {
        Verdict::NoChange
    } else {
        Verdict::Inconclusive
    }
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

/// How far the control may be from 1 where two clusters differ, and how well it must be known to vouch for a
/// verdict at this threshold.
pub(super) fn control_limit(noise_threshold: f64) -> f64 {
    noise_threshold / 2.0
}

/// The baseline against itself.
///
/// It fails if its 99 % interval of the median leaves out 1, or if the run is too noisy for its threshold:
/// half the interval at the comparison's confidence, scaled to as many claims as the comparison has, is wider
/// than half the threshold. In a server duet its second side is on a cluster of its own, and two clusters of
/// one server differ by a little: it fails where its interval lies beyond half the threshold, and otherwise
/// says what verdicts must allow for.
fn control(record: &RunRecord, baseline: usize, compare: &Compare) -> Option<Control> {
    let sides = control_pairs(record, baseline);
    if sides.is_empty() {
        return None;
    }
    let pairs = borrowed(&sides);
    let effect = match paired_quantile(&pairs, CONTROL_QUANTILE, record.seed) {
        Ok(effect) => effect,
        Err(too_few) => {
            let own_strata = record.strata.iter().any(|stratum| stratum.control);
            let failure = Some(ControlFailure::TooFew { too_few, own_strata });
            return Some(Control { ratio: None, passed: false, failure, allowance: None });
        }
    };
    let ratio = effect.ratio(CONTROL_CONFIDENCE);
    let scale = control_scale(record, baseline);
    let half_width = effect.ratio(compare.confidence).half_width() * scale;
    let limit = control_limit(compare.noise_threshold);
    let apart = record.is_server_duet();
    let [low, high] = noise_band(limit);
    let failure = if apart && (ratio.low > high || ratio.high < low) {
        Some(ControlFailure::ClustersDiffer { ratio, limit })
    } else if !apart && !ratio.contains(1.0) {
        Some(ControlFailure::Differs { ratio })
    } else if half_width > limit {
        Some(ControlFailure::Uncertain { half_width, limit })
    } else {
        None
    };
    let allowance = apart.then(|| f64::max(ratio.high, 1.0 / ratio.low) - 1.0);
    Some(Control { ratio: Some(ratio), passed: failure.is_none(), failure, allowance })
}

/// What the control's interval is to be multiplied with to be one of as many claims as the comparison has: a
/// control by halves has half of the baseline's, one with strata of its own as many as it was given.
pub(super) fn control_scale(record: &RunRecord, baseline: usize) -> f64 {
    let claims = |pairs: &[SidePair]| pairs.iter().map(|(a, b)| a.len().min(b.len())).sum::<usize>() as f64;
    let others = (0..record.arms.len()).filter(|&arm| arm != baseline);
    let compared =
        others.map(|candidate| claims(&stratum_pairs(record, baseline, candidate))).fold(0.0, f64::max);
    // A comparison whose claims came to nothing says so itself.
    if compared > 0.0 { (claims(&control_pairs(record, baseline)) / compared).sqrt() } else { 1.0 }
}

/// Service times in microseconds: baseline and candidate of one stratum.
pub(super) type SidePair = (Vec<f64>, Vec<f64>);

/// Both arms' samples of each stratum in which they were compared.
fn stratum_pairs(record: &RunRecord, baseline: usize, candidate: usize) -> Vec<SidePair> {
    let compared = record.strata.iter().filter(|stratum| !stratum.control);
    compared.map(|stratum| compared_sides(record, stratum, baseline, candidate)).collect()
}

/// Both arms' samples of one stratum in which they were compared. An arm with two sides has all of them, as
/// far as they are its own.
pub(super) fn compared_sides(
    record: &RunRecord,
    stratum: &Stratum,
    baseline: usize,
    candidate: usize,
) -> SidePair {
    let of = |arm: usize| -> Vec<f64> {
        let sides = stratum.sides.iter().filter(|side| side.arm as usize == arm).take(own_sides(record));
        sides.flat_map(|side| side.service.iter_us()).collect()
    };
    (of(baseline), of(candidate))
}

/// The two sides of the baseline in every stratum that has them: the control's own strata, and those of a
/// comparison that holds its control within it.
fn control_pairs(record: &RunRecord, baseline: usize) -> Vec<SidePair> {
    record.strata.iter().filter_map(|stratum| control_sides(stratum, baseline)).collect()
}

/// The two sides of the baseline in a stratum; `None` where it has not two.
pub(super) fn control_sides(stratum: &Stratum, baseline: usize) -> Option<SidePair> {
    let mut sides = stratum.sides.iter().filter(|side| side.arm as usize == baseline);
    Some((sides.next()?.service.iter_us().collect(), sides.next()?.service.iter_us().collect()))
}

fn borrowed(pairs: &[SidePair]) -> Vec<(&[f64], &[f64])> {
    pairs.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect()
}

/// One candidate against the baseline.
struct ArmPair<'a> {
    record: &'a RunRecord,
    compare: &'a Compare,
    baseline: usize,
    candidate: usize,
}

impl ArmPair<'_> {
    /// One metric; `None` where the run has no value of it.
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
                comparison.detectable = Some(effect.detectable(policy.noise_threshold, policy.confidence));
            }
        }
        Some(comparison)
    }

    fn effect(&self, metric: Metric) -> Result<PairedEffect, TooFew> {
        let seed = self.record.seed;
        if is_withheld(metric, self.record) {
            return Err(TooFew::constant(metric.name()));
        }
        if let Source::Blocks(quotient) = source(metric) {
            return paired_totals(&self.block_pairs(quotient), seed);
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

    /// Blocks of each group, baseline and candidate. A group in which either made no claim is left out.
    fn block_pairs(&self, quotient: fn(&CounterBlock) -> (f64, f64)) -> Vec<(Totals, Totals)> {
        let groups: BTreeSet<u32> = self.record.blocks.iter().map(|block| block.group).collect();
        let of = |group: u32, arm: usize| {
            let own = arm_blocks(self.record, arm).filter(|block| block.group == group);
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
    fn exact(&self) -> Vec<ExactMetric> {
        let arms = [self.baseline, self.candidate].map(|arm| &self.record.arms[arm]);
        let mut exact = Vec::new();
        let mut push = |metric: MetricName, values: [f64; 2], tolerance: f64| {
            exact.push(ExactMetric {
                baseline: arms[0].name.clone(),
                candidate: arms[1].name.clone(),
                metric,
                baseline_value: values[0],
                candidate_value: values[1],
                equal: (values[0] - values[1]).abs() <= tolerance,
            });
        };
        for row in METRICS {
            match source(row.metric) {
                Source::Exact(_) if arms.iter().any(|arm| is_uncounted(arm, row.metric)) => {}
                Source::Exact(of) => {
                    if let (Some(a), Some(b)) = (wire_per_claim(arms[0], of), wire_per_claim(arms[1], of)) {
                        let claims = arms[0].wire.claims.min(arms[1].wire.claims);
                        push(row.metric.into(), [a, b], row.tolerance_over(claims));
                    }
                }
                Source::Calls => {
                    let [a, b] = [self.baseline, self.candidate].map(|arm| calls_per_claim(self.record, arm));
                    if a.is_empty() || b.is_empty() {
                        continue;
                    }
                    for command in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                        let of = |calls: &std::collections::BTreeMap<String, f64>| {
                            calls.get(command).copied().unwrap_or_default()
                        };
                        push(MetricName::calls(command), [of(&a), of(&b)], row.tolerance_over(0));
                    }
                }
                _ => {}
            }
        }
        exact
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
            let (amount, per) = super::arm_counts::arm_blocks(record, arm)
                .map(quotient)
                .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            (per > 0.0).then(|| amount / per)
        }
        Source::Exact(_) | Source::Calls => None,
    }
}
