//! How far a sweep can be believed.

use super::level::Trust;
use super::warnings::bear_on_differences;
use crate::judge::{Sweep, SweepPoint};

/// What decides how far a sweep can be believed: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepTrust {
    /// The figures of some run must not be used.
    Unusable,
    /// Something was to be judged, and is at no value.
    NothingJudged,
    /// Values were not run, or the control failed at some.
    Gaps,
    /// A run warns of something that bears on what it says.
    Warned,
    /// All runs are valid, and no warning bears on what they say.
    Sound,
}

impl SweepTrust {
    /// How far.
    pub fn level(self) -> Trust {
        match self {
            Self::Unusable | Self::NothingJudged => Trust::No,
            Self::Gaps | Self::Warned => Trust::Careful,
            Self::Sound => Trust::Yes,
        }
    }
}

impl Sweep {
    /// How far it can be believed.
    pub fn trust(&self) -> SweepTrust {
        let vetoed = self.points.iter().any(|point| point.control_failed.is_some());
        let warned = |point: &SweepPoint| bear_on_differences(&point.warnings, point.noise_threshold);
        if self.points.iter().any(|point| !point.valid) {
            SweepTrust::Unusable
        } else if self.is_without_verdict() {
            SweepTrust::NothingJudged
        } else if vetoed || self.points.len() < self.wanted.len() {
            SweepTrust::Gaps
        } else if self.points.iter().any(warned) {
            SweepTrust::Warned
        } else {
            SweepTrust::Sound
        }
    }

    /// Whether something was to be judged, and is at no value.
    pub fn is_without_verdict(&self) -> bool {
        let mut arms = self.points.iter().flat_map(|point| &point.arms);
        arms.any(|arm| arm.against.is_some()) && !self.points.iter().any(SweepPoint::is_judged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use crate::judge::{analyse_as, sweep};
    use crate::record::Warning;

    /// A sweep of two values on a machine that generator and servers share.
    fn trusted(change: impl FnOnce(&mut Sweep)) -> (SweepTrust, Trust) {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut result = analyse_as(record(&arms, 1), &scenario(&arms));
        result.warnings.push(Warning::SharedMachine { cores: 2 });
        let values = ["1", "2"].map(String::from);
        let mut sweep = sweep("load.concurrency", &values, [("1", &result), ("2", &result)]);
        change(&mut sweep);
        let trust = sweep.trust();
        (trust, trust.level())
    }

    /// As the runs that warn are.
    #[test]
    fn a_sweep_is_believed_no_more_than_what_its_runs_warn_of_allows() {
        // Of a machine that is shared, differences are what they are.
        assert_eq!(trusted(|_| ()), (SweepTrust::Sound, Trust::Yes));
        let warned = trusted(|sweep| sweep.points[1].warnings.push(Warning::NoRealTime));
        assert_eq!(warned, (SweepTrust::Warned, Trust::Careful));
        let uncompared = trusted(|sweep| sweep.points[0].noise_threshold = None);
        assert_eq!(uncompared.0, SweepTrust::Warned, "figures are all that there is");
    }

    #[test]
    fn a_sweep_with_gaps_is_told_from_one_that_judges_nothing() {
        let arms = [GRANT_LANE, HGET_LANE];
        let control = analyse_as(record(&arms, 1), &scenario(&arms)).control;
        assert!(control.is_some());
        let fail = |sweep: &mut Sweep, n: usize| sweep.points[n].control_failed.clone_from(&control);
        assert_eq!(trusted(|sweep| fail(sweep, 0)), (SweepTrust::Gaps, Trust::Careful));
        let none = trusted(|sweep| (0..2).for_each(|n| fail(sweep, n)));
        assert_eq!(none, (SweepTrust::NothingJudged, Trust::No));
        let short = trusted(|sweep| sweep.wanted.push("3".into()));
        assert_eq!(short.0, SweepTrust::Gaps);
        let invalid = trusted(|sweep| sweep.points.iter_mut().for_each(|point| point.valid = false));
        assert_eq!(invalid, (SweepTrust::Unusable, Trust::No));
    }
}
