//! How far the parts of a profiled function can be believed.

use super::level::Trust;
use crate::judge::{Profile, RunResult, RunState};

/// What decides how far a profile can be believed: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileTrust {
    /// The figures of its run must not be used.
    Invalid,
    /// Its run was interrupted.
    Interrupted,
    /// It does not add up, or something else was found.
    Doubtful,
    /// Its parts add up to the servers' own time.
    AddsUp,
}

impl ProfileTrust {
    /// How far.
    pub fn level(self) -> Trust {
        match self {
            Self::Invalid => Trust::No,
            Self::Interrupted | Self::Doubtful => Trust::Careful,
            Self::AddsUp => Trust::Yes,
        }
    }
}

impl Profile {
    /// How far it can be believed; `run` is the one that it is of.
    pub fn trust(&self, run: &RunResult) -> ProfileTrust {
        match run.state() {
            RunState::Invalid => ProfileTrust::Invalid,
            RunState::Aborted | RunState::Interrupted => ProfileTrust::Interrupted,
            RunState::ControlFailed | RunState::Judged if !self.findings.is_empty() => ProfileTrust::Doubtful,
            RunState::ControlFailed | RunState::Judged => ProfileTrust::AddsUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::profile_fixture::{Truth, profiled};

    #[test]
    fn a_profile_that_was_interrupted_is_not_believed_as_a_whole_one() {
        let trusted = |partial: bool, valid: bool| {
            let mut record = profiled(&[Truth::default()]);
            record.partial = partial;
            let mut result = analyse(record).unwrap();
            result.valid &= valid;
            result.profile.as_ref().unwrap().trust(&result)
        };
        assert_eq!(trusted(false, true), ProfileTrust::AddsUp);
        assert_eq!(trusted(true, true), ProfileTrust::Interrupted);
        assert_eq!(trusted(true, false), ProfileTrust::Invalid);
    }
}
