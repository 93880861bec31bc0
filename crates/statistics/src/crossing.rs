//! The load at which something that grows with it reaches its level, from runs at many loads.
//!
//! A verdict of yes or no throws away by how much a run was within its level or beyond it. A line through
//! ln(value / level) over ln(load) keeps that: in simulations of a queue on a machine with stalls, two
//! searches agree twice as closely by it as by the verdicts alone. The line is Theil and Sen's (1950, 1968):
//! a third of the runs may fall into a stall before it moves far. Values are cut to within e² of the level:
//! how far beyond saturation a run was says nothing about where saturation begins.

use super::estimate::{Estimate, TooFew, expanded_tail};
use super::paired::RESAMPLES;
use super::quantile::{median, quantile_of_sorted};
use crate::random::{below, stream};

/// Runs that a line needs.
pub const MIN_POINTS: usize = 8;

/// Different loads that a line needs.
const MIN_CROSSING_LOADS: usize = 3;

/// Furthest that a value counts, in units of ln(value / level).
const REACH: f64 = 2.0;

/// Logarithms of loads that differ by less are the same.
const SAME: f64 = 1e-9;

/// Share of resamples that may have no crossing.
const LOST: f64 = 0.025;

/// Where a level is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// The load.
    pub load: Estimate,
    /// Exponent of the load in the value, near the level.
    pub exponent: f64,
    /// Whether an end of the interval is the lowest or the highest load: it may lie further out.
    pub at_edge: bool,
}

/// The load at which the value is its level. `runs` are pairs of a load and of value / level, both above
/// zero.
///
/// The interval resamples whole runs, with Hesterberg's expansion for few of them (see
/// [`super::paired_quantile`]). It holds what differs from run to run, and not what changes only between
/// searches.
pub fn crossing(runs: &[(f64, f64)], confidence: f64, seed: u64) -> Result<Crossing, TooFew> {
    let Fit { lines, lowest, highest, at, exponent } = Fit::through_runs(runs)?;
    let (mut rng, count) = (stream(seed, "crossing"), lines.points.len());
    let mut times = vec![0; count];
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            times.fill(0);
            for _ in 0..count {
                times[below(&mut rng, count as u32) as usize] += 1;
            }
            // No load beyond these was tried, so a flat line says nothing about what is there.
            lines.through(&times).map(|(at, _)| at.clamp(lowest, highest))
        })
        .collect();
    if (resampled.len() as f64) < (1.0 - LOST) * RESAMPLES as f64 {
        return Err(TooFew::no_trend("response times"));
    }
    resampled.sort_by(f64::total_cmp);
    let n = count as f64;
    let tail = expanded_tail(confidence, n, n - 2.0);
    let end = |q: f64| quantile_of_sorted(&resampled, q).unwrap_or(at).exp();
    let estimate = at.exp();
    let load =
        Estimate { estimate, low: end(tail).min(estimate), high: end(1.0 - tail).max(estimate), confidence };
    let is = |end: f64, load: f64| (end.ln() - load).abs() < SAME;
    Ok(Crossing { load, exponent, at_edge: is(load.low, lowest) || is(load.high, highest) })
}

/// The same load without its interval, in a fraction of the time.
pub fn crossing_load(runs: &[(f64, f64)]) -> Result<f64, TooFew> {
    Fit::through_runs(runs).map(|fit| fit.at.exp())
}

/// A line that crosses zero within what was tried; loads are logarithms.
struct Fit {
    lines: Lines,
    lowest: f64,
    highest: f64,
    at: f64,
    exponent: f64,
}

impl Fit {
    fn through_runs(runs: &[(f64, f64)]) -> Result<Self, TooFew> {
        let points: Vec<(f64, f64)> = runs
            .iter()
            .filter(|(load, ratio)| *load > 0.0 && *ratio > 0.0)
            .map(|(load, ratio)| (load.ln(), ratio.ln().clamp(-REACH, REACH)))
            .collect();
        if points.len() < MIN_POINTS {
            return Err(TooFew::samples("probes near the boundary", MIN_POINTS as u64, points.len() as u64));
        }
        let loads = distinct_loads(&points);
        if loads.len() < MIN_CROSSING_LOADS {
            return Err(TooFew::samples(
                "loads near the boundary",
                MIN_CROSSING_LOADS as u64,
                loads.len() as u64,
            ));
        }
        let (lowest, highest) = (loads[0], loads[loads.len() - 1]);
        let lines = Lines::among(points);
        match lines.through(&vec![1; lines.points.len()]) {
            Some((at, exponent)) if (lowest..=highest).contains(&at) => {
                Ok(Self { lines, lowest, highest, at, exponent })
            }
            _ => Err(TooFew::no_trend("response times")),
        }
    }
}

/// Points, and the slopes of the lines between any two of them. A resample changes only how often each slope
/// counts, so the slopes are sorted once.
struct Lines {
    points: Vec<(f64, f64)>,
    /// Ascending, with the positions of both points.
    slopes: Vec<(f64, usize, usize)>,
}

impl Lines {
    fn among(points: Vec<(f64, f64)>) -> Self {
        let mut slopes = Vec::new();
        for (n, a) in points.iter().enumerate() {
            for (m, b) in points.iter().enumerate().skip(n + 1) {
                let (dx, dy) = (b.0 - a.0, b.1 - a.1);
                if dx.abs() > SAME {
                    slopes.push((dy / dx, n, m));
                }
            }
        }
        slopes.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { points, slopes }
    }

    /// Where the line through the points is zero, and its slope; each point counts as often as `times` says.
    /// `None` where the line does not rise.
    fn through(&self, times: &[u32]) -> Option<(f64, f64)> {
        let slope = self.middle_slope(times).filter(|slope| *slope > 0.0)?;
        let above: Vec<f64> = self
            .points
            .iter()
            .zip(times)
            .flat_map(|((x, y), times)| std::iter::repeat_n(y - slope * x, *times as usize))
            .collect();
        Some((-median(&above)? / slope, slope))
    }

    /// The median slope.
    fn middle_slope(&self, times: &[u32]) -> Option<f64> {
        let weight = |n: usize, m: usize| u64::from(times[n]) * u64::from(times[m]);
        let all: u64 = self.slopes.iter().map(|&(_, n, m)| weight(n, m)).sum();
        // Of an even number the mean of the two in the middle.
        let (first, second) = (all.checked_sub(1)? / 2, all / 2);
        let (mut before, mut lower) = (0, None);
        for &(slope, n, m) in &self.slopes {
            before += weight(n, m);
            if lower.is_none() && before > first {
                lower = Some(slope);
            }
            if before > second {
                return lower.map(|lower| if first == second { slope } else { f64::midpoint(lower, slope) });
            }
        }
        None
    }
}

/// Ascending.
fn distinct_loads(points: &[(f64, f64)]) -> Vec<f64> {
    let mut loads: Vec<f64> = points.iter().map(|(load, _)| *load).collect();
    loads.sort_by(f64::total_cmp);
    loads.dedup_by(|a, b| (*a - *b).abs() < SAME);
    loads
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;

    /// Of mean zero and deviation one, nearly.
    fn normal(rng: &mut impl rand::Rng) -> f64 {
        (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
    }

    /// Runs at loads around 1,000, where the level is reached; `spread` is that of ln(value).
    fn runs(exponent: f64, spread: f64, stalls: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut rng = stream(seed, "runs");
        (0..20)
            .map(|n| {
                let load = 1_000.0 * 1.05f64.powi(n % 10 - 5);
                let normal = normal(&mut rng);
                let stall = if rng.random::<f64>() < stalls { 2.0 } else { 0.0 };
                (load, ((load / 1_000.0).ln() * exponent + spread * normal + stall).exp())
            })
            .collect()
    }

    /// The line through points as they stand, each slope computed anew.
    fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
        let pairs = points.iter().enumerate().flat_map(|(n, a)| points[n + 1..].iter().map(move |b| (a, b)));
        let apart = pairs.filter(|(a, b)| (b.0 - a.0).abs() > SAME);
        let slopes: Vec<f64> = apart.map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect();
        let slope = median(&slopes).filter(|slope| *slope > 0.0)?;
        let above: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
        Some((-median(&above)? / slope, slope))
    }

    #[test]
    fn the_line_of_a_resample_is_that_of_its_points() {
        let (mut rng, mut risen) = (stream(1, "resamples"), 0);
        for seed in 0..200 {
            let points: Vec<_> = runs(1.0, 0.4, 0.1, seed)[..3 + seed as usize % 10]
                .iter()
                .map(|(load, ratio)| (load.ln(), ratio.ln()))
                .collect();
            let mut times = vec![0; points.len()];
            (0..points.len()).for_each(|_| times[rng.random_range(0..points.len())] += 1);
            let drawn: Vec<_> = points
                .iter()
                .zip(&times)
                .flat_map(|(point, times)| std::iter::repeat_n(*point, *times as usize))
                .collect();
            let found = Lines::among(points).through(&times);
            assert_eq!(found, line(&drawn), "{seed}: {times:?}");
            risen += u32::from(found.is_some());
        }
        assert!((50..200).contains(&risen), "{risen}");
    }

    #[test]
    fn a_line_without_noise_is_found_exactly() {
        let found = crossing(&runs(5.0, 0.0, 0.0, 1), 0.95, 1).unwrap();
        assert!((found.load.estimate - 1_000.0).abs() < 1e-6 && (found.exponent - 5.0).abs() < 1e-9);
        assert!(found.load.high - found.load.low < 1e-6 && !found.at_edge);
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let trials = 300;
        let held = (0..trials)
            .filter(|seed| crossing(&runs(5.0, 0.3, 0.0, *seed), 0.95, *seed).unwrap().load.contains(1_000.0))
            .count();
        assert!((0.92..=0.985).contains(&(held as f64 / f64::from(trials as u32))), "{held} of {trials}");
    }

    /// A search goes on until the interval is narrow enough: stopping there must not cost the truth.
    #[test]
    fn stopping_at_a_width_keeps_the_interval_honest() {
        let (trials, spread) = (150, 0.4);
        let mut held = 0;
        for seed in 0..trials {
            let mut rng = stream(seed, "stopped");
            let mut runs = runs(5.0, spread, 0.0, seed)[..10].to_vec();
            let mut found = crossing(&runs, 0.95, seed);
            for _ in 0..10 {
                let centre = match &found {
                    Ok(found) if found.load.half_width() <= 0.05 * found.load.estimate => break,
                    Ok(found) => found.load.estimate,
                    Err(_) => 1_000.0,
                };
                for factor in [0.87, 0.92, 0.96, 1.04, 1.09, 1.15] {
                    let normal = normal(&mut rng);
                    let load: f64 = factor * centre;
                    runs.push((load, ((load / 1_000.0).ln() * 5.0 + spread * normal).exp()));
                }
                found = crossing(&runs, 0.95, seed);
            }
            held += u32::from(found.is_ok_and(|found| found.load.contains(1_000.0)));
        }
        assert!(f64::from(held) >= 0.90 * trials as f64, "{held} of {trials}");
    }

    #[test]
    fn an_interval_that_ends_with_what_was_tried_says_so() {
        // Nothing was tried more than a tenth above the level: now and then the boundary may lie beyond.
        let mut cut = 0;
        for seed in 0..20 {
            let runs: Vec<_> =
                runs(3.0, 0.4, 0.0, seed).into_iter().filter(|(load, _)| *load < 1_110.0).collect();
            let ends =
                runs.iter().fold((f64::MAX, 0.0f64), |ends, run| (ends.0.min(run.0), ends.1.max(run.0)));
            let Ok(found) = crossing(&runs, 0.95, seed) else { continue };
            let meets = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-6;
            assert_eq!(
                found.at_edge,
                meets(found.load.low, ends.0) || meets(found.load.high, ends.1),
                "{found:?}"
            );
            cut += u32::from(found.at_edge);
        }
        assert!((1..20).contains(&cut), "{cut}");
    }

    #[test]
    fn stalls_move_it_by_little() {
        for seed in 0..40 {
            let found = crossing(&runs(5.0, 0.1, 0.1, seed), 0.95, seed).unwrap().load;
            assert!((found.estimate / 1_000.0 - 1.0).abs() < 0.06, "{seed}: {found:?}");
        }
    }

    #[test]
    fn what_does_not_rise_to_its_level_has_no_crossing() {
        let no_trend = |runs: &[(f64, f64)]| matches!(crossing(runs, 0.95, 1), Err(TooFew::NoTrend { .. }));
        assert!(no_trend(&runs(0.0, 0.3, 0.0, 3)));
        assert!(no_trend(&runs(-4.0, 0.1, 0.0, 3)));
        let far: Vec<_> =
            runs(2.0, 0.0, 0.0, 1).into_iter().map(|(load, ratio)| (load, ratio / 4.0)).collect();
        assert!(no_trend(&far), "outside of what was tried");
        let few = crossing(&runs(5.0, 0.1, 0.0, 1)[..7], 0.95, 1).unwrap_err();
        assert_eq!(few.to_string(), "needs at least 8 probes near the boundary, has 7");
        let one_load: Vec<_> =
            runs(5.0, 0.1, 0.0, 1).into_iter().map(|(_, ratio)| (1_000.0, ratio)).collect();
        assert!(crossing(&one_load, 0.95, 1).is_err());
    }
}
