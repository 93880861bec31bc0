//! What a way of claiming is worth in servers: primaries that a rate needs with each of them.

use super::result::{Worth, WorthRow};
use super::sizing::{SizingBasis, concentrated, sizing};
use super::values::measured;
use crate::record::RunRecord;
use crate::scenario::{Metric, Scenario};
use crate::stats::CONFIDENCE;

/// Claims per second to size for.
const TARGETS_PER_S: [f64; 3] = [1_000.0, 5_000.0, 20_000.0];

/// Share of a main thread to plan with.
const UTILISATION: f64 = 0.6;

/// Of each arm whose server CPU is known with an interval; empty where there is but one arm, and where
/// several workers go for each grant: the servers' CPU is that of one who asks, and a lease takes several. Of
/// a skewed population on one primary nobody knows what more primaries would divide.
pub(super) fn worth(record: &RunRecord, scenario: &Scenario) -> Vec<Worth> {
    if record.arms.len() < 2 || scenario.load.contenders > 1 {
        return Vec::new();
    }
    let valkey = &record.environment.valkey;
    let of = |arm: usize| {
        let cpu = measured(record, arm, Metric::ServerCpu).ok()?.estimate(CONFIDENCE);
        let concentrated = concentrated(&primaries_of(record, arm), scenario.population.is_skewed())?;
        let basis = |cpu_us_per_claim: f64| SizingBasis {
            cpu_us_per_claim,
            utilisation: UTILISATION,
            partitions: valkey.partitions,
            primaries: valkey.primaries,
            hottest_share: valkey.hottest_share,
            concentrated,
        };
        let primaries = |cpu: f64| sizing(&basis(cpu), &TARGETS_PER_S);
        let (fewest, most) = (primaries(cpu.low.max(0.0)), primaries(cpu.high));
        let rows = primaries(cpu.estimate).into_iter().zip(fewest.iter().zip(&most)).map(
            |(sizing, (fewest, most))| WorthRow { sizing, fewest: fewest.primaries, most: most.primaries },
        );
        Some(Worth { name: record.arms[arm].name.clone(), basis: basis(cpu.estimate), rows: rows.collect() })
    };
    (0..record.arms.len()).filter_map(of).collect()
}

/// Claims and partitions of each primary that an arm claimed on; in a server duet it has a cluster of its
/// own.
fn primaries_of(record: &RunRecord, arm: usize) -> Vec<(u64, u32)> {
    let cluster = record.clusters.iter().position(|cluster| cluster.arms.contains(&(arm as u32)));
    let own =
        record.primaries.iter().filter(|primary| primary.cluster == cluster.map(|number| number as u32));
    own.map(|primary| (primary.claims, primary.partitions)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record, scenario};
    use super::*;
    use crate::record::PrimaryRecord;
    use crate::scenario::Skew;

    #[test]
    fn a_dearer_claim_needs_more_primaries_from_some_rate_on() {
        let dear = SimulatedArm { cpu_us: 90.0, ..HGET_LANE };
        let arms = [GRANT_LANE, dear];
        let worth = worth(&record(&arms, 1), &scenario(&arms));
        let primaries: Vec<Vec<Option<u32>>> =
            worth.iter().map(|arm| arm.rows.iter().map(|row| row.sizing.primaries).collect()).collect();
        // 60 us x 20,000/s are 1.2 main threads, 90 us are 1.8: of each at most 0.6, and the busiest has 1.02
        // of the mean.
        assert_eq!(primaries, [[Some(1), Some(1), Some(3)], [Some(1), Some(1), Some(4)]]);
        for row in worth.iter().flat_map(|arm| &arm.rows) {
            assert!(row.fewest <= row.sizing.primaries && row.sizing.primaries <= row.most, "{row:?}");
        }
    }

    #[test]
    fn where_one_partition_has_much_of_the_load_more_primaries_are_no_help() {
        let mut skewed = record(&[GRANT_LANE, HGET_LANE], 1);
        let primary = skewed.primaries[0].clone();
        skewed.primaries = [(80_000, 86), (10_000, 85), (10_000, 85)]
            .map(|(claims, partitions)| PrimaryRecord { partitions, claims, ..primary.clone() })
            .to_vec();
        skewed.environment.valkey.primaries = 3;
        let rows = &worth(&skewed, &scenario(&[GRANT_LANE, HGET_LANE]))[0].rows;
        assert!(rows[0].sizing.primaries.is_some(), "{rows:?}");
        assert_eq!(
            rows[2].sizing.primaries, None,
            "1.2 main threads, 0.8 of them for one partition: {rows:?}"
        );
    }

    #[test]
    fn one_primary_does_not_show_what_part_of_a_skewed_load_others_could_take() {
        let arms = [GRANT_LANE, HGET_LANE];
        let (mut alone, mut scenario) = (record(&arms, 1), scenario(&arms));
        alone.primaries.truncate(1);
        assert_eq!(worth(&alone, &scenario).len(), 2);
        scenario.population.skew = Skew::Zipf(1.6);
        assert!(worth(&alone, &scenario).is_empty());
    }

    #[test]
    fn one_variant_alone_or_without_counters_is_worth_nothing_to_compare() {
        assert!(worth(&record(&[GRANT_LANE], 1), &scenario(&[GRANT_LANE])).is_empty());
        let arms = [GRANT_LANE, HGET_LANE];
        let (mut few, mut scenario) = (record(&arms, 1), scenario(&arms));
        assert_eq!(worth(&few, &scenario).len(), 2);
        scenario.load.contenders = 4;
        assert!(worth(&few, &scenario).is_empty(), "a lease takes the CPU of all who ask for it");
        scenario.load.contenders = 1;
        few.blocks.truncate(4);
        assert!(worth(&few, &scenario).is_empty());
    }
}
