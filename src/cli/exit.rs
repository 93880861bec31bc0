//! Exit codes, each in one place.

use std::process::ExitCode;

use crate::judge::{RunResult, Verdict};

/// How a command ended, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, nothing wrong.
    Pass,
    /// 1: a regression, or a service level missed.
    Regression,
    /// 2: invalid run, infrastructure, usage.
    Invalid,
    /// 3: the gate was asked and cannot say.
    Inconclusive,
    /// 130: interrupted; what was measured is kept and marked.
    Interrupted,
}

impl Exit {
    /// What a finished run means. Verdicts count only where the scenario's gate enforces them: an A/B run that finds
    /// its baseline faster has answered its question, it has not failed.
    pub fn of(result: &RunResult) -> Self {
        let has = |verdict| result.comparisons.iter().any(|comparison| comparison.verdict == verdict);
        if result.record.partial {
            Self::Interrupted
        } else if !result.valid {
            Self::Invalid
        } else if !result.record.scenario.gate.enforce {
            Self::Pass
        } else if has(Verdict::Regression) {
            Self::Regression
        } else if has(Verdict::Inconclusive) {
            Self::Inconclusive
        } else {
            Self::Pass
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Pass => 0,
            Exit::Regression => 1,
            Exit::Invalid => 2,
            Exit::Inconclusive => 3,
            Exit::Interrupted => 130,
        })
    }
}
