//! Exit codes, each in one place.

use std::process::ExitCode;

use crate::campaign::{ENDED_BY_FIRST, Several};
use reclaim_analysis::judge::capacity::{self, Capacity, Stopped};
use reclaim_analysis::judge::{Conclusion, RunResult};

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
    /// Of the hidden command alone that is one of several generators: the first one has ended the run.
    EndedByFirst,
}

impl Exit {
    /// What a finished run means. Verdicts count only where the scenario's gate enforces them: an A/B run
    /// that finds its baseline faster has answered its question, it has not failed.
    pub fn of_run(result: &RunResult) -> Self {
        if result.record.was_interrupted() { Self::Interrupted } else { result.gate().conclusion.into() }
    }

    /// What several runs mean that come to this conclusion, as far as they got.
    pub fn of_several<T>(runs: &Several<T>, conclusion: Conclusion) -> Self {
        match &runs.failure {
            Some(_) => Self::Invalid,
            None if runs.interrupted => Self::Interrupted,
            None => conclusion.into(),
        }
    }

    /// What a capacity search means. A required rate decides where there is one; a rate of which only a bound
    /// is known is not known.
    pub fn of_capacity(capacity: &Capacity) -> Self {
        if capacity.plan.stopped == Some(Stopped::Interrupted) {
            return Self::Interrupted;
        }
        if capacity.conclusion == capacity::SearchOutcome::Invalid {
            return Self::Invalid;
        }
        if let Some(required) = capacity.required {
            return match required.sustained {
                Some(true) => Self::Pass,
                Some(false) => Self::Regression,
                None => Self::Inconclusive,
            };
        }
        match capacity.conclusion {
            capacity::SearchOutcome::Found => Self::Pass,
            capacity::SearchOutcome::NothingSustained => Self::Regression,
            _ => Self::Inconclusive,
        }
    }

    /// The same in a word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => Conclusion::Pass.name(),
            Self::Regression => Conclusion::Regression.name(),
            Self::Invalid => Conclusion::Invalid.name(),
            Self::Inconclusive => Conclusion::Inconclusive.name(),
            Self::Interrupted => "interrupted",
            Self::EndedByFirst => "ended",
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => Conclusion::Pass.exit_code(),
            Self::Regression => Conclusion::Regression.exit_code(),
            Self::Invalid => Conclusion::Invalid.exit_code(),
            Self::Inconclusive => Conclusion::Inconclusive.exit_code(),
            // As a shell has it of a program that SIGINT ended.
            Self::Interrupted => 130,
            Self::EndedByFirst => ENDED_BY_FIRST,
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
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::capacity::simulated::{Simulated, plain, policy};
    use reclaim_analysis::judge::capacity::{CapacityPlan, ProbeLoad, ProbeVerdict};

    /// What a search from 500 claims per second comes to after these verdicts, in this order of rates.
    fn exit(required: Option<f64>, stopped: Option<Stopped>, verdicts: &[(f64, ProbeVerdict)]) -> Exit {
        let mut policy = policy();
        (policy.required_per_s, policy.walk) = (required, false);
        let scenario = Simulated::serving(1e3).run(ProbeLoad::Open { rate_per_s: 1e2 }, 1).record.scenario;
        let probe = |(rate_per_s, verdict): &(f64, ProbeVerdict)| {
            plain(ProbeLoad::Open { rate_per_s: *rate_per_s }, *verdict)
        };
        let probes = verdicts.iter().map(probe).collect();
        Exit::of_capacity(&Capacity::conclude(
            CapacityPlan { scenario, seed: 1, policy, stopped },
            probes,
            None,
        ))
    }

    /// Whoever starts generators tells these by the code alone.
    #[test]
    fn a_generator_that_the_first_one_ended_has_a_code_of_its_own() {
        let others = [Exit::Pass, Exit::Regression, Exit::Invalid, Exit::Inconclusive, Exit::Interrupted];
        assert!(others.iter().all(|exit| exit.code() != Exit::EndedByFirst.code()));
    }

    #[test]
    fn a_storm_that_left_executions_behind_fails_without_a_gate() {
        use reclaim_analysis::judge::fixtures::{GRANT_LANE, record, scenario};
        let of = |held: u64| {
            let mut record = record(&[GRANT_LANE], 1);
            record.storm =
                Some(reclaim_analysis::record::StormRecord { executions: 500, held, ..Default::default() });
            Exit::of_run(&reclaim_analysis::judge::analyse_as(record, &scenario(&[GRANT_LANE])))
        };
        assert_eq!((of(500), of(499)), (Exit::Pass, Exit::Invalid));
    }

    #[test]
    fn a_capacity_that_is_known_passes_and_one_that_is_not_is_inconclusive() {
        use ProbeVerdict::{Failed, Generator, Invalid, Passed};
        let found = [
            (500.0, Passed),
            (1_000.0, Failed),
            (1_000.0, Failed),
            (707.1, Failed),
            (594.6, Failed),
            (545.3, Failed),
            (522.2, Failed),
            (500.0, Passed),
            (522.2, Failed),
        ];
        assert_eq!(exit(None, None, &found), Exit::Pass);
        assert_eq!(exit(None, None, &found[..8]), Exit::Inconclusive);
        assert_eq!(exit(None, Some(Stopped::OutOfTime), &found[..3]), Exit::Inconclusive);
        assert_eq!(exit(None, Some(Stopped::Interrupted), &found), Exit::Interrupted);
        assert_eq!(exit(None, None, &[(500.0, Invalid), (500.0, Invalid)]), Exit::Invalid);
        let level = |rate: f64, verdict| [(rate, verdict), (rate, verdict)];
        let down = [500.0, 250.0, 125.0, 62.5, 31.25, 15.63];
        let nothing: Vec<_> = down.into_iter().flat_map(|rate| level(rate, Failed)).collect();
        assert_eq!(exit(None, None, &nothing), Exit::Regression);
        assert_eq!(exit(Some(900.0), None, &level(900.0, Passed)), Exit::Pass);
        assert_eq!(exit(Some(900.0), None, &level(900.0, Failed)), Exit::Regression);
        assert_eq!(exit(Some(900.0), None, &level(900.0, Failed)[..1]), Exit::Inconclusive);
        let generator = [(500.0, Passed), (1_000.0, Generator), (1_000.0, Generator)];
        assert_eq!(exit(None, Some(Stopped::OutOfTime), &generator), Exit::Inconclusive);
    }
}
