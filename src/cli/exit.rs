//! Exit codes, each in one place.

use std::process::ExitCode;

use crate::judge::{Conclusion, GatePolicy, RunResult, gate};

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
        if result.record.partial {
            Self::Interrupted
        } else {
            gate(result, &GatePolicy::of(&result.record.scenario)).conclusion.into()
        }
    }
}

impl From<Conclusion> for Exit {
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Pass => Self::Pass,
            Conclusion::Regression => Self::Regression,
            Conclusion::Invalid => Self::Invalid,
            Conclusion::Inconclusive => Self::Inconclusive,
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
