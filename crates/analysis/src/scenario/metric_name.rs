//! What a value is called in results, exports and histories: its metric, and of calls the command.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;

/// What one value is of: a metric, or the calls of one command. In JSON a word: `round_trips`, `calls.hget`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct MetricName {
    /// The metric.
    pub metric: Metric,
    /// The command in lower case, of [`Metric::Calls`] alone.
    pub command: Option<String>,
}

impl MetricName {
    /// Calls of this command.
    pub fn calls(command: &str) -> Self {
        Self { metric: Metric::Calls, command: Some(command.to_owned()) }
    }
}

impl From<Metric> for MetricName {
    fn from(metric: Metric) -> Self {
        Self { metric, command: None }
    }
}

impl From<MetricName> for String {
    fn from(name: MetricName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "{}.{command}", self.metric),
            None => f.write_str(self.metric.name()),
        }
    }
}

/// A name that no metric has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a metric of this version")]
pub struct UnknownMetric(String);

impl FromStr for MetricName {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        let (name, command) = match text.split_once('.') {
            Some((name, command)) => (name, Some(command.to_owned())),
            None => (text, None),
        };
        let unknown = || UnknownMetric(text.to_owned());
        let metric = Metric::find(name).ok_or_else(unknown)?;
        if command.is_some() && metric != Metric::Calls {
            return Err(unknown());
        }
        Ok(Self { metric, command })
    }
}

impl TryFrom<String> for MetricName {
    type Error = UnknownMetric;

    fn try_from(text: String) -> Result<Self, UnknownMetric> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_named_by_its_metric_and_command() {
        for (text, name) in
            [("round_trips", MetricName::from(Metric::RoundTrips)), ("calls.hget", MetricName::calls("hget"))]
        {
            assert_eq!((name.to_string(), text.parse()), (text.to_owned(), Ok(name)));
        }
        for unknown in ["service_p42", "round_trips.hget", ""] {
            assert!(unknown.parse::<MetricName>().is_err(), "{unknown}");
        }
    }
}
