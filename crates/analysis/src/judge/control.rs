//! The control: the baseline against itself, which says whether a run may judge.

use crate::record::{RunRecord, Stratum};
use crate::scenario::{Compare, Metric};
use crate::stats::{CONTROL_CONFIDENCE, paired_quantile};

use super::result::{Control, ControlFailure, RunResult};
use super::sides::{SidePair, borrowed, stratum_pairs};
use super::verdict::noise_band;

/// What the control is of: the baseline's median against itself.
pub const CONTROLLED: Metric = Metric::ServiceP50;

/// Its quantile.
const CONTROL_QUANTILE: f64 = 0.5;

impl RunResult {
    /// Whether its control forbids verdicts.
    pub fn is_vetoed(&self) -> bool {
        self.control.as_ref().is_some_and(|control| !control.passed)
    }
}

/// What verdicts must allow for, as a share: what two clusters of one server may differ by, where arms have
/// clusters of their own.
pub(super) fn cluster_allowance(control: Option<&Control>) -> f64 {
    control.and_then(|control| control.allowance).unwrap_or_default()
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
