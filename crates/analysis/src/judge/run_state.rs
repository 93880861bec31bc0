//! What a run's figures and verdicts may be used for: asked in one place, so that no report finds it again.

use super::result::RunResult;

/// What a run may be used for: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Nothing: its figures must not be used.
    Invalid,
    /// It was ended, for it missed its service level. Its figures are those of the time before.
    Aborted,
    /// It was stopped. Its figures are those of the time before.
    Interrupted,
    /// Its figures. Its control forbids verdicts.
    ControlFailed,
    /// Its figures and its verdicts.
    Judged,
}

impl RunState {
    /// Whether figures may be used.
    pub fn is_usable(self) -> bool {
        match self {
            Self::Invalid | Self::Aborted | Self::Interrupted => false,
            Self::ControlFailed | Self::Judged => true,
        }
    }
}

impl RunResult {
    /// What it may be used for.
    pub fn state(&self) -> RunState {
        if !self.valid {
            RunState::Invalid
        } else if self.record.aborted.is_some() {
            RunState::Aborted
        } else if self.record.partial {
            RunState::Interrupted
        } else if self.is_vetoed() {
            RunState::ControlFailed
        } else {
            RunState::Judged
        }
    }

    /// Whether its figures may be used: it is valid, and nothing ended it early.
    pub fn is_usable(&self) -> bool {
        self.state().is_usable()
    }

    /// Whether its control forbids verdicts.
    pub fn is_vetoed(&self) -> bool {
        self.control.as_ref().is_some_and(|control| !control.passed)
    }

    /// Whether its verdicts count: its figures may be used, and its control forbids none.
    pub fn is_judged(&self) -> bool {
        self.state() == RunState::Judged
    }
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use super::super::spoilt_fixture::{aborted, control_fails, damaged, interrupted};
    use super::*;
    use crate::record::RunRecord;

    fn state(wrong: &[fn(&mut RunRecord)]) -> RunState {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut record = record(&arms, 1);
        for spoil in wrong {
            spoil(&mut record);
        }
        analyse_as(record, &scenario(&arms)).state()
    }

    #[test]
    fn a_run_has_one_state_and_the_worst_comes_first() {
        assert_eq!(state(&[]), RunState::Judged);
        assert_eq!(state(&[control_fails]), RunState::ControlFailed);
        assert_eq!(state(&[control_fails, interrupted]), RunState::Interrupted);
        assert_eq!(state(&[control_fails, aborted]), RunState::Aborted);
        assert_eq!(state(&[aborted, damaged]), RunState::Invalid);
        assert!(RunState::ControlFailed.is_usable() && !RunState::Aborted.is_usable());
    }
}
