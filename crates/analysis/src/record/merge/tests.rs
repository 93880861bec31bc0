//! What comes of parts that fit.

use super::*;
use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, generator, record};
use crate::record::{
    Aborted, CounterDelta, GeneratorRecord, InvalidReason, Outcomes, PartNote, RetryCause, SteadyPart,
    Violation, Warning, WindowEvent, WindowEventKind,
};

/// One of so many parts of a run of two arms, each of which has done the same.
pub(super) fn part(number: u32, of: u32) -> RunRecord {
    let mut part = record(&[GRANT_LANE, HGET_LANE], 1);
    let began_us = vec![1_000_000, 2_000_000];
    part.part = Some(PartNote { number, of, rendezvous: "tonight".into(), began_us });
    let mut outcomes = Outcomes::default();
    part.arms.iter().for_each(|arm| outcomes.add(&arm.outcomes));
    part.window = Some(WindowTotals { active_s: 10.0, outcomes, batches: Vec::new() });
    part.generator = Some(generator(number).used);
    part
}

pub(super) fn parts(of: u32) -> Vec<RunRecord> {
    (1..=of).map(|number| part(number, of)).collect()
}

/// Two parts after a change of the second.
pub(super) fn merged(change: impl FnOnce(&mut RunRecord)) -> Result<RunRecord, MergeError> {
    let mut parts = parts(2);
    change(&mut parts[1]);
    merge(parts)
}

#[test]
fn a_grant_too_many_of_one_part_does_not_make_up_for_one_that_another_lacks() {
    let uneven = |record: &RunRecord| {
        let named = |reason: &InvalidReason| match reason {
            InvalidReason::OfGenerator { part, what } => match **what {
                InvalidReason::AuditViolation { violation: Violation::SumOfGrants, count } => {
                    Some((*part, count))
                }
                _ => None,
            },
            _ => None,
        };
        record.invalid_reasons.iter().filter_map(named).collect::<Vec<_>>()
    };
    assert_eq!(uneven(&merge(parts(2)).unwrap()), []);
    let mut parts = parts(2);
    parts[0].audit.claimed -= 1;
    parts[1].audit.claimed += 1;
    let whole = merge(parts).unwrap();
    assert!(whole.audit.found().iter().all(|(_, count)| *count == 0), "{:?}", whole.audit);
    assert_eq!(uneven(&whole), [(1, 1), (2, 1)]);
    // What the sum shows is said once.
    let lacking = merged(|part| part.audit.claimed -= 1).unwrap();
    assert_eq!(uneven(&lacking), []);
    assert!(lacking.audit.found().contains(&(Violation::SumOfGrants, 1)));
}

#[test]
fn the_order_in_which_parts_are_given_does_not_matter() {
    let mut shuffled = parts(4);
    for (n, part) in shuffled.iter_mut().enumerate() {
        part.arms[0].outcomes.expired = n as u64;
        part.strata[0].sides[0].service.0[0] = n as u32;
    }
    let in_order = merge(shuffled.clone()).unwrap();
    shuffled.reverse();
    shuffled.swap(0, 2);
    assert_eq!(merge(shuffled).unwrap(), in_order);
}

#[test]
fn the_servers_are_the_first_parts_and_the_claims_are_everybodys() {
    let mut all = parts(3);
    for other in &mut all[1..] {
        other.primaries[0].counters = CounterDelta::default();
        other.blocks.iter_mut().for_each(|block| block.counters = CounterDelta::default());
    }
    all[2].blocks[0].duration_s = 9.0;
    for (n, part) in all.iter_mut().enumerate() {
        part.staging = Staging {
            executions: 10,
            interruptions: 20,
            grants: 30,
            duration_s: n as f64,
            grant_cpu_us: None,
        };
        part.blocks[1].steady = Some(SteadyPart { claims: 100, duration_s: 0.1 });
        part.offered = Some(Offered { claims: 100, schedule_s: n as f64 });
    }
    all[0].staging.grant_cpu_us = Some(25.0);
    let whole = merge(all.clone()).unwrap();
    let first = &all[0];
    assert_eq!(whole.primaries[0].counters, first.primaries[0].counters);
    assert_eq!(whole.primaries[0].claims, 3 * first.primaries[0].claims);
    assert_eq!(whole.blocks[0].counters, first.blocks[0].counters);
    assert_eq!((whole.blocks[0].claims, whole.blocks[0].duration_s.to_bits()), (600, 9f64.to_bits()));
    let (claims, seconds) = whole.blocks[1].rate_parts();
    assert!((claims / seconds - 3_000.0).abs() < 1e-9);
    assert_eq!(whole.audit.claimed, 3 * first.audit.claimed);
    assert_eq!((whole.staging.grants, whole.staging.grant_cpu_us), (90, Some(25.0)));
    assert_eq!(whole.offered, Some(Offered { claims: 300, schedule_s: 2.0 }));
    assert_eq!(whole.strata[0].sides[0].service.0.len(), 3 * first.strata[0].sides[0].service.0.len());
    assert_eq!(whole.arms[0].wire.claims, 3 * first.arms[0].wire.claims);
    assert_eq!((whole.part.clone(), whole.generators.len()), (None, 3));
    assert!((whole.generator.unwrap().thread_cpu_s - 6.0).abs() < 1e-9);
}

#[test]
fn lateness_is_the_worst_over_all_windows_and_says_which() {
    let mut all = parts(3);
    let began = [[1_000, 9_000, 20_000], [1_010, 9_700, 20_500], [990, 9_100, 20_000]];
    for (part, began) in all.iter_mut().zip(began) {
        part.part.as_mut().unwrap().began_us = began.to_vec();
    }
    let window_us = 1e6 * all[0].generator.unwrap().window_s;
    let merged = merge(all).unwrap().generators;
    let late: Vec<_> = merged.iter().map(|one| (one.late_us, one.late_in)).collect();
    assert_eq!(late, [(10, 1), (700, 2), (100, 2)]);
    let shares = merged.iter().map(|one| one.late_share.unwrap());
    let expected = [10.0, 20.0 + 700.0 + 500.0, 100.0].map(|late_us| late_us / window_us);
    assert!(shares.zip(expected).all(|(share, expected)| (share - expected).abs() < 1e-12), "{merged:?}");
}

#[test]
fn a_generator_whose_machine_was_arranged_otherwise_keeps_that() {
    use crate::record::Conditions;
    use crate::scenario::{Cores, Placement};
    let mut all = parts(3);
    let arranged = Conditions { placement: Placement::Apart, cores: Cores::Awake, ..Conditions::default() };
    for (part, boot) in all.iter_mut().zip(["one", "one", "two"]) {
        part.environment.host.boot = Some(boot.into());
        part.environment.conditions = Some(arranged.clone());
    }
    let kept = |all: &[RunRecord]| -> Vec<_> {
        merge(all.to_vec()).unwrap().generators.into_iter().map(|one| one.conditions).collect()
    };
    assert_eq!(kept(&all), [None, None, None]);
    for part in &mut all[1..] {
        part.environment.conditions = Some(Conditions::default());
    }
    let left_alone = || Some(Conditions::default());
    assert_eq!(kept(&all), [None, left_alone(), left_alone()], "on the first's machine or not");
}

/// As generators in containers were that did not know of each other.
#[test]
fn generators_that_were_bound_to_one_core_keep_that() {
    use crate::record::Conditions;
    let kept = |cores: [u32; 3]| -> Vec<_> {
        let mut all = parts(3);
        for ((part, boot), core) in all.iter_mut().zip(["one", "one", "two"]).zip(cores) {
            part.environment.host.boot = Some(boot.into());
            let generator_on = vec![core];
            part.environment.conditions = Some(Conditions { generator_on, ..Conditions::default() });
        }
        let merged = merge(all).unwrap().generators;
        merged.into_iter().map(|one| one.conditions.map(|kept| kept.generator_on)).collect()
    };
    assert_eq!(kept([1, 1, 1]), [None, Some(vec![1]), None], "the third has its machine for itself");
    assert_eq!(kept([1, 0, 1]), [None, Some(vec![0]), None], "otherwise than the first");
}

#[test]
fn findings_are_said_once_and_a_processs_own_name_it() {
    let mut all = parts(2);
    let changed = || InvalidReason::ServerChanged { primary: "a".into(), detail: "run_id differs".into() };
    let broke = || InvalidReason::Infrastructure { detail: "the connection broke".into() };
    all[0].invalid_reasons = vec![changed()];
    all[1].invalid_reasons = vec![changed(), broke()];
    let shared = || Warning::SharedMachine { cores: 2 };
    all[0].warnings = vec![shared(), Warning::LeftOver { keys: 2 }, Warning::BusyMachine { share: 0.7 }];
    all[1].warnings = vec![shared(), Warning::LeftOver { keys: 3 }, Warning::GeneratorBusy { share: 0.9 }];
    let whole = merge(all).unwrap();
    assert_eq!(
        whole.invalid_reasons,
        [changed(), InvalidReason::OfGenerator { part: 2, what: Box::new(broke()) }]
    );
    assert_eq!(whole.warnings, [shared(), Warning::LeftOver { keys: 5 }]);
}

#[test]
fn a_run_that_was_stopped_has_what_its_parts_had_come_to() {
    let mut all = parts(2);
    all[1].partial = true;
    all[1].strata.truncate(5);
    all[1].blocks.truncate(3);
    all[1].part.as_mut().unwrap().began_us.truncate(1);
    all[1].strata[4].sides[1].service.0.clear();
    all[0].strata[4].sides[1].service.0.clear();
    let (strata, samples) = (all[0].strata.len(), all[0].strata[20].clone());
    let stopped = merge(all.clone()).unwrap();
    assert!(stopped.partial);
    assert_eq!(stopped.strata.len(), strata - 1, "a side without a sample is no stratum");
    assert_eq!(stopped.strata[19], samples);
    assert_eq!(stopped.blocks.len(), 3, "what not all came to the end of has no counters of all");
    let aborted = |after_s: f64| Some(Aborted { limit_us: 1.0, seconds: 1, after_s });
    (all[0].aborted, all[1].aborted) = (aborted(9.0), aborted(8.0));
    assert_eq!(merge(all).unwrap().aborted, aborted(8.0));
}

#[test]
fn strata_of_executions_that_go_round_stay_one_parts_in_the_order_of_time() {
    let mut all = parts(3);
    let planned = merge(all.clone()).unwrap().strata;
    assert_eq!(planned.len(), all[0].strata.len());
    for (part, kept) in all.iter_mut().zip([4, 2, 0]) {
        part.scenario.load.mode = crate::scenario::Mode::Churn;
        part.strata.truncate(kept);
    }
    all[1].strata[1].sides[0].service.0[0] += 7;
    // At 1/8, 3/8, 5/8 and 7/8 of the window, and at 1/4 and 3/4.
    let in_time = [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1), (0, 3)];
    let in_time = in_time.map(|(part, n): (usize, usize)| all[part].strata[n].clone());
    assert_eq!(merge(all.clone()).unwrap().strata, in_time);
    all[1].strata[1].control = !all[1].strata[1].control;
    let refused = merge(all).unwrap_err();
    assert!(matches!(refused, MergeError::OtherShape { part: 2, tie: Tie::Strata, .. }), "{refused}");
}

#[test]
fn a_part_that_was_stopped_before_the_storm_has_none() {
    let mut all = parts(2);
    all[0].storm = Some(StormRecord { executions: 5, ..StormRecord::default() });
    assert!(matches!(merge(all.clone()), Err(MergeError::OtherShape { tie: Tie::Storm, .. })));
    all[1].partial = true;
    assert_eq!(merge(all).unwrap().storm.unwrap().executions, 5);
}

#[test]
fn a_storm_is_over_when_the_last_part_is() {
    let storm = |last_signal_us| StormRecord {
        executions: 100,
        held: 99,
        given_up: 1,
        last_signal_us,
        signals_answered_us: Some(5.0),
        retries: [(RetryCause::GrantGone, 2)].into(),
    };
    let mut all = parts(2);
    (all[0].storm, all[1].storm) = (Some(storm(Some(3.0))), Some(storm(Some(4.0))));
    let whole = merge(all.clone()).unwrap().storm.unwrap();
    assert_eq!((whole.executions, whole.held, whole.given_up), (200, 198, 2));
    assert_eq!((whole.last_signal_us, whole.retries[&RetryCause::GrantGone]), (Some(4.0), 4));
    all[1].storm = Some(storm(None));
    assert_eq!(merge(all).unwrap().storm.unwrap().last_signal_us, None);
}

#[test]
fn the_first_claim_that_failed_is_the_first_of_all_and_a_stall_of_one_part_is_none() {
    let event = |t_s: f64, what| WindowEvent { t_s, what };
    let mut all = parts(2);
    all[0].events = vec![
        event(1.0, WindowEventKind::StallBegan),
        event(3.0, WindowEventKind::StallEnded),
        event(4.0, WindowEventKind::FirstTimedOut),
    ];
    all[1].events =
        vec![event(2.0, WindowEventKind::FirstTimedOut), event(5.0, WindowEventKind::FirstFailed)];
    (all[0].longest_gap_s, all[1].longest_gap_s) = (Some(2.0), Some(0.3));
    let whole = merge(all).unwrap();
    assert_eq!(
        whole.events,
        [event(2.0, WindowEventKind::FirstTimedOut), event(5.0, WindowEventKind::FirstFailed)]
    );
    assert_eq!(whole.longest_gap_s, None, "what the parts did not keep nobody knows");
}

/// All together have no gap where the others claimed on, and end with the last of them.
#[test]
fn a_generator_keeps_its_own_stall_and_the_time_of_its_own_window() {
    let mut all = parts(2);
    let windows = [(10.0, Some(0.02), Some(0.0)), (13.0, Some(3.0), Some(3.2))];
    for (part, (active_s, longest_s, stalled_s)) in all.iter_mut().zip(windows) {
        part.window.as_mut().unwrap().active_s = active_s;
        part.generator.as_mut().unwrap().window_s = active_s;
        (part.longest_gap_s, part.stalled_s) = (longest_s, stalled_s);
    }
    let whole = merge(all).unwrap();
    let kept = |one: &GeneratorRecord| (one.used.window_s, one.longest_gap_s, one.stalled_s);
    assert_eq!(whole.generators.iter().map(kept).collect::<Vec<_>>(), windows);
    assert!((whole.claims_made_s() - 13.0).abs() < 1e-9);
    // The slower of its two variants, whose median is a fifth above 200 us.
    let medians = whole.generators.iter().filter_map(|one| one.service_p50_us);
    let medians: Vec<f64> = medians.collect();
    assert!(medians.len() == 2 && medians.iter().all(|us| (us - 240.0).abs() < 5.0), "{medians:?}");
}

#[test]
fn examples_and_named_losses_stay_few() {
    let mut all = parts(3);
    for part in &mut all {
        part.audit.examples = vec!["x".into(); 7];
        part.audit.lost_by_server_ids = vec!["y".into(); 600];
    }
    let audit = merge(all).unwrap().audit;
    assert_eq!(
        (audit.examples.len(), audit.lost_by_server_ids.len()),
        (Audit::MOST_EXAMPLES, Audit::MOST_LOSSES)
    );
}
