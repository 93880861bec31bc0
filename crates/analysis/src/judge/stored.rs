//! Two stored results, measured one after the other: coarse thresholds, because no pairing cancels what
//! changed in between. Best is still to measure both in one run.

use crate::scenario::{Direction, GateRole, GateSection, METRICS, Metric};
use crate::stats::{CONFIDENCE, Estimate, TooFew, ratio_of};

use super::comparable::{differences, unusable};
use super::conclusion::Conclusion;
use super::exact_values::exact_pairs;
use super::gate::{more_failed, unsuccessful};
use super::metric_source::is_withheld;
use super::result::RunResult;
use super::setting_difference::NotComparable;
use super::stored_pairs::own_arms;
use super::stored_result::{
    RunLabel, StoredComparison, StoredExact, StoredFailures, StoredMetric, StoredVerdict, Thresholds,
};
use super::values::{is_one_drain, measured, value_of};
use super::verdict::{band_of_base, best_and_worst, is_worse};

/// How to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredOptions {
    /// Losses of throughput, as shares.
    pub throughput: Thresholds,
    /// Rises of a 99th percentile, as shares.
    pub p99: Thresholds,
    /// Confidence of every interval.
    pub confidence: f64,
    /// Whether results that measured different things are compared all the same; the differences are named.
    pub allow_differences: bool,
}

impl StoredOptions {
    /// The options of a scenario's `[gate]`.
    pub fn from_gate_section(gate: &GateSection) -> Self {
        Self {
            throughput: Thresholds { warn: gate.throughput_warn, fail: gate.throughput_fail },
            p99: Thresholds { warn: gate.p99_warn, fail: gate.p99_fail },
            confidence: CONFIDENCE,
            allow_differences: false,
        }
    }
}

/// Why two results are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredRefusal {
    /// Nothing allows this: there is no verdict on figures that must not be used.
    #[error("the {side} ({scenario} of {started}) is {state}: no figure of it is compared")]
    Unusable {
        /// `base` or `candidate`.
        side: &'static str,
        /// Its scenario.
        scenario: String,
        /// Its start, RFC 3339 in UTC.
        started: String,
        /// `invalid` or `interrupted`.
        state: &'static str,
    },
    /// They measured different things.
    #[error(transparent)]
    Different(#[from] NotComparable),
}

/// Compares two results; refuses those that must not be used, and those that measured different things, unless
/// the options allow it.
pub fn compare(
    base: &RunResult,
    candidate: &RunResult,
    options: &StoredOptions,
) -> Result<StoredComparison, StoredRefusal> {
    for (side, result) in [("base", base), ("candidate", candidate)] {
        if let Some(state) = unusable(result) {
            let RunLabel { scenario, started, .. } = label(result);
            return Err(StoredRefusal::Unusable { side, scenario, started, state });
        }
    }
    let differences = differences(base, candidate);
    let forbidding: Vec<_> = differences.iter().filter(|d| d.forbids).cloned().collect();
    if !options.allow_differences && !forbidding.is_empty() {
        return Err(NotComparable(forbidding).into());
    }
    let mut metrics = Vec::new();
    let (mut exact, mut failures) = (Vec::new(), Vec::new());
    let mut exact_equal = 0;
    for (base_arm, arm) in base.record.arms.iter().enumerate() {
        let Some(candidate_arm) = candidate.record.arms.iter().position(|other| other.name == arm.name)
        else {
            continue;
        };
        let sides = RunPair { base, candidate, arms: [base_arm, candidate_arm], variant: &arm.name, options };
        metrics
            .extend(METRICS.iter().filter(|row| row.is_judged()).filter_map(|row| sides.metric(row.metric)));
        let (equal, unequal): (Vec<_>, Vec<_>) =
            sides.exact().partition(|exact| exact.verdict == StoredVerdict::Pass);
        exact_equal += equal.len() as u64;
        exact.extend(unequal);
        failures.extend(sides.failures());
    }
    let judged = metrics.iter().map(|m| m.verdict).chain(exact.iter().map(|e| e.verdict));
    // Without a failure there is nothing to list, and a pass alone would conclude where no metric can.
    let failed = failures.iter().map(|f| f.verdict).filter(|verdict| *verdict == StoredVerdict::Fail);
    let conclusion = conclude(judged.chain(failed));
    Ok(StoredComparison {
        base: label(base),
        candidate: label(candidate),
        differences,
        metrics,
        exact,
        exact_equal,
        failures,
        own_arms: own_arms(base, candidate),
        conclusion,
    })
}

/// A failure is a failure; without one, what cannot be said outweighs what passed.
fn conclude(verdicts: impl Iterator<Item = StoredVerdict>) -> Conclusion {
    verdicts
        .filter_map(|verdict| match verdict {
            StoredVerdict::Fail => Some(Conclusion::Regression),
            StoredVerdict::Inconclusive => Some(Conclusion::Inconclusive),
            StoredVerdict::Warn | StoredVerdict::Pass => Some(Conclusion::Pass),
            StoredVerdict::NotJudged => None,
        })
        .min()
        // No metric in common that has a threshold: there is nothing to conclude from.
        .unwrap_or(Conclusion::Inconclusive)
}

fn label(result: &RunResult) -> RunLabel {
    let library = &result.record.environment.library;
    RunLabel {
        scenario: result.record.label(),
        started: result.record.started.clone(),
        commit: result.record.tool.commit.clone(),
        library: library.version.clone(),
        library_sha256: library.sha256.clone(),
    }
}

/// One variant in both results.
struct RunPair<'a> {
    base: &'a RunResult,
    candidate: &'a RunResult,
    arms: [usize; 2],
    variant: &'a str,
    options: &'a StoredOptions,
}

impl RunPair<'_> {
    /// `None` where neither run has a value, or one of them withholds it.
    fn metric(&self, metric: Metric) -> Option<StoredMetric> {
        if [self.base, self.candidate].iter().any(|result| is_withheld(metric, &result.record)) {
            return None;
        }
        let [base, candidate] = [self.base, self.candidate].map(|result| result.record.main_thread_clock());
        if metric == Metric::ServerCpu && base.zip(candidate).is_some_and(|(one, other)| one != other) {
            return None;
        }
        let base = measured(&self.base.record, self.arms[0], metric);
        let candidate = measured(&self.candidate.record, self.arms[1], metric);
        let row = metric.row();
        // One storm does not say how long the next takes, so two of them decide nothing.
        let drains = is_one_drain(&self.base.record, metric) || is_one_drain(&self.candidate.record, metric);
        let thresholds = self.thresholds(row.gate).filter(|_| !drains);
        let mut compared = StoredMetric {
            variant: self.variant.to_owned(),
            metric,
            unit: row.unit.name().to_owned(),
            base_value: value_of(base.as_ref().ok(), &self.base.record, self.arms[0], metric),
            candidate_value: value_of(candidate.as_ref().ok(), &self.candidate.record, self.arms[1], metric),
            ratio: None,
            too_few: None,
            thresholds,
            verdict: if thresholds.is_some() {
                StoredVerdict::Inconclusive
            } else {
                StoredVerdict::NotJudged
            },
        };
        match (base, candidate) {
            (Ok(base), Ok(candidate)) => {
                let ratio = ratio_of(&base, &candidate, self.options.confidence);
                compared.ratio = Some(ratio);
                if let Some(thresholds) = thresholds {
                    compared.verdict = verdict(&ratio, row.direction, thresholds);
                }
            }
            // A clock that neither run had is not missing.
            (Err(TooFew::Samples { have: 0, .. }), Err(TooFew::Samples { have: 0, .. })) => return None,
            (Err(reason), _) | (_, Err(reason)) => compared.too_few = Some(reason),
        }
        Some(compared)
    }

    /// Response times where there are any: they are what users feel; service times otherwise.
    fn thresholds(&self, role: GateRole) -> Option<Thresholds> {
        let has_response = || measured(&self.base.record, self.arms[0], Metric::ResponseP99).is_ok();
        match role {
            GateRole::Throughput => Some(self.options.throughput),
            GateRole::Tail => Some(self.options.p99),
            GateRole::TailWithoutResponse => (!has_response()).then_some(self.options.p99),
            GateRole::Shown => None,
        }
    }

    /// `None` where all claims of both succeeded.
    fn failures(&self) -> Option<StoredFailures> {
        let counted = |result: &RunResult| {
            let variant = result.variants.iter().find(|variant| variant.name == self.variant)?;
            Some(unsuccessful(result, variant, false))
        };
        let [(base, base_of), (candidate, candidate_of)] = [counted(self.base)?, counted(self.candidate)?];
        let worse = more_failed((base, base_of), (candidate, candidate_of));
        // How many a fault has cost is one event of its kind, as one outage is.
        let struck = [self.base, self.candidate].iter().any(|result| result.record.injected.is_some());
        let verdict = match (struck, worse) {
            (true, _) => StoredVerdict::NotJudged,
            (false, true) => StoredVerdict::Fail,
            (false, false) => StoredVerdict::Pass,
        };
        let variant = self.variant.to_owned();
        (base + candidate > 0).then_some(StoredFailures {
            variant,
            base,
            base_of,
            candidate,
            candidate_of,
            verdict,
        })
    }

    fn exact(&self) -> impl Iterator<Item = StoredExact> {
        let pairs = exact_pairs([(&self.base.record, self.arms[0]), (&self.candidate.record, self.arms[1])]);
        pairs.into_iter().map(|pair| {
            let [base_value, candidate_value] = pair.values;
            let verdict = if pair.is_equal() {
                StoredVerdict::Pass
            } else if candidate_value > base_value {
                StoredVerdict::Fail
            } else {
                StoredVerdict::Warn
            };
            let variant = self.variant.to_owned();
            StoredExact { variant, metric: pair.name, base_value, candidate_value, verdict }
        })
    }
}

/// The rule. Thresholds are shares of the base: a throughput that fell by more than 10 %, a p99 that rose by
/// more than 20 %.
fn verdict(ratio: &Estimate, direction: Direction, thresholds: Thresholds) -> StoredVerdict {
    // [every value of the interval is beyond, some value is beyond]
    let beyond = |share: f64| {
        best_and_worst(ratio, direction).map(|end| is_worse(end, direction, band_of_base(share)))
    };
    match (beyond(thresholds.fail), beyond(thresholds.warn)) {
        ([true, _], _) => StoredVerdict::Fail,
        ([false, true], _) => StoredVerdict::Inconclusive,
        (_, [true, _]) => StoredVerdict::Warn,
        _ => StoredVerdict::Pass,
    }
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
