//! Values that do not vary from claim to claim, of one arm and of two.

use std::collections::BTreeSet;

use crate::record::{ArmRecord, RunRecord};
use crate::scenario::{METRICS, Metric, MetricName, Unit};

use super::arm_counts::{calls_per_claim, wire_per_claim};
use super::metric_source::{Source, source};

/// An exact metric of two arms.
pub(super) struct ExactPair {
    pub name: MetricName,
    pub values: [f64; 2],
    tolerance: f64,
}

impl ExactPair {
    /// Whether the values differ by no more than what is no finding.
    pub fn is_equal(&self) -> bool {
        (self.values[0] - self.values[1]).abs() <= self.tolerance
    }
}

/// Every exact metric that two arms have, of one run or of two. A command that only one of them calls is one
/// that the other calls 0 times.
pub(super) fn exact_pairs(arms: [(&RunRecord, usize); 2]) -> Vec<ExactPair> {
    let claims = arms.map(|(record, arm)| record.arms[arm].wire.claims);
    let mut pairs = Vec::new();
    for row in METRICS.iter().filter(|row| !row.is_judged()) {
        let of_both = arms.map(|(record, arm)| exact_values(record, arm, row.metric));
        if of_both.iter().any(Vec::is_empty) {
            continue;
        }
        let names: BTreeSet<&MetricName> = of_both.iter().flatten().map(|(name, _)| name).collect();
        let value_of = |values: &[(MetricName, f64)], name: &MetricName| {
            values.iter().find(|(other, _)| other == name).map_or(0.0, |(_, value)| *value)
        };
        pairs.extend(names.into_iter().map(|name| ExactPair {
            name: name.clone(),
            values: [value_of(&of_both[0], name), value_of(&of_both[1], name)],
            tolerance: row.tolerance_over(claims[0].min(claims[1])),
        }));
    }
    pairs
}

/// An arm's values of an exact metric, by name: one, or one for each command.
pub(super) fn exact_values(record: &RunRecord, arm: usize, metric: Metric) -> Vec<(MetricName, f64)> {
    match source(metric) {
        Source::Exact(_) if is_uncounted(&record.arms[arm], metric) => Vec::new(),
        Source::Exact(of) => {
            wire_per_claim(&record.arms[arm], of).map(|value| (metric.into(), value)).into_iter().collect()
        }
        Source::Calls => calls_per_claim(record, arm)
            .into_iter()
            .map(|(command, value)| (MetricName::calls(&command), value))
            .collect(),
        _ => Vec::new(),
    }
}

/// Bytes of claims that FlowFabric's SDK makes: they go over connections of its own, and nobody counts them.
fn is_uncounted(arm: &ArmRecord, metric: Metric) -> bool {
    arm.path.is_sdk() && metric.row().unit == Unit::BytesPerClaim
}
