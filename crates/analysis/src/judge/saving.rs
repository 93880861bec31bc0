//! What the faster of two variants saves of a claim, in time and in bare round trips: the part of an answer
//! that another machine can repeat.

use super::comparison_result::Comparison;
use super::repeat::{Repeated, RepeatedComparison, RepeatedDifference};
use super::result::RunResult;
use crate::scenario::{Metric, VariantPath};
use crate::stats::Estimate;

/// What saves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedBy {
    /// That the grant carries the lane: the faster one is `grant-lane`, the slower one `hget-lane`.
    CarryingLane,
    /// All that the faster one does in another way.
    Variant,
}

/// What the faster of two variants saves.
#[derive(Clone, Debug, PartialEq)]
pub struct Saving {
    /// Name of the faster one.
    pub faster: String,
    /// Name of the slower one.
    pub slower: String,
    /// What saves it.
    pub by: SavedBy,
    /// The median of one less that of the other, in microseconds: above zero, with the comparison's interval.
    pub time_us: Estimate,
    /// The same in bare round trips of the same claims.
    pub round_trips: Estimate,
    /// The round trip that these are of, in microseconds.
    pub round_trip_us: f64,
    /// The time saved as a share of a claim by the slower one.
    pub share: f64,
}

/// What the faster of two variants saves over all runs of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct RepeatedSaving {
    /// The mean over runs.
    pub mean: Saving,
    /// Where one more run would lie, in microseconds.
    pub next_run_us: Estimate,
    /// The same in bare round trips.
    pub next_run_round_trips: Estimate,
}

impl RunResult {
    /// What the faster variant of each pair saves. Nothing of a pair of which neither is judged to be faster, of
    /// runs without bare round trips, and where verdicts do not count.
    pub fn savings(&self) -> Vec<Saving> {
        if !self.is_judged() {
            return Vec::new();
        }
        let path = |name: &str| self.variants.iter().find(|variant| variant.name == name).map(|v| v.path);
        let pairs = in_both_units(&self.comparisons, |one| (&one.baseline, &one.candidate, one.metric));
        let saved =
            pairs.into_iter().filter(|(time, _)| time.verdict.is_change()).filter_map(|(time, trips)| {
                let amount = |one: &Comparison| {
                    Some(Amount::new(one.difference?, one.baseline_value, one.candidate_value))
                };
                let mut saving = saving([&time.baseline, &time.candidate], amount(time)?, amount(trips)?);
                if [path(&saving.faster), path(&saving.slower)]
                    == [Some(VariantPath::GrantLane), Some(VariantPath::HgetLane)]
                {
                    saving.by = SavedBy::CarryingLane;
                }
                Some(saving)
            });
        saved.collect()
    }
}

impl Repeated {
    /// The same over all runs, and what the next run would say.
    pub fn savings(&self) -> Vec<RepeatedSaving> {
        let pairs = in_both_units(&self.comparisons, |one| (&one.baseline, &one.candidate, one.metric));
        let saved = pairs.into_iter().filter(|(time, _)| time.verdict.is_change());
        saved.filter_map(|(time, trips)| repeated(time, trips)).collect()
    }
}

fn repeated(time: &RepeatedComparison, trips: &RepeatedComparison) -> Option<RepeatedSaving> {
    let [in_time, in_trips] = [time.difference.as_ref()?, trips.difference.as_ref()?];
    let amount = |over_all: &RepeatedDifference| {
        Amount::new(over_all.mean, over_all.baseline_value, over_all.candidate_value)
    };
    let mean = saving([&time.baseline, &time.candidate], amount(in_time), amount(in_trips));
    let candidate_is_faster = mean.faster == time.candidate;
    let saved = |next: Estimate| if candidate_is_faster { negated(next) } else { next };
    Some(RepeatedSaving {
        mean,
        next_run_us: saved(in_time.next_run),
        next_run_round_trips: saved(in_trips.next_run),
    })
}

/// Each pair that was compared by its medians in microseconds and in round trips.
fn in_both_units<'a, T>(
    all: &'a [T],
    key: impl Fn(&'a T) -> (&'a String, &'a String, Metric),
) -> Vec<(&'a T, &'a T)> {
    let in_round_trips = |time: &'a T| {
        let (baseline, candidate, metric) = key(time);
        let wanted = (baseline, candidate, Metric::ServiceP50RoundTrips);
        let trips = all.iter().find(|trips| key(trips) == wanted);
        trips.filter(|_| metric == Metric::ServiceP50).map(|trips| (time, trips))
    };
    all.iter().filter_map(in_round_trips).collect()
}

/// One metric of two variants.
#[derive(Clone, Copy)]
struct Amount {
    /// Candidate less baseline.
    difference: Estimate,
    baseline: f64,
    candidate: f64,
}

impl Amount {
    fn new(difference: Estimate, baseline: f64, candidate: f64) -> Self {
        Self { difference, baseline, candidate }
    }
}

/// By names and figures alone.
fn saving([baseline, candidate]: [&String; 2], time: Amount, trips: Amount) -> Saving {
    let candidate_is_slower = time.difference.estimate > 0.0;
    let saved = |difference: Estimate| if candidate_is_slower { difference } else { negated(difference) };
    let (faster, slower) = if candidate_is_slower { (baseline, candidate) } else { (candidate, baseline) };
    let time_us = saved(time.difference);
    Saving {
        faster: faster.clone(),
        slower: slower.clone(),
        by: SavedBy::Variant,
        time_us,
        round_trips: saved(trips.difference),
        round_trip_us: time.baseline / trips.baseline,
        share: time_us.estimate / time.baseline.max(time.candidate),
    }
}

fn negated(one: Estimate) -> Estimate {
    Estimate { estimate: -one.estimate, low: -one.high, high: -one.low, ..one }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{FULL_GRANT, GRANT_LANE, HGET_LANE, TWIN};
    use super::super::repeat;
    use super::super::ruler_fixture::{in_round_trips, in_round_trips_but};
    use super::super::spoilt_fixture::{control_fails, interrupted};
    use super::*;

    #[test]
    fn whichever_variant_is_faster_saves_a_positive_amount() {
        let [slower] = &in_round_trips(&[GRANT_LANE, HGET_LANE], 1, 1).savings()[..] else { panic!() };
        assert_eq!((slower.faster.as_str(), slower.by), ("grant-lane", SavedBy::CarryingLane));
        let [faster] = &in_round_trips(&[GRANT_LANE, FULL_GRANT], 1, 1).savings()[..] else { panic!() };
        assert_eq!((faster.faster.as_str(), faster.slower.as_str()), ("full-grant", "grant-lane"));
        assert_eq!(faster.by, SavedBy::Variant);
        for saving in [slower, faster] {
            let Saving { time_us, round_trips, .. } = saving;
            assert!(0.0 < time_us.low && time_us.low < time_us.estimate && time_us.estimate < time_us.high);
            assert!(0.0 < round_trips.low && round_trips.low < round_trips.high, "{saving:?}");
            // One is the other over the round trip, which takes 50 us.
            assert!((saving.round_trip_us - 50.0).abs() < 1.0, "{saving:?}");
            assert!((time_us.estimate / round_trips.estimate - 50.0).abs() < 2.0, "{saving:?}");
        }
        // A fifth more than the baseline is a sixth of the whole.
        assert!((slower.share - 1.0 / 6.0).abs() < 0.01 && (faster.share - 0.1).abs() < 0.01);
    }

    #[test]
    fn nothing_is_saved_where_nothing_differs_or_no_verdict_counts() {
        assert_eq!(in_round_trips(&[GRANT_LANE, TWIN], 2, 1).savings(), []);
        for spoil in [control_fails, interrupted] {
            assert_eq!(in_round_trips_but(&[GRANT_LANE, HGET_LANE], 1, spoil).savings(), []);
        }
    }

    #[test]
    fn a_series_saves_what_its_runs_do_and_the_next_run_may_say_more_or_less() {
        let results: Vec<_> =
            (1..=3).map(|seed| in_round_trips(&[GRANT_LANE, FULL_GRANT], seed, 1)).collect();
        let [saving] = &repeat(&results, 3).savings()[..] else { panic!("one pair") };
        let RepeatedSaving { mean, next_run_us, next_run_round_trips } = saving;
        assert_eq!((mean.faster.as_str(), mean.slower.as_str()), ("full-grant", "grant-lane"));
        let of_runs = results.iter().map(|run| run.savings()[0].time_us.estimate).sum::<f64>() / 3.0;
        assert!((mean.time_us.estimate - of_runs).abs() < 1e-9, "{saving:?}");
        for (mean, next) in [(mean.time_us, next_run_us), (mean.round_trips, next_run_round_trips)] {
            assert!(next.low < mean.low && mean.high < next.high && next.estimate > 0.0, "{saving:?}");
        }
        assert_eq!(repeat(&results[..2], 2).savings(), [], "two runs say nothing");
    }
}
