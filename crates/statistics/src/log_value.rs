//! A value with the error of its logarithm, and the ratio of two of them: what compares two stored runs, where no pairs
//! cancel what the machine did.

use super::estimate::{Estimate, TooFew, t_quantile};

/// A value's logarithm with its standard error and the degrees of freedom behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogValue {
    /// The value itself, in its unit.
    pub value: f64,
    /// Standard error of ln(value).
    pub log_error: f64,
    /// Degrees of freedom of the standard error.
    pub degrees: f64,
}

impl LogValue {
    /// The value with its interval.
    pub fn estimate(&self, confidence: f64) -> Estimate {
        interval(self.value, self.log_error, self.degrees, confidence)
    }
}

/// Candidate over baseline, with Welch's interval on the logarithms.
pub fn ratio_of(baseline: &LogValue, candidate: &LogValue, confidence: f64) -> Estimate {
    let (a, b) = (baseline.log_error.powi(2), candidate.log_error.powi(2));
    let degrees = (a + b).powi(2) / (a * a / baseline.degrees + b * b / candidate.degrees);
    interval(candidate.value / baseline.value, (a + b).sqrt(), degrees, confidence)
}

fn interval(estimate: f64, log_error: f64, degrees: f64, confidence: f64) -> Estimate {
    let reach = t_quantile(f64::midpoint(1.0, confidence), degrees) * log_error;
    Estimate { estimate, low: estimate * (-reach).exp(), high: estimate * reach.exp(), confidence }
}

/// A value whose logarithm there is.
pub(super) fn positive(value: f64) -> Result<f64, TooFew> {
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(TooFew::constant("values (a ratio needs positive ones)"))
    }
}

/// The value, where its error is one.
pub(super) fn finished(value: f64, log_error: f64, degrees: f64, what: &str) -> Result<LogValue, TooFew> {
    if log_error.is_finite() && log_error > 0.0 {
        Ok(LogValue { value, log_error, degrees })
    } else {
        Err(TooFew::constant(what))
    }
}
