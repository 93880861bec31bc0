//! The rate with its interval, and what a report says about how far to believe it.

use super::super::conclude::agreed;
use super::super::simulated::{Simulated, policy};
use super::super::*;
use super::{concluded, plan, searched, sharp};
use crate::scenario::SkewForm;
use crate::stats::Estimate;

/// What searches on one cluster say, now and then a probe falling into a stall: they must agree.
#[test]
fn the_boundary_repeats_where_verdicts_turn_by_chance() {
    let cluster = Simulated { noise: 0.03, ..Simulated::serving(4_000.0) };
    let (stalled, truth) = (Simulated::serving(400.0), cluster.true_capacity());
    let found: Vec<_> = (0..10u64)
        .map(|seed| {
            let policy = CapacityPolicy { seed, ..policy() };
            let probes = searched(&policy, |offer, _, n| {
                let at = seed * 1_000 + n as u64;
                if at % 17 == 5 { stalled.probe(offer, at) } else { cluster.probe(offer, at) }
            });
            concluded(policy, probes)
        })
        .collect();
    let rates: Vec<_> = found.iter().map(|found| found.boundary.unwrap().rate_per_s).collect();
    // The level is judged by the upper bound of the percentile: a little early.
    assert!(rates.iter().all(|rate| (0.92..1.04).contains(&(rate.estimate / truth))), "{truth}: {rates:?}");
    let spread = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::MAX, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        high / low
    };
    let by_line = spread(&mut rates.iter().map(|rate| rate.estimate));
    let by_verdicts = spread(&mut found.iter().filter_map(|found| found.sustained_per_s));
    assert!(by_line <= 1.10 && by_line < by_verdicts, "{by_line} by the line, {by_verdicts} by verdicts");
    let honest = |rate: &Estimate| rate.contains(0.97 * truth) && rate.high / rate.low < 1.5;
    assert!(rates.iter().all(honest), "{truth}: {rates:?}");
}

/// On a machine whose speed changes from probe to probe the search goes on until the rate is known as well as
/// wanted.
#[test]
fn refinement_narrows_the_interval_and_searches_agree() {
    let cluster = Simulated { noise: 0.08, ..Simulated::serving(4_000.0) };
    let truth = cluster.true_capacity();
    let found = |refinements: u32, seed: u64| {
        let policy = CapacityPolicy { refinements, seed, ..policy() };
        let probes = searched(&policy, |offer, _, n| cluster.probe(offer, seed * 1_000 + n as u64));
        concluded(policy, probes)
    };
    let widths = |all: &[Capacity]| -> Vec<f64> {
        all.iter()
            .map(|found| found.boundary.map_or(f64::INFINITY, |boundary| boundary.half_width()))
            .collect()
    };
    let coarse: Vec<_> = (0..6).map(|seed| found(0, seed)).collect();
    let fine: Vec<_> = (0..6).map(|seed| found(60, seed)).collect();
    assert!(widths(&coarse).iter().any(|width| *width > 0.05), "too calm: {:?}", widths(&coarse));
    assert!(widths(&fine).iter().all(|width| *width <= 0.05), "{:?}", widths(&fine));
    let rates: Vec<_> =
        fine.iter().map(|found| found.boundary.unwrap().rate_per_s.estimate / truth).collect();
    // The level is judged by the upper bound of the percentile: a little early.
    assert!(rates.iter().all(|rate| (0.91..1.03).contains(rate)), "{rates:?}");
    let (least, most) =
        rates.iter().fold((f64::MAX, 0.0f64), |ends, rate| (ends.0.min(*rate), ends.1.max(*rate)));
    assert!(most / least <= 1.10, "{rates:?}");
    // Cut on the way, the answer stands with the interval so far.
    let long = fine.iter().max_by_key(|found| found.probes.len()).unwrap();
    let cut = concluded(long.plan.policy.clone(), long.probes[..long.probes.len() - 2].to_vec());
    assert_eq!(cut.conclusion, SearchOutcome::Found);
    assert!(matches!(cut.next, NextStep::Probe { purpose: ProbePurpose::Refine, .. }), "{:?}", cut.next);
}

#[test]
fn refinement_ends_where_nothing_is_left_to_gain() {
    let refined =
        |found: &Capacity| found.purposes.iter().filter(|p| **p == Some(ProbePurpose::Refine)).count();
    let policy = CapacityPolicy { refinements: 60, ..policy() };
    let cluster = Simulated { noise: 0.001, ..Simulated::serving(4_000.0) };
    let probes = searched(&policy, |offer, _, n| cluster.probe(offer, n as u64));
    let found = concluded(policy.clone(), probes);
    assert!(refined(&found) <= 6 && found.boundary.unwrap().is_within(0.05), "{:?}", found.boundary);
    // Without response times there is no line, however many probes there are: one round shows it.
    let found = concluded(policy.clone(), searched(&policy, sharp(1_300.0)));
    assert_eq!(refined(&found), 6);
}

/// A required rate is judged by its own probes and by the line: where the two disagree it is not known,
/// unless the rate is outside of the line's interval.
#[test]
fn a_required_rate_beside_the_boundary_is_not_known_where_the_evidence_disagrees() {
    let boundary = Estimate { estimate: 5_000.0, low: 4_500.0, high: 5_600.0, confidence: 0.95 };
    for (rate, probed, sustained) in [
        (4_000.0, true, Some(true)),
        (4_000.0, false, Some(true)),
        (4_800.0, true, Some(true)),
        (4_800.0, false, None),
        (5_300.0, false, Some(false)),
        (5_300.0, true, None),
        (5_900.0, true, Some(false)),
        (5_900.0, false, Some(false)),
    ] {
        assert_eq!(agreed(probed, rate, &boundary), sustained, "{rate} {probed}");
    }
}

#[test]
fn where_latency_says_nothing_about_the_boundary_the_bracket_stands_alone() {
    // Verdicts without response times.
    let found = concluded(policy(), searched(&policy(), sharp(1_300.0)));
    assert_eq!((found.conclusion, found.boundary), (SearchOutcome::Found, None));
    assert_eq!(found.no_boundary.unwrap().to_string(), "needs at least 8 probes near the boundary, has 0");
    // A search that is not over has none either, and does not say why.
    let cut = concluded(policy(), searched(&policy(), sharp(1_300.0))[..4].to_vec());
    assert_eq!((cut.boundary, cut.no_boundary), (None, None));
}

/// At the failing end of the bracket the machine disturbed most probes; those beside it show what the cluster
/// does.
#[test]
fn a_boundary_between_undisturbed_probes_is_the_clusters() {
    let cluster = Simulated { noise: 0.01, ..Simulated::serving(4_000.0) };
    let mut sent = 0;
    let disturb = |probe: Probe| Probe {
        verdict: ProbeVerdict::Disturbed,
        limit: Some(Limit::Host { stolen: 0.2, cores: 2 }),
        ..probe
    };
    let probes = searched(&policy(), |offer, purpose, n| {
        let probe = cluster.probe(offer, n as u64);
        let narrow =
            matches!(offer, ProbeLoad::Open { rate_per_s } if (3_400.0..3_700.0).contains(&rate_per_s));
        sent += 1;
        if narrow && purpose != ProbePurpose::Again && sent % 4 != 0 { disturb(probe) } else { probe }
    });
    let found = concluded(policy(), probes.clone());
    assert_eq!(found.conclusion, SearchOutcome::Found, "{:?} {:?}", found.limit, found.no_boundary);
    assert!(matches!(found.limit, Some(Limit::Server { .. })), "{:?}", found.limit);
    let rate = found.boundary.unwrap().rate_per_s.estimate / cluster.true_capacity();
    assert!((0.9..1.05).contains(&rate), "{rate}");
    // Where every probe beyond it was disturbed, the cluster may sustain more.
    let all = probes
        .into_iter()
        .map(|probe| if probe.verdict == ProbeVerdict::Failed { disturb(probe) } else { probe });
    let found = concluded(policy(), all.collect());
    assert_ne!(found.conclusion, SearchOutcome::Found);
    assert_eq!(found.boundary, None);
}

#[test]
fn a_machine_whose_speed_changes_is_seen_by_what_the_same_work_costs() {
    let drift = |slower: f64| {
        let policy = policy();
        let probes = searched(&policy, |offer, purpose, n| {
            let factor = if purpose == ProbePurpose::Again { slower } else { 1.0 };
            let cluster = Simulated::serving(4_000.0 / factor);
            cluster.probe(offer, n as u64)
        });
        concluded(policy, probes).drift.unwrap()
    };
    assert!((drift(1.0).ratio() - 1.0).abs() < 1e-9, "{:?}", drift(1.0));
    let seen = drift(1.4);
    assert!((seen.ratio() - 1.4).abs() < 0.01 && (seen.least_us - 250.0).abs() < 1.0, "{seen:?}");
    // One probe of each rate says nothing.
    let once = [1_000.0, 2_000.0]
        .map(|rate_per_s| Simulated::serving(4_000.0).probe(ProbeLoad::Open { rate_per_s }, 1));
    assert_eq!(concluded(policy(), once.to_vec()).drift, None);
}

#[test]
fn a_level_near_what_a_claim_takes_at_any_rate_is_seen() {
    let found = |slo_us: f64| {
        let cluster = Simulated::serving(4_000.0);
        let policy = CapacityPolicy { slo_us, walk: false, ..policy() };
        let probes = searched(&policy, |offer, _, n| {
            Probe::from_result(&cluster.run(offer, n as u64), "x", slo_us).unwrap()
        });
        concluded(policy, probes)
    };
    let near = found(1_500.0);
    let said = near.near_floor().unwrap();
    assert_eq!(Some(said.floor_us), near.floor_us);
    assert!(said.floor_us > said.share * 1_500.0 && said.level_us > 1_500.0, "{said:?}");
    let far = found(20_000.0);
    assert!(far.floor_us.is_some_and(|floor_us| floor_us < 0.1 * 20_000.0), "{:?}", far.floor_us);
    assert_eq!(far.near_floor(), None);
}

#[test]
fn a_search_says_why_it_has_no_table_of_primaries() {
    let cluster = Simulated::serving(4_000.0);
    let made = searched(&policy(), |offer, _, n| cluster.probe(offer, n as u64));
    let missing = |change: &dyn Fn(&mut CapacityPlan, &mut Vec<Probe>)| {
        let (mut plan, mut probes) = (plan(policy()), made.clone());
        change(&mut plan, &mut probes);
        let first = cluster.run(ProbeLoad::Open { rate_per_s: 100.0 }, 1);
        let found = Capacity::conclude(plan, probes, Some(&first));
        assert_eq!(found.sizing.is_empty(), found.sizing_missing().is_some());
        found.sizing_missing()
    };
    let skew = |plan: &mut CapacityPlan| plan.scenario.population.skew = SkewForm::Zipf(1.1);
    let without_cpu =
        |probes: &mut Vec<Probe>| probes.iter_mut().for_each(|probe| probe.cpu_us_per_claim = None);
    assert_eq!(missing(&|_, _| ()), None);
    assert_eq!(missing(&|plan, _| skew(plan)), Some(SizingMissing::SkewOnOnePrimary));
    assert_eq!(missing(&|_, probes| without_cpu(probes)), Some(SizingMissing::CpuUnknown));
    let both = missing(&|plan, probes| {
        skew(plan);
        without_cpu(probes);
    });
    assert_eq!(both, Some(SizingMissing::CpuUnknown), "the skew is not what is in the way");
    assert_eq!(missing(&|_, probes| probes.truncate(2)), Some(SizingMissing::RateUnknown));
}
