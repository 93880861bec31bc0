//! How far a run can be believed.

use super::level::Trust;
use super::warnings::bear_on_differences;
use crate::judge::{RunResult, Verdict};

/// What decides how far a run can be believed: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunTrust {
    /// Its figures must not be used.
    Invalid,
    /// Its control failed.
    ControlFailed,
    /// It was ended, for it missed its service level.
    Aborted,
    /// It was interrupted.
    Interrupted,
    /// No execution was read back.
    NotReadBack,
    /// It cannot tell what is compared.
    Undecided,
    /// That there is a difference: what it warns of bears on figures alone.
    OfDifference,
    /// It warns of something that bears on what it says.
    Warned,
    /// Every check passed, and no warning bears on what it says.
    Sound,
}

impl RunTrust {
    /// How far.
    pub fn level(self) -> Trust {
        match self {
            Self::Invalid | Self::ControlFailed => Trust::No,
            Self::Aborted | Self::Interrupted | Self::NotReadBack | Self::Undecided | Self::Warned => {
                Trust::Careful
            }
            Self::OfDifference | Self::Sound => Trust::Yes,
        }
    }
}

impl RunResult {
    /// How far it can be believed.
    pub fn trust(&self) -> RunTrust {
        let verdict = self.headline().map(|(_, one)| one.verdict);
        if !self.valid {
            RunTrust::Invalid
        } else if self.is_vetoed() {
            RunTrust::ControlFailed
        } else if self.record.aborted.is_some() {
            RunTrust::Aborted
        } else if self.record.partial {
            RunTrust::Interrupted
        } else if self.record.audit.executions_checked == 0 {
            RunTrust::NotReadBack
        } else if verdict == Some(Verdict::Inconclusive) {
            RunTrust::Undecided
        } else if self.warnings.is_empty() {
            RunTrust::Sound
        } else if bear_on_differences(&self.warnings, self.threshold()) {
            RunTrust::Warned
        } else {
            // Without a control nothing vouches for a difference on such a machine.
            match verdict.filter(|_| self.control.is_some()) {
                Some(verdict) if verdict.is_change() => RunTrust::OfDifference,
                Some(_) => RunTrust::Sound,
                None => RunTrust::Warned,
            }
        }
    }

    /// What counts as a difference; `None` where nothing is compared.
    fn threshold(&self) -> Option<f64> {
        let compare = self.record.scenario.compare.as_ref().filter(|_| !self.comparisons.is_empty());
        compare.map(|compare| compare.noise_threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use crate::record::{Aborted, Warning};

    /// A sound run with what is changed in it.
    fn trusted(change: impl FnOnce(&mut RunResult)) -> RunTrust {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut result = analyse_as(record(&arms, 1), &scenario(&arms));
        change(&mut result);
        result.trust()
    }

    /// The same on a machine that generator and servers share.
    fn shared(verdict: Verdict, change: impl FnOnce(&mut RunResult)) -> RunTrust {
        trusted(|result| {
            result.warnings.push(Warning::SharedMachine { cores: 2 });
            result.comparisons.iter_mut().for_each(|one| one.verdict = verdict);
            change(result);
        })
    }

    #[test]
    fn the_first_thing_that_speaks_against_a_run_decides() {
        assert_eq!(trusted(|_| ()), RunTrust::Sound);
        let fail = |result: &mut RunResult| result.control.as_mut().unwrap().passed = false;
        let interrupt = |result: &mut RunResult| result.record.partial = true;
        let invalid = trusted(|result| {
            result.valid = false;
            fail(result);
        });
        assert_eq!(invalid, RunTrust::Invalid);
        let failed = trusted(|result| {
            fail(result);
            interrupt(result);
        });
        assert_eq!(failed, RunTrust::ControlFailed);
        assert_eq!(trusted(interrupt), RunTrust::Interrupted);
        let aborted = trusted(|result| {
            interrupt(result);
            result.record.aborted = Some(Aborted { limit_us: 1e6, seconds: 5, after_s: 7.0 });
        });
        assert_eq!(aborted, RunTrust::Aborted);
        let unread = trusted(|result| result.record.audit.executions_checked = 0);
        assert_eq!(unread, RunTrust::NotReadBack);
        let warned = trusted(|result| result.warnings.push(Warning::NoRealTime));
        assert_eq!(warned, RunTrust::Warned);
        for (level, of) in [(Trust::No, failed), (Trust::Careful, unread), (Trust::Yes, RunTrust::Sound)] {
            assert_eq!(of.level(), level, "{of:?}");
        }
    }

    #[test]
    fn of_a_machine_that_is_shared_a_difference_is_believed_where_a_control_vouches_for_it() {
        assert_eq!(shared(Verdict::Regression, |_| ()), RunTrust::OfDifference);
        assert_eq!(shared(Verdict::NoChange, |_| ()), RunTrust::Sound);
        assert_eq!(shared(Verdict::Inconclusive, |_| ()), RunTrust::Undecided);
        assert_eq!(shared(Verdict::Regression, |result| result.control = None), RunTrust::Warned);
        let alone = shared(Verdict::Regression, |result| result.comparisons.clear());
        assert_eq!(alone, RunTrust::Warned, "figures are all that there is");
    }
}
