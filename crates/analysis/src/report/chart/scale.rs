//! From a value to a place on an axis, and the round values beside which an axis has its marks.

/// One axis' scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Equal distances for equal differences.
    Linear {
        /// Value at the beginning.
        low: f64,
        /// Value at the end.
        high: f64,
    },
    /// Things that are counted, from none on: marks at whole numbers alone.
    Whole {
        /// Number at the end.
        high: f64,
    },
    /// Equal distances for equal ratios; both ends above zero.
    Log {
        /// Value at the beginning.
        low: f64,
        /// Value at the end.
        high: f64,
    },
    /// Things side by side, numbered from 0.
    Places {
        /// How many.
        count: usize,
    },
    /// Quantiles as `HdrHistogram` plots them: equal distances for each further nine.
    Nines {
        /// The last quantile, below one.
        high: f64,
    },
}

impl Scale {
    /// From zero to a little beyond the largest value.
    pub fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let most = finite(values).fold(0.0, f64::max);
        Self::Linear { low: 0.0, high: if most > 0.0 { 1.06 * most } else { 1.0 } }
    }

    /// As [`Scale::from_zero`], of things that are counted.
    pub fn counts(values: impl IntoIterator<Item = f64>) -> Self {
        let most = finite(values).fold(0.0, f64::max);
        Self::Whole { high: if most > 0.0 { 1.06 * most } else { 1.0 } }
    }

    /// Just around the values, with some room on both sides.
    pub fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = ends(values);
        let room = if high > low { 0.06 * (high - low) } else { (0.05 * high.abs()).max(0.5) };
        Self::Linear { low: low - room, high: high + room }
    }

    /// Around values above zero, for ratios; others are left out.
    pub fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = ends(finite(values).filter(|value| *value > 0.0));
        if low > 0.0 {
            Self::Log { low: low / 1.15, high: high * 1.15 }
        } else {
            Self::Log { low: 0.1, high: 10.0 }
        }
    }

    /// Where a value stands: 0 at the beginning, 1 at the end. Values beyond the ends stand at them.
    pub fn place(self, value: f64) -> f64 {
        self.place_beyond(value).clamp(0.0, 1.0)
    }

    /// The same on an axis that goes on: below 0 and above 1 for values beyond its ends. What stands nowhere,
    /// as nothing on a scale of ratios, stands at the beginning.
    pub fn place_beyond(self, value: f64) -> f64 {
        let at = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Whole { high } => value / high,
            Self::Log { low, high } if value > 0.0 => (value / low).ln() / (high / low).ln(),
            Self::Log { .. } => 0.0,
            Self::Places { count } => (value + 0.5) / count.max(1) as f64,
            Self::Nines { high } => nines(value) / nines(high),
        };
        if at.is_finite() { at } else { 0.0 }
    }

    /// Round values within the scale, at most about this many.
    pub fn ticks(self, at_most: usize) -> Vec<f64> {
        let at_most = at_most.max(2);
        match self {
            Self::Linear { low, high } => linear(low, high, at_most),
            Self::Whole { high } => {
                let ticks = linear(0.0, high, at_most);
                ticks.into_iter().filter(|tick| (tick - tick.round()).abs() < 1e-9).collect()
            }
            Self::Log { low, high } => log(low, high, at_most),
            Self::Places { count } => {
                (0..count).step_by(count.div_ceil(at_most).max(1)).map(|place| place as f64).collect()
            }
            Self::Nines { high } => {
                let all = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999, 0.999_999_9];
                all.into_iter().filter(|q| *q <= high).collect()
            }
        }
    }
}

fn finite(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.into_iter().filter(|value| value.is_finite())
}

/// Smallest and largest; zeros without a value.
fn ends(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    finite(values)
        .fold(None, |ends: Option<(f64, f64)>, value| {
            Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        })
        .unwrap_or_default()
}

fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-12).log10()
}

fn linear(low: f64, high: f64, at_most: usize) -> Vec<f64> {
    let step = round_step((high - low) / at_most as f64);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// The next of 1, 2, 5, 10 and their tenfolds.
fn round_step(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|n| n * decade)
        .find(|step| *step >= least * 0.999)
        .unwrap_or(decade)
}

fn log(low: f64, high: f64, at_most: usize) -> Vec<f64> {
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let with = |digits: &[f64]| -> Vec<f64> {
        decades
            .clone()
            .flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)))
            .filter(|value| (low..=high).contains(value))
            .collect()
    };
    let sets: [&[f64]; 4] =
        [&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0, 2.0, 3.0, 5.0], &[1.0, 3.0], &[1.0]];
    let fitting = sets.into_iter().map(with).find(|ticks| ticks.len() <= at_most);
    let ticks = fitting.unwrap_or_else(|| with(&[1.0]));
    if ticks.len() >= 2 { ticks } else { linear(low, high, at_most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(Scale::Linear { low: 0.0, high: 106.0 }.ticks(6), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Scale::Linear { low: -0.031, high: 0.22 }.ticks(4), [0.0, 0.1, 0.2]);
        assert_eq!(Scale::Whole { high: 4.24 }.ticks(9), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(Scale::Log { low: 90.0, high: 2_100.0 }.ticks(5), [100.0, 300.0, 1_000.0]);
        assert_eq!(Scale::Log { low: 200.0, high: 260.0 }.ticks(5), [200.0, 220.0, 240.0, 260.0]);
        assert_eq!(Scale::Nines { high: 0.9995 }.ticks(9), [0.0, 0.5, 0.9, 0.99, 0.999]);
    }

    #[test]
    fn places_go_from_end_to_end_and_no_further() {
        let log = Scale::Log { low: 10.0, high: 1_000.0 };
        assert!((log.place(100.0) - 0.5).abs() < 1e-12);
        assert_eq!([1.0, 5e3, f64::NAN].map(|value| log.place(value).to_string()), ["0", "1", "0"]);
        assert!((log.place_beyond(1e4) - 1.5).abs() < 1e-12 && (log.place_beyond(1.0) + 0.5).abs() < 1e-12);
        assert_eq!([0.0, f64::NAN].map(|value| log.place_beyond(value).to_string()), ["0", "0"]);
        assert!((Scale::Nines { high: 0.9999 }.place(0.99) - 0.5).abs() < 1e-9);
        assert_eq!(Scale::from_zero([]), Scale::Linear { low: 0.0, high: 1.0 });
        assert_eq!(Scale::from_zero([f64::NAN, f64::INFINITY]), Scale::Linear { low: 0.0, high: 1.0 });
        let Scale::Linear { low, high } = Scale::around([7.0]) else { unreachable!() };
        assert!(low < 7.0 && high > 7.0);
    }
}
