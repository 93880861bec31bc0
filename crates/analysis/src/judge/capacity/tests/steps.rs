//! What comes next, and when the search ends.

use proptest::prelude::*;

use super::super::simulated::{Simulated, plain, policy};
use super::super::*;
use super::{concluded, searched, sharp, verdict};
use crate::judge::fixtures::Noise;

#[test]
fn a_sharp_limit_is_bracketed_within_the_resolution() {
    for capacity in [17.0, 130.0, 499.0, 500.0, 777.7, 3_210.0, 123_456.0] {
        let probes = searched(&policy(), sharp(capacity));
        let found = concluded(policy(), probes);
        let (low, high) = (found.sustained_per_s.unwrap(), found.failed_per_s.unwrap());
        assert_eq!(found.conclusion, SearchOutcome::Found);
        assert!(low <= capacity && capacity < high && high / low <= 1.05, "{capacity}: {low} to {high}");
        assert!(found.walked_again && found.differences.is_empty());
        assert!(found.probes.len() < 45, "{capacity} took {} probes", found.probes.len());
    }
}

#[test]
fn both_ends_of_the_bracket_are_best_of_three_and_every_level_comes_again() {
    let probes = searched(&policy(), sharp(1_300.0));
    let found = concluded(policy(), probes);
    for end in [found.sustained_per_s, found.failed_per_s] {
        let made = found.probes.iter().zip(&found.purposes).filter(|(probe, purpose)| {
            probe.offer == ProbeLoad::Open { rate_per_s: end.unwrap() }
                && **purpose != Some(ProbePurpose::Again)
        });
        assert!(made.count() >= 2);
    }
    let again = found.purposes.iter().filter(|p| **p == Some(ProbePurpose::Again)).count();
    assert_eq!(again, search(&found.probes, &policy()).levels.len());
}

/// The whole chain: a queue, its records, their analysis, the probe's rules, the search.
#[test]
fn the_capacity_of_a_queue_is_found() {
    for (per_s, seed) in [(2_000.0, 1u64), (5_000.0, 2), (12_000.0, 3)] {
        let cluster = Simulated { noise: 0.005, ..Simulated::serving(per_s) };
        let truth = cluster.true_capacity();
        let policy = CapacityPolicy { walk: false, ..policy() };
        let probes = searched(&policy, |offer, _, n| cluster.probe(offer, seed * 1_000 + n as u64));
        let found = concluded(policy, probes);
        let (low, high) = (found.sustained_per_s.unwrap(), found.failed_per_s.unwrap());
        assert_eq!(found.conclusion, SearchOutcome::Found);
        // The level is judged by the upper bound of the percentile: a little early, never late.
        assert!(low > 0.90 * truth && low < 1.02 * truth, "{low} to {high}, truth {truth}");
        assert!(matches!(found.limit, Some(Limit::Server { .. })), "{:?}", found.limit);
        let cpu = found.sizing_basis.unwrap().cpu_us_per_claim;
        assert!((cpu * per_s / 1e6 - 1.0).abs() < 0.02, "{cpu}");
    }
}

/// A cluster that is twice as slow has half the rate.
#[test]
fn a_slower_cluster_is_found_slower_by_its_factor() {
    let rate = |per_s: f64| {
        let cluster = Simulated::serving(per_s);
        let policy = CapacityPolicy { walk: false, ..policy() };
        let probes = searched(&policy, |offer, _, n| cluster.probe(offer, n as u64));
        let found = concluded(policy, probes).sustained_per_s.unwrap();
        (found, found / cluster.true_capacity())
    };
    let ((fast, fast_share), (slow, slow_share)) = (rate(20_000.0), rate(10_000.0));
    assert!((fast_share / slow_share - 1.0).abs() < 0.08, "{fast} {fast_share}, {slow} {slow_share}");
    assert!((1.8..2.3).contains(&(fast / slow)), "{fast} against {slow}");
}

#[test]
fn noise_moves_the_answer_by_little() {
    let truth = Simulated::serving(4_000.0).true_capacity();
    let mut good = 0;
    for seed in 0..12u64 {
        // Now and then a probe falls into a stall of the machine.
        let cluster = Simulated { noise: 0.02, ..Simulated::serving(4_000.0) };
        let stalled = Simulated::serving(400.0);
        let policy = CapacityPolicy { walk: false, ..policy() };
        let probes = searched(&policy, |offer, _, n| {
            let at = seed * 1_000 + n as u64;
            if at % 17 == 5 { stalled.probe(offer, at) } else { cluster.probe(offer, at) }
        });
        let low = concluded(policy, probes).sustained_per_s.unwrap();
        good += u32::from((0.88..1.05).contains(&(low / truth)));
    }
    assert!(good >= 11, "{good} of 12");
}

#[test]
fn one_stall_on_the_way_up_does_not_decide() {
    for unlucky in 0..6 {
        let mut answer = sharp(6_000.0);
        let probes = searched(&policy(), |offer, purpose, n| {
            let probe = answer(offer, purpose, n);
            if n == unlucky { plain(offer, ProbeVerdict::Failed) } else { probe }
        });
        let found = concluded(policy(), probes);
        assert!(found.sustained_per_s.unwrap() > 6_000.0 / 1.05, "{unlucky}: {:?}", found.sustained_per_s);
    }
}

#[test]
fn a_cluster_that_does_not_recover_is_said_to() {
    // After the first failure it sustains a third of what it did.
    let mut broken = false;
    let probes = searched(&policy(), |offer, purpose, _| {
        let capacity = if broken && purpose == ProbePurpose::Again { 1_000.0 } else { 3_000.0 };
        let verdict = verdict(offer, capacity);
        broken |= verdict == ProbeVerdict::Failed;
        plain(offer, verdict)
    });
    let found = concluded(policy(), probes);
    let worse: Vec<_> = found.differences.iter().filter(|d| d.first && !d.again).collect();
    assert!(found.walked_again && worse.iter().any(|d| !d.marginal), "{:?}", found.differences);
    assert!(worse.iter().all(|d| d.rate_per_s > 1_000.0));
}

#[test]
fn a_generator_that_gives_out_first_is_named_and_the_answer_is_a_lower_bound() {
    let cluster = Simulated { generator_per_s: 20_000.0, ..Simulated::serving(200_000.0) };
    let policy = CapacityPolicy { walk: false, ..policy() };
    let probes = searched(&policy, |offer, _, n| cluster.probe(offer, n as u64));
    let found = concluded(policy, probes);
    assert_eq!(found.conclusion, SearchOutcome::LowerBound);
    assert!(matches!(found.limit, Some(Limit::Generator { .. })), "{:?}", found.limit);
    assert!((10_000.0..20_000.0).contains(&found.sustained_per_s.unwrap()), "{:?}", found.sustained_per_s);
}

#[test]
fn what_is_never_sustained_and_what_always_is_end_the_search() {
    let nothing = concluded(policy(), searched(&policy(), sharp(0.0)));
    assert_eq!((nothing.conclusion, nothing.sustained_per_s), (SearchOutcome::NothingSustained, None));
    let lowest = nothing.failed_per_s.unwrap();
    assert!((15.0..16.0).contains(&lowest), "{lowest}");
    let everything = concluded(policy(), searched(&policy(), sharp(1e9)));
    assert_eq!((everything.conclusion, everything.sustained_per_s), (SearchOutcome::Unlimited, Some(1e6)));
}

#[test]
fn an_invalid_probe_is_made_again_and_two_end_the_search() {
    let mut answer = sharp(900.0);
    let once = searched(&policy(), |offer, purpose, n| {
        if n == 2 { plain(offer, ProbeVerdict::Invalid) } else { answer(offer, purpose, n) }
    });
    assert_eq!(concluded(policy(), once).conclusion, SearchOutcome::Found);
    let twice = searched(&policy(), |offer, _, n| {
        plain(offer, if n < 2 { ProbeVerdict::Passed } else { ProbeVerdict::Invalid })
    });
    assert_eq!(twice.len(), 4);
    assert_eq!(concluded(policy(), twice).conclusion, SearchOutcome::Invalid);
}

#[test]
fn a_required_rate_comes_first_and_is_answered_either_way() {
    for (required, sustained) in [(1_500.5, true), (2_500.0, false)] {
        let policy = CapacityPolicy { required_per_s: Some(required), ..policy() };
        let probes = searched(&policy, sharp(2_000.0));
        assert_eq!(probes[0].offer, ProbeLoad::Open { rate_per_s: required });
        let found = concluded(policy.clone(), probes.clone());
        assert_eq!(found.required, Some(Required { rate_per_s: required, sustained: Some(sustained) }));
        assert_eq!(found.conclusion, SearchOutcome::Found);
        // One probe does not decide.
        assert_eq!(concluded(policy, probes[..1].to_vec()).required.unwrap().sustained, None);
    }
}

#[test]
fn a_required_rate_that_the_generator_cannot_offer_is_not_answered() {
    let cluster = Simulated { generator_per_s: 3_000.0, ..Simulated::serving(50_000.0) };
    let policy = CapacityPolicy { required_per_s: Some(6_000.0), walk: false, ..policy() };
    let probes = searched(&policy, |offer, _, n| cluster.probe(offer, n as u64));
    assert_eq!(concluded(policy, probes).required.unwrap().sustained, None);
}

#[test]
fn a_search_that_is_cut_has_the_bracket_so_far() {
    let probes = searched(&policy(), sharp(3_000.0));
    let cut = concluded(policy(), probes[..5].to_vec());
    assert_eq!(cut.conclusion, SearchOutcome::NotConverged);
    assert_eq!((cut.sustained_per_s, cut.failed_per_s), (Some(2_000.0), Some(4_000.0)));
    assert!(matches!(cut.next, NextStep::Probe { .. }));
    let none = concluded(policy(), Vec::new());
    assert_eq!((none.conclusion, none.sustained_per_s), (SearchOutcome::NotConverged, None));
}

#[test]
fn the_curve_follows_the_search_and_is_fitted() {
    let policy = CapacityPolicy { concurrency: vec![1, 2, 4, 8, 16, 32, 64], ..policy() };
    let cluster = Simulated { claims: 2_000, ..Simulated::serving(5_000.0) };
    let probes = searched(&policy, |offer, _, n| match offer {
        ProbeLoad::Closed { .. } => cluster.probe(offer, n as u64),
        ProbeLoad::Open { .. } => plain(offer, verdict(offer, 3_000.0)),
    });
    let found = concluded(policy.clone(), probes.clone());
    let usl = found.usl.unwrap();
    assert!((usl.alone_per_s / 2_500.0 - 1.0).abs() < 0.02 && (usl.contention - 0.5).abs() < 0.02, "{usl:?}");
    // What a generator without time to spare makes is no figure of the cluster.
    let mut own = probes.clone();
    let last = own.len() - 1;
    own[last].resources.generator = Some(0.95);
    (own[last - 1].resources.generator, own[last - 1].near_generator_ceiling) = (None, true);
    (own[last - 2].resources.generator, own[last - 2].near_generator_ceiling) = (Some(0.3), true);
    let without = concluded(policy.clone(), own);
    assert_eq!(without.closed_loop().len() + 2, found.closed_loop().len());
    assert_eq!(without.no_usl.unwrap().to_string(), "needs at least 6 different loads, has 5");
    let short = concluded(policy, probes[..probes.len() - 2].to_vec());
    assert_eq!(short.conclusion, SearchOutcome::Found, "the rate does not wait for the curve");
    assert_eq!(short.no_usl.unwrap().to_string(), "needs at least 6 different loads, has 5");
}

#[test]
fn a_disturbed_probe_is_made_again() {
    let undisturbed = concluded(policy(), searched(&policy(), sharp(6_000.0)));
    let mut answer = sharp(6_000.0);
    let probes = searched(&policy(), |offer, purpose, n| {
        let probe = answer(offer, purpose, n);
        if n % 3 == 2 { probe } else { plain(offer, ProbeVerdict::Disturbed) }
    });
    let found = concluded(policy(), probes);
    assert_eq!(found.probes.len(), 3 * undisturbed.probes.len());
    assert_eq!(
        (found.sustained_per_s, found.conclusion),
        (undisturbed.sustained_per_s, SearchOutcome::Found)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Cut anywhere, a search goes on as it would have: what it asks depends on the probes alone.
    #[test]
    fn a_search_can_go_on_from_any_point(capacity in 20.0f64..50_000.0, seed in 0u64..1_000, spread in 0.0f64..0.2) {
        let policy = CapacityPolicy { seed, concurrency: vec![1, 2, 4], refinements: 12, ..policy() };
        let mut noise = Noise::new(seed);
        let mut asked = Vec::new();
        let probes = searched(&policy, |offer, purpose, _| {
            asked.push(NextStep::Probe { offer, purpose });
            plain(offer, verdict(offer, capacity * (spread * noise.normal()).exp()))
        });
        for (n, step) in asked.iter().enumerate() {
            prop_assert_eq!(search(&probes[..n], &policy).next, *step);
        }
        prop_assert_eq!(search(&probes, &policy).next, NextStep::Done);
        let found = search(&probes, &policy);
        let (low, high) = found.bracket();
        prop_assert!(found.converged && high.unwrap() / low.unwrap() <= 1.05);
    }

    /// A report is made from stored files: what they keep is all there is.
    #[test]
    fn a_stored_capacity_is_read_back_equal(capacity in 20.0f64..50_000.0) {
        let found = concluded(policy(), searched(&policy(), sharp(capacity)));
        let text = serde_json::to_string(&found).unwrap();
        prop_assert_eq!(serde_json::from_str::<Capacity>(&text).unwrap(), found);
    }
}
