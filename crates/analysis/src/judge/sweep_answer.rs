//! What a sweep comes to: how its verdicts are spread over the values, and why there is none, or no line.

use super::comparison_result::Verdict;
use super::sweep::{Sweep, SweepComparison, SweepPoint};
use crate::scenario::Metric;
use crate::stats::MIN_LINE_POINTS;

/// Why no verdict of a sweep counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSweepVerdict {
    /// At each value the control failed.
    ControlFailed,
    /// Each of the runs is invalid or was ended early.
    Unusable,
    /// At each value the one or the other.
    Either,
}

/// The verdicts on one variant at all values whose verdicts count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepVerdicts<'a> {
    /// What it is held against; `None` where no verdict counts.
    pub baseline: Option<&'a str>,
    /// Values at which it is better.
    pub better: usize,
    /// Values at which it is worse.
    pub worse: usize,
    /// Values at which it does not differ.
    pub same: usize,
    /// Values at which neither can be said.
    pub undecided: usize,
}

impl SweepVerdicts<'_> {
    /// Values whose verdicts count.
    pub fn judged(&self) -> usize {
        self.better + self.worse + self.same + self.undecided
    }

    /// What it is at each of them; `None` where values differ, where nothing was found, and without one.
    pub fn everywhere(&self) -> Option<Verdict> {
        match self.judged() {
            0 => None,
            all if self.better == all => Some(Verdict::Improvement),
            all if self.worse == all => Some(Verdict::Regression),
            _ => None,
        }
    }
}

/// Why a variant has no line over the round-trip time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLine {
    /// No variant has one: what is compared first is no time of a claim.
    OtherMetric(Metric),
    /// Its values would have sufficed, and make none.
    NoneFits {
        /// So many.
        usable: usize,
    },
    /// Too few of its values can be used.
    TooFewValues {
        /// So many can.
        usable: usize,
        /// At so many the run is invalid or was ended early.
        invalid: usize,
        /// At so many the control failed.
        control_failed: usize,
        /// At so many there is no interval.
        without_interval: usize,
    },
}

impl Sweep {
    /// Variants that are compared, in the order of the first value.
    pub fn candidates(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for arm in self.points.iter().flat_map(|point| &point.arms).filter(|arm| arm.against.is_some()) {
            if !names.contains(&arm.name.as_str()) {
                names.push(&arm.name);
            }
        }
        names
    }

    /// Why no verdict counts; `None` where one does, and where nothing was to be judged.
    pub fn no_verdict(&self) -> Option<NoSweepVerdict> {
        self.is_without_verdict().then(|| match self.points.iter().filter(|point| !point.valid).count() {
            0 => NoSweepVerdict::ControlFailed,
            n if n == self.points.len() => NoSweepVerdict::Unusable,
            _ => NoSweepVerdict::Either,
        })
    }

    /// The verdicts on a variant.
    pub fn verdicts(&self, variant: &str) -> SweepVerdicts<'_> {
        let judged: Vec<&SweepComparison> = self
            .points
            .iter()
            .filter(|point| point.is_judged())
            .filter_map(|point| compared(point, variant))
            .collect();
        let count = |verdict: Verdict| judged.iter().filter(|against| against.verdict == verdict).count();
        SweepVerdicts {
            baseline: judged.first().map(|against| against.baseline.as_str()),
            better: count(Verdict::Improvement),
            worse: count(Verdict::Regression),
            same: count(Verdict::NoChange),
            undecided: count(Verdict::Inconclusive),
        }
    }

    /// Why a variant of a sweep over round trips has no line; `None` where it has one, and of other sweeps.
    pub fn no_line(&self, variant: &str) -> Option<NoLine> {
        if !self.is_over_round_trips() || self.line(variant).is_some() {
            return None;
        }
        if let Some(metric) = self.metric().filter(|metric| !metric.grows_with_round_trips()) {
            return Some(NoLine::OtherMetric(metric));
        }
        let count = |which: &dyn Fn(&SweepPoint) -> bool| self.points.iter().filter(|p| which(p)).count();
        let has_ratio = |point: &SweepPoint| compared(point, variant).is_some_and(|one| one.ratio.is_some());
        let usable = count(&|point| point.is_judged() && has_ratio(point));
        Some(if usable >= MIN_LINE_POINTS {
            NoLine::NoneFits { usable }
        } else {
            NoLine::TooFewValues {
                usable,
                invalid: count(&|point| !point.valid),
                control_failed: count(&|point| point.valid && point.control_failed.is_some()),
                without_interval: count(&|point| point.is_judged() && !has_ratio(point)),
            }
        })
    }
}

fn compared<'a>(point: &'a SweepPoint, variant: &str) -> Option<&'a SweepComparison> {
    point.arms.iter().find(|arm| arm.name == variant)?.against.as_ref()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{FULL_GRANT, GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
    use super::super::network_fixture::longer_round_trips;
    use super::super::spoilt_fixture::{control_fails, damaged};
    use super::super::{RunResult, analyse_as, sweep};
    use super::*;
    use crate::record::RunRecord;

    const KEPT: fn(&mut RunRecord) = |_| ();

    /// A sweep over round trips that are longer by 100 us from value to value; to the record of each something
    /// may have been done.
    fn over(candidate: SimulatedArm, values: &[fn(&mut RunRecord)]) -> Sweep {
        let arms = [GRANT_LANE, candidate];
        let run = |(n, change): (usize, &fn(&mut RunRecord))| {
            let mut record = record(&arms, n as u64 + 1);
            longer_round_trips(&mut record, 100.0 * n as f64);
            change(&mut record);
            analyse_as(record, &scenario(&arms))
        };
        let results: Vec<RunResult> = values.iter().enumerate().map(run).collect();
        let names: Vec<String> = (0..values.len()).map(|n| format!("{}us", 100 * n)).collect();
        sweep("load.network.added_rtt", &names, names.iter().map(String::as_str).zip(&results))
    }

    #[test]
    fn verdicts_are_counted_where_they_count() {
        let worse = over(HGET_LANE, &[KEPT, KEPT, damaged, control_fails]);
        assert_eq!(worse.candidates(), ["hget-lane"]);
        let verdicts = worse.verdicts("hget-lane");
        assert_eq!((verdicts.baseline, verdicts.worse, verdicts.judged()), (Some("grant-lane"), 2, 2));
        assert_eq!(verdicts.everywhere(), Some(Verdict::Regression));
        let better = over(FULL_GRANT, &[KEPT, KEPT]);
        assert_eq!(better.verdicts("full-grant").everywhere(), Some(Verdict::Improvement));
        let same = over(TWIN, &[KEPT, KEPT]);
        assert_eq!((same.verdicts("twin").judged(), same.verdicts("twin").everywhere()), (2, None));
        assert_eq!(worse.verdicts("nobody").judged(), 0);
    }

    #[test]
    fn why_no_verdict_counts_is_one_of_three() {
        let why = |values: &[fn(&mut RunRecord)]| over(HGET_LANE, values).no_verdict();
        assert_eq!(why(&[control_fails, control_fails]), Some(NoSweepVerdict::ControlFailed));
        assert_eq!(why(&[damaged, damaged]), Some(NoSweepVerdict::Unusable));
        assert_eq!(why(&[damaged, control_fails]), Some(NoSweepVerdict::Either));
        assert_eq!(why(&[damaged, KEPT]), None);
    }

    #[test]
    fn a_variant_without_a_line_has_a_reason() {
        assert_eq!(over(HGET_LANE, &[KEPT; 4]).no_line("hget-lane"), None);
        let gaps = over(HGET_LANE, &[KEPT, KEPT, damaged, control_fails]);
        let expected = NoLine::TooFewValues { usable: 2, invalid: 1, control_failed: 1, without_interval: 0 };
        assert_eq!(gaps.no_line("hget-lane"), Some(expected));
        let mut elsewhere = gaps;
        elsewhere.key = "load.concurrency".into();
        assert_eq!(elsewhere.no_line("hget-lane"), None);
    }
}
