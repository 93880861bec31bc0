//! How far several runs side by side can be believed.

use super::level::Trust;
use crate::judge::RunResult;

/// What decides how far several runs can be believed: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideBySideTrust {
    /// The verdicts of none of them count.
    NoneUsable,
    /// Those of some of them do not.
    SomeUsable {
        /// Runs whose verdicts count.
        usable: usize,
    },
    /// They did not measure the same.
    Unlike,
    /// They measured the same, and the verdicts of all count.
    Sound,
}

impl SideBySideTrust {
    /// Of these runs, which are `alike` if they measured the same.
    pub fn from_runs(runs: &[&RunResult], alike: bool) -> Self {
        match runs.iter().filter(|run| run.is_judged()).count() {
            0 => Self::NoneUsable,
            usable if usable < runs.len() => Self::SomeUsable { usable },
            _ if !alike => Self::Unlike,
            _ => Self::Sound,
        }
    }

    /// How far.
    pub fn level(self) -> Trust {
        match self {
            Self::NoneUsable => Trust::No,
            Self::SomeUsable { .. } | Self::Unlike => Trust::Careful,
            Self::Sound => Trust::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};

    #[test]
    fn runs_whose_verdicts_do_not_count_say_more_than_that_they_are_unlike() {
        let arms = [GRANT_LANE, HGET_LANE];
        let sound = analyse_as(record(&arms, 1), &scenario(&arms));
        let spoiled = |spoil: fn(&mut RunResult)| {
            let mut result = sound.clone();
            spoil(&mut result);
            result
        };
        assert_eq!(SideBySideTrust::from_runs(&[&sound, &sound], true), SideBySideTrust::Sound);
        assert_eq!(SideBySideTrust::from_runs(&[&sound, &sound], false), SideBySideTrust::Unlike);
        for bad in [
            spoiled(|result| result.valid = false),
            spoiled(|result| result.record.partial = true),
            spoiled(|result| result.control.as_mut().unwrap().passed = false),
        ] {
            let some = SideBySideTrust::from_runs(&[&sound, &bad], false);
            assert_eq!(some, SideBySideTrust::SomeUsable { usable: 1 });
            assert_eq!(SideBySideTrust::from_runs(&[&bad, &bad], true), SideBySideTrust::NoneUsable);
        }
    }
}
