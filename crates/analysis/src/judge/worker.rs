//! How much of what carrying the lane saves a worker of FlowFabric's SDK sees: the same time, and a smaller
//! share of what it waits for.

use super::result::RunResult;
use crate::scenario::{Metric, VariantPath};

/// A share with the interval that follows from those of the ratios that it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
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
    pub on_the_wire: Share,
    /// What it saves of a claim by this variant that would read the lane first.
    pub by_the_worker: Share,
}

/// For each of the SDK's resumes that was compared with `grant-lane` beside `hget-lane`; empty for other
/// runs.
pub fn headline_seen(result: &RunResult) -> Vec<HeadlineSeen> {
    let path =
        |name: &str| result.variants.iter().find(|variant| variant.name == name).map(|variant| variant.path);
    let medians = || {
        let compared = result.comparisons.iter().filter(|one| one.metric == Metric::ServiceP50);
        compared.filter(|one| path(&one.baseline) == Some(VariantPath::GrantLane))
    };
    let hget = medians().find(|one| path(&one.candidate) == Some(VariantPath::HgetLane));
    let Some(hget) = hget.and_then(|one| one.ratio.as_ref()) else { return Vec::new() };
    // In units of a claim by grant-lane: what reading the lane adds, over a whole with it.
    let share = |added: f64, whole: f64| added / (whole + added);
    let (added, [low, high]) = (hget.estimate - 1.0, [hget.low - 1.0, hget.high - 1.0]);
    let of_sdk = medians()
        .filter(|one| matches!(path(&one.candidate), Some(VariantPath::SdkResume | VariantPath::SdkGrant)));
    of_sdk
        .filter_map(|one| {
            let sdk = one.ratio.as_ref()?;
            Some(HeadlineSeen {
                variant: one.candidate.clone(),
                on_the_wire: Share {
                    value: share(added, 1.0),
                    interval: [share(low, 1.0), share(high, 1.0)],
                },
                by_the_worker: Share {
                    value: share(added, sdk.estimate),
                    interval: [share(low, sdk.high), share(high, sdk.low)],
                },
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
}
