//! A straight line through estimates that have errors of their own: y = a + b x.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::estimate::{Estimate, TooFew, t_quantile};

/// Points that a line needs: with two it goes through both, whatever they are.
pub const MIN_LINE_POINTS: usize = 3;

/// A point with the standard error of its `y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinePoint {
    /// Where.
    pub x: f64,
    /// What was measured there.
    pub y: f64,
    /// Its standard error.
    pub error: f64,
}

/// The line, weighted by the points' errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FittedLine {
    /// y at x = 0.
    pub a: f64,
    /// Change of y per unit of x.
    pub b: f64,
    /// Weighted mean of the points' x, where the line is known best.
    centre: f64,
    /// Variance of the line at the centre.
    at_centre: f64,
    /// Variance of its slope.
    of_slope: f64,
    /// Degrees of freedom behind them.
    degrees: f64,
}

impl FittedLine {
    /// Through `points`. Where they lie further from the line than their errors say, its own errors grow with
    /// that.
    pub fn through(points: &[LinePoint]) -> Result<Self, TooFew> {
        if points.len() < MIN_LINE_POINTS {
            return Err(TooFew::samples("points", MIN_LINE_POINTS as u64, points.len() as u64));
        }
        if points
            .iter()
            .any(|p| !(p.error > 0.0 && p.error.is_finite() && p.x.is_finite() && p.y.is_finite()))
        {
            return Err(TooFew::constant("errors of the points"));
        }
        let sum =
            |of: &dyn Fn(&LinePoint) -> f64| points.iter().map(|p| of(p) / p.error.powi(2)).sum::<f64>();
        let total = sum(&|_| 1.0);
        let (centre, middle) = (sum(&|p| p.x) / total, sum(&|p| p.y) / total);
        let spread = sum(&|p| (p.x - centre).powi(2));
        if spread.is_nan() || spread <= f64::EPSILON * sum(&|p| p.x * p.x) {
            return Err(TooFew::constant("places of the points"));
        }
        let b = sum(&|p| (p.x - centre) * (p.y - middle)) / spread;
        let degrees = points.len() as f64 - 2.0;
        let misfit = sum(&|p| (p.y - middle - b * (p.x - centre)).powi(2)) / degrees;
        let scale = misfit.max(1.0);
        let a = middle - b * centre;
        Ok(Self { a, b, centre, at_centre: scale / total, of_slope: scale / spread, degrees })
    }

    /// The line at `x`, with its interval.
    pub fn at(&self, x: f64, confidence: f64) -> Estimate {
        let error = (self.at_centre + self.of_slope * (x - self.centre).powi(2)).sqrt();
        self.interval(self.a + self.b * x, error, confidence)
    }

    /// Its slope, with its interval.
    pub fn slope(&self, confidence: f64) -> Estimate {
        self.interval(self.b, self.of_slope.sqrt(), confidence)
    }

    fn interval(&self, estimate: f64, error: f64, confidence: f64) -> Estimate {
        let reach = t_quantile(f64::midpoint(1.0, confidence), self.degrees) * error;
        Estimate { estimate, low: estimate - reach, high: estimate + reach, confidence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{below, stream};

    fn points(seed: u64) -> Vec<LinePoint> {
        let mut rng = stream(seed, "line");
        let mut normal = || (0..12).map(|_| f64::from(below(&mut rng, 10_000)) / 1e4).sum::<f64>() - 6.0;
        [0.0, 100.0, 250.0, 500.0, 1_000.0]
            .map(|x| {
                let error = 2.0 + x / 200.0;
                LinePoint { x, y: 55.0 + 1.03 * x + error * normal(), error }
            })
            .to_vec()
    }

    #[test]
    fn the_truth_is_within_the_intervals_as_often_as_they_say() {
        let lines: Vec<FittedLine> =
            (0..400).map(|seed| FittedLine::through(&points(seed)).unwrap()).collect();
        let share = |hit: &dyn Fn(&FittedLine) -> bool| lines.iter().filter(|line| hit(line)).count();
        for (what, hits) in [
            ("a", share(&|line| line.at(0.0, 0.95).contains(55.0))),
            ("b", share(&|line| line.slope(0.95).contains(1.03))),
            ("beyond", share(&|line| line.at(2_000.0, 0.95).contains(55.0 + 2_060.0))),
        ] {
            assert!(hits >= 375, "{what}: {hits} of 400");
        }
    }

    #[test]
    fn a_bad_point_counts_little() {
        let mut points: Vec<LinePoint> = (0..6u32)
            .map(|n| {
                let x = f64::from(n) * 250.0;
                LinePoint { x, y: 40.0 + 1.02 * x + f64::from(n % 2), error: 1.0 }
            })
            .collect();
        let line = FittedLine::through(&points).unwrap();
        assert!(line.slope(0.95).contains(1.02) && line.at(0.0, 0.95).contains(40.5), "{line:?}");
        assert!((line.at(1_000.0, 0.95).estimate - 1_060.5).abs() < 2.0);
        points.push(LinePoint { x: 600.0, y: 5_000.0, error: 1e5 });
        let with = FittedLine::through(&points).unwrap();
        assert!((with.b - line.b).abs() < 1e-3, "{with:?}");
    }

    #[test]
    fn what_makes_no_line_says_so() {
        assert!(FittedLine::through(&points(1)[..2]).is_err());
        let one_place = [1.0, 2.0, 3.0].map(|y| LinePoint { x: 5.0, y, error: 1.0 });
        assert!(FittedLine::through(&one_place).is_err());
        let exact = [1.0, 2.0, 3.0].map(|x| LinePoint { x, y: x, error: 0.0 });
        assert!(FittedLine::through(&exact).is_err());
    }
}
