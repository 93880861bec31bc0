//! How much of what carrying the lane saves a worker of FlowFabric's SDK sees: the same time, and a smaller
//! share of what it waits for.

use super::result::{RunResult, Verdict};
use crate::scenario::{Metric, VariantPath};

/// A share with the interval that follows from those of the ratios that it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SavedShare {
    /// The share itself.
    pub value: f64,
    /// Its interval: wider than one made of both at once would be.
    pub interval: [f64; 2],
}

/// The headline as one of the SDK's ways of claiming sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadlineSeen {
    /// The SDK's variant.
    pub variant: String,
    /// What carrying the lane saves of a claim by `hget-lane`, on the wire.
    pub on_the_wire: SavedShare,
    /// What it saves of a claim by this variant that would read the lane first.
    pub by_the_worker: SavedShare,
}

/// For each of the SDK's resumes that was compared with `grant-lane` beside `hget-lane`; empty for other
/// runs, and where this one does not say that `hget-lane` is slower: its control forbids it, or its verdict is
/// another one.
pub fn headline_seen(result: &RunResult) -> Vec<HeadlineSeen> {
    if !result.is_judged() {
        return Vec::new();
    }
    let path =
        |name: &str| result.variants.iter().find(|variant| variant.name == name).map(|variant| variant.path);
    let medians = || {
        let compared = result.comparisons.iter().filter(|one| one.metric == Metric::ServiceP50);
        compared.filter(|one| path(&one.baseline) == Some(VariantPath::GrantLane))
    };
    let hget = medians().find(|one| path(&one.candidate) == Some(VariantPath::HgetLane));
    let hget = hget.filter(|one| one.verdict == Verdict::Regression);
    let Some(hget) = hget.and_then(|one| one.ratio.as_ref()) else { return Vec::new() };
    // In units of a claim by grant-lane: what reading the lane adds, over a whole with it.
    let share = |added: f64, whole: f64| added / (whole + added);
    let (added, [low, high]) = (hget.estimate - 1.0, [hget.low - 1.0, hget.high - 1.0]);
    let of_sdk = medians()
        .filter(|one| matches!(path(&one.candidate), Some(VariantPath::SdkResume | VariantPath::SdkGrant)));
    of_sdk
        .filter_map(|one| {
            let sdk = one.ratio.as_ref()?;
            // Of what is added the share falls with the whole, and of what is taken away it rises.
            let of_either = |added: f64| [share(added, sdk.low), share(added, sdk.high)];
            let least = of_either(low).into_iter().fold(f64::INFINITY, f64::min);
            let most = of_either(high).into_iter().fold(f64::NEG_INFINITY, f64::max);
            Some(HeadlineSeen {
                variant: one.candidate.clone(),
                on_the_wire: SavedShare {
                    value: share(added, 1.0),
                    interval: [share(low, 1.0), share(high, 1.0)],
                },
                by_the_worker: SavedShare { value: share(added, sdk.estimate), interval: [least, most] },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record, scenario};
    use super::*;

    const SDK: SimulatedArm =
        SimulatedArm { name: "sdk-resume", path: VariantPath::SdkResume, slower: 1.6, ..GRANT_LANE };

    fn seen(arms: &[SimulatedArm]) -> Vec<HeadlineSeen> {
        headline_seen(&analyse_as(record(arms, 3), &scenario(arms)))
    }

    #[test]
    fn a_longer_claim_sees_a_smaller_share_and_other_runs_say_nothing() {
        assert!(seen(&[GRANT_LANE, HGET_LANE]).is_empty());
        assert!(seen(&[GRANT_LANE, SDK]).is_empty());
        let [seen] = seen(&[GRANT_LANE, HGET_LANE, SDK]).try_into().expect("one");
        assert!((seen.on_the_wire.value - 0.2 / 1.2).abs() < 0.01, "{seen:?}");
        assert!((seen.by_the_worker.value - 0.2 / 1.8).abs() < 0.01, "{seen:?}");
        for share in [seen.on_the_wire, seen.by_the_worker] {
            let [low, high] = share.interval;
            assert!(low < share.value && share.value < high, "{share:?}");
        }
    }

    #[test]
    fn nothing_is_saved_where_the_run_says_nothing_of_it() {
        let arms = [GRANT_LANE, HGET_LANE, SDK];
        let with = |change: fn(&mut RunResult)| {
            let mut result = analyse_as(record(&arms, 3), &scenario(&arms));
            change(&mut result);
            headline_seen(&result).len()
        };
        assert_eq!(with(|_| ()), 1);
        assert_eq!(with(|result| result.control.as_mut().unwrap().passed = false), 0);
        assert_eq!(with(|result| result.record.partial = true), 0);
        let equal = [GRANT_LANE, SimulatedArm { slower: 1.0, ..HGET_LANE }, SDK];
        assert!(seen(&equal).is_empty(), "no change");
        let unsure = with(|result| {
            for one in &mut result.comparisons {
                one.verdict = Verdict::Inconclusive;
            }
        });
        assert_eq!(unsure, 0);
    }

    /// Either end of the SDK's own interval may be the one that is farther.
    #[test]
    fn the_interval_of_a_share_holds_both_ends_of_what_it_is_a_share_of() {
        let arms = [GRANT_LANE, HGET_LANE, SDK];
        let mut result = analyse_as(record(&arms, 3), &scenario(&arms));
        for one in result.comparisons.iter_mut().filter(|one| one.metric == Metric::ServiceP50) {
            let ratio = one.ratio.as_mut().unwrap();
            let ends = if one.candidate == SDK.name { [1.0, 1.6, 2.0] } else { [0.9, 1.2, 1.5] };
            [ratio.low, ratio.estimate, ratio.high] = ends;
        }
        let [seen] = headline_seen(&result).try_into().expect("one");
        let [low, high] = seen.by_the_worker.interval;
        assert!((low + 0.1 / 0.9).abs() < 1e-9 && (high - 0.5 / 1.5).abs() < 1e-9, "{seen:?}");
    }
}
