//! How many primaries a rate needs.
//!
//! Primaries share no work, so they add up; what stands in the way is that 256 partitions do not spread
//! evenly over many of them. The busiest primary decides: with even slot ranges it has three of them where there are
//! as many primaries as partitions, and one alone from 1,024 primaries on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{SLOTS, slot_of_tag};

/// The cluster that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizingBasis {
    /// Main-thread CPU per claim, summed over the primaries.
    pub cpu_us_per_claim: f64,
    /// Share of a main thread to plan with.
    pub utilisation: f64,
    /// Flow partitions.
    pub partitions: u32,
    /// Primaries of the measured cluster.
    pub primaries: u32,
    /// Its busiest primary's partitions over the mean, from live slot ownership.
    pub hottest_share: f64,
    /// Share of all claims that one partition has beyond the mean: however many primaries there are, one of them
    /// has all of it. What the busiest primary had beyond its partitions' share is taken to be one
    /// partition's, and of a skewed population it is no less than its hottest partition has.
    #[serde(default)]
    pub concentrated: f64,
    /// What of it showed on the busiest primary of the measured cluster, which is sized as it was; `None` in
    /// results of versions that did not tell it apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concentrated_there: Option<f64>,
}

/// One target rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizingRow {
    /// Claims per second.
    pub rate_per_s: f64,
    /// Fewest primaries that keep the utilisation; `None` where no number does, because one partition alone
    /// is too much for one primary.
    pub primaries: Option<u32>,
    /// Partitions of the busiest primary over the mean with that many.
    pub hottest_share: Option<f64>,
    /// Utilisation of its main thread.
    pub busiest: Option<f64>,
}

/// A row for each target.
pub fn sizing(basis: &SizingBasis, targets_per_s: &[f64]) -> Vec<SizingRow> {
    let partitions = Partitions::new(basis.partitions);
    targets_per_s.iter().map(|&rate| row(basis, &partitions, rate)).collect()
}

fn row(basis: &SizingBasis, partitions: &Partitions, rate_per_s: f64) -> SizingRow {
    // A primary without a slot has nothing to do.
    let fitting = (1..=SLOTS as u32).find_map(|primaries| {
        let with = |held: usize| {
            let hottest = share(basis, partitions.over_mean(held, primaries), primaries);
            let busiest = rate_per_s * basis.cpu_us_per_claim / 1e6 * hottest / f64::from(primaries);
            (busiest <= basis.utilisation).then_some((primaries, hottest, busiest))
        };
        // Counted only where the least that it can be would do.
        with(partitions.at_least(primaries))?;
        with(partitions.on_busiest(primaries))
    });
    SizingRow {
        rate_per_s,
        primaries: fitting.map(|(primaries, _, _)| primaries),
        hottest_share: fitting.map(|(_, hottest, _)| hottest),
        busiest: fitting.map(|(_, _, busiest)| busiest),
    }
}

/// Load of the busiest primary over the mean: of the measured cluster as it is, of any other with this many partitions
/// over the mean.
fn share(basis: &SizingBasis, even: f64, primaries: u32) -> f64 {
    let (even, concentrated) = if primaries == basis.primaries {
        (basis.hottest_share, basis.concentrated_there.unwrap_or(basis.concentrated))
    } else {
        (even, basis.concentrated)
    };
    even * (1.0 - concentrated) + concentrated * f64::from(primaries)
}

/// Flow partitions, as even slot ranges would put them on primaries.
struct Partitions {
    /// The slot of each, ascending.
    slots: Vec<usize>,
    /// Most partitions in a single slot; more primaries cannot split them.
    in_one_slot: usize,
}

impl Partitions {
    fn new(count: u32) -> Self {
        // FlowFabric's hash tag of a flow partition, without the braces.
        let slot = |index: u32| usize::from(slot_of_tag(&format!("fp:{index}")));
        let mut slots: Vec<usize> = (0..count).map(slot).collect();
        slots.sort_unstable();
        let in_one_slot = longest_run(&slots, |slot| slot);
        Self { slots, in_one_slot }
    }

    /// Partitions on the busiest of `primaries` primaries.
    fn on_busiest(&self, primaries: u32) -> usize {
        // The range of primary p is [p x SLOTS / count, (p + 1) x SLOTS / count).
        let count = primaries.max(1) as usize;
        longest_run(&self.slots, |slot| (count * (slot + 1)).div_ceil(SLOTS) - 1)
    }

    /// A lower bound of [`Self::on_busiest`].
    fn at_least(&self, primaries: u32) -> usize {
        self.slots.len().div_ceil(primaries.max(1) as usize).max(self.in_one_slot)
    }

    /// `held` partitions on one of `primaries` primaries, over the mean: 1.0 is even.
    fn over_mean(&self, held: usize, primaries: u32) -> f64 {
        if self.slots.is_empty() {
            return 1.0;
        }
        held as f64 * f64::from(primaries.max(1)) / self.slots.len() as f64
    }
}

/// Length of the longest run of slots with the same owner.
fn longest_run(slots: &[usize], belongs_to: impl Fn(usize) -> usize) -> usize {
    let runs = slots.chunk_by(|a, b| belongs_to(*a) == belongs_to(*b));
    runs.map(<[usize]>::len).max().unwrap_or(0)
}

/// Below this, what the busiest primary had beyond its partitions' share is chance.
const EVEN: f64 = 0.03;

/// What of a load is one partition's, beyond the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Concentration {
    /// See [`SizingBasis::concentrated`].
    pub anywhere: f64,
    /// See [`SizingBasis::concentrated_there`].
    pub there: f64,
}

/// Of claims and partitions by primary. `None` where one primary has everything and the population is skewed:
/// how much of it one partition has does not show there.
pub(super) fn concentration(primaries: &[(u64, u32)], skew_exponent: Option<f64>) -> Option<Concentration> {
    if primaries.len() == 1 {
        return skew_exponent.is_none().then(Concentration::default);
    }
    let partitions = primaries.iter().map(|(_, partitions)| partitions).sum();
    let there = excess_of_busiest(primaries);
    // The hottest partition may lie on a primary whose others are cold, where hardly any excess shows.
    let planned = skew_exponent.map_or(0.0, |exponent| excess_of_hottest(partitions, exponent));
    Some(Concentration { anywhere: there.max(planned), there })
}

/// Share of the load that the hottest of `partitions` has beyond the mean, by Zipf's law.
fn excess_of_hottest(partitions: u32, exponent: f64) -> f64 {
    let all: f64 = (1..=partitions).map(|rank| f64::from(rank).powf(-exponent)).sum();
    let (hottest, mean) = (1.0 / all, 1.0 / f64::from(partitions));
    if partitions > 1 { (hottest - mean) / (1.0 - mean) } else { 0.0 }
}

fn excess_of_busiest(primaries: &[(u64, u32)]) -> f64 {
    let claims: u64 = primaries.iter().map(|(claims, _)| claims).sum();
    let partitions: u32 = primaries.iter().map(|(_, partitions)| partitions).sum();
    if claims == 0 || partitions == 0 {
        return 0.0;
    }
    let excess = |(own, served): &(u64, u32)| {
        let (of_claims, of_partitions) =
            (*own as f64 / claims as f64, f64::from(*served) / f64::from(partitions));
        // Of a load that is even but for one partition: claims = partitions x (1 - e) + e.
        (of_claims - of_partitions) / (1.0 - of_partitions)
    };
    let most = primaries.iter().map(excess).fold(0.0, f64::max);
    if most.is_finite() && most >= EVEN { most } else { 0.0 }
}

/// Partitions on the busiest of `primaries` primaries with even slot ranges, over the mean: 1.0 is even.
pub fn hottest_share(partitions: u32, primaries: u32) -> f64 {
    let partitions = Partitions::new(partitions);
    partitions.over_mean(partitions.on_busiest(primaries), primaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASIS: SizingBasis = SizingBasis {
        cpu_us_per_claim: 100.0,
        utilisation: 0.6,
        partitions: 256,
        primaries: 3,
        hottest_share: 1.02,
        concentrated: 0.0,
        concentrated_there: None,
    };

    fn anywhere(primaries: &[(u64, u32)], skew_exponent: Option<f64>) -> Option<f64> {
        concentration(primaries, skew_exponent).map(|one| one.anywhere)
    }

    #[test]
    fn a_hot_partition_is_not_divided_by_more_primaries() {
        assert!(excess_of_busiest(&[(340, 85), (330, 85), (330, 85)]).abs() < 1e-12, "chance");
        let hot = anywhere(&[(600, 85), (200, 85), (200, 85)], Some(0.1)).unwrap();
        assert!((hot - 0.4).abs() < 1e-9, "{hot}");
        let basis = SizingBasis { concentrated: hot, ..BASIS };
        // One primary has 0.4 of 10,000 claims per second at 100 us each: that is 40 % of it, and the rest
        // adds to it.
        let row = sizing(&basis, &[10_000.0])[0];
        assert!(row.primaries > sizing(&BASIS, &[10_000.0])[0].primaries, "{row:?}");
        assert_eq!(sizing(&basis, &[20_000.0])[0].primaries, None, "80 % of one primary for one partition");
        assert_eq!([&[(5, 85)][..], &[]].map(|of| anywhere(of, None)), [Some(0.0); 2]);
        assert_eq!(
            anywhere(&[(5, 256)], Some(1.1)),
            None,
            "one primary has the hot partition and all others"
        );
    }

    #[test]
    fn a_hot_partition_among_cold_ones_does_not_hide() {
        // The primary of the hottest partition has no more than the others, for the next ones are theirs.
        let even = [(334, 85), (333, 85), (333, 86)];
        let planned = anywhere(&even, Some(1.1)).unwrap();
        // 1 / (1 + 2^-1.1 + ... + 256^-1.1) is a fifth.
        assert!((planned - 0.204).abs() < 0.004, "{planned}");
        let basis = SizingBasis { cpu_us_per_claim: 250.0, concentrated: planned, ..BASIS };
        assert_eq!(sizing(&basis, &[15_000.0])[0].primaries, None, "0.78 of a main thread for one partition");
        // What three primaries have carried they carry.
        let measured = SizingBasis { cpu_us_per_claim: 60.0, concentrated_there: Some(0.0), ..basis };
        let row = sizing(&measured, &[29_000.0])[0];
        assert_eq!(row.primaries, Some(3), "{row:?}");
        let elsewhere = SizingBasis { primaries: 4, ..measured };
        assert_eq!(
            sizing(&elsewhere, &[29_000.0])[0].primaries,
            Some(4),
            "no hot partition showed there either"
        );
        assert!(anywhere(&even, Some(0.6)).unwrap() > 0.03);
        assert_eq!(anywhere(&even, None), Some(0.0));
    }

    #[test]
    fn the_busiest_share_is_the_known_one() {
        for (primaries, known) in [(1, 1.0), (3, 1.02), (6, 1.12), (12, 1.17), (16, 1.25), (32, 1.38)] {
            let share = hottest_share(256, primaries);
            assert!((share - known).abs() < 0.006, "{primaries}: {share} is not {known}");
        }
    }

    #[test]
    fn primaries_are_the_fewest_that_keep_the_utilisation() {
        // 100 us x 5,000/s = half a main thread; x 20,000/s = two of them: 2 x 1.0x / 0.6 is a little over 3.3.
        let rows = sizing(&BASIS, &[5_000.0, 20_000.0]);
        assert_eq!(rows.iter().map(|row| row.primaries).collect::<Vec<_>>(), [Some(1), Some(4)]);
        for row in rows {
            assert!(row.busiest.unwrap() <= 0.6);
            let fewer = row.primaries.unwrap() - 1;
            if fewer > 0 {
                let share = share(&BASIS, hottest_share(256, fewer), fewer);
                let busiest = row.rate_per_s * 100.0 / 1e6 * share / f64::from(fewer);
                assert!(busiest > 0.6, "{fewer} would do");
            }
        }
    }

    #[test]
    fn live_ownership_counts_for_the_cluster_that_is_there() {
        let lopsided = SizingBasis { hottest_share: 2.5, ..BASIS };
        // 1.5 main threads on three primaries: even ranges would do (0.51), this cluster's do not (1.25).
        assert_eq!(sizing(&BASIS, &[15_000.0])[0].primaries, Some(3));
        assert_eq!(sizing(&lopsided, &[15_000.0])[0].primaries, Some(4));
    }

    #[test]
    fn a_rate_that_one_partition_cannot_carry_has_no_answer() {
        // Each partition has a 256th of it: 1.0 at 2,560,000/s.
        let row = sizing(&BASIS, &[2_560_000.0])[0];
        assert_eq!((row.primaries, row.hottest_share, row.busiest), (None, None, None));
    }

    /// As many primaries as partitions have up to three of them each, and more primaries fewer.
    #[test]
    fn primaries_beyond_the_partitions_part_those_that_share_one() {
        let partitions = Partitions::new(256);
        let busiest = [255, 256, 344, 345, 1_023, 1_024].map(|primaries| partitions.on_busiest(primaries));
        assert_eq!(busiest, [3, 3, 3, 2, 2, 1]);
        // A partition has 39 % of a primary at 1,000,000/s and 59 % at 1,500,000/s, of the 60 % that it may have.
        let rows = sizing(&BASIS, &[1_000_000.0, 1_500_000.0, 1_600_000.0]);
        let primaries: Vec<_> = rows.iter().map(|row| row.primaries).collect();
        assert_eq!(primaries, [Some(1_024), Some(1_024), None]);
        assert_eq!(sizing(&BASIS, &[700_000.0])[0].primaries, Some(345), "two of 27 % each");
        // Where two have one slot, nothing parts them.
        let crowded = Partitions::new(16_384);
        assert!(crowded.in_one_slot > 1 && crowded.on_busiest(SLOTS as u32) == crowded.in_one_slot);
        for primaries in [1, 3, 100, 256, 5_000] {
            assert!(partitions.at_least(primaries) <= partitions.on_busiest(primaries), "{primaries}");
        }
    }
}
