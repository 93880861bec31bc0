//! What a gate found, without words: those are the report's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::recovery_result::Untold;
use super::result::ControlFailure;
use super::untimed::WithoutTime;
use crate::record::Aborted;
use crate::scenario::{FaultKind, Metric, MetricName};
use crate::stats::{Estimate, TooFew};

/// How a run ends, worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The numbers must not be used.
    #[default]
    Invalid,
    /// A regression, or a service level missed.
    Regression,
    /// The gate was asked and cannot say.
    Inconclusive,
    /// Nothing wrong.
    Pass,
}

impl Conclusion {
    /// The process' exit code: 0 pass, 1 regression, 2 invalid, 3 inconclusive.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Regression => 1,
            Self::Invalid => 2,
            Self::Inconclusive => 3,
        }
    }

    /// In a word, as formats write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regression => "regression",
            Self::Invalid => "invalid",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One reason for a conclusion.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it amounts to.
    pub conclusion: Conclusion,
    /// Which run of a series it was found in, from 1; `None` where there is one run, or for all of them
    /// together.
    pub run: Option<u64>,
    /// What was found.
    pub cause: Cause,
}

/// What a gate can find.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The run's figures must not be used.
    InvalidRun {
        /// How many reasons it has for that.
        reasons: usize,
    },
    /// The run was stopped before its end.
    Interrupted,
    /// The service level was missed so far that the run was ended (`[slo] abort`).
    Aborted(Aborted),
    /// A series has fewer runs than were asked for.
    CutShort {
        /// Runs made.
        made: usize,
        /// Runs asked for.
        wanted: u64,
    },
    /// A series ended with an error before all of its runs were made.
    BrokeOff {
        /// Runs made.
        made: usize,
        /// Runs asked for.
        wanted: u64,
        /// The error, in words.
        error: String,
    },
    /// There is neither a comparison nor a service level.
    NothingJudged,
    /// Claims that did not succeed.
    Unsuccessful {
        /// The variant.
        variant: String,
        /// Claims without a lease.
        claims: u64,
        /// Claims planned.
        of: u64,
        /// Those that a function refused, by its error.
        refused: BTreeMap<String, u64>,
    },
    /// The baseline against itself forbids a verdict.
    ControlFailed {
        /// Why; `None` in results of versions that told it in words.
        failure: Option<ControlFailure>,
    },
    /// Over all runs of a series the baseline against itself forbids a verdict.
    SeriesControlFailed {
        /// Why.
        failure: ControlFailure,
    },
    /// A metric that varies.
    Metric {
        /// The metric.
        metric: Metric,
        /// The arm that was compared.
        candidate: String,
        /// With which.
        baseline: String,
        /// Candidate over baseline, or why there is none.
        ratio: Result<Estimate, Option<TooFew>>,
        /// Whether it is of all runs of a series together.
        over_all_runs: bool,
    },
    /// A metric that the scenario names, and by which nothing was compared.
    NotCompared {
        /// The metric.
        metric: Metric,
        /// The arm that was to be compared.
        candidate: String,
        /// With which.
        baseline: String,
        /// Whether there are figures that nobody may use; else none were taken.
        withheld: bool,
    },
    /// A metric that does not vary, of which there is more.
    MoreOf {
        /// The metric.
        metric: MetricName,
        /// The arm that has more.
        candidate: String,
        /// Than which.
        baseline: String,
        /// Per claim of the candidate.
        candidate_value: f64,
        /// Per claim of the baseline.
        baseline_value: f64,
    },
    /// A service level that was missed.
    ServiceLevel {
        /// The variant.
        variant: String,
        /// By which clock.
        clock: Clock,
        /// 99th percentile in microseconds, of the times that there are.
        p99_us: f64,
        /// Of a storm: executions that came back later than the bound or never, of how many.
        late: Option<(u64, u64)>,
        /// What the 99th percentile does not know of, where it does not know of all claims.
        untimed: Option<WithoutTime>,
        /// What the 99th percentile may be.
        bound_us: f64,
    },
    /// Whether a service level was kept nobody can tell.
    ServiceLevelUntold {
        /// The variant.
        variant: String,
        /// By which clock.
        clock: Clock,
        /// Times that were taken by it.
        claims: u64,
        /// The interval of their 99th percentile in microseconds, or why there is none. It holds the bound,
        /// or those without a time decide.
        interval: Result<Estimate, TooFew>,
        /// What the 99th percentile does not know of, where it does not know of all claims.
        untimed: Option<WithoutTime>,
        /// What the 99th percentile may be.
        bound_us: f64,
    },
    /// Response time and rate were not back in time after a fault.
    Recovery {
        /// The fault's number, from 0.
        fault: u32,
        /// What was done.
        kind: FaultKind,
        /// Time until they were back, in seconds; `None` where they never were.
        recovered_s: Option<f64>,
        /// Time until the next fault struck, where they were not back by then.
        next_struck_s: Option<f64>,
        /// What it may be.
        bound_s: f64,
    },
    /// When all was as before after a fault nobody can tell, but longer than it may be nothing succeeded at
    /// all.
    StillFailing {
        /// The fault's number, from 0.
        fault: u32,
        /// What was done.
        kind: FaultKind,
        /// Time until a claim on the struck server's slots succeeded, in seconds.
        first_success_s: f64,
        /// What the recovery may take.
        bound_s: f64,
    },
    /// Nobody can tell when response time and rate were back after a fault.
    RecoveryUnknown {
        /// The fault's number, from 0.
        fault: u32,
        /// What was done.
        kind: FaultKind,
        /// Why; `None` where they had not been when the load ended, and their time was not over.
        why: Option<Untold>,
    },
}

/// What the gate says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gate {
    /// The worst of the findings.
    pub conclusion: Conclusion,
    /// Why, worst first. Empty for a pass.
    pub findings: Vec<Finding>,
    /// Whether verdicts decided.
    pub enforced: bool,
}

impl Gate {
    /// Sorts the findings, worst first.
    pub(super) fn from_findings(mut findings: Vec<Finding>, enforced: bool) -> Self {
        findings.sort_by_key(|finding| finding.conclusion);
        let conclusion = findings.first().map_or(Conclusion::Pass, |finding| finding.conclusion);
        Self { conclusion, findings, enforced }
    }
}

impl Finding {
    /// Of one run, or of all.
    pub(super) fn new(conclusion: Conclusion, cause: Cause) -> Self {
        Self { conclusion, run: None, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conclusion_has_one_name_in_all_formats() {
        for conclusion in
            [Conclusion::Pass, Conclusion::Regression, Conclusion::Inconclusive, Conclusion::Invalid]
        {
            assert_eq!(serde_json::to_value(conclusion).unwrap(), conclusion.name());
        }
    }
}
