//! The search against clusters whose capacity is known.

use proptest::prelude::*;

use super::simulated::{SLO_US, Simulated, plain, policy};
use super::*;
use crate::judge::fixtures::Noise;
use crate::measure::Fault;
use crate::stats::Estimate;

/// No search of these tests takes more.
const PATIENCE: usize = 120;

/// Answers the search's questions until it is done.
fn searched(
    policy: &CapacityPolicy,
    mut answer: impl FnMut(Offer, ProbePurpose, usize) -> Probe,
) -> Vec<Probe> {
    let mut probes = Vec::new();
    while let Step::Probe { offer, purpose } = search(&probes, policy).next {
        assert!(probes.len() < PATIENCE, "the search does not end");
        let probe = answer(offer, purpose, probes.len());
        assert_eq!(probe.offer, offer);
        probes.push(probe);
    }
    probes
}

/// A cluster that passes up to a rate.
fn sharp(capacity: f64) -> impl FnMut(Offer, ProbePurpose, usize) -> Probe {
    move |offer, _, _| plain(offer, verdict(offer, capacity))
}

fn verdict(offer: Offer, capacity: f64) -> ProbeVerdict {
    match offer {
        Offer::Open { rate_per_s } if rate_per_s > capacity => ProbeVerdict::Failed,
        _ => ProbeVerdict::Passed,
    }
}

fn plan(policy: CapacityPolicy) -> CapacityPlan {
    let run = Simulated::serving(1_000.0).run(Offer::Open { rate_per_s: 100.0 }, 1);
    CapacityPlan { scenario: run.record.scenario, seed: 1, policy, stopped: None }
}

fn concluded(policy: CapacityPolicy, probes: Vec<Probe>) -> Capacity {
    let first = Simulated::serving(1_000.0).run(Offer::Open { rate_per_s: 100.0 }, 1);
    Capacity::conclude(plan(policy), probes, Some(&first))
}

#[test]
fn a_sharp_limit_is_bracketed_within_the_resolution() {
    for capacity in [17.0, 130.0, 499.0, 500.0, 777.7, 3_210.0, 123_456.0] {
        let probes = searched(&policy(), sharp(capacity));
        let found = concluded(policy(), probes);
        let (low, high) = (found.sustained_per_s.unwrap(), found.failed_per_s.unwrap());
        assert_eq!(found.conclusion, Conclusion::Found);
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
            probe.offer == Offer::Open { rate_per_s: end.unwrap() } && **purpose != Some(ProbePurpose::Again)
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
        assert_eq!(found.conclusion, Conclusion::Found);
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

#[test]
fn where_latency_says_nothing_about_the_boundary_the_bracket_stands_alone() {
    // Verdicts without response times.
    let found = concluded(policy(), searched(&policy(), sharp(1_300.0)));
    assert_eq!((found.conclusion, found.boundary), (Conclusion::Found, None));
    assert_eq!(found.no_boundary.unwrap().to_string(), "needs at least 8 probes near the boundary, has 0");
    // A search that is not over has none either, and does not say why.
    let cut = concluded(policy(), searched(&policy(), sharp(1_300.0))[..4].to_vec());
    assert_eq!((cut.boundary, cut.no_boundary), (None, None));
}

#[test]
fn the_strain_is_above_one_where_a_rule_is_broken() {
    let cluster = Simulated::serving(4_000.0);
    for (rate_per_s, n) in [2_000.0, 3_000.0, 3_700.0, 3_900.0, 4_100.0, 6_000.0].into_iter().zip(0..) {
        let probe = cluster.probe(Offer::Open { rate_per_s }, n);
        let strain = probe.strain(SLO_US).unwrap();
        assert_eq!(
            strain <= 1.0,
            probe.verdict == ProbeVerdict::Passed,
            "{rate_per_s}: {strain} {:?}",
            probe.reasons
        );
    }
    let errors = of(|r| r.record.arms[0].outcomes.failed = 40);
    assert!((errors.strain(SLO_US).unwrap() - 3.98).abs() < 0.02, "{:?}", errors.strain(SLO_US));
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
    assert_eq!(found.conclusion, Conclusion::LowerBound);
    assert!(matches!(found.limit, Some(Limit::Generator { .. })), "{:?}", found.limit);
    assert!((10_000.0..20_000.0).contains(&found.sustained_per_s.unwrap()), "{:?}", found.sustained_per_s);
}

#[test]
fn what_is_never_sustained_and_what_always_is_end_the_search() {
    let nothing = concluded(policy(), searched(&policy(), sharp(0.0)));
    assert_eq!((nothing.conclusion, nothing.sustained_per_s), (Conclusion::NothingSustained, None));
    let lowest = nothing.failed_per_s.unwrap();
    assert!((15.0..16.0).contains(&lowest), "{lowest}");
    let everything = concluded(policy(), searched(&policy(), sharp(1e9)));
    assert_eq!((everything.conclusion, everything.sustained_per_s), (Conclusion::Unlimited, Some(1e6)));
}

#[test]
fn an_invalid_probe_is_made_again_and_two_end_the_search() {
    let mut answer = sharp(900.0);
    let once = searched(&policy(), |offer, purpose, n| {
        if n == 2 { plain(offer, ProbeVerdict::Invalid) } else { answer(offer, purpose, n) }
    });
    assert_eq!(concluded(policy(), once).conclusion, Conclusion::Found);
    let twice = searched(&policy(), |offer, _, n| {
        plain(offer, if n < 2 { ProbeVerdict::Passed } else { ProbeVerdict::Invalid })
    });
    assert_eq!(twice.len(), 4);
    assert_eq!(concluded(policy(), twice).conclusion, Conclusion::Invalid);
}

#[test]
fn a_required_rate_comes_first_and_is_answered_either_way() {
    for (required, sustained) in [(1_500.5, true), (2_500.0, false)] {
        let policy = CapacityPolicy { required_per_s: Some(required), ..policy() };
        let probes = searched(&policy, sharp(2_000.0));
        assert_eq!(probes[0].offer, Offer::Open { rate_per_s: required });
        let found = concluded(policy.clone(), probes.clone());
        assert_eq!(found.required, Some(Required { rate_per_s: required, sustained: Some(sustained) }));
        assert_eq!(found.conclusion, Conclusion::Found);
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
    assert_eq!(cut.conclusion, Conclusion::NotConverged);
    assert_eq!((cut.sustained_per_s, cut.failed_per_s), (Some(2_000.0), Some(4_000.0)));
    assert!(matches!(cut.next, Step::Probe { .. }));
    let none = concluded(policy(), Vec::new());
    assert_eq!((none.conclusion, none.sustained_per_s), (Conclusion::NotConverged, None));
}

#[test]
fn the_curve_follows_the_search_and_is_fitted() {
    let policy = CapacityPolicy { concurrency: vec![1, 2, 4, 8, 16, 32, 64], ..policy() };
    let cluster = Simulated { claims: 2_000, ..Simulated::serving(5_000.0) };
    let probes = searched(&policy, |offer, _, n| match offer {
        Offer::Closed { .. } => cluster.probe(offer, n as u64),
        Offer::Open { .. } => plain(offer, verdict(offer, 3_000.0)),
    });
    let found = concluded(policy.clone(), probes.clone());
    let usl = found.usl.unwrap();
    assert!((usl.alone_per_s / 2_500.0 - 1.0).abs() < 0.02 && (usl.contention - 0.5).abs() < 0.02, "{usl:?}");
    let short = concluded(policy, probes[..probes.len() - 2].to_vec());
    assert_eq!(short.conclusion, Conclusion::Found, "the rate does not wait for the curve");
    assert_eq!(short.no_usl.unwrap().to_string(), "needs at least 6 different loads, has 5");
}

fn of(change: impl FnOnce(&mut RunResult)) -> Probe {
    let mut run = Simulated::serving(5_000.0).run(Offer::Open { rate_per_s: 1_000.0 }, 7);
    change(&mut run);
    Probe::of(&run, "x", SLO_US).unwrap()
}

/// Every rule of a probe, each broken alone.
#[test]
fn each_rule_of_a_probe_fails_it_alone() {
    type Break = fn(&mut RunResult);
    assert_eq!(of(|_| ()).verdict, ProbeVerdict::Passed);
    let cases: &[(&str, ProbeVerdict, Break)] = &[
        ("Errors", ProbeVerdict::Failed, |r| r.record.arms[0].outcomes.failed = 12),
        ("Errors", ProbeVerdict::Failed, |r| r.record.arms[0].outcomes.dropped = 12),
        ("Backlog", ProbeVerdict::Failed, |r| r.record.arms[0].active_s += 0.006),
        ("GeneratorBusy", ProbeVerdict::Generator, |r| {
            let used = r.record.generator.as_mut().unwrap();
            used.thread_cpu_s = 0.85 * used.window_s;
        }),
        ("SendLag", ProbeVerdict::Generator, |r| {
            r.invalid_reasons.push(Fault::SendLag { p99_us: 900.0, limit_us: 500.0 });
        }),
        ("Audit", ProbeVerdict::Invalid, |r| {
            r.invalid_reasons.push(Fault::Audit { detail: "1 grants are unaccounted for".into() });
        }),
        ("TooFew", ProbeVerdict::Invalid, |r| {
            r.record.arms[0].response = Simulated { claims: 300, ..Simulated::serving(5_000.0) }
                .run(Offer::Open { rate_per_s: 1_000.0 }, 1)
                .record
                .arms[0]
                .response
                .clone();
        }),
    ];
    for (name, verdict, broken) in cases {
        let probe = of(broken);
        assert_eq!(probe.verdict, *verdict, "{name}: {probe:?}");
        assert_eq!(probe.reasons.len(), 1, "{name}: {:?}", probe.reasons);
        assert!(format!("{:?}", probe.reasons[0]).contains(name), "{name}: {:?}", probe.reasons);
    }
    assert_eq!(of(|r| r.record.arms[0].outcomes.failed = 9).verdict, ProbeVerdict::Passed);
    // A queue that takes more than a hundredth of the schedule to work off is a rate that was not kept as well.
    let slow = of(|r| r.record.arms[0].active_s += 0.3);
    assert!(matches!(slow.reasons[..], [Reason::Rate { .. }, Reason::Backlog { .. }]), "{:?}", slow.reasons);
    // What ends within the service level is in time, however short the schedule.
    assert_eq!(of(|r| r.record.arms[0].active_s += 0.003).verdict, ProbeVerdict::Passed);
}

#[test]
fn the_level_is_judged_by_the_upper_bound() {
    let probe = of(|_| ());
    let p99 = probe.response_p99_us.unwrap();
    assert!(p99.low < p99.estimate && p99.estimate < p99.high);
    let run = Simulated::serving(5_000.0).run(Offer::Open { rate_per_s: 1_000.0 }, 7);
    let at = |slo_us: f64| Probe::of(&run, "x", slo_us).unwrap();
    let between = f64::midpoint(p99.estimate, p99.high);
    assert!(matches!(at(between).reasons[..], [Reason::ResponseP99 { .. }, ..]), "{:?}", at(between).reasons);
    assert!(!at(p99.high).reasons.iter().any(|reason| matches!(reason, Reason::ResponseP99 { .. })));
}

/// Random arrivals come out a little faster or slower than asked: what counts is the schedule that was offered.
#[test]
fn the_offered_rate_is_the_schedules_own() {
    for seed in 0..20 {
        let probe = Simulated::serving(50_000.0).probe(Offer::Open { rate_per_s: 1_000.0 }, seed);
        assert_eq!(probe.verdict, ProbeVerdict::Passed, "{seed}: {:?}", probe.reasons);
    }
}

#[test]
fn other_programs_say_nothing_about_the_cluster() {
    let disturbed = of(|r| {
        r.invalid_reasons.push(Fault::SendLag { p99_us: 900.0, limit_us: 500.0 });
        let used = r.record.generator.as_mut().unwrap();
        used.machine_cpu_s = Some(1.9 * used.window_s);
    });
    assert_eq!(disturbed.verdict, ProbeVerdict::Disturbed);
    let policy = CapacityPolicy { required_per_s: Some(1_000.0), ..policy() };
    let found = concluded(policy, vec![disturbed.clone(), disturbed]);
    assert_eq!(found.required.unwrap().sustained, None);
    let policy = super::simulated::policy();
    let nothing = searched(&policy, |offer, _, _| Probe {
        verdict: ProbeVerdict::Disturbed,
        limit: Some(Limit::OtherPrograms { others: 1.9, cores: 2 }),
        ..plain(offer, ProbeVerdict::Disturbed)
    });
    assert_eq!(concluded(policy, nothing).conclusion, Conclusion::NotConverged);
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
    assert_eq!((found.sustained_per_s, found.conclusion), (undisturbed.sustained_per_s, Conclusion::Found));
}

/// At the failing end of the bracket the machine disturbed most probes; those beside it show what the cluster does.
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
        let narrow = matches!(offer, Offer::Open { rate_per_s } if (3_400.0..3_700.0).contains(&rate_per_s));
        sent += 1;
        if narrow && purpose != ProbePurpose::Again && sent % 4 != 0 { disturb(probe) } else { probe }
    });
    let found = concluded(policy(), probes.clone());
    assert_eq!(found.conclusion, Conclusion::Found, "{:?} {:?}", found.limit, found.no_boundary);
    assert!(matches!(found.limit, Some(Limit::Server { .. })), "{:?}", found.limit);
    let rate = found.boundary.unwrap().rate_per_s.estimate / cluster.true_capacity();
    assert!((0.9..1.05).contains(&rate), "{rate}");
    // Where every probe beyond it was disturbed, the cluster may sustain more.
    let all = probes
        .into_iter()
        .map(|probe| if probe.verdict == ProbeVerdict::Failed { disturb(probe) } else { probe });
    let found = concluded(policy(), all.collect());
    assert_ne!(found.conclusion, Conclusion::Found);
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
    let once =
        [1_000.0, 2_000.0].map(|rate_per_s| Simulated::serving(4_000.0).probe(Offer::Open { rate_per_s }, 1));
    assert_eq!(concluded(policy(), once.to_vec()).drift, None);
}

#[test]
fn a_generator_that_had_time_is_asked_again_and_one_that_had_none_is_not() {
    let late = |share: f64| {
        of(|r| {
            r.invalid_reasons.push(Fault::SendLag { p99_us: 900.0, limit_us: 500.0 });
            let used = r.record.generator.as_mut().unwrap();
            used.thread_cpu_s = share * used.window_s;
        })
    };
    for (share, next) in [(0.2, 1_000.0), (0.9, 500.0)] {
        let probe = late(share);
        assert_eq!(probe.verdict, ProbeVerdict::Generator);
        let policy = CapacityPolicy { start_per_s: 1_000.0, ..policy() };
        // Twice, which is enough where it counts.
        let after = search(&[probe.clone(), probe], &policy).next;
        assert!(
            matches!(after, Step::Probe { offer: Offer::Open { rate_per_s }, .. } if rate_per_s.total_cmp(&next).is_eq()),
            "{after:?}"
        );
    }
}

#[test]
fn a_level_near_what_a_claim_takes_at_any_rate_is_seen() {
    let found = |slo_us: f64| {
        let cluster = Simulated::serving(4_000.0);
        let policy = CapacityPolicy { slo_us, walk: false, ..policy() };
        let probes =
            searched(&policy, |offer, _, n| Probe::of(&cluster.run(offer, n as u64), "x", slo_us).unwrap());
        concluded(policy, probes).floor_us.unwrap() / slo_us
    };
    assert!(found(1_500.0) > 0.25 && found(20_000.0) < 0.1, "{} {}", found(1_500.0), found(20_000.0));
}

#[test]
fn servers_that_take_the_generators_cores_are_the_limit() {
    let probe = of(|r| {
        r.invalid_reasons.push(Fault::SendLag { p99_us: 900.0, limit_us: 500.0 });
        let used = r.record.generator.as_mut().unwrap();
        used.servers_cpu_s = 1.4 * used.window_s;
        used.thread_cpu_s = 0.4 * used.window_s;
        used.machine_cpu_s = Some(1.9 * used.window_s);
    });
    assert_eq!(probe.verdict, ProbeVerdict::Failed);
    assert!(matches!(probe.limit, Some(Limit::ServersOnSharedCores { .. })), "{:?}", probe.limit);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Cut anywhere, a search goes on as it would have: what it asks depends on the probes alone.
    #[test]
    fn a_search_can_go_on_from_any_point(capacity in 20.0f64..50_000.0, seed in 0u64..1_000, spread in 0.0f64..0.2) {
        let policy = CapacityPolicy { seed, concurrency: vec![1, 2, 4], ..policy() };
        let mut noise = Noise::new(seed);
        let mut asked = Vec::new();
        let probes = searched(&policy, |offer, purpose, _| {
            asked.push(Step::Probe { offer, purpose });
            plain(offer, verdict(offer, capacity * (spread * noise.normal()).exp()))
        });
        for (n, step) in asked.iter().enumerate() {
            prop_assert_eq!(search(&probes[..n], &policy).next, *step);
        }
        prop_assert_eq!(search(&probes, &policy).next, Step::Done);
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
