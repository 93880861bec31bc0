//! Change points of a history: nights on which a metric moved and stayed.
//!
//! PELT (Killick, Fearnhead and Eckley 2012) with the cost of a changing normal mean and a penalty of BIC's
//! kind. The kept crate for it (`pelt`, MPL-2.0) wants its penalty in the data's own variance and brings an
//! array library; what matters here is a noise level that a step cannot inflate, and that takes most of these
//! lines.

use super::quantile::median;

/// Values on each side of a change: fewer cannot be told from a bad night.
pub const MIN_SEGMENT: usize = 4;

/// Penalty per change, in units of ln n times the noise variance. BIC's is 2 for independent values (mean and
/// place); nights are not quite independent.
const PENALTY: f64 = 4.0;

/// Share of the differences of neighbours, smallest first, that the noise is estimated from.
const TRIMMED: f64 = 0.8;

/// Mean of the smaller 80 % of |z| for standard normal z: 2 (phi(0) - phi(1.2816)) / 0.8.
const TRIMMED_MEAN: f64 = 0.5586;

/// A place where the level of a series changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// Index of the first value at the new level.
    pub index: usize,
    /// Mean before it, back to the change before.
    pub before: f64,
    /// Mean from it on, up to the next change.
    pub after: f64,
}

/// Change points of `series`, in order; empty where there are none or too little to tell.
pub fn change_points(series: &[f64]) -> Vec<ChangePoint> {
    let n = series.len();
    if n < 2 * MIN_SEGMENT || series.iter().any(|v| !v.is_finite()) {
        return Vec::new();
    }
    let penalty = PENALTY * (n as f64).ln() * noise_variance(series);
    let costs = Costs::new(series);
    // best[t]: least cost of the first t values; from[t]: where their last segment starts.
    let mut best = vec![f64::INFINITY; n + 1];
    let mut from = vec![0usize; n + 1];
    best[0] = -penalty;
    let mut candidates = vec![0usize];
    for end in MIN_SEGMENT..=n {
        let cost = |start: usize| best[start] + costs.of(start, end);
        let Some((least, start)) =
            candidates.iter().map(|&start| (cost(start), start)).min_by(|a, b| a.0.total_cmp(&b.0))
        else {
            continue;
        };
        // A start that is worse by more than a penalty can never win again.
        let kept = candidates.iter().copied().filter(|&start| cost(start) <= least + penalty).collect();
        best[end] = least + penalty;
        from[end] = start;
        candidates = kept;
        let opens = end + 1 - MIN_SEGMENT;
        if opens >= MIN_SEGMENT {
            candidates.push(opens);
        }
    }
    let mut bounds = vec![n];
    while let Some(&end) = bounds.last().filter(|&&end| end > 0) {
        bounds.push(from[end]);
    }
    bounds.reverse();
    bounds
        .windows(3)
        .map(|w| ChangePoint { index: w[1], before: costs.mean(w[0], w[1]), after: costs.mean(w[1], w[2]) })
        .collect()
}

/// Variance of the noise from differences of neighbours, the largest left out: a step moves one difference
/// only.
fn noise_variance(series: &[f64]) -> f64 {
    let mut steps: Vec<f64> = series.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    steps.sort_by(f64::total_cmp);
    let kept = ((steps.len() as f64 * TRIMMED) as usize).max(1);
    let mean = steps.iter().take(kept).sum::<f64>() / kept as f64;
    let sigma = mean / TRIMMED_MEAN / std::f64::consts::SQRT_2;
    let scale = series.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    // A series without noise still needs a penalty, or rounding becomes a change.
    (sigma * sigma).max((scale * 1e-6).powi(2)).max(f64::MIN_POSITIVE)
}

/// Cost of a segment: squared deviations from its mean, from running sums.
struct Costs {
    centre: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Costs {
    fn new(series: &[f64]) -> Self {
        // Centred, so that the differences of large sums keep their digits.
        let centre = median(series).unwrap_or_default();
        let running = |f: fn(f64) -> f64| {
            let mut total = 0.0;
            std::iter::once(0.0)
                .chain(series.iter().map(move |v| {
                    total += f(v - centre);
                    total
                }))
                .collect()
        };
        Self { centre, sums: running(|v| v), squares: running(|v| v * v) }
    }

    fn of(&self, start: usize, end: usize) -> f64 {
        let sum = self.sums[end] - self.sums[start];
        (self.squares[end] - self.squares[start] - sum * sum / (end - start) as f64).max(0.0)
    }

    fn mean(&self, start: usize, end: usize) -> f64 {
        self.centre + (self.sums[end] - self.sums[start]) / (end - start) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{below, stream};

    fn nights(seed: u64, n: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = stream(seed, "nights");
        (0..n)
            .map(|i| {
                let noise: f64 = (0..6).map(|_| f64::from(below(&mut rng, 1_000)) / 1_000.0 - 0.5).sum();
                level(i) * (1.0 + 0.014 * noise)
            })
            .collect()
    }

    #[test]
    fn a_step_of_three_sigma_is_placed_in_either_direction() {
        for factor in [1.05, 0.95] {
            let found: Vec<_> = (0..100)
                .map(|seed| change_points(&nights(seed, 40, |i| if i < 25 { 200.0 } else { 200.0 * factor })))
                .collect();
            let placed =
                found.iter().filter(|points| points.iter().any(|p| p.index.abs_diff(25) <= 2)).count();
            let alone = found.iter().filter(|points| points.len() == 1).count();
            assert!(placed >= 95 && alone >= 92, "factor {factor}: {placed} placed, {alone} alone");
            let size = found[0][0].after / found[0][0].before;
            assert!((size - factor).abs() < 0.02, "{size}");
        }
    }

    #[test]
    fn steady_nights_stay_quiet() {
        let alarms = (0..200).filter(|&seed| !change_points(&nights(seed, 40, |_| 200.0)).is_empty()).count();
        assert!(alarms <= 10, "{alarms} of 200");
    }

    #[test]
    fn one_bad_night_is_no_change_and_constants_are_none() {
        let series = nights(1, 30, |i| if i == 15 { 210.0 } else { 200.0 });
        assert!(change_points(&series).is_empty());
        assert!(change_points(&[5.0; 30]).is_empty());
        assert!(change_points(&[1.0, 9.0, 1.0]).is_empty());
        assert!(change_points(&[f64::NAN; 30]).is_empty());
    }

    proptest! {
        #[test]
        fn anything_gives_finite_levels_in_order(series in prop::collection::vec(-1e6f64..1e6, 0..60)) {
            let found = change_points(&series);
            for c in &found {
                prop_assert!(c.before.is_finite() && c.after.is_finite() && c.index < series.len());
            }
            prop_assert!(found.windows(2).all(|w| w[0].index + MIN_SEGMENT <= w[1].index));
        }
    }
}
