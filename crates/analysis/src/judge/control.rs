//! The control: the baseline against itself, which says whether a run may judge.

use crate::record::{RunRecord, Stratum};
use crate::scenario::{Compare, Metric};
use crate::stats::{CONTROL_CONFIDENCE, Estimate, paired_quantile};

use super::result::{Control, ControlFailure};
use super::stratum_sides::{SidePair, borrowed, stratum_pairs};
use super::verdict::noise_band;

/// What the control is of: the baseline's median against itself.
pub const CONTROLLED: Metric = Metric::ServiceP50;

/// Share of the noise threshold that a control may take.
pub const CONTROL_LIMIT: f64 = 0.5;

/// Its quantile.
const CONTROL_QUANTILE: f64 = 0.5;

/// What verdicts must allow for, as a share: what two clusters of one server may differ by, where arms have
/// clusters of their own.
pub(super) fn cluster_allowance(control: Option<&Control>) -> f64 {
    control.and_then(|control| control.allowance).unwrap_or_default()
}

/// A comparison's difference with an interval that allows for as much: as far as its ratio's ends go where they are
/// wider by that factor, in the metric's unit.
pub(super) fn difference_between_clusters(
    difference: Estimate,
    baseline_value: f64,
    allowance: f64,
) -> Estimate {
    // What the candidate has at either end. It is nothing below zero, which no factor makes wider.
    let [least, most] = [difference.low, difference.high].map(|end| (baseline_value + end).max(0.0));
    Estimate {
        low: difference.low - least * allowance / (1.0 + allowance),
        high: difference.high + most * allowance,
        ..difference
    }
}

/// How far the control may be from 1 where two clusters differ, and how well it must be known to vouch for a
/// verdict at this threshold.
pub(super) fn control_limit(noise_threshold: f64) -> f64 {
    CONTROL_LIMIT * noise_threshold
}

/// The baseline against itself.
///
/// It fails if its 99 % interval of the median leaves out 1, or if the run is too noisy for its threshold:
/// half the interval at the comparison's confidence, scaled to as many claims as the comparison has, is wider
/// than half the threshold. In a server duet its second side is on a cluster of its own, and two clusters of
/// one server differ by a little: it fails where its interval lies beyond half the threshold, and otherwise
/// says what verdicts must allow for.
pub(super) fn control(record: &RunRecord, baseline: usize, compare: &Compare) -> Option<Control> {
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

/// Factor that scales the control's interval to as many claims as the comparison has: a control by halves has
/// half of the baseline's claims, one with strata of its own as many as it was given.
pub(super) fn control_scale(record: &RunRecord, baseline: usize) -> f64 {
    let claims = |pairs: &[SidePair]| pairs.iter().map(|(a, b)| a.len().min(b.len())).sum::<usize>() as f64;
    let others = (0..record.arms.len()).filter(|&arm| arm != baseline);
    let compared =
        others.map(|candidate| claims(&stratum_pairs(record, baseline, candidate))).fold(0.0, f64::max);
    // A comparison whose claims came to nothing says so itself.
    if compared > 0.0 { (claims(&control_pairs(record, baseline)) / compared).sqrt() } else { 1.0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_allows_for_what_its_ratio_allows_for() {
        let estimate = |estimate, low, high| Estimate { estimate, low, high, confidence: 0.95 };
        // 200 us against 210, and against 190: of each the ends in microseconds and as ratios.
        for (more, ratio) in [
            (estimate(10.0, 4.0, 16.0), estimate(1.05, 1.02, 1.08)),
            (estimate(-10.0, -16.0, -4.0), estimate(0.95, 0.92, 0.98)),
        ] {
            let wider = ratio.wider_by_factor(1.03);
            let told = difference_between_clusters(more, 200.0, 0.03);
            assert!((told.low - 200.0 * (wider.low - 1.0)).abs() < 1e-9, "{told:?} {wider:?}");
            assert!((told.high - 200.0 * (wider.high - 1.0)).abs() < 1e-9, "{told:?} {wider:?}");
            assert_eq!(
                (told.estimate.to_bits(), told.contains(0.0)),
                (more.estimate.to_bits(), wider.contains(1.0))
            );
            assert_eq!(
                difference_between_clusters(more, 200.0, 0.0),
                more,
                "nothing is allowed for on one cluster"
            );
        }
        // A candidate that may have nothing at all cannot have less.
        let noise = estimate(10.0, -250.0, 270.0);
        assert!((difference_between_clusters(noise, 200.0, 0.5).low - noise.low).abs() < 1e-9);
    }
}
