//! The rules of a probe, each for itself.

use super::super::conclude::curve;
use super::super::simulated::{SLO_US, Simulated, plain, policy};
use super::super::*;
use super::{concluded, searched, verdict};
use crate::judge::fixtures::generator;
use crate::judge::{RunResult, analyse};
use crate::record::{InvalidReason, RunRecord, Violation, WindowTotals};

#[test]
fn the_strain_is_above_one_where_a_rule_is_broken() {
    let cluster = Simulated::serving(4_000.0);
    for (rate_per_s, n) in [2_000.0, 3_000.0, 3_700.0, 3_900.0, 4_100.0, 6_000.0].into_iter().zip(0..) {
        let probe = cluster.probe(ProbeLoad::Open { rate_per_s }, n);
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

fn of(change: impl FnOnce(&mut RunResult)) -> Probe {
    let mut run = Simulated::serving(5_000.0).run(ProbeLoad::Open { rate_per_s: 1_000.0 }, 7);
    change(&mut run);
    Probe::from_result(&run, "x", SLO_US).unwrap()
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
            r.invalid_reasons.push(InvalidReason::SendLag { p99_us: 900.0, limit_us: 500.0 });
        }),
        ("Audit", ProbeVerdict::Invalid, |r| {
            r.invalid_reasons
                .push(InvalidReason::AuditViolation { violation: Violation::GrantsUnaccounted, count: 1 });
        }),
        ("TooFew", ProbeVerdict::Invalid, |r| {
            r.record.arms[0].response = Simulated { claims: 300, ..Simulated::serving(5_000.0) }
                .run(ProbeLoad::Open { rate_per_s: 1_000.0 }, 1)
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
    // A queue that takes more than a hundredth of the schedule to work off is a rate that was not kept as
    // well.
    let slow = of(|r| r.record.arms[0].active_s += 0.3);
    assert!(matches!(slow.reasons[..], [Reason::Rate { .. }, Reason::Backlog { .. }]), "{:?}", slow.reasons);
    // What ends within the service level is in time, however short the schedule.
    assert_eq!(of(|r| r.record.arms[0].active_s += 0.003).verdict, ProbeVerdict::Passed);
}

/// A closed loop has no level to miss. What it brings is of claims that were made.
#[test]
fn a_closed_loop_whose_claims_fail_is_no_point_of_the_law() {
    let cluster = Simulated::serving(5_000.0);
    let of = |failed: u64, concurrency: u32| {
        let mut run = cluster.run(ProbeLoad::Closed { concurrency }, u64::from(concurrency));
        run.record.arms[0].outcomes.failed = failed;
        Probe::from_result(&run, "x", SLO_US).unwrap()
    };
    let sound = of(0, 64);
    assert_eq!((sound.verdict, sound.is_of_the_cluster()), (ProbeVerdict::Passed, true), "{sound:?}");
    let failing = of(sound.claims / 2, 64);
    assert!(matches!(failing.reasons[..], [Reason::Errors { .. }]), "{:?}", failing.reasons);
    assert_eq!((failing.verdict, &failing.limit), (ProbeVerdict::Failed, &None));
    assert!(!failing.is_of_the_cluster());
    let all = [1, 4, 16].map(|concurrency| of(0, concurrency));
    let points = |last: Probe| curve(&all.iter().cloned().chain([last]).collect::<Vec<_>>()).len();
    assert_eq!((points(sound), points(failing)), (4, 3));
}

/// A closed loop of two generators that lasts so long, after a change.
fn closed_of_two(all_s: f64, change: &dyn Fn(&mut RunRecord)) -> Probe {
    let mut record = Simulated::serving(5_000.0).run(ProbeLoad::Closed { concurrency: 16 }, 16).record;
    record.generators = (1..=2).map(generator).collect();
    for one in &mut record.generators {
        (one.used.window_s, one.used.thread_cpu_s) = (all_s, 0.1 * all_s);
    }
    record.window = Some(WindowTotals { active_s: all_s, ..WindowTotals::default() });
    change(&mut record);
    Probe::from_result(&analyse(record).unwrap(), "x", SLO_US).unwrap()
}

/// It says nothing about so many in flight, and nothing against the rate that other probes found.
#[test]
fn a_closed_loop_that_a_generator_was_missing_from_costs_its_point_and_not_the_search() {
    let sound = closed_of_two(10.0, &|_| ());
    assert!(sound.is_of_the_cluster() && !sound.is_of_a_smaller_load(), "{sound:?}");
    let missing = [
        closed_of_two(10.0, &|record| record.generators[1].used.window_s = 7.0),
        closed_of_two(10.0, &|record| record.generators[1].longest_gap_s = Some(3.0)),
        // All of them.
        closed_of_two(10.0, &|record| record.longest_gap_s = Some(3.0)),
        // By less than makes a run invalid, and for a moment that is much of a short window.
        closed_of_two(10.0, &|record| record.generators[1].used.window_s = 9.0),
        closed_of_two(0.5, &|record| record.generators[1].used.window_s = 0.3),
    ];
    for probe in missing {
        assert_eq!((probe.verdict, probe.reasons.len()), (ProbeVerdict::Failed, 1), "{probe:?}");
        assert!(probe.is_of_a_smaller_load() && !probe.is_of_the_cluster(), "{probe:?}");
        let policy = CapacityPolicy { concurrency: vec![16], ..policy() };
        let probes = searched(&policy, |offer, _, _| match offer {
            ProbeLoad::Closed { .. } => probe.clone(),
            ProbeLoad::Open { .. } => plain(offer, verdict(offer, 3_000.0)),
        });
        let found = concluded(policy, probes);
        assert_eq!((found.conclusion, found.closed_loop()), (SearchOutcome::Found, vec![]));
    }
    // What else is wrong with such a run is no less wrong for that.
    let gone = InvalidReason::Infrastructure { detail: "generator 2 is gone".into() };
    let broken = closed_of_two(10.0, &|record| {
        record.generators[1].used.window_s = 7.0;
        record.invalid_reasons.push(gone.clone());
    });
    assert_eq!((broken.verdict, broken.is_of_a_smaller_load()), (ProbeVerdict::Invalid, false), "{broken:?}");
}

#[test]
fn the_level_is_judged_by_the_upper_bound() {
    let probe = of(|_| ());
    let p99 = probe.response_p99_us.unwrap();
    assert!(p99.low < p99.estimate && p99.estimate < p99.high);
    let run = Simulated::serving(5_000.0).run(ProbeLoad::Open { rate_per_s: 1_000.0 }, 7);
    let at = |slo_us: f64| Probe::from_result(&run, "x", slo_us).unwrap();
    let between = f64::midpoint(p99.estimate, p99.high);
    assert!(matches!(at(between).reasons[..], [Reason::ResponseP99 { .. }, ..]), "{:?}", at(between).reasons);
    assert!(!at(p99.high).reasons.iter().any(|reason| matches!(reason, Reason::ResponseP99 { .. })));
}

/// Random arrivals come out a little faster or slower than asked: what counts is the schedule that was
/// offered.
#[test]
fn the_offered_rate_is_the_schedules_own() {
    for seed in 0..20 {
        let probe = Simulated::serving(50_000.0).probe(ProbeLoad::Open { rate_per_s: 1_000.0 }, seed);
        assert_eq!(probe.verdict, ProbeVerdict::Passed, "{seed}: {:?}", probe.reasons);
    }
}

#[test]
fn other_programs_say_nothing_about_the_cluster() {
    let disturbed = of(|r| {
        r.invalid_reasons.push(InvalidReason::SendLag { p99_us: 900.0, limit_us: 500.0 });
        let used = r.record.generator.as_mut().unwrap();
        used.machine_cpu_s = Some(1.9 * used.window_s);
    });
    assert_eq!(disturbed.verdict, ProbeVerdict::Disturbed);
    let policy = CapacityPolicy { required_per_s: Some(1_000.0), ..policy() };
    let found = concluded(policy, vec![disturbed.clone(), disturbed]);
    assert_eq!(found.required.unwrap().sustained, None);
    let policy = super::super::simulated::policy();
    let nothing = searched(&policy, |offer, _, _| Probe {
        verdict: ProbeVerdict::Disturbed,
        limit: Some(Limit::OtherPrograms { others: 1.9, cores: 2 }),
        ..plain(offer, ProbeVerdict::Disturbed)
    });
    assert_eq!(concluded(policy, nothing).conclusion, SearchOutcome::NotConverged);
}

#[test]
fn a_generator_that_had_time_is_asked_again_and_one_that_had_none_is_not() {
    let late = |share: f64| {
        of(|r| {
            r.invalid_reasons.push(InvalidReason::SendLag { p99_us: 900.0, limit_us: 500.0 });
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
            matches!(after, NextStep::Probe { offer: ProbeLoad::Open { rate_per_s }, .. } if rate_per_s.total_cmp(&next).is_eq()),
            "{after:?}"
        );
    }
}

#[test]
fn servers_that_take_the_generators_cores_are_the_limit() {
    let probe = of(|r| {
        r.invalid_reasons.push(InvalidReason::SendLag { p99_us: 900.0, limit_us: 500.0 });
        let used = r.record.generator.as_mut().unwrap();
        used.servers_cpu_s = 1.4 * used.window_s;
        used.thread_cpu_s = 0.4 * used.window_s;
        used.machine_cpu_s = Some(1.9 * used.window_s);
    });
    assert_eq!(probe.verdict, ProbeVerdict::Failed);
    assert!(matches!(probe.limit, Some(Limit::ServersOnSharedCores { .. })), "{:?}", probe.limit);
}

/// With io-threads and before Valkey 9.1 a main thread that waits runs all the same, and was taken for the limit.
#[test]
fn main_threads_that_poll_are_not_the_limit_of_a_generator_without_time() {
    let of_version = |version: &str| {
        of(|r| {
            let valkey = &mut r.record.environment.valkey;
            (valkey.version, valkey.io_threads) = (version.to_owned(), 4);
            let used = r.record.generator.as_mut().unwrap();
            (used.thread_cpu_s, used.servers_cpu_s) = (0.95 * used.window_s, used.window_s);
            r.record.primaries[0].counters.main_thread_cpu_us = 1e6 * used.window_s;
            r.record.staging.grant_cpu_us = Some(40.0);
        })
    };
    let server = of_version("9.1.2");
    assert_eq!(server.verdict, ProbeVerdict::Failed);
    assert!(matches!(server.limit, Some(Limit::Server { .. })), "{:?}", server.limit);
    assert!((server.busiest_primary().unwrap() - 1.0).abs() < 1e-9);
    assert!(!server.resources.polling && server.grant_cpu_us.is_some());
    let polling = of_version("9.0.3");
    assert_eq!(polling.verdict, ProbeVerdict::Generator);
    assert!(matches!(polling.limit, Some(Limit::Generator { busy: Some(_), .. })), "{:?}", polling.limit);
    assert!(polling.resources.polling);
    assert_eq!((polling.busiest_primary(), polling.grant_cpu_us), (None, None));
}

/// A probe of two generators, the second one on a machine of its own, after something was done to it.
fn of_two(change: impl FnOnce(&mut RunResult)) -> Probe {
    use crate::judge::analyse;
    use crate::judge::fixtures::generator;
    let mut run = Simulated::serving(5_000.0).run(ProbeLoad::Open { rate_per_s: 1_000.0 }, 7);
    run.record.generators = vec![generator(1), generator(2)];
    run.record.generators[1].host.boot = Some("another".to_owned());
    change(&mut run);
    Probe::from_result(&analyse(run.record).unwrap(), "x", SLO_US).unwrap()
}

#[test]
fn of_several_generators_the_one_without_time_is_the_limit_unless_a_server_has_none_either() {
    assert_eq!(of_two(|_| ()).verdict, ProbeVerdict::Passed);
    let busy = of_two(|r| r.record.generators[1].used.thread_cpu_s = 9.0);
    assert_eq!(busy.verdict, ProbeVerdict::Generator);
    assert_eq!(busy.limit, Some(Limit::Generator { busy: Some(0.9), part: Some(2) }));
    let server = of_two(|r| {
        r.record.generators[1].used.thread_cpu_s = 9.0;
        let window_us = 1e6 * r.record.generator.unwrap().window_s;
        r.record.primaries[0].counters.main_thread_cpu_us = 0.95 * window_us;
    });
    assert_eq!(server.verdict, ProbeVerdict::Failed);
    assert!(matches!(server.limit, Some(Limit::Server { .. })), "{:?}", server.limit);
}

#[test]
fn a_generator_that_began_late_is_named_and_the_probe_is_made_again() {
    let late = of_two(|r| r.record.generators[1].late_us = 80_000);
    assert_eq!(late.verdict, ProbeVerdict::Generator, "{:?}", late.reasons);
    assert!(matches!(late.limit, Some(Limit::Generator { part: Some(2), .. })), "{:?}", late.limit);
    assert!(late.was_disturbed());
    let offer = late.offer;
    let policy = CapacityPolicy { start_per_s: 1_000.0, ..policy() };
    let after = search(&[late], &policy).next;
    assert!(matches!(after, NextStep::Probe { offer: again, .. } if again == offer), "{after:?}");
}
