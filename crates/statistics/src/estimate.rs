//! A statistic is always an estimate with its interval, or a reason why there is none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// Confidence of an interval where the scenario does not choose one.
pub const CONFIDENCE: f64 = 0.95;

/// Confidence at which a control must hold 1, within a run and over runs. At 95 % it would veto one sound run
/// in twenty; what it is there to catch (arms that disturb each other, an order that is not random) moves it
/// much further.
pub const CONTROL_CONFIDENCE: f64 = 0.99;

/// An estimate and the interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Point estimate.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Confidence of the interval, e.g. 0.95.
    pub confidence: f64,
}

impl Estimate {
    /// Of a quantity whose logarithm this is.
    #[must_use]
    pub fn exponential(self) -> Self {
        let [estimate, low, high] = [self.estimate, self.low, self.high].map(f64::exp);
        Self { estimate, low, high, ..self }
    }

    /// Half the width of the interval.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// Whether the interval holds `value`.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Of a ratio: the interval wider by `factor` on either side.
    #[must_use]
    pub fn wider_by_factor(self, factor: f64) -> Self {
        Self { low: self.low / factor, high: self.high * factor, ..self }
    }

    /// Of a difference: the interval wider by `amount` on either side.
    #[must_use]
    pub fn wider_by(self, amount: f64) -> Self {
        Self { low: self.low - amount, high: self.high + amount, ..self }
    }
}

/// Why there is no estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum TooFew {
    /// Not enough of what the estimate is made from.
    #[error("needs at least {needed} {what}, has {have}")]
    Samples {
        /// What is counted: samples, strata, blocks.
        what: String,
        /// How many it takes.
        needed: u64,
        /// How many there are.
        have: u64,
    },
    /// There is no load at which the level is reached, within the loads that there are.
    #[error("{what} do not rise to the level with the load, near where it is reached")]
    NoTrend {
        /// What does not rise.
        what: String,
    },
    /// All values are the same where a spread is needed, or zero where a logarithm is.
    #[error("{what} do not vary")]
    Constant {
        /// What does not vary.
        what: String,
    },
}

impl TooFew {
    /// Not enough `what`.
    pub fn samples(what: &str, needed: u64, have: u64) -> Self {
        Self::Samples { what: what.to_owned(), needed, have }
    }

    /// `what` do not rise with the load.
    pub fn no_trend(what: &str) -> Self {
        Self::NoTrend { what: what.to_owned() }
    }

    /// The same reason with `what` as the name of the things that are too few or do not vary.
    #[must_use]
    pub fn counting(self, what: &str) -> Self {
        match self {
            Self::Samples { needed, have, .. } => Self::samples(what, needed, have),
            Self::NoTrend { .. } => Self::no_trend(what),
            Self::Constant { .. } => Self::constant(what),
        }
    }

    /// `what` do not vary.
    pub fn constant(what: &str) -> Self {
        Self::Constant { what: what.to_owned() }
    }
}

/// Quantile of the standard normal distribution.
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// Distribution function of the standard normal distribution.
pub(crate) fn normal_probability(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// Share of resamples beyond each end of a percentile interval that Hesterberg's expansion for few samples
/// moves outwards: what Student's t adds to a normal interval of `n` samples with this many degrees of
/// freedom.
pub(crate) fn expanded_tail(confidence: f64, n: f64, degrees: f64) -> f64 {
    normal_probability(-t_quantile(f64::midpoint(1.0, confidence), degrees) * (n / degrees).sqrt())
}

/// Probability that Student's t is at least this far from zero in either direction; the normal's where the
/// degrees of freedom do not make a distribution.
pub(crate) fn t_probability(t: f64, degrees: f64) -> f64 {
    let beyond = StudentsT::new(0.0, 1.0, degrees)
        .map_or_else(|_| normal_probability(-t.abs()), |known| known.sf(t.abs()));
    2.0 * beyond
}

/// Quantile of Student's t; the normal's where the degrees of freedom do not make a distribution.
pub(crate) fn t_quantile(p: f64, degrees: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees).map_or_else(|_| normal_quantile(p), |t| t.inverse_cdf(p))
}
