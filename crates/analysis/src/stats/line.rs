//! A straight line through points of which each has its own error.

use super::estimate::{Estimate, TooFew, t_quantile};

/// Points that a line with an interval needs.
const MIN_POINTS: usize = 3;

/// y = intercept + slope · x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// y at x = 0.
    pub intercept: Estimate,
    /// y for each x.
    pub slope: Estimate,
}

impl Line {
    /// y there.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept.estimate + self.slope.estimate * x
    }
}

/// Weighted least squares; `points` are x, y and the error of y. The intervals come from how far the points lie from
/// the line, or from their own errors where these are larger.
pub fn weighted_line(points: &[(f64, f64, f64)], confidence: f64) -> Result<Line, TooFew> {
    let usable: Vec<_> =
        points.iter().filter(|(x, y, error)| x.is_finite() && y.is_finite() && *error > 0.0).collect();
    if usable.len() < MIN_POINTS {
        return Err(TooFew::samples("points with an interval", MIN_POINTS as u64, usable.len() as u64));
    }
    let (mut weights, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
    for (x, y, error) in &usable {
        let weight = error.powi(-2);
        weights += weight;
        sum_x += weight * x;
        sum_y += weight * y;
    }
    let (centre_x, centre_y) = (sum_x / weights, sum_y / weights);
    let (mut spread, mut covariance) = (0.0, 0.0);
    for (x, y, error) in &usable {
        spread += error.powi(-2) * (x - centre_x).powi(2);
        covariance += error.powi(-2) * (x - centre_x) * (y - centre_y);
    }
    if !(spread > 0.0 && spread.is_finite()) {
        return Err(TooFew::constant("places of the points"));
    }
    let slope = covariance / spread;
    let degrees = usable.len() as f64 - 2.0;
    let chi: f64 =
        usable.iter().map(|(x, y, error)| ((y - centre_y - slope * (x - centre_x)) / error).powi(2)).sum();
    let scale = (chi / degrees).max(1.0).sqrt();
    let reach = t_quantile(f64::midpoint(1.0, confidence), degrees) * scale;
    let within = |estimate: f64, error: f64| Estimate {
        estimate,
        low: estimate - reach * error,
        high: estimate + reach * error,
        confidence,
    };
    Ok(Line {
        intercept: within(centre_y - slope * centre_x, (1.0 / weights + centre_x.powi(2) / spread).sqrt()),
        slope: within(slope, spread.powf(-0.5)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_line_is_found_and_a_bad_point_counts_little() {
        let mut points: Vec<_> = (0..6u32)
            .map(|n| (f64::from(n) * 250.0, 40.0 + 1.02 * f64::from(n) * 250.0 + f64::from(n % 2), 1.0))
            .collect();
        let line = weighted_line(&points, 0.95).unwrap();
        assert!(line.slope.contains(1.02) && line.intercept.contains(40.5), "{line:?}");
        assert!((line.at(1_000.0) - 1_060.5).abs() < 2.0);
        points.push((600.0, 5_000.0, 1e5));
        let with = weighted_line(&points, 0.95).unwrap();
        assert!((with.slope.estimate - line.slope.estimate).abs() < 1e-3, "{with:?}");
    }

    #[test]
    fn two_points_or_one_place_are_no_line() {
        assert!(weighted_line(&[(0.0, 1.0, 1.0), (1.0, 2.0, 1.0)], 0.95).is_err());
        assert!(weighted_line(&[(1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 3.0, 1.0)], 0.95).is_err());
        assert!(weighted_line(&[(1.0, 1.0, 0.0), (2.0, 2.0, 1.0), (3.0, 3.0, 1.0)], 0.95).is_err());
    }
}
