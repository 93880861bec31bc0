//! Plans: what one seed fixes, and what every plan keeps to.

use std::collections::{BTreeMap, BTreeSet};

use super::digest::PlanDigest;
use super::plan::*;
use super::planned::*;
use crate::load::fixtures::scenario;
use crate::workload::{ExecIndex, PopulationPlan};
use reclaim_analysis::record::Purpose;
use reclaim_analysis::scenario::LibrarySource;
use reclaim_analysis::scenario::VariantPath::{FirstClaim, GrantLane, HgetLane};
use reclaim_analysis::scenario::{
    Amount, ArmServer, Arrivals, Compare, ControlSides, Metric, Mixing, Model, Scenario, Shipped,
};

fn ab() -> Scenario {
    let mut scenario = scenario(&[GrantLane, HgetLane]);
    scenario.load.amount = Amount::Claims(2_000);
    scenario.load.warmup = 10;
    scenario.population.executions = 500;
    scenario.compare = Some(Compare {
        baseline: "grant-lane".into(),
        strata: 20,
        counter_blocks: 4,
        block_claims: 50,
        metrics: vec![Metric::ServiceP50],
        noise_threshold: 0.02,
        confidence: 0.95,
        mixing: Mixing::Claims,
        control: ControlSides::OwnStrata(10),
    });
    scenario
}

fn staged(scenario: &Scenario, seed: u64) -> Result<Plan, PlanError> {
    Plan::staged(scenario, seed, claims_wanted(scenario, &[]), &|| false)
}

fn digest_of(plan: &Plan, id_of: impl Fn(u32) -> String) -> String {
    let mut digest = PlanDigest::default();
    plan.claims().for_each(|claim| digest.add(claim, &id_of(claim.execution)));
    digest.finish(&[])
}

#[test]
fn planning_ends_where_it_is_cancelled() {
    let asked = std::cell::Cell::new(0);
    let scenario = scenario(&[GrantLane]);
    // The window of one variant goes into rounds of 1,000 executions.
    let plan = Plan::staged(&scenario, 1, 1_000_000, &|| asked.replace(asked.get() + 1) == 3);
    assert_eq!((plan, asked.get()), (Err(PlanError::Cancelled), 4));
}

/// A round costs what it holds, not what comes after it: with a copy of the rest for each of 100,000 rounds
/// this took minutes.
#[test]
fn the_cost_of_planning_grows_with_the_claims() {
    let mut scenario = scenario(&[GrantLane]);
    scenario.population.executions = 10;
    let plan = Plan::staged(&scenario, 1, 1_000_000, &|| false).unwrap();
    assert_eq!((plan.rounds.len(), plan.claims().count()), (100_000, 1_000_000));
}

#[test]
fn one_seed_gives_one_plan() {
    let scenario = ab();
    let digest = |seed| digest_of(&staged(&scenario, seed).unwrap(), |n| n.to_string());
    assert_eq!(digest(42), digest(42));
    assert_ne!(digest(42), digest(43));
}

#[test]
fn every_stratum_holds_as_many_claims_of_each_side_in_mixed_order() {
    let plan = staged(&ab(), 1).unwrap();
    let mut counts: BTreeMap<(u32, u8), u64> = BTreeMap::new();
    for claim in plan.rounds.iter().flat_map(Round::claims) {
        if let Purpose::Stratum { stratum, side } | Purpose::Control { stratum, side } = claim.purpose {
            *counts.entry((stratum, side)).or_default() += 1;
            assert_eq!(plan.strata[stratum as usize].sides[usize::from(side)], claim.arm);
        }
    }
    assert_eq!(counts.len(), 2 * 30);
    assert!(counts.values().all(|&n| n == 50), "{counts:?}");
    assert_eq!(plan.strata.iter().filter(|s| s.control).count(), 10);
    let first: Vec<u8> = plan.rounds[0].batches[1].claims[..100].iter().map(|c| c.arm).collect();
    assert!(!first.is_sorted());
}

#[test]
fn every_stratum_of_the_comparison_has_bare_round_trips_at_random_places() {
    let (with, scenario) = (staged(&ab(), 1).unwrap(), ab());
    let planned: Vec<PlannedClaim> =
        with.rounds.iter().flat_map(|r| &r.batches).flat_map(|b| b.claims.iter().copied()).collect();
    let mut rulers: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, claim) in planned.iter().enumerate() {
        if let Purpose::Ruler { stratum } = claim.purpose {
            rulers.entry(stratum).or_default().push(place);
            // The claim after it, further rulers aside, is of its stratum and goes to the same place.
            let next = planned[place..].iter().find(|claim| !claim.is_ruler()).unwrap();
            assert!(matches!(next.purpose, Purpose::Stratum { stratum: of, .. } if of == stratum));
            assert_eq!(next.execution, claim.execution);
        }
    }
    assert_eq!(rulers.len(), 20);
    assert!(rulers.values().all(|places| places.len() == 50), "as many as a side has claims");
    let gaps: BTreeSet<usize> = rulers.values().flat_map(|p| p.windows(2).map(|w| w[1] - w[0])).collect();
    assert!(gaps.len() > 3, "{gaps:?}");
    let mut open = scenario;
    open.load.model = Model::Open { rate_per_sec: 1_000.0, arrivals: Arrivals::Constant };
    let without = staged(&open, 1).unwrap();
    assert!(without.rounds.iter().flat_map(|r| &r.batches).all(|b| b.claims.iter().all(|c| !c.is_ruler())));
    assert!(with.rounds.iter().flat_map(Round::claims).eq(without.rounds.iter().flat_map(Round::claims)));
}

#[test]
fn no_round_claims_an_execution_twice() {
    let plan = staged(&ab(), 1).unwrap();
    assert!(plan.rounds.len() > 1);
    for round in &plan.rounds {
        let all: Vec<u32> = round.claims().map(|claim| claim.execution).collect();
        let different: BTreeSet<u32> = all.iter().copied().collect();
        assert_eq!(all.len(), different.len());
    }
}

#[test]
fn each_block_is_a_batch_of_its_own_arm() {
    let plan = staged(&ab(), 1).unwrap();
    let blocks: Vec<&Batch> =
        plan.rounds.iter().flat_map(|r| &r.batches).filter(|b| b.block.is_some()).collect();
    assert_eq!(blocks.len(), 4 * 2);
    for batch in blocks {
        let block = plan.blocks[batch.block.unwrap() as usize];
        assert_eq!(batch.claims.len(), 50);
        assert!(batch.claims.iter().all(|claim| claim.arm == block.arm));
    }
}

/// Sixteen in flight: each arm alone, at 2,000 claims in all.
fn queued() -> Scenario {
    let mut scenario = ab();
    scenario.load.model = Model::Closed { concurrency: 16 };
    scenario.compare.as_mut().unwrap().mixing = Mixing::Blocks;
    scenario
}

#[test]
fn arms_that_queue_get_blocks_with_a_second_one_of_the_baseline_as_their_control() {
    let plan = staged(&queued(), 1).unwrap();
    let batches: Vec<&Batch> = plan.rounds.iter().flat_map(|round| &round.batches).collect();
    let blocks: Vec<_> =
        batches.iter().filter_map(|batch| Some((plan.blocks[batch.block? as usize], batch))).collect();
    // 1,000 claims of each arm in blocks of at least 4 x 16: 15 groups of three blocks.
    assert_eq!((plan.strata.len(), blocks.len()), (15, 45));
    assert_eq!(batches.len(), 1 + 45, "the warm-up, and nothing that mixes arms");
    for (group, stratum) in plan.strata.iter().enumerate() {
        assert_eq!(
            (stratum.apart, stratum.control, stratum.sides.as_slice()),
            (true, false, [0, 1, 0].as_slice())
        );
        let own: Vec<_> = blocks.iter().filter(|(block, _)| block.group as usize == group).collect();
        let mut kinds: Vec<_> = own.iter().map(|(block, _)| (block.arm, block.kind)).collect();
        kinds.sort_by_key(|(arm, kind)| (*arm, *kind != BlockKind::Side));
        assert_eq!(kinds, [(0, BlockKind::Side), (0, BlockKind::Control), (1, BlockKind::Side)]);
        for (block, batch) in own {
            assert!(batch.claims.iter().all(|claim| claim.arm == block.arm));
            let ramp_in = batch.claims.iter().take_while(|claim| claim.purpose == Purpose::Block).count();
            assert_eq!((ramp_in, batch.claims.len() - ramp_in), (32, 66));
        }
    }
    let firsts: BTreeSet<u8> = blocks.chunks(3).map(|group| group[0].0.arm).collect();
    assert_eq!(firsts.len(), 2, "in random order");
    assert_eq!(staged(&queued(), 1).unwrap().blocks, plan.blocks);
}

#[test]
fn a_second_instance_of_the_baseline_takes_a_side_of_every_stratum_and_no_strata_of_its_own() {
    let mut shared = ab();
    shared.compare.as_mut().unwrap().control = ControlSides::SideOfItsOwn;
    let plan = staged(&shared, 1).unwrap();
    assert_eq!(plan.strata.len(), 20);
    assert!(plan.strata.iter().all(|stratum| !stratum.control && stratum.sides == [0, 1, 0]));
    let mut sides: BTreeMap<&str, u64> = BTreeMap::new();
    for claim in plan.rounds.iter().flat_map(Round::claims) {
        *sides
            .entry(match claim.purpose {
                Purpose::Stratum { .. } => "arms",
                Purpose::Control { side, .. } => {
                    assert_eq!((side, claim.arm), (2, 0));
                    "control"
                }
                _ => "others",
            })
            .or_default() += 1;
    }
    assert_eq!((sides["arms"], sides["control"]), (2_000, 1_000));
}

#[test]
fn a_control_of_halves_takes_no_claim_and_leaves_the_arms_equally_often() {
    let mut halved = ab();
    halved.load.amount = Amount::Claims(20 * 2 * 25);
    halved.compare.as_mut().unwrap().control = ControlSides::Halves;
    let plan = staged(&halved, 1).unwrap();
    assert_eq!(plan.strata.len(), 20);
    assert!(plan.strata.iter().all(|stratum| !stratum.control && stratum.sides == [0, 1, 0]));
    let mut claims: BTreeMap<(u32, u8, u8), u64> = BTreeMap::new();
    let mut rulers: BTreeMap<u32, u64> = BTreeMap::new();
    for claim in plan.rounds.iter().flat_map(|round| &round.batches).flat_map(|batch| &batch.claims) {
        match claim.purpose {
            Purpose::Stratum { stratum, side } => *claims.entry((stratum, side, claim.arm)).or_default() += 1,
            Purpose::Ruler { stratum } => *rulers.entry(stratum).or_default() += 1,
            Purpose::Control { .. } => panic!("a half counts for its arm"),
            _ => {}
        }
    }
    for stratum in 0..20 {
        let of = |side, arm| claims[&(stratum, side, arm)];
        assert_eq!([of(0, 0), of(1, 1), of(2, 0)], [13, 25, 12]);
        assert_eq!(rulers[&stratum], 25, "as many as an arm has claims");
    }
    assert_eq!(claims.len(), 60);
}

#[test]
fn arms_with_different_libraries_are_mixed_like_any_others() {
    let mut duet = ab();
    duet.variants[1].library = Some(LibrarySource::File("changed.lua".into()));
    assert_eq!(staged(&duet, 1), staged(&ab(), 1));
}

#[test]
fn first_claims_get_executions_that_nobody_else_gets() {
    let mut scenario = ab();
    scenario.variants[1].path = FirstClaim;
    let plan = staged(&scenario, 1).unwrap();
    let fresh: Vec<u32> =
        plan.rounds.iter().flat_map(Round::claims).filter(|c| c.arm == 1).map(|c| c.execution).collect();
    let different: BTreeSet<u32> = fresh.iter().copied().collect();
    assert_eq!((fresh.len(), different.len()), (plan.fresh as usize, plan.fresh as usize));
    assert!(fresh.iter().all(|&execution| execution >= 500));
}

#[test]
fn a_share_is_held_back_until_it_has_expired() {
    let mut scenario = scenario(&[GrantLane]);
    scenario.load.amount = Amount::Claims(1_000);
    scenario.grant.unconsumed = 0.25;
    let plan = staged(&scenario, 1).unwrap();
    let late: usize = plan.rounds.iter().map(|round| round.late.len()).sum();
    assert_eq!(late, 250);
    assert_eq!(plan.rounds.iter().flat_map(Round::claims).count(), 1_000);
}

#[test]
fn a_stratum_larger_than_the_population_is_refused_with_the_number_it_takes() {
    let mut scenario = ab();
    scenario.population.executions = 99;
    assert_eq!(
        staged(&scenario, 1),
        Err(PlanError::PopulationTooSmall { bundle: "a stratum", needed: 100, have: 99 })
    );
}

/// The plan of a shipped staged scenario over as many partitions as FlowFabric publishes, as a run digests
/// it.
fn shipped_digest(name: &str, seed: u64) -> String {
    let shipped = Shipped::find(name).unwrap();
    let mut scenario =
        reclaim_analysis::scenario::parse(shipped.name, &as_it_was(name, shipped.text)).unwrap();
    let file = scenario.file().clone();
    // As those results were made: with control strata of their own.
    if let (Some(compare), Some(section)) = (&mut scenario.compare, &file.compare) {
        compare.control = ControlSides::OwnStrata(section.own_control_strata());
    }
    let ids = PopulationPlan::new(seed, &scenario.population, &scenario.interruption, 256);
    let plan = staged(&scenario, seed).unwrap();
    digest_of(&plan, |n| ids.execution_id(ExecIndex(n)).as_str().to_owned())
}

/// A scenario before a variant was added to it, or more claims.
fn as_it_was(name: &str, text: &str) -> String {
    if name == "lane-ab" {
        return text.replace("claims = 90000", "claims = 20000");
    }
    if name != "claim-paths" {
        return text.to_owned();
    }
    let (before, _) = text.split_once("\n[[variant]]\nname = \"bare-first-claim\"").unwrap();
    before.replace("claims = 32000", "claims = 28000").replace("warmup = 1600", "warmup = 1400")
}

/// The first of them is the digest of results/reference/lane-ab-20000.
const SEED_42: [(&str, &str); 6] = [
    ("lane-ab", "38e2233a92f3ca3846c123aac9a4b09b547e162f4f645ef4996d9410e7231931"),
    ("claim-paths", "5f2375104899f57f6b290423000de11fac312c39e41d95df311e9872bd0023d9"),
    ("smoke", "76b6d2a9d55c157c1bbf2dcf813f569ef93a5909af284dcd4c9f1e39a43a76e1"),
    ("grant-expiry", "3ec3f2e60c0472840b5cefc303c0842f190ee99719b91ce55eb051762d6a4514"),
    ("contention", "1540d0ceb8ac5f8a3c666f5aca1ca2cf386a1fc6de196a35c5af250beb5cf0a4"),
    ("hot-partition", "df2dca4d2595528d8a9f6cd62e92555e5eb75f5c6856e4ce47f5e1dd22ff28c2"),
];

#[test]
fn a_seed_plans_today_what_it_planned_when_results_were_stored() {
    for (name, digest) in SEED_42 {
        assert_eq!(shipped_digest(name, 42), digest, "{name}");
    }
}

/// That of results/reference/lane-ab: a control of halves.
#[test]
fn the_headline_s_plan_is_that_of_the_stored_run() {
    let shipped = Shipped::find("lane-ab").unwrap();
    let scenario = reclaim_analysis::scenario::parse(shipped.name, shipped.text).unwrap();
    let ids = PopulationPlan::new(42, &scenario.population, &scenario.interruption, 256);
    let digest =
        digest_of(&staged(&scenario, 42).unwrap(), |n| ids.execution_id(ExecIndex(n)).as_str().to_owned());
    assert_eq!(digest, "3fafe84b011e309cc90bcb72848c4525504a0bf423d27ef75b518ce018e36a03");
}

/// Two arms on clusters of their own, and the control on a third one.
fn server_duet(mixing: Mixing) -> Scenario {
    let mut scenario = ab();
    scenario.variants[1].server = Some(ArmServer::default());
    scenario.load.warmup = 20;
    let control = ControlSides::SideOfItsOwn;
    scenario.compare = scenario.compare.map(|compare| Compare { mixing, control, ..compare });
    scenario
}

#[test]
fn the_nth_claims_of_arms_on_clusters_of_their_own_take_the_same_execution() {
    for mixing in [Mixing::Claims, Mixing::Blocks] {
        let scenario = server_duet(mixing);
        let plan = staged(&scenario, 7).unwrap();
        assert!(plan.rounds.len() > 2, "so many claims take executions several times");
        let counted = |site: u8| -> Vec<u32> {
            let claims = plan.claims().filter(|claim| claim.site == site);
            let counted = claims.filter(|claim| stratum(claim.purpose) || claim.purpose == Purpose::Block);
            counted.map(|claim| claim.execution).collect()
        };
        let [base, candidate, control] = [0, 1, 2].map(counted);
        assert!(base.len() >= 1_000, "{}", base.len());
        assert_eq!(base, candidate);
        // The control has no counter blocks of its own.
        assert!(!control.is_empty() && control.iter().zip(&base).take(20).all(|(a, b)| a == b));
        for claim in plan.claims() {
            let expected = match claim.purpose {
                Purpose::Control { .. } => 2,
                // Warm-ups and ramp-ins of the control's cluster are made by the baseline.
                _ if claim.site == 2 => {
                    assert_eq!((claim.arm, stratum(claim.purpose)), (0, false));
                    2
                }
                _ => claim.arm,
            };
            assert_eq!(claim.site, expected, "{claim:?}");
        }
        let warm = |site: u8| {
            plan.claims().filter(|claim| claim.purpose == Purpose::Warmup && claim.site == site).count()
        };
        assert_eq!([warm(0), warm(1), warm(2)], [10; 3]);
    }
}

fn stratum(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Stratum { .. } | Purpose::Control { .. })
}
