//! How far a series of runs can be believed.

use super::level::Trust;
use super::warnings::bear_on_differences;
use crate::judge::{Conclusion, Repeated, Verdict};

/// What decides how far a series can be believed: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesTrust {
    /// Its figures must not be used.
    Invalid,
    /// The control over all runs failed.
    ControlFailed,
    /// Runs are left out, there is no control over all of them, or what is decided has something to be kept
    /// in mind with it.
    Noted,
    /// Its figures hold, and decide nothing.
    Undecided,
    /// All runs are valid, and no warning bears on what they say.
    Sound,
}

impl SeriesTrust {
    /// How far.
    pub fn level(self) -> Trust {
        match self {
            Self::Invalid | Self::ControlFailed => Trust::No,
            Self::Noted | Self::Undecided => Trust::Careful,
            Self::Sound => Trust::Yes,
        }
    }
}

impl Repeated {
    /// How far it can be believed, where its gate concludes this.
    pub fn trust(&self, concluded: Conclusion) -> SeriesTrust {
        let unused = self.used().count() < self.attempts.len();
        let undecided = self.comparisons.first().is_some_and(|first| first.verdict == Verdict::Inconclusive);
        if concluded == Conclusion::Invalid {
            SeriesTrust::Invalid
        } else if !self.control_passed {
            SeriesTrust::ControlFailed
        } else if unused || self.control.is_none() || (self.is_doubtful() && !undecided) {
            SeriesTrust::Noted
        } else if undecided {
            SeriesTrust::Undecided
        } else {
            SeriesTrust::Sound
        }
    }

    /// Whether others ran beside a run, or one warns of something that bears on the differences as well;
    /// without any, whether one warns at all.
    fn is_doubtful(&self) -> bool {
        let threshold = self.noise_threshold.filter(|_| !self.comparisons.is_empty());
        let beside_others = self.comparisons.iter().any(|one| one.allowed_for_others.is_some());
        let mut attempts = self.attempts.iter();
        beside_others || attempts.any(|attempt| bear_on_differences(&attempt.warnings, threshold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use crate::judge::{AllowedOverRuns, RunResult, analyse_as, repeat};
    use crate::record::Warning;

    /// A series of four that its gate lets pass, with what is changed in its runs, and then in itself.
    fn trusted(
        runs: impl FnOnce(&mut Vec<RunResult>),
        change: impl FnOnce(&mut Repeated),
    ) -> (SeriesTrust, Trust) {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut results: Vec<_> =
            (0..4).map(|seed| analyse_as(record(&arms, seed), &scenario(&arms))).collect();
        runs(&mut results);
        let mut repeated = repeat(&results, 4);
        change(&mut repeated);
        let trust = repeated.trust(Conclusion::Pass);
        (trust, trust.level())
    }

    /// As the run that warns is.
    #[test]
    fn a_series_is_believed_no_more_than_what_its_runs_warn_of_allows() {
        assert_eq!(trusted(|_| (), |_| ()), (SeriesTrust::Sound, Trust::Yes));
        // Of a machine that generator and servers share, differences are what they are.
        let share = |results: &mut Vec<RunResult>| {
            for run in results {
                run.warnings.push(Warning::SharedMachine { cores: 2 });
            }
        };
        assert_eq!(trusted(share, |_| ()), (SeriesTrust::Sound, Trust::Yes));
        let uncompared = trusted(share, |repeated| repeated.comparisons.clear());
        assert_eq!(uncompared.0, SeriesTrust::Noted, "figures are all that there is");
        let warn = |results: &mut Vec<RunResult>| results[2].warnings.push(Warning::NoRealTime);
        assert_eq!(trusted(warn, |_| ()), (SeriesTrust::Noted, Trust::Careful));
        let beside = |repeated: &mut Repeated| {
            let allowed = AllowedOverRuns { runs: 1, of_mean: 0.1, of_next_run: 0.1 };
            repeated.comparisons[0].allowed_for_others = Some(allowed);
        };
        assert_eq!(trusted(|_| (), beside).0, SeriesTrust::Noted);
        // That something is to be kept in mind says less than that nothing is decided.
        let undecided = |repeated: &mut Repeated| repeated.comparisons[0].verdict = Verdict::Inconclusive;
        assert_eq!(trusted(warn, undecided), (SeriesTrust::Undecided, Trust::Careful));
    }

    #[test]
    fn runs_that_are_left_out_and_controls_that_are_not_there_are_no_small_thing() {
        let partial = |results: &mut Vec<RunResult>| results[3].record.partial = true;
        assert_eq!(trusted(partial, |_| ()), (SeriesTrust::Noted, Trust::Careful));
        let none = |repeated: &mut Repeated| repeated.control = None;
        assert_eq!(trusted(|_| (), none).0, SeriesTrust::Noted);
        let failed = |repeated: &mut Repeated| repeated.control_passed = false;
        assert_eq!(trusted(partial, failed), (SeriesTrust::ControlFailed, Trust::No));
    }

    #[test]
    fn what_the_gate_calls_invalid_is_not_believed_whatever_else_holds() {
        let arms = [GRANT_LANE, HGET_LANE];
        let results: Vec<_> = (0..4).map(|seed| analyse_as(record(&arms, seed), &scenario(&arms))).collect();
        let trust = repeat(&results, 4).trust(Conclusion::Invalid);
        assert_eq!((trust, trust.level()), (SeriesTrust::Invalid, Trust::No));
    }
}
