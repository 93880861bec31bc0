//! What a way of claiming is worth in servers: primaries that a rate needs with each of them.

use super::result::{RunResult, Worth, WorthRow};
use super::sizing::{Concentration, SizingBasis, concentration, sizing};
use super::values::measured;
use crate::record::RunRecord;
use crate::scenario::Metric;
use crate::stats::{CONFIDENCE, Estimate};

/// Why a result does not say how many primaries its variants need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorthMissing {
    /// There is one variant alone.
    OneVariant,
    /// Several workers go for each grant: the servers' CPU is that of one who asks, and a lease takes several.
    Contenders,
    /// The scenario names no rates (`capacity.targets`).
    NoTargets,
    /// The servers' CPU per claim is not known with an interval.
    CpuUnknown,
    /// One primary has all of a skewed population: how much of it is one partition's, which more primaries
    /// do not divide, does not show there.
    SkewOnOnePrimary,
}

impl RunResult {
    /// Why [`Self::worth`] is empty; `None` where it is not, and where a version that did not compute it left
    /// it out.
    pub fn worth_missing(&self) -> Option<WorthMissing> {
        if self.worth.is_empty() { arms_to_size(&self.record).err() } else { None }
    }
}

/// An arm with all figures that the number of primaries follows from.
struct ArmToSize {
    arm: usize,
    cpu_us_per_claim: Estimate,
    concentration: Concentration,
}

/// Primaries for each arm whose server CPU is known with an interval; empty where [`WorthMissing`] says why.
pub(super) fn worth(record: &RunRecord) -> Vec<Worth> {
    let (capacity, valkey) = (record.scenario.capacity(), &record.environment.valkey);
    let of = |one: ArmToSize| {
        let basis = |cpu_us_per_claim: f64| SizingBasis {
            cpu_us_per_claim,
            utilisation: capacity.utilisation,
            partitions: valkey.partitions,
            primaries: valkey.primaries,
            hottest_share: valkey.hottest_share,
            concentrated: one.concentration.anywhere,
            concentrated_there: Some(one.concentration.there),
        };
        let cpu = one.cpu_us_per_claim;
        let primaries = |cpu: f64| sizing(&basis(cpu), &capacity.targets);
        let (fewest, most) = (primaries(cpu.low.max(0.0)), primaries(cpu.high));
        let rows = primaries(cpu.estimate).into_iter().zip(fewest.iter().zip(&most)).map(
            |(sizing, (fewest, most))| WorthRow { sizing, fewest: fewest.primaries, most: most.primaries },
        );
        Worth { name: record.arms[one.arm].name.clone(), basis: basis(cpu.estimate), rows: rows.collect() }
    };
    arms_to_size(record).unwrap_or_default().into_iter().map(of).collect()
}

/// The arms that can be sized; of none, why the first one cannot.
fn arms_to_size(record: &RunRecord) -> Result<Vec<ArmToSize>, WorthMissing> {
    let scenario = &record.scenario;
    if record.arms.len() < 2 {
        return Err(WorthMissing::OneVariant);
    }
    if scenario.load.contenders > 1 {
        return Err(WorthMissing::Contenders);
    }
    if scenario.capacity().targets.is_empty() {
        return Err(WorthMissing::NoTargets);
    }
    let mut missing = None;
    let mut known = Vec::new();
    for arm in 0..record.arms.len() {
        match arm_to_size(record, arm) {
            Ok(one) => known.push(one),
            Err(why) => missing = missing.or(Some(why)),
        }
    }
    match missing {
        Some(why) if known.is_empty() => Err(why),
        _ => Ok(known),
    }
}

fn arm_to_size(record: &RunRecord, arm: usize) -> Result<ArmToSize, WorthMissing> {
    let cpu = measured(record, arm, Metric::ServerCpu).map_err(|_| WorthMissing::CpuUnknown)?;
    let concentration = concentration(&primaries_of(record, arm), record.scenario.population.skew_exponent())
        .ok_or(WorthMissing::SkewOnOnePrimary)?;
    Ok(ArmToSize { arm, cpu_us_per_claim: cpu.estimate(CONFIDENCE), concentration })
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
    use super::super::analyse;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record};
    use super::super::server_fixture::server_duet;
    use super::*;
    use crate::record::{PrimaryRecord, Warning};
    use crate::scenario::{CapacitySection, SkewForm};

    const TWO: [SimulatedArm; 2] = [GRANT_LANE, HGET_LANE];

    fn primaries(worth: &[Worth]) -> Vec<Vec<Option<u32>>> {
        worth.iter().map(|arm| arm.rows.iter().map(|row| row.sizing.primaries).collect()).collect()
    }

    #[test]
    fn a_dearer_claim_needs_more_primaries_from_some_rate_on() {
        let dear = SimulatedArm { cpu_us: 90.0, ..HGET_LANE };
        let worth = worth(&record(&[GRANT_LANE, dear], 1));
        // 60 us x 20,000/s are 1.2 main threads, 90 us are 1.8: of each at most 0.6, and the busiest has 1.02
        // of the mean.
        assert_eq!(primaries(&worth), [[Some(1), Some(1), Some(3)], [Some(1), Some(1), Some(4)]]);
        for row in worth.iter().flat_map(|arm| &arm.rows) {
            assert!(row.fewest <= row.sizing.primaries && row.sizing.primaries <= row.most, "{row:?}");
        }
    }

    #[test]
    fn rates_and_utilisation_are_those_that_the_scenario_plans_with() {
        let mut planned = record(&TWO, 1);
        planned.scenario.capacity =
            Some(CapacitySection { targets: vec![20_000.0], utilisation: 0.3, ..CapacitySection::default() });
        let worth = worth(&planned);
        assert!((worth[0].basis.utilisation - 0.3).abs() < 1e-12);
        // 1.2 main threads, of each at most 0.3.
        assert!(matches!(primaries(&worth)[0][..], [Some(4..)]), "{worth:?}");
    }

    #[test]
    fn where_one_partition_has_much_of_the_load_more_primaries_are_no_help() {
        let mut skewed = record(&TWO, 1);
        let primary = skewed.primaries[0].clone();
        skewed.primaries = [(80_000, 86), (10_000, 85), (10_000, 85)]
            .map(|(claims, partitions)| PrimaryRecord { partitions, claims, ..primary.clone() })
            .to_vec();
        skewed.environment.valkey.primaries = 3;
        let rows = &worth(&skewed)[0].rows;
        assert!(rows[0].sizing.primaries.is_some(), "{rows:?}");
        assert_eq!(
            rows[2].sizing.primaries, None,
            "1.2 main threads, 0.8 of them for one partition: {rows:?}"
        );
    }

    /// Why a run of these arms has no table, after a change of what it measured.
    fn missing(arms: &[SimulatedArm], change: impl FnOnce(&mut RunRecord)) -> Option<WorthMissing> {
        let mut record = record(arms, 1);
        record.primaries.truncate(1);
        record.environment.valkey.primaries = 1;
        change(&mut record);
        let result = analyse(record).unwrap();
        assert_eq!(result.worth.is_empty(), result.worth_missing().is_some());
        result.worth_missing()
    }

    fn skew(record: &mut RunRecord) {
        record.scenario.population.skew = SkewForm::Zipf(1.6);
    }

    #[test]
    fn one_variant_alone_is_worth_nothing_to_compare() {
        assert_eq!(missing(&TWO, |_| ()), None);
        assert_eq!(missing(&[GRANT_LANE], |_| ()), Some(WorthMissing::OneVariant));
    }

    #[test]
    fn a_lease_takes_the_cpu_of_all_who_ask_for_it_whether_the_load_is_skewed_or_not() {
        assert_eq!(missing(&TWO, |r| r.scenario.load.contenders = 4), Some(WorthMissing::Contenders));
        let skewed = missing(&TWO, |record| {
            skew(record);
            record.scenario.load.contenders = 4;
        });
        assert_eq!(skewed, Some(WorthMissing::Contenders));
    }

    #[test]
    fn a_scenario_may_name_no_rates() {
        let none = CapacitySection { targets: Vec::new(), ..CapacitySection::default() };
        assert_eq!(missing(&TWO, |r| r.scenario.capacity = Some(none)), Some(WorthMissing::NoTargets));
    }

    #[test]
    fn without_an_interval_of_the_server_cpu_nobody_counts_primaries() {
        let others = |record: &mut RunRecord| {
            record
                .warnings
                .push(Warning::PassingClients { primary: "127.0.0.1:7000".into(), connections: 2 });
        };
        assert_eq!(missing(&TWO, |r| r.blocks.truncate(4)), Some(WorthMissing::CpuUnknown));
        assert_eq!(missing(&TWO, others), Some(WorthMissing::CpuUnknown));
        let skewed = missing(&TWO, |record| {
            skew(record);
            others(record);
        });
        assert_eq!(skewed, Some(WorthMissing::CpuUnknown));
    }

    #[test]
    fn one_primary_does_not_show_what_part_of_a_skewed_load_others_could_take() {
        assert_eq!(missing(&TWO, skew), Some(WorthMissing::SkewOnOnePrimary));
    }

    /// In a server duet each arm has a cluster of its own, and the primaries of the others show nothing of it.
    #[test]
    fn three_clusters_of_one_primary_each_do_not_show_it_either() {
        let mut duet = server_duet(&[GRANT_LANE, TWIN], 1);
        assert_eq!(duet.primaries.len(), 3);
        skew(&mut duet);
        assert_eq!(analyse(duet).unwrap().worth_missing(), Some(WorthMissing::SkewOnOnePrimary));
    }

    #[test]
    fn what_an_earlier_version_did_not_compute_is_not_missing() {
        let mut result = analyse(record(&TWO, 1)).unwrap();
        result.worth.clear();
        assert_eq!(result.worth_missing(), None);
    }
}
